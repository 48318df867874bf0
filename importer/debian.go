package importer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of a document that a package's fields are cut to.
const (
	maxTitle      = 500
	maxExternalID = 200
)

// debianDocument is a package as a document, in the fields of an import.
type debianDocument struct {
	ExternalID string            `json:"externalId"`
	Title      string            `json:"title"`
	Body       string            `json:"body"`
	Path       string            `json:"path"`
	TagIDs     []int             `json:"tagIds"`
	Metadata   map[string]string `json:"metadata"`
	Language   string            `json:"language"`
}

// DebianIndex turns a Debian package index (apt-cache dumpavail, or a Packages file) into NDJSON for an import: one
// document for each package name, of its newest version, in the order of first appearance. tags gets the names of the
// tag ids as one JSON object ({"1": "game::strategy", …}); ids are numbered in the order of the names, so that the same
// index gives the same ids. It needs memory for the whole index, some 2 KB a package.
// Bytes that are not UTF-8 are replaced. It returns what reading and writing returned.
func DebianIndex(r io.Reader, w, tags io.Writer) error {
	packages, err := readPackages(r)
	if err != nil {
		return err
	}
	ids := map[string]int{}
	for _, p := range packages {
		for _, t := range p.tags() {
			ids[t] = 0
		}
	}
	names := make([]string, 0, len(ids))
	for t := range ids {
		names = append(names, t)
	}
	slices.Sort(names)
	byID := make(map[int]string, len(names))
	for i, t := range names {
		ids[t], byID[i+1] = i+1, t
	}

	out := bufio.NewWriter(w)
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	for _, p := range packages {
		if err := e.Encode(p.document(ids)); err != nil {
			return fmt.Errorf("write the documents: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write the documents: %w", err)
	}
	if err := json.NewEncoder(tags).Encode(byID); err != nil {
		return fmt.Errorf("write the tags: %w", err)
	}
	return nil
}

// stanza is the fields of one package; a value of several lines keeps their ends.
type stanza map[string]string

// readPackages reads all stanzas that name a package. Of a package that is there twice the newest version stays.
func readPackages(r io.Reader) ([]stanza, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	var packages []stanza
	at := map[string]int{}
	s, field := stanza{}, ""
	for {
		text, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read the package index: %w", err)
		}
		text = bytes.ToValidUTF8(bytes.TrimRight(text, "\r\n"), []byte("\ufffd"))
		text = bytes.ReplaceAll(text, []byte{0}, nil)
		switch name, value, ok := strings.Cut(string(text), ":"); {
		case len(bytes.TrimSpace(text)) == 0:
			if i, known := at[s["Package"]]; known && older(packages[i]["Version"], s["Version"]) {
				packages[i] = s
			} else if !known && s["Package"] != "" {
				at[s["Package"]] = len(packages)
				packages = append(packages, s)
			}
			s, field = stanza{}, ""
		case text[0] == ' ' || text[0] == '\t':
			if field != "" {
				s[field] += "\n" + string(text[1:])
			}
		case ok && wanted(name):
			field = name
			s[field] = strings.TrimSpace(value)
		default:
			field = ""
		}
		if err != nil && len(s) == 0 {
			return packages, nil
		}
	}
}

// wanted reports whether a field goes into the document; the others are not kept in memory.
func wanted(name string) bool {
	switch name {
	case "Package", "Version", "Section", "Priority", "Maintainer", "Homepage", "Tag", "Description", "Description-en":
		return true
	}
	return false
}

// document is the stanza as a document.
func (s stanza) document(ids map[string]int) debianDocument {
	name := s["Package"]
	text := s["Description-en"]
	if text == "" {
		text = s["Description"]
	}
	short, long, _ := strings.Cut(text, "\n")
	d := debianDocument{
		ExternalID: cut("debian:"+name, maxExternalID), Title: name, Body: paragraphs(long), Path: "debian." + label(s["Section"]),
		TagIDs: []int{}, Metadata: map[string]string{"package": name}, Language: "en",
	}
	if short != "" {
		d.Title += ": " + short
	}
	d.Title = cut(d.Title, maxTitle)
	for _, f := range []string{"Version", "Priority", "Maintainer", "Homepage"} {
		if s[f] != "" {
			d.Metadata[strings.ToLower(f)] = cut(s[f], maxTitle)
		}
	}
	for _, t := range s.tags() {
		d.TagIDs = append(d.TagIDs, ids[t])
	}
	slices.Sort(d.TagIDs)
	d.TagIDs = slices.Compact(d.TagIDs)
	return d
}

