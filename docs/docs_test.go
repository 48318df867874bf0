// Package docs_test keeps the pages equal to what they describe.
package docs_test

import (
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/errs"
)

var update = flag.Bool("update", false, "write the generated parts")

func TestErrors(t *testing.T) {
	t.Parallel()

	var b strings.Builder
	b.WriteString("| code | status | our state | PostgreSQL's states | worker | message |\n|---|---|---|---|---|---|\n")
	for _, r := range errs.Table() {
		worker := "gives up"
		if r.Retry {
			worker = "tries again"
		}
		fmt.Fprintf(&b, "| `%s` | %d %s | %s | %s | %s | %s |\n", r.Code, r.Status, http.StatusText(r.Status), r.State, strings.Join(r.SQL, " "), worker, r.Message)
	}
	equalPart(t, "errors.md", "errs.Table", b.String())
}

// equalPart compares what stands between two marks of a page, or writes it.
func equalPart(t *testing.T, file, name, want string) {
	t.Helper()

	text := read(t, file)
	start, end := "<!-- table: "+name+" -->\n", "<!-- /table -->"
	before, rest, ok := strings.Cut(text, start)
	require.True(t, ok, "%s has no part %s", file, name)
	have, after, ok := strings.Cut(rest, end)
	require.True(t, ok, "the part %s does not end", name)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(before+start+want+end+after), 0o644))
		return
	}
	require.Equal(t, want, have, "stale: run `go test ./docs -update`")
}

// TestDependencies asks that every direct requirement of the program, the bench's peer, the tools and the playground has its row, with the version in use.
func TestDependencies(t *testing.T) {
	t.Parallel()

	rows := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (\\S+) ").FindAllStringSubmatch(read(t, "dependencies.md"), -1) {
		rows[m[1]] = m[2]
	}
	want := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) (v\S+)$`).FindAllStringSubmatch(read(t, "../go.mod"), -1) {
		want[m[1]] = m[2]
	}
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) (v\S+)$`).FindAllStringSubmatch(read(t, "../bench/river/go.mod"), -1) {
		require.Contains(t, []string{m[2], ""}, want[m[1]], "the program has another version of %s", m[1])
		want[m[1]] = m[2]
	}
	tools := read(t, "../tools/go.mod")
	block, _, _ := strings.Cut(tools[strings.Index(tools, "tool ("):], ")")
	for _, tool := range strings.Fields(block)[2:] {
		for _, m := range regexp.MustCompile(`(?m)^\t(\S+) (v\S+)(?: // indirect)?$`).FindAllStringSubmatch(tools, -1) {
			if tool == m[1] || strings.HasPrefix(tool, m[1]+"/") {
				want[m[1]] = m[2]
			}
		}
	}
	for _, m := range regexp.MustCompile(`"([@a-z][^"]*)": "(\d+\.\d+\.\d+)"`).FindAllStringSubmatch(read(t, "../playground/web/package.json"), -1) {
		want[m[1]] = m[2]
	}
	delete(want, "version") // the playground's own
	require.Equal(t, want, rows)
}

// TestLinks asks that every relative link of a page leads to a file.
func TestLinks(t *testing.T) {
	t.Parallel()

	pages := []string{"../README.md", "../CHANGELOG.md"}
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".md") {
			pages = append(pages, path)
		}
		return err
	})
	require.NoError(t, err)
	link := regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`)
	for _, page := range pages {
		for _, m := range link.FindAllStringSubmatch(read(t, page), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			_, err := os.Stat(filepath.Join(filepath.Dir(page), m[1]))
			require.NoError(t, err, "%s links to %s", page, m[1])
		}
	}
}

// TestNamesInComments asks that a comment that sends the reader to docs/ names a page.
func TestNamesInComments(t *testing.T) {
	t.Parallel()

	name := regexp.MustCompile(`docs/[A-Za-z0-9_./-]+\.md`)
	err := filepath.WalkDir("..", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			if base := e.Name(); base == "node_modules" || base != ".." && strings.HasPrefix(base, ".") {
				return filepath.SkipDir
			}
			return err
		}
		if ext := filepath.Ext(path); ext != ".go" && ext != ".sql" && ext != ".graphqls" {
			return nil
		}
		for _, page := range name.FindAllString(read(t, path), -1) {
			_, err := os.Stat(filepath.Join("..", page))
			require.NoError(t, err, "%s names %s", path, page)
		}
		return nil
	})
	require.NoError(t, err)
}

func read(t *testing.T, path string) string {
	t.Helper()

	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}
