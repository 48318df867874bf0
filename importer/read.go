package importer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"hash/fnv"
	"io"

	"stackforge/errs"
)

const (
	readSize = 256 << 10
	cutLine  = "The file ends in the middle of a line."
)

// source counts the bytes of the input as they are read, and stops waiting for a silent input when the context ends: the
// read that is under way is left behind with a buffer of its own.
type source struct {
	done <-chan struct{}
	run  *run
	buf  []byte
}

func (s *source) Read(p []byte) (int, error) {
	type result struct {
		n   int
		err error
	}
	got := make(chan result, 1)
	buf := s.buf[:min(len(p), len(s.buf))]
	go func() {
		n, err := s.run.options.Reader.Read(buf)
		got <- result{n, err}
	}()
	select {
	case r := <-got:
		s.run.bytes.Add(int64(r.n))
		return copy(p, buf[:r.n]), r.err
	case <-s.done:
		return 0, io.ErrUnexpectedEOF
	}
}

// open looks at the first bytes: gzip, or text with or without a byte order mark.
func (r *run) open(done <-chan struct{}) (*bufio.Reader, error) {
	raw := bufio.NewReaderSize(&source{done: done, run: r, buf: make([]byte, readSize)}, readSize)
	magic, err := raw.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	in := raw
	if bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(raw)
		if err != nil {
			return nil, err
		}
		in = bufio.NewReaderSize(z, readSize)
	}
	if bom, _ := in.Peek(3); bytes.Equal(bom, []byte{0xef, 0xbb, 0xbf}) {
		if _, err := in.Discard(3); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// read cuts the input into lines and hands batches of them to the workers' queues. damage is why the input could not be
// read to its end; err ends the import.
func (r *run) read(ctx context.Context, queues []chan *batch) (damage, err error) {
	in, err := r.open(ctx.Done())
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return damaged(err), nil
	}
	batches := make([]*batch, len(queues))
	var buf []byte
	for n := int64(1); damage == nil; n++ {
		var long bool
		var rerr error
		buf, long, rerr = readLine(in, buf[:0])
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if rerr != nil && !errors.Is(rerr, io.EOF) {
			damage = damaged(rerr)
		}
		if err := r.take(ctx, queues, batches, line{number: n, text: buf, long: long, last: rerr != nil}); err != nil {
			return nil, err
		}
		if rerr != nil {
			break
		}
	}
	for i, b := range batches {
		if err := send(ctx, queues[i], b); err != nil {
			return nil, err
		}
	}
	return damage, nil
}

// damaged is the error of an input that cannot be read on.
func damaged(err error) error {
	return errs.Wrap(errs.Validation, err, "The input is damaged or ends too early: "+err.Error()+". What came before is imported.")
}

// readLine appends the next line without its end. A line over the limit is read to its end but only its start is kept.
func readLine(in *bufio.Reader, buf []byte) (_ []byte, long bool, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if room := MaxLineBytes + 2 - len(buf); len(part) > room {
			part, long = part[:max(room, 0)], true
		}
		buf = append(buf, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			buf = bytes.TrimRight(buf, "\r\n")
			return buf, long || len(buf) > MaxLineBytes, err
		}
	}
}

// take puts one line into the batch of its worker, or rejects it.
func (r *run) take(ctx context.Context, queues []chan *batch, batches []*batch, l line) error {
	if len(bytes.TrimSpace(l.text)) == 0 {
		return nil
	}
	key, faults := l.check()
	if len(faults) > 0 {
		return r.rejects.add(l.number, l.text, faults)
	}
	w := int(l.number) % len(queues)
	if key != "" {
		h := fnv.New32a()
		_, _ = io.WriteString(h, key)            // never fails
		w = int(h.Sum32() % uint32(len(queues))) //nolint:gosec // at most MaxWorkers
	}
	if b := batches[w]; b != nil && b.bytes+len(l.text) > MaxBatchBytes {
		batches[w] = nil
		if err := send(ctx, queues[w], b); err != nil {
			return err
		}
	}
	if batches[w] == nil {
		batches[w] = &batch{}
	}
	b := batches[w]
	b.add(l)
	if len(b.lines) < r.options.BatchLines {
		return nil
	}
	batches[w] = nil
	return send(ctx, queues[w], b)
}

func send(ctx context.Context, queue chan<- *batch, b *batch) error {
	if b == nil {
		return nil
	}
	select {
	case queue <- b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
