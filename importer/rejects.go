package importer

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"
)

// maxInput is how much of a rejected line is repeated in the reject file, in bytes.
const maxInput = 2 << 10

// rejects writes the faults of lines, one JSON object each, and counts the lines. Workers write as they go: the lines
// of the reject file are not in the order of the input.
type rejects struct {
	mu    sync.Mutex
	out   *bufio.Writer
	count int64
}

func newRejects(w io.Writer) *rejects {
	if w == nil {
		w = io.Discard
	}
	return &rejects{out: bufio.NewWriter(w)}
}

// reject is one line of the reject file.
type reject struct {
	Line int64 `json:"line"`
	fault
	Input string `json:"input"`
}

func (r *rejects) add(number int64, text []byte, faults []fault) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	if len(text) > maxInput {
		text = text[:maxInput]
		for len(text) > maxInput-utf8.UTFMax && !utf8.RuneStart(text[len(text)-1]) {
			text = text[:len(text)-1]
		}
		if r, n := utf8.DecodeLastRune(text); r == utf8.RuneError && n == 1 {
			text = text[:len(text)-1]
		}
	}
	e := json.NewEncoder(r.out)
	e.SetEscapeHTML(false)
	for _, f := range faults {
		if err := e.Encode(reject{Line: number, fault: f, Input: string(text)}); err != nil {
			return fmt.Errorf("write the rejects: %w", err)
		}
	}
	return nil
}

func (r *rejects) lines() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

func (r *rejects) flush() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.out.Flush(); err != nil {
		return fmt.Errorf("write the rejects: %w", err)
	}
	return nil
}
