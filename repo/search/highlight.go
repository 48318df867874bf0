package search

import (
	"context"
	"html"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/google/uuid"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/tenant"
)

// Highlight is a text of a document with its matches marked.
type Highlight struct {
	Field  Field
	HTML   string // escaped, each match within <mark>
	Text   string
	Ranges []Range // of Text, in order
}

// Field is what of a document matches.
type Field string

// The fields.
const (
	Title Field = "title"
	Body  Field = "body"
)

// Range is a stretch of a text in UTF-16 code units.
type Range struct{ Start, Length int }

// passages is how much of a body is shown.
type passages struct{ fragments, words int }

// Limits of passages.
const (
	MaxFragments = 10
	minWords     = 5
	maxWords     = 100
)

// Highlights returns where a document of the page matches: the title, then up to that many passages of the body of about
// that many words. The first call asks for all documents of the page in one statement. It is Validation naming fragments
// or words.
func (f *Found) Highlights(ctx context.Context, id uuid.UUID, fragments, words int) ([]Highlight, error) {
	var list errs.List
	if fragments < 1 || fragments > MaxFragments {
		list.Add("fragments", "This must be from 1 to "+strconv.Itoa(MaxFragments)+".")
	}
	if words < minWords || words > maxWords {
		list.Add("words", "This must be from "+strconv.Itoa(minWords)+" to "+strconv.Itoa(maxWords)+".")
	}
	if err := list.Err(); err != nil {
		return nil, err
	}
	p := passages{fragments, words}
	f.mu.Lock()
	o := f.marks[p]
	if o == nil {
		o = &once[map[uuid.UUID][]Highlight]{}
		f.marks[p] = o
	}
	f.mu.Unlock()
	marks, err := o.get(func() (map[uuid.UUID][]Highlight, error) { return f.highlights(ctx, p) })
	if err != nil {
		return nil, err
	}
	if marks[id] == nil {
		return []Highlight{}, nil
	}
	return marks[id], nil
}

func (f *Found) highlights(ctx context.Context, p passages) (map[uuid.UUID][]Highlight, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[uuid.UUID][]Highlight, len(f.ids))
	if f.params.Query == nil {
		return out, nil
	}
	type row struct {
		ID    uuid.UUID `db:"id"`
		Field Field     `db:"field"`
		Text  string    `db:"text"`
	}
	rows, err := db.List[row](ctx, db.Read(f.repo.db), `
		-- name: search.Highlights
		SELECT id, field, text
		FROM highlight_documents($1, $2, $3, $4, $5)
		ORDER BY id, field DESC, fragment`, s.TenantID, f.request, f.ids, p.fragments, p.words)
	for _, r := range rows {
		out[r.ID] = append(out[r.ID], mark(r.Field, r.Text))
	}
	return out, inArgument(err)
}

// What stands around a match in the text of highlight_documents.
const (
	matchStart = '\x02'
	matchEnd   = '\x03'
)

// mark turns the signs around matches into ranges and tags. Whatever the text holds, each <mark> is closed and nothing
// else in the HTML is a tag: a sign without its partner is left out.
func mark(field Field, marked string) Highlight {
	h := Highlight{Field: field, Ranges: []Range{}}
	var text, markup strings.Builder
	text.Grow(len(marked))
	markup.Grow(len(marked) + 16)
	units, open := 0, -1
	for len(marked) > 0 {
		i := strings.IndexAny(marked, "\x02\x03")
		if i < 0 {
			i = len(marked)
		}
		text.WriteString(marked[:i])
		markup.WriteString(html.EscapeString(marked[:i]))
		units += utf16Len(marked[:i])
		if i == len(marked) {
			break
		}
		switch sign := marked[i]; {
		case sign == matchStart && open < 0 && strings.IndexByte(marked[i:], matchEnd) > 0:
			markup.WriteString("<mark>")
			open = units
		case sign == matchEnd && open >= 0:
			markup.WriteString("</mark>")
			h.Ranges = append(h.Ranges, Range{Start: open, Length: units - open})
			open = -1
		}
		marked = marked[i+1:]
	}
	h.Text, h.HTML = text.String(), markup.String()
	return h
}

func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}
