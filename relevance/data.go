package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/google/uuid"

	"stackforge/repo/search"
	"stackforge/seed"
)

//go:embed data
var files embed.FS

// debian is the collection of package descriptions. The others are the tenants of the seed.
const debian = "debian"

// seedTenants are the collections of the seed, by the names of the judgements.
func seedTenants() map[string]uuid.UUID {
	t := seed.Tenants()
	return map[string]uuid.UUID{"meridian": t[0].ID, "lakeside": t[1].ID, "bayline": t[2].ID}
}

// classes of queries, in the order of the table.
func classes() []string {
	return []string{"exact", "multi-word", "phrase", "prefix", "accent", "typo", "phonetic", "semantic"}
}

// mode is a mode of search and the classes of queries that it is meant for.
type mode struct {
	name, sql string
	classes   []string
}

func modes() []mode {
	words := []string{"exact", "multi-word", "phrase", "prefix", "accent"}
	return []mode{
		{"FTS", search.FTS, words},
		{"FUZZY", search.Fuzzy, []string{"exact", "multi-word", "accent", "typo"}},
		{"SOUNDEX", search.Soundex, []string{"exact", "phonetic"}},
		{"METAPHONE", search.Metaphone, []string{"exact", "phonetic"}},
		{"SEMANTIC", search.Semantic, []string{"exact", "multi-word", "accent", "typo", "semantic"}},
		{"HYBRID", search.Hybrid, classes()},
	}
}

// set is all that was judged.
type set struct {
	packages []string // documents of the collection debian, as JSON objects for import_documents
	needs    []need
}

// need is something that somebody looks for in one collection, with the ways of asking for it.
type need struct {
	Collection string         `json:"collection"`
	Need       string         `json:"need"`
	Relevant   map[string]int `json:"relevant"` // grade (1 related, 2 serves, 3 is it) by external id, or by id in the seed
	Queries    []query        `json:"queries"`
}

type query struct {
	Class    string `json:"class"`
	Text     string `json:"text"`
	Language string `json:"language,omitempty"` // default "en"
}

// judged are the grades of all relevant documents.
func (n need) judged() []int {
	var out []int
	for _, g := range n.Relevant {
		out = append(out, g)
	}
	return out
}

func readSet() (set, error) {
	var s set
	lines, err := files.ReadFile("data/packages.ndjson")
	if err != nil {
		return s, err
	}
	for line := range bytes.Lines(lines) {
		s.packages = append(s.packages, string(bytes.TrimSpace(line)))
	}
	text, err := files.ReadFile("data/judgements.ndjson")
	if err != nil {
		return s, err
	}
	for d := strictDecoder(text); ; {
		var n need
		switch err := d.Decode(&n); {
		case errors.Is(err, io.EOF):
			return s, nil
		case err != nil:
			return s, fmt.Errorf("judgements.ndjson, need %d: %w", len(s.needs)+1, err)
		}
		for _, q := range n.Queries {
			if !slices.Contains(classes(), q.Class) {
				return s, fmt.Errorf("judgements.ndjson: %q has no class of queries", q.Text)
			}
		}
		s.needs = append(s.needs, n)
	}
}

func strictDecoder(text []byte) *json.Decoder {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d
}
