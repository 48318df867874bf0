package search

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"stackforge/errs"
	"stackforge/query"
)

// The modes, as SQL names them.
const (
	FTS       = "fts"
	Fuzzy     = "fuzzy"
	Soundex   = "soundex"
	Metaphone = "metaphone"
	Semantic  = "semantic"
	Hybrid    = "hybrid"
)

// Limits of a search.
const (
	MaxQuery   = 1000   // characters
	MaxOffset  = 10_000 // hits
	MinWeight  = 0.001  // or 0
	MaxWeight  = 1000
	Dimensions = 1536 // of a vector
)

// Params says what to look for; all given conditions must hold. Its JSON is what the SQL functions read.
type Params struct {
	Query      *string         `json:"query,omitempty"` // at most MaxQuery characters
	Mode       string          `json:"mode"`
	Language   string          `json:"language"`
	PathPrefix *string         `json:"pathPrefix,omitempty"`
	TagIDs     []int           `json:"tagIds,omitzero"` // nil is any, and none of none is none
	TagMatch   string          `json:"tagMatch,omitempty"`
	Metadata   json.RawMessage `json:"metadata,omitempty"` // an object of strings: has all of them
	AuthorID   *uuid.UUID      `json:"authorId,omitempty"`
	Near       *Near           `json:"near,omitempty"`
	Within     *Box            `json:"within,omitempty"`
	Weights    *Weights        `json:"weights,omitempty"` // of HYBRID
	Offset     int             `json:"offset,omitempty"`  // 0 to MaxOffset; not together with After

	Models []string `json:"models,omitempty"` // what made the Vector, one model for each 1,536 numbers

	CreatedAt *query.Time `json:"-"`
	First     int         `json:"-"` // 1 to query.MaxFirst
	After     *string     `json:"-"` // a Cursor of the same search
	Vector    []float32   `json:"-"` // of the query, for Semantic and Hybrid
	WordsOnly bool        `json:"-"` // Hybrid without a vector: finds what FTS finds
	Authors   bool        `json:"-"` // fetch them too
	Bodies    bool        `json:"-"` // as Authors; documents come without
	Counts    bool        `json:"-"` // Found.Count will be asked for; it begins with the page where the page cannot tell
}

// Near is a circle on the earth: degrees and metres.
type Near struct {
	Longitude float64 `json:"longitude"`
	Latitude  float64 `json:"latitude"`
	Radius    float64 `json:"radius"`
}

// Box is a box of degrees; with West beyond East it crosses the antimeridian.
type Box struct {
	West  float64 `json:"west"`
	South float64 `json:"south"`
	East  float64 `json:"east"`
	North float64 `json:"north"`
}

// Weights are what each part of HYBRID counts.
type Weights struct {
	Words  float64 `json:"words"`
	Vector float64 `json:"vector"`
}

// NeedsVector reports whether the mode compares vectors.
func (p Params) NeedsVector() bool {
	return (p.Mode == Semantic || p.Mode == Hybrid) && !p.WordsOnly
}

// Validate checks what can be known without the database. It is Validation naming the fields.
func (p Params) Validate() error {
	var list errs.List
	switch {
	case p.Query != nil && utf8.RuneCountInString(*p.Query) > MaxQuery:
		list.Add("query", "A query has at most 1,000 characters.")
	case (p.Mode == Semantic || p.Mode == Hybrid) && (p.Query == nil || strings.TrimSpace(*p.Query) == ""):
		list.Add("query", "This mode needs a query.")
	}
	if p.First < 1 || p.First > query.MaxFirst {
		list.Add("first", "This must be from 1 to "+strconv.Itoa(query.MaxFirst)+".")
	}
	switch {
	case p.Offset < 0 || p.Offset > MaxOffset:
		list.Add("offset", "This must be from 0 to 10,000.")
	case p.Offset > 0 && p.After != nil:
		list.Add("offset", "Give after or offset, not both.")
	}
	if w := p.Weights; w != nil {
		weight(&list, "weights.words", w.Words)
		weight(&list, "weights.vector", w.Vector)
		if w.Words == 0 && w.Vector == 0 {
			list.Add("weights", "One of the weights must be more than 0.")
		}
	}
	return list.Err()
}

func weight(list *errs.List, field string, v float64) {
	if v != 0 && (math.IsNaN(v) || v < MinWeight || v > MaxWeight) {
		list.Add(field, "A weight is 0, or from 0.001 to 1,000.")
	}
}

// request is the search as the SQL functions read it.
func (p Params) request() (json.RawMessage, error) {
	if p.WordsOnly {
		p.Mode = FTS
	}
	if p.Mode != Hybrid {
		p.Weights = nil
	}
	if !p.NeedsVector() {
		p.Models = nil
	}
	from, to := span(p.CreatedAt)
	text, err := json.Marshal(struct {
		Params
		CreatedFrom string `json:"createdFrom,omitempty"`
		CreatedTo   string `json:"createdTo,omitempty"`
	}{p, from, to})
	if err != nil {
		return nil, errs.Field("query", "This cannot be written as JSON.")
	}
	return text, nil
}

func (p Params) vector() []float32 {
	if !p.NeedsVector() {
		return nil
	}
	return p.Vector
}

// span turns comparisons with a moment into "from this, before that"; "" is open. Rows have whole microseconds, and a
// client may say less.
func span(t *query.Time) (from, to string) {
	if t == nil {
		return "", ""
	}
	var least, end time.Time
	atLeast := func(v time.Time) {
		if v.After(least) {
			least = v
		}
	}
	before := func(v time.Time) {
		if end.IsZero() || v.Before(end) {
			end = v
		}
	}
	for _, v := range []*time.Time{t.Gte, t.Eq} {
		if v != nil {
			atLeast(roundUp(*v))
		}
	}
	for _, v := range []*time.Time{t.Lte, t.Eq} {
		if v != nil {
			before(v.Truncate(time.Microsecond).Add(time.Microsecond))
		}
	}
	if t.Gt != nil {
		atLeast(t.Gt.Truncate(time.Microsecond).Add(time.Microsecond))
	}
	if t.Lt != nil {
		before(roundUp(*t.Lt))
	}
	if t.IsNull != nil && *t.IsNull { // a document always has the time
		before(time.Unix(0, 0))
		atLeast(time.Unix(0, 0))
	}
	return stamp(least), stamp(end)
}

func roundUp(v time.Time) time.Time {
	return v.Add(time.Microsecond - time.Nanosecond).Truncate(time.Microsecond)
}

func stamp(v time.Time) string {
	if v.IsZero() {
		return ""
	}
	return v.UTC().Format("2006-01-02T15:04:05.999999Z07:00")
}

// inArgument names the fields of a circle as the schema does: within their argument.
func inArgument(err error) error {
	var list errs.List
	var one *errs.Error
	switch {
	case errors.As(err, &list):
	case errors.As(err, &one):
		list = errs.List{one}
	}
	for _, e := range list {
		switch e.Field {
		case "longitude", "latitude", "radius":
			e.Field = "near." + e.Field
		}
	}
	return err
}
