// Package workflows_test runs the scripts of this folder against the program: a server and a worker as processes of their own on
// a database of their own, once over REST and once over GraphQL. README.md tells how a script is read.
package workflows_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

func TestWorkflows(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it starts processes")
	}

	files, err := filepath.Glob("[0-9]*.md")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	program := build(t)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		s, err := parse(string(text))
		require.NoError(t, err, file)
		for pass, d := range map[string]door{"REST": rest, "GraphQL": graphql} {
			t.Run(strings.TrimSuffix(file, ".md")+"/"+pass, func(t *testing.T) {
				t.Parallel()
				s.run(t, newWorld(t, program, d), file)
			})
		}
	}
}

// run does the steps one after the other, and none after one that failed.
func (s *script) run(t *testing.T, w *world, file string) {
	t.Helper()
	version := w.version()
	for i, step := range s.steps {
		if !step.server.has(version) {
			continue
		}
		for _, b := range step.blocks {
			if !step.of(b, w.door) {
				continue
			}
			require.NoError(t, w.do(b), "%s:%d: step %d, %s", file, b.line, i+1, step.name)
		}
		t.Logf("ok  %d. %s", i+1, step.name)
	}
}

// do does one block.
func (w *world) do(b block) error {
	if b.kind == "json" {
		return w.expectInbox(b)
	}
	if b.kind == "sh" {
		return w.shell(b.do)
	}
	text, err := w.values.fill(b.do)
	if err != nil {
		return err
	}
	switch b.kind {
	case "sql":
		rows, err := w.sql(text)
		if err != nil || !b.expects {
			return err
		}
		return w.expect(b.want, rows)
	case string(rest), string(graphql):
	default:
		return fmt.Errorf("there is no kind of block called %s", b.kind)
	}
	for end := time.Now().Add(patience); ; {
		err := w.request(b, text)
		if err == nil || !b.eventually || time.Now().After(end) {
			return err
		}
		<-time.After(20 * time.Millisecond)
	}
}

// expect compares an answer with its pattern.
func (w *world) expect(pattern string, value any) error {
	p, err := w.values.pattern(pattern)
	if err != nil {
		return fmt.Errorf("the pattern: %w", err)
	}
	if err := w.values.matches(p, value); err != nil {
		return fmt.Errorf("%w\nwhat came: %s", err, show(value))
	}
	return nil
}

// expectInbox waits for what must have come by itself, or requires that it has not: a pattern a line.
func (w *world) expectInbox(b block) error {
	in := w.inboxes[b.label(0)]
	if in == nil {
		return fmt.Errorf("nobody is called %q", b.label(0))
	}
	patterns := strings.Split(strings.TrimSpace(b.do), "\n")
	if b.words[len(b.words)-1] == "never" {
		return in.lacks(w.values, patterns)
	}
	return in.has(w.t.Context(), w.values, patterns)
}

// request sends what a block says and compares the answer.
func (w *world) request(b block, text string) error {
	if b.kind == string(graphql) {
		return w.operation(b, text)
	}
	head, body, _ := strings.Cut(text, "\n\n")
	first, rest, _ := strings.Cut(head, "\n")
	method, target, ok := strings.Cut(first, " ")
	if !ok {
		return fmt.Errorf("no request: %q", first)
	}
	header, err := w.header(rest)
	if err != nil {
		return err
	}
	if b.status == http.StatusSwitchingProtocols {
		return w.follow(b.label(0), target, header)
	}
	status, kind, answer, err := w.send(method, target, header, strings.TrimSpace(body))
	if err != nil {
		return err
	}
	if status != b.status {
		return fmt.Errorf("the status is %d, not %d: %s", status, b.status, answer)
	}
	if b.want == "" {
		return nil
	}
	value, err := decode(answer)
	if err != nil {
		return fmt.Errorf("%s: %w: %s", kind, err, answer)
	}
	return w.expect(b.want, value)
}

// header reads lines of a header. Without a credential among them the request is the current key's.
func (w *world) header(lines string) (http.Header, error) {
	h := http.Header{}
	for line := range strings.SplitSeq(lines, "\n") {
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			return nil, fmt.Errorf("no header: %q", line)
		}
		h.Set(name, value)
	}
	if h.Get("X-Api-Key") == "" && h.Get("Authorization") == "" {
		h.Set("X-Api-Key", w.values["key"])
	}
	return h, nil
}

// operation sends a GraphQL operation, above which there may be lines of a header and an empty one.
func (w *world) operation(b block, text string) error {
	head, query, ok := strings.Cut(text, "\n\n")
	if !ok || strings.ContainsAny(head, "{}") {
		head, query = "", text
	}
	header, err := w.header(head)
	if err != nil {
		return err
	}
	if strings.HasPrefix(query, "subscription") {
		return w.subscribe(b.label(0), query, header)
	}
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		return err
	}
	_, kind, answer, err := w.send(http.MethodPost, "/graphql", header, string(body))
	if err != nil {
		return err
	}
	value, err := decode(answer)
	if err != nil {
		return fmt.Errorf("%s: %w: %s", kind, err, answer)
	}
	return w.expect(b.want, value)
}

// send sends a request.
func (w *world) send(method, target string, header http.Header, body string) (status int, contentType, answer string, err error) {
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+target, strings.NewReader(body))
	if err != nil {
		return 0, "", "", err
	}
	if header != nil {
		r.Header = header
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, response.Header.Get("Content-Type"), string(text), err
}
