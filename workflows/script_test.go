package workflows_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// script is one file: a title and steps, which are run from the first to the last.
type script struct {
	title string
	steps []step
}

// step is what stands under one heading.
type step struct {
	name   string
	blocks []block
	server versions // of PostgreSQL on which it is done
}

// versions are those from one major version to another.
type versions struct{ from, to int }

func (v versions) has(major int) bool { return major >= v.from && major <= v.to }

// door is how a step talks to the server.
type door string

const (
	rest    door = "http"
	graphql door = "graphql"
)

// block is one fenced block: what is done, and what comes of it.
type block struct {
	line  int      // in the file
	kind  string   // the first word behind the fence
	words []string // the others
	do    string   // what stands above the line that begins with =>

	expects    bool   // there is such a line
	eventually bool   // it is asked again until the answer is as expected
	status     int    // of HTTP
	want       string // the pattern of the answer
}

// label is the n-th word behind the fence.
func (b block) label(n int) string {
	if n < len(b.words) {
		return b.words[n]
	}
	return ""
}

// of tells whether a block belongs to the pass through a door. A step that only one door can do is done by that door in both.
func (s step) of(b block, d door) bool {
	has := map[door]bool{}
	for _, other := range s.blocks {
		if other.kind == string(rest) || other.kind == string(graphql) {
			has[door(other.kind)] = true
		}
	}
	both := has[rest] && has[graphql]
	switch b.kind {
	case string(rest), string(graphql):
		return !both || b.kind == string(d)
	case "json":
		return b.label(1) != string(rest) && b.label(1) != string(graphql) || b.label(1) == string(d)
	}
	return true
}

// parse reads a file.
func parse(text string) (*script, error) {
	s := &script{}
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		last := len(s.steps) - 1
		switch {
		case strings.HasPrefix(line, "# "):
			s.title = line[2:]
		case strings.HasPrefix(line, "## "):
			s.steps = append(s.steps, step{name: line[3:], server: versions{0, 1000}})
		case strings.HasPrefix(line, "Only on PostgreSQL ") && last >= 0:
			v, err := parseVersions(line)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
			s.steps[last].server = v
		case strings.HasPrefix(line, "```"):
			end := i + 1
			for end < len(lines) && lines[end] != "```" {
				end++
			}
			if last < 0 || end == len(lines) {
				return nil, fmt.Errorf("line %d: a block must be in a step and have an end", i+1)
			}
			b, err := parseBlock(strings.Fields(line[3:]), lines[i+1:end])
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
			b.line = i + 1
			s.steps[last].blocks = append(s.steps[last].blocks, b)
			i = end
		}
	}
	if s.title == "" || len(s.steps) == 0 {
		return nil, fmt.Errorf("a script has a title and steps")
	}
	return s, nil
}

// parseVersions reads a line such as "Only on PostgreSQL 15." or "Only on PostgreSQL 16 and later.", whatever follows it.
func parseVersions(line string) (versions, error) {
	m := regexp.MustCompile(`^Only on PostgreSQL (\d+)( and later)?\.`).FindStringSubmatch(line)
	if m == nil {
		return versions{}, fmt.Errorf("which versions are meant: %q", line)
	}
	n, err := strconv.Atoi(m[1])
	if m[2] != "" {
		return versions{n, 1000}, err
	}
	return versions{n, n}, err
}

func parseBlock(words, lines []string) (block, error) {
	if len(words) == 0 {
		return block{}, fmt.Errorf("a block needs a kind")
	}
	b := block{kind: words[0], words: words[1:], do: strings.Join(lines, "\n")}
	for i, line := range lines {
		after, ok := strings.CutPrefix(line, "=>")
		if !ok {
			continue
		}
		b.do, b.expects = strings.Join(lines[:i], "\n"), true
		after = strings.TrimSpace(after)
		after, b.eventually = strings.CutPrefix(after, "eventually")
		if b.kind == string(rest) {
			first, more, _ := strings.Cut(strings.TrimSpace(after), " ")
			status, err := strconv.Atoi(first)
			if err != nil {
				return b, fmt.Errorf("what comes of a request begins with a status, not %q", first)
			}
			b.status, after = status, more
		}
		b.want = strings.TrimSpace(after + "\n" + strings.Join(lines[i+1:], "\n"))
		break
	}
	if !b.expects && (b.kind == string(rest) || b.kind == string(graphql)) {
		return b, fmt.Errorf("a request needs a line that begins with =>")
	}
	return b, nil
}
