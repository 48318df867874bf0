package search

import (
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"strconv"

	"stackforge/errs"
)

// cursor is a place in the hits of one search.
type cursor struct {
	Search    string          `json:"s"` // which search
	WordsOnly bool            `json:"w,omitempty"`
	Place     json.RawMessage `json:"p"` // what find_documents continues behind
}

// maxCursor bounds what is decoded; ours have about 300 characters.
const maxCursor = 4096

func errBadCursor() error { return errs.Field("after", "This is not a cursor of this search.") }

// Cursor returns the opaque cursor of a hit.
func (f *Found) Cursor(h *Hit) string {
	text, err := json.Marshal(cursor{Search: f.name(), WordsOnly: f.params.WordsOnly, Place: h.place})
	if err != nil {
		return "" // it is JSON already
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// place is the place of After, null without one.
func (p Params) place() (json.RawMessage, error) {
	if p.After == nil {
		return nil, nil
	}
	c, ok := p.cursor()
	if !ok || c.WordsOnly != p.WordsOnly {
		return nil, errBadCursor()
	}
	return c.Place, nil
}

// Continues reports whether After leads on from hits that were found by words alone although the mode compares vectors.
// Then the rest must be found that way, too.
func (p Params) Continues() (wordsOnly bool) {
	c, ok := p.cursor()
	return ok && c.WordsOnly
}

func (p Params) cursor() (c cursor, ok bool) {
	if p.After == nil || len(*p.After) > maxCursor {
		return c, false
	}
	text, err := base64.RawURLEncoding.DecodeString(*p.After)
	if err != nil || json.Unmarshal(text, &c) != nil || len(c.Place) == 0 || c.Search != p.name() {
		return c, false
	}
	return c, true
}

// name tells searches apart whose hits are others or in another order, without showing the conditions.
func (p Params) name() string {
	p.Offset, p.WordsOnly, p.Models = 0, false, nil
	text, err := p.request()
	if err != nil {
		return ""
	}
	h := fnv.New64a()
	_, _ = h.Write(text) // never fails
	return strconv.FormatUint(h.Sum64(), 36)
}
