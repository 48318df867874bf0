package query

import (
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Limits of a page.
const (
	DefaultFirst = 20
	MaxFirst     = 100
)

// Order is one order of a list: a column and, for equal values, the id, both in one direction.
type Order struct {
	Name   string // as the client names it; cursors of another order are refused
	Column string
	Type   string // SQL type of the column
	ID     string // column of the id
	IDType string
	Desc   bool
}

// Page is which part of a list a client asks for, as in the Relay specification.
type Page struct {
	First, Last   *int
	After, Before *string
	Offset        int // for plain lists; not together with cursors
}

// Window is a Page that has been checked: how many rows, from where, in which direction.
type Window struct {
	Limit    int  // rows to fetch: one more than the page has, to know whether there are more
	Size     int  // rows of the page
	Backward bool // fetched from the end; Result turns the rows round
	bounded  bool // a cursor was given in the direction of travel
	Where    string
	OrderBy  string // ORDER BY … LIMIT …; the limit is a literal so that the plan is kept
}

// Window checks the page and adds its cursor conditions to w. It returns Validation errors naming first, last, after, before or offset.
func (p Page) Window(w *Where, o Order) Window {
	win := Window{Size: DefaultFirst}
	switch {
	case p.First != nil && p.Last != nil:
		w.Fail("last", "Give first or last, not both.")
	case p.First != nil:
		win.Size = size(w, "first", *p.First)
	case p.Last != nil:
		win.Size = size(w, "last", *p.Last)
		win.Backward = true
	}
	if p.Offset < 0 {
		w.Fail("offset", "This must not be negative.")
	}
	after, before := o.cond(w, "after", p.After, !o.Desc), o.cond(w, "before", p.Before, o.Desc)
	win.bounded = p.After != nil && !win.Backward || p.Before != nil && win.Backward
	win.Where = And(after, before)
	win.Limit = win.Size + 1
	dir := " ASC"
	if o.Desc != win.Backward {
		dir = " DESC"
	}
	win.OrderBy = "ORDER BY " + o.Column + dir + ", " + o.ID + dir + " LIMIT " + strconv.Itoa(win.Limit)
	if p.Offset > 0 {
		win.OrderBy += " OFFSET " + w.Arg(p.Offset)
	}
	return win
}

func size(w *Where, field string, n int) int {
	if n < 1 || n > MaxFirst {
		w.Fail(field, "This must be from 1 to "+strconv.Itoa(MaxFirst)+".")
		return 1
	}
	return n
}

func (o Order) cond(w *Where, field string, cursor *string, greater bool) string {
	if cursor == nil {
		return ""
	}
	value, id, ok := o.Decode(*cursor)
	if !ok || !readable(o.Type, value) || !readable(o.IDType, id) {
		w.Fail(field, "This is not a cursor of this list and order.")
		return ""
	}
	sign := " < "
	if greater {
		sign = " > "
	}
	return "(" + o.Column + ", " + o.ID + ")" + sign + "(" + w.Arg(value) + "::text::" + o.Type + ", " + w.Arg(id) + "::text::" + o.IDType + ")"
}

// Cursor returns the opaque cursor of a row with this value of the order's column, as PostgreSQL reads it, and this id.
func (o Order) Cursor(value, id string) string {
	text, err := json.Marshal([]string{o.hash(), value, id})
	if err != nil {
		return "" // strings always encode
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// Decode returns what Cursor encoded, false for a cursor of another order or a made-up one.
func (o Order) Decode(cursor string) (value, id string, ok bool) {
	if len(cursor) > 8192 {
		return "", "", false
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return "", "", false
	}
	var parts []string
	if json.Unmarshal(text, &parts) != nil || len(parts) != 3 || parts[0] != o.hash() {
		return "", "", false
	}
	return parts[1], parts[2], true
}

// readable reports whether a text can be cast to a type that orders have; anybody can make up a cursor.
func readable(sqlType, text string) bool {
	switch sqlType {
	case "timestamptz":
		t, err := time.Parse(time.RFC3339Nano, text)
		return err == nil && t.Year() > 0
	case "uuid":
		return len(text) == 36 && uuid.Validate(text) == nil
	case "bigint":
		_, err := strconv.ParseInt(text, 10, 64)
		return err == nil
	default:
		return utf8.ValidString(text) && strings.IndexByte(text, 0) < 0
	}
}

// hash binds a cursor to its order without showing column names.
func (o Order) hash() string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(o.Name + "\x00" + o.Column + "\x00" + o.Type)) // never fails
	return strconv.FormatUint(uint64(h.Sum32()), 36)
}

// Info says whether there is more before and after a page.
type Info struct {
	HasNext, HasPrevious bool
}

// Fetch reads one page: it checks p, has rows read those of its window, whose condition and order go into the statement, and
// cuts them down to the page. The errors are those of w, with Window's, and of rows.
func Fetch[T any](w *Where, p Page, o Order, rows func(win Window) ([]T, error)) ([]T, Info, error) {
	win := p.Window(w, o)
	if err := w.Err(); err != nil {
		return nil, Info{}, err
	}
	list, err := rows(win)
	if err != nil {
		return nil, Info{}, err
	}
	page, info := Result(win, list)
	return page, info, nil
}

// Result cuts the rows a Window fetched down to its page, in the list's order.
func Result[T any](win Window, rows []T) ([]T, Info) {
	more := len(rows) > win.Size
	if more {
		rows = rows[:win.Size]
	}
	if win.Backward {
		slices.Reverse(rows)
		return rows, Info{HasNext: win.bounded, HasPrevious: more}
	}
	return rows, Info{HasNext: more, HasPrevious: win.bounded}
}