// tags are the debtags of a package; "role::{program,shared-lib}" is two.
func (s stanza) tags() []string {
	var out []string
	rest := strings.ReplaceAll(s["Tag"], "\n", " ")
	for rest != "" {
		end := strings.IndexByte(rest, ',')
		if open := strings.IndexByte(rest, '{'); open >= 0 && open < end {
			if stop := strings.IndexByte(rest, '}'); stop > open {
				facet := strings.TrimSpace(rest[:open])
				for t := range strings.SplitSeq(rest[open+1:stop], ",") {
					out = append(out, facet+strings.TrimSpace(t))
				}
				rest = strings.TrimLeft(rest[stop+1:], ", ")
				continue
			}
		}
		if end < 0 {
			end = len(rest)
		}
		if t := strings.TrimSpace(rest[:end]); t != "" {
			out = append(out, t)
		}
		rest = rest[min(end+1, len(rest)):]
	}
	return out
}

// paragraphs joins the wrapped lines of a long description. A line of one dot parts paragraphs; a line that starts with a
// space is shown as it is, a list for example.
func paragraphs(long string) string {
	var out strings.Builder
	fresh := true
	for l := range strings.SplitSeq(long, "\n") {
		switch {
		case strings.TrimSpace(l) == "":
		case strings.TrimSpace(l) == ".":
			out.WriteString("\n\n")
			fresh = true
		case l[0] == ' ':
			if !fresh {
				out.WriteByte('\n')
			}
			out.WriteString(strings.TrimRight(l, " "))
			out.WriteByte('\n')
			fresh = true
		default:
			if !fresh {
				out.WriteByte(' ')
			}
			out.WriteString(strings.TrimSpace(l))
			fresh = false
		}
	}
	return strings.TrimSpace(out.String())
}

// label is a section as labels of a path: "non-free/libs" is non_free.libs.
func label(section string) string {
	var labels []string
	for part := range strings.SplitSeq(section, "/") {
		l := strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
				return r
			}
			return '_'
		}, part)
		if l != "" {
			labels = append(labels, cut(l, 100))
		}
	}
	if len(labels) == 0 {
		return "unknown"
	}
	return strings.Join(labels[:min(len(labels), 5)], ".")
}

// cut shortens a text to n characters.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n])
}

// older reports whether Debian version a comes before b: epoch, then upstream version, then revision.
func older(a, b string) bool {
	ae, au, ar := parts(a)
	be, bu, br := parts(b)
	for _, c := range []int{compare(ae, be), compare(au, bu), compare(ar, br)} {
		if c != 0 {
			return c < 0
		}
	}
	return false
}

func parts(v string) (epoch, upstream, revision string) {
	epoch, upstream, ok := strings.Cut(v, ":")
	if !ok {
		epoch, upstream = "0", v
	}
	if i := strings.LastIndexByte(upstream, '-'); i >= 0 {
		return epoch, upstream[:i], upstream[i+1:]
	}
	return epoch, upstream, ""
}

// compare orders two parts of a version as Debian does: runs of other characters and numbers in turn; a tilde comes
// before everything, even the end, letters before other characters.
func compare(a, b string) int {
	for a != "" || b != "" {
		for len(a) > 0 && !digit(a[0]) || len(b) > 0 && !digit(b[0]) {
			if d := weight(a) - weight(b); d != 0 {
				return d
			}
			a, b = a[1:], b[1:]
		}
		var na, nb string
		na, a = number(a)
		nb, b = number(b)
		if d := len(na) - len(nb); d != 0 {
			return d
		}
		if d := strings.Compare(na, nb); d != 0 {
			return d
		}
	}
	return 0
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func weight(s string) int {
	switch {
	case s == "" || digit(s[0]):
		return 0
	case s[0] == '~':
		return -1
	case s[0] >= 'A' && s[0] <= 'Z' || s[0] >= 'a' && s[0] <= 'z':
		return int(s[0])
	default:
		return int(s[0]) + 256
	}
}

// number cuts leading digits off, without their zeros.
func number(s string) (digits, rest string) {
	n := 0
	for n < len(s) && digit(s[n]) {
		n++
	}
	return strings.TrimLeft(s[:n], "0"), s[n:]
}
