package query_test

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/query"
)

func order() query.Order {
	return query.Order{Name: "created_at_desc", Column: "d.created_at", Type: "timestamptz", ID: "d.id", IDType: "uuid", Desc: true}
}

func TestPath(t *testing.T) {
	t.Parallel()

	w := query.NewWhere("tenant")
	cond := w.Path("path", "p", &query.Path{StartsWith: new("a.b")})
	require.Equal(t, "(p = $2 OR p >= $3 AND p < $4)", cond)
	require.Equal(t, []any{"tenant", "a.b", "a.b.", "a.b/"}, w.Args())
}

func TestFilterLimits(t *testing.T) {
	t.Parallel()

	w := query.NewWhere()
	for range 51 {
		w.String("title", "t", &query.String{Eq: new("x")})
	}
	require.ErrorContains(t, w.Err(), "at most 50 conditions")

	w = query.NewWhere()
	w.String("title", "t", &query.String{In: make([]string, 1001)})
	require.ErrorContains(t, w.Err(), "filter.title.in")
}

func TestNotTakesMissingValues(t *testing.T) {
	t.Parallel()

	require.Equal(t, "(a = 1) IS NOT TRUE", query.Not("a = 1"))
	require.Empty(t, query.Not(""))
	require.Equal(t, "(a OR b)", query.Or("a", "", "b"))
	require.Equal(t, "a", query.And("", "a"))
}

func TestWindow(t *testing.T) {
	t.Parallel()

	t.Run("forward", func(t *testing.T) {
		t.Parallel()

		w := query.NewWhere("tenant")
		o := order()
		win := query.Page{First: new(2), After: new(o.Cursor("2026-01-01T00:00:00Z", "00000000-0000-7000-8000-000000000001"))}.Window(w, o)
		require.NoError(t, w.Err())
		require.Equal(t, "(d.created_at, d.id) < ($2::text::timestamptz, $3::text::uuid)", win.Where)
		require.Equal(t, "ORDER BY d.created_at DESC, d.id DESC LIMIT 3", win.OrderBy)
		rows, info := query.Result(win, []int{1, 2, 3})
		require.Equal(t, []int{1, 2}, rows)
		require.Equal(t, query.Info{HasNext: true, HasPrevious: true}, info)
	})
	t.Run("backward", func(t *testing.T) {
		t.Parallel()

		w := query.NewWhere()
		win := query.Page{Last: new(2)}.Window(w, order())
		require.Equal(t, "ORDER BY d.created_at ASC, d.id ASC LIMIT 3", win.OrderBy)
		rows, info := query.Result(win, []int{9, 8, 7})
		require.Equal(t, []int{8, 9}, rows)
		require.Equal(t, query.Info{HasNext: false, HasPrevious: true}, info)
	})
	t.Run("every mistake is reported", func(t *testing.T) {
		t.Parallel()

		w := query.NewWhere()
		query.Page{First: new(101), After: new("made up"), Offset: -1}.Window(w, order())
		require.ErrorContains(t, w.Err(), "first")
		require.ErrorContains(t, w.Err(), "after")
		require.ErrorContains(t, w.Err(), "offset")
	})
}

func TestCursorOfAnotherOrder(t *testing.T) {
	t.Parallel()

	o, other := order(), order()
	other.Name = "created_at_asc"
	_, _, ok := other.Decode(o.Cursor("v", "id"))
	require.False(t, ok)
}

// The hash in a cursor is no secret, so what it holds may be anything.
func TestMadeUpCursors(t *testing.T) {
	t.Parallel()

	const id = "00000000-0000-7000-8000-000000000001"
	o, byTitle, byNumber := order(), order(), order()
	byTitle.Type, byNumber.IDType = "text", "bigint"
	for _, c := range []struct {
		order     query.Order
		value, id string
	}{
		{o, "yesterday", id},
		{o, "2026-01-01T00:00:00Z", "x"},
		{o, "2026-01-01T00:00:00Z", "{" + id[:34] + "}"},
		{o, "infinity", id},
		{byTitle, "a\x00b", id},
		{byNumber, "2026-01-01T00:00:00Z", "99999999999999999999"},
	} {
		w := query.NewWhere()
		query.Page{After: new(c.order.Cursor(c.value, c.id))}.Window(w, c.order)
		require.ErrorContains(t, w.Err(), "after", "%q %q", c.value, c.id)
	}
}

func FuzzDecode(f *testing.F) {
	o := order()
	f.Add(o.Cursor("2026-01-01", "x"))
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`["a"]`)))
	f.Fuzz(func(t *testing.T, cursor string) {
		value, id, ok := o.Decode(cursor)
		if ok {
			again, _, _ := o.Decode(o.Cursor(value, id))
			require.Equal(t, value, again)
		}
	})
}
