// Package query turns filters, orders and pages into SQL: comparisons as data on one side, conditions with bound
// parameters on the other. It knows no table.
package query

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"stackforge/errs"
)

// Limits of a filter, so that one request cannot ask for an endless statement.
const (
	maxConditions = 50
	maxIn         = 1000
)

// ID are comparisons of an id, as text.
type ID struct {
	Eq, Neq *string
	In      []string
}

// String are comparisons of a text.
type String struct {
	Eq, Neq              *string
	In                   []string
	Contains, StartsWith *string
	IsNull               *bool
}

// Path are comparisons of a dotted path; StartsWith and DescendantOf both mean "this path or below it".
type Path struct {
	Eq                       *string
	In                       []string
	StartsWith, DescendantOf *string
	IsNull                   *bool
}

// Time are comparisons of a moment.
type Time struct {
	Eq, Gt, Gte, Lt, Lte *time.Time
	IsNull               *bool
}

// Int are comparisons of a number.
type Int struct {
	Eq, Neq          *int
	In               []int
	Gt, Gte, Lt, Lte *int
}

// Where collects conditions. The zero value is ready; values are bound as $n and never become SQL text.
type Where struct {
	args  []any
	count int
	errs  errs.List
}

// NewWhere returns a Where whose first arguments are given: they are $1, $2, … of the statement.
func NewWhere(args ...any) *Where { return &Where{args: args} }

// Arg binds a value and returns its placeholder.
func (w *Where) Arg(v any) string {
	w.args = append(w.args, v)
	return "$" + strconv.Itoa(len(w.args))
}

// Args returns the bound values in order.
func (w *Where) Args() []any { return w.args }

// Err returns what was wrong with the filter, nil when nothing was.
func (w *Where) Err() error { return w.errs.Err() }

// Fail records that a field of the filter is not valid.
func (w *Where) Fail(field, message string) { w.errs.Add(field, message) }

// Cond counts one condition and returns it with its values bound: each ? stands for the next value.
func (w *Where) Cond(sql string, values ...any) string {
	w.count++
	if w.count == maxConditions+1 {
		w.Fail("filter", fmt.Sprintf("A filter has at most %d conditions.", maxConditions))
	}
	for _, v := range values {
		sql = strings.Replace(sql, "?", w.Arg(v), 1)
	}
	return sql
}

// And joins conditions of which all must hold; "" when there are none.
func And(conds ...string) string { return join(" AND ", conds) }

// Or joins conditions of which one must hold; "" when there are none.
func Or(conds ...string) string { return join(" OR ", conds) }

// Always turns no condition into one that always holds, for a part of an Or.
func Always(cond string) string {
	if cond == "" {
		return "true"
	}
	return cond
}

// Not turns a condition round. A condition on a missing value is not true, so its opposite is: NOT … IS TRUE.
func Not(cond string) string {
	if cond == "" {
		return ""
	}
	return "(" + cond + ") IS NOT TRUE"
}

func join(sep string, conds []string) string {
	var kept []string
	for _, c := range conds {
		if c != "" {
			kept = append(kept, c)
		}
	}
	if len(kept) < 2 {
		return strings.Join(kept, "")
	}
	return "(" + strings.Join(kept, sep) + ")"
}

func (w *Where) in(field string, n int) {
	if n > maxIn {
		w.Fail(field, fmt.Sprintf("At most %d values are allowed.", maxIn))
	}
}

// op adds "column operator value" when there is a value.
func op[T any](w *Where, conds []string, sql string, v *T) []string {
	if v == nil {
		return conds
	}
	return append(conds, w.Cond(sql, *v))
}

func (w *Where) null(conds []string, column string, isNull *bool) []string {
	switch {
	case isNull == nil:
		return conds
	case *isNull:
		return append(conds, w.Cond(column+" IS NULL"))
	default:
		return append(conds, w.Cond(column+" IS NOT NULL"))
	}
}

// String adds the comparisons of a text column.
func (w *Where) String(field, column string, f *String) string {
	if f == nil {
		return ""
	}
	w.in("filter."+field+".in", len(f.In))
	var c []string
	c = op(w, c, column+" = ?", f.Eq)
	c = op(w, c, column+" <> ?", f.Neq)
	if f.In != nil {
		c = append(c, w.Cond(column+" = ANY (?::text[])", f.In))
	}
	c = op(w, c, "strpos("+column+", ?) > 0", f.Contains)
	c = op(w, c, "starts_with("+column+", ?)", f.StartsWith)
	return And(w.null(c, column, f.IsNull)...)
}

// Path adds the comparisons of a path that is stored as text in the C collation. A subtree is a range: the path itself,
// and everything from "path." up to "path/" ('/' follows '.').
func (w *Where) Path(field, column string, f *Path) string {
	if f == nil {
		return ""
	}
	w.in("filter."+field+".in", len(f.In))
	var c []string
	c = op(w, c, column+" = ?", f.Eq)
	if f.In != nil {
		c = append(c, w.Cond(column+" = ANY (?::text[])", f.In))
	}
	for _, prefix := range []*string{f.StartsWith, f.DescendantOf} {
		if prefix != nil {
			p := strings.TrimSuffix(*prefix, ".")
			c = append(c, w.Cond("("+column+" = ? OR "+column+" >= ? AND "+column+" < ?)", p, p+".", p+"/"))
		}
	}
	return And(w.null(c, column, f.IsNull)...)
}

// Time adds the comparisons of a timestamptz column.
func (w *Where) Time(column string, f *Time) string {
	if f == nil {
		return ""
	}
	var c []string
	c = op(w, c, column+" = ?", f.Eq)
	c = op(w, c, column+" > ?", f.Gt)
	c = op(w, c, column+" >= ?", f.Gte)
	c = op(w, c, column+" < ?", f.Lt)
	c = op(w, c, column+" <= ?", f.Lte)
	return And(w.null(c, column, f.IsNull)...)
}

// Int adds the comparisons of an int column.
func (w *Where) Int(field, column string, f *Int) string {
	if f == nil {
		return ""
	}
	w.in("filter."+field+".in", len(f.In))
	var c []string
	c = op(w, c, column+" = ?", f.Eq)
	c = op(w, c, column+" <> ?", f.Neq)
	if f.In != nil {
		c = append(c, w.Cond(column+" = ANY (?::int[])", f.In))
	}
	c = op(w, c, column+" > ?", f.Gt)
	c = op(w, c, column+" >= ?", f.Gte)
	c = op(w, c, column+" < ?", f.Lt)
	c = op(w, c, column+" <= ?", f.Lte)
	return And(c...)
}

// IDs adds the comparisons of an id column. parse turns the text of a client into the column's value; text that is no id
// is an error of the field.
func IDs[T any](w *Where, field, column, sqlType string, f *ID, parse func(string) (T, bool)) string {
	if f == nil {
		return ""
	}
	w.in("filter."+field+".in", len(f.In))
	one := func(s, key string) (v T) {
		v, ok := parse(s)
		if !ok {
			w.Fail("filter."+field+"."+key, "This is not an id.")
		}
		return v
	}
	var c []string
	if f.Eq != nil {
		c = append(c, w.Cond(column+" = ?", one(*f.Eq, "eq")))
	}
	if f.Neq != nil {
		c = append(c, w.Cond(column+" <> ?", one(*f.Neq, "neq")))
	}
	if f.In != nil {
		list := make([]T, len(f.In))
		for i, s := range f.In {
			list[i] = one(s, "in")
		}
		c = append(c, w.Cond(column+" = ANY (?::"+sqlType+"[])", list))
	}
	return And(c...)
}
