package rest

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"stackforge/errs"
	"stackforge/query"
)

// Parameters read themselves from text. Their errors are sentences for the client.

// sentence is an error for the client.
type sentence string

func (s sentence) Error() string { return string(s) }

const (
	errNotWhole  sentence = "This must be a whole number."
	errNotNumber sentence = "This must be a number."
	errNotList   sentence = "This must be whole numbers of 32 bits, separated by commas."
)

// limit is how many items a page has: 20 unless given, and whatever number is given, 1 to 100.
type limit struct{ n int }

// UnmarshalText reads a whole number of any size and takes the nearest that is allowed.
func (l *limit) UnmarshalText(text []byte) (err error) {
	l.n, err = clamp(string(text), 1, query.MaxFirst)
	return err
}

func (l *limit) value() int {
	if l.n == 0 {
		return query.DefaultFirst
	}
	return l.n
}

// Schema describes it.
func (*limit) Schema(huma.Registry) *huma.Schema { return anyWhole(query.DefaultFirst) }

// maxOffset is far beyond what a list is paged to.
const maxOffset = 1_000_000

// offset is how many items come before a page.
type offset struct{ n int }

// UnmarshalText reads a whole number of any size and takes the nearest that is allowed.
func (o *offset) UnmarshalText(text []byte) (err error) {
	o.n, err = clamp(string(text), 0, maxOffset)
	return err
}

// Schema describes it.
func (*offset) Schema(huma.Registry) *huma.Schema { return anyWhole(0) }

// anyWhole has no bounds: what is outside of them is taken for the nearest.
func anyWhole(otherwise int) *huma.Schema {
	return &huma.Schema{Type: huma.TypeInteger, Default: otherwise}
}

func whole(low, high, otherwise int) *huma.Schema {
	least, most := float64(low), float64(high)
	return &huma.Schema{Type: huma.TypeInteger, Minimum: &least, Maximum: &most, Default: otherwise}
}

// clamp reads a whole number and moves it into the range, also one that no integer type holds.
func clamp(text string, low, high int) (int, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, errNotWhole
	}
	return int(min(max(n, int64(low)), int64(high))), nil // out of range, n is the largest or smallest there is
}

// decimal is a number that may be left out.
type decimal struct{ p *float64 }

// UnmarshalText reads a finite number.
func (d *decimal) UnmarshalText(text []byte) error {
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return errNotNumber
	}
	d.p = &f
	return nil
}

// Schema describes it.
func (*decimal) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeNumber, Format: "double"}
}

// integers is a list of numbers with commas between them; nil when it is left out.
type integers struct{ list []int }

// UnmarshalText reads the list.
func (l *integers) UnmarshalText(text []byte) error {
	for part := range strings.SplitSeq(string(text), ",") {
		n, err := strconv.ParseInt(strings.TrimSpace(part), 10, 32)
		if err != nil {
			return errNotList
		}
		l.list = append(l.list, int(n))
	}
	return nil
}

// Schema describes it.
func (*integers) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeInteger, Format: "int32"}}
}

// readable refuses parameters that are named and empty, for which huma would take the default, and what is no text.
func readable(op *huma.Operation, r *http.Request) error {
	if r.URL.RawQuery == "" {
		return nil
	}
	given := r.URL.Query()
	var list errs.List
	for _, p := range op.Parameters {
		switch value := given.Get(p.Name); {
		case p.In != "query" || !given.Has(p.Name):
		case value == "":
			list.Add(p.Name, "This has no value; give one, or leave it out.")
		case !storable(value):
			list.Add(p.Name, notText)
		}
	}
	return list.Err()
}

// pagination tells where a page stands.
type pagination struct {
	Limit   int  `json:"limit" doc:"Most items a page has, after it was brought into 1 to 100." example:"20"`
	Offset  int  `json:"offset" doc:"Items before this page." example:"0"`
	Count   int  `json:"count" doc:"Items on this page." example:"20"`
	HasMore bool `json:"hasMore" doc:"There is more after this page." example:"false"`
}

// text is a string parameter, nil when it is left out.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
