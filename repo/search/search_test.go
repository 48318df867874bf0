package search_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/query"
	"stackforge/repo/document"
	"stackforge/repo/search"
	"stackforge/tenant"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// setup makes a tenant with documents of these titles, in a row along the equator.
func setup(t *testing.T, titles ...string) (context.Context, *dbtest.DB, *search.Repo) {
	t.Helper()

	d := dbtest.New(t)
	s := dbtest.Tenant(t, d)
	ctx := tenant.With(t.Context(), s)
	for i, title := range titles {
		_, err := document.New(d.API).Create(ctx, document.Input{"authorId": s.UserID, "title": title, "body": "b", "longitude": float64(i) * 0.001, "latitude": 0, "path": "p", "metadata": map[string]string{"k": title}})
		require.NoError(t, err)
	}
	return ctx, d, search.New(d.API)
}

// fts is a search by words with the defaults of the API.
func fts(text string) search.Params {
	return search.Params{Query: &text, Mode: search.FTS, Language: "en", First: 10}
}

func titles(p search.Page) []string {
	out := make([]string, len(p.Hits))
	for i, h := range p.Hits {
		out[i] = h.Document.Title
	}
	return out
}

func TestSearch(t *testing.T) {
	t.Parallel()

	ctx, d, repo := setup(t, "word one", "word two", "word three", "other")
	p := fts("word")
	p.First, p.Bodies = 2, true
	var got []string
	for {
		page, err := repo.Search(ctx, p)
		require.NoError(t, err)
		require.Equal(t, p.After != nil, page.Info.HasPrevious)
		for _, h := range page.Hits {
			require.Positive(t, h.Score)
			require.Nil(t, h.Distance)
			require.NotNil(t, h.Scores.Words)
			require.Nil(t, h.Scores.Similarity)
			require.Empty(t, h.Author.Email)
			require.Equal(t, "b", h.Document.Body)
			require.JSONEq(t, `{"k": "`+h.Document.Title+`"}`, string(h.Document.Metadata))
		}
		got = append(got, titles(page)...)
		n, err := page.Found.Count(ctx)
		require.NoError(t, err)
		require.Equal(t, search.Count{Hits: 3, Exact: true}, n)
		if !page.Info.HasNext {
			break
		}
		p.After = new(page.Found.Cursor(&page.Hits[len(page.Hits)-1]))
	}
	require.Equal(t, []string{"word three", "word two", "word one"}, got)

	p = fts("")
	p.Query, p.Near, p.Authors = nil, &search.Near{Longitude: 0.003, Radius: 250}, true
	page, err := repo.Search(ctx, p)
	require.NoError(t, err)
	require.Equal(t, []string{"other", "word three", "word two"}, titles(page))
	require.InDelta(t, 0, *page.Hits[0].Distance, 0.001)
	require.InEpsilon(t, 111.3, *page.Hits[1].Distance, 0.006)
	require.NotEmpty(t, page.Hits[0].Author.Email)
	require.Empty(t, page.Hits[0].Document.Body, "nobody asked for it")
	require.Equal(t, page.Hits[0].Document.AuthorID, page.Hits[0].Author.ID)

	p = fts("")
	p.Query, p.Metadata, p.PathPrefix = nil, []byte(`{"k": "other"}`), new("p")
	page, err = repo.Search(ctx, p)
	require.NoError(t, err)
	require.Equal(t, []string{"other"}, titles(page))

	other := tenant.With(t.Context(), dbtest.Tenant(t, d))
	page, err = repo.Search(other, fts("word"))
	require.NoError(t, err)
	require.Empty(t, page.Hits)
	n, err := page.Found.Count(other)
	require.NoError(t, err)
	require.Equal(t, search.Count{Exact: true}, n)
}

// A document as this package reads it has everything that document.Repo reads.
func TestDocumentIsWhole(t *testing.T) {
	t.Parallel()

	ctx, d, repo := setup(t, "word")
	p := fts("word")
	p.Bodies = true
	page, err := repo.Search(ctx, p)
	require.NoError(t, err)
	got := document.Document(page.Hits[0].Document)
	want, _, err := document.New(d.API).Get(ctx, got.ID)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestErrors(t *testing.T) {
	t.Parallel()

	ctx, _, repo := setup(t)
	for want, change := range map[string]func(*search.Params){
		"first":          func(p *search.Params) { p.First = 101 },
		"mode":           func(p *search.Params) { p.Mode = "xyz" },
		"language":       func(p *search.Params) { p.Language = "xx" },
		"pathPrefix":     func(p *search.Params) { p.PathPrefix = new("a b") },
		"near.radius":    func(p *search.Params) { p.Near = &search.Near{} },
		"near.longitude": func(p *search.Params) { p.Near = &search.Near{Longitude: 181, Radius: 1} },
		"near.latitude":  func(p *search.Params) { p.Near = &search.Near{Latitude: -91, Radius: 1} },
		"within.west":    func(p *search.Params) { p.Within = &search.Box{West: -181} },
		"offset":         func(p *search.Params) { p.Offset = 10_001 },
		"weights":        func(p *search.Params) { p.Weights = &search.Weights{} },
		"weights.words":  func(p *search.Params) { p.Weights = &search.Weights{Words: -1, Vector: 1} },
		"after":          func(p *search.Params) { p.After = new("made up") },
		"query":          func(p *search.Params) { p.Query = new(strings.Repeat("x", 1001)) },
	} {
		p := fts("x")
		change(&p)
		_, err := repo.Search(ctx, p)
		var e *errs.Error
		require.ErrorAs(t, err, &e, "%s: %v", want, err)
		require.Equal(t, errs.Validation, e.Code, want)
		require.Equal(t, want, e.Field)
	}
	for _, mode := range []string{search.Semantic, search.Hybrid} {
		for _, text := range []*string{nil, new(""), new(" \n")} {
			_, err := repo.Search(ctx, search.Params{Query: text, Mode: mode, First: 1})
			require.Equal(t, "query", errs.From(err).Field)
		}
	}
	_, err := repo.Search(t.Context(), fts("x"))
	require.True(t, errs.Is(err, errs.Unauthenticated))
	found, err := repo.Ask(fts("x"))
	require.NoError(t, err)
	_, err = found.Count(t.Context())
	require.True(t, errs.Is(err, errs.Unauthenticated))
	_, err = found.DidYouMean(t.Context())
	require.True(t, errs.Is(err, errs.Unauthenticated))
	_, err = found.Explain(t.Context())
	require.True(t, errs.Is(err, errs.Unauthenticated))
	_, err = found.Facets(t.Context(), search.FacetParams{Level: 1, Tags: true, First: 1})
	require.True(t, errs.Is(err, errs.Unauthenticated))
	_, err = found.Highlights(t.Context(), uuid.New(), 1, 10)
	require.True(t, errs.Is(err, errs.Unauthenticated))
	for _, p := range []search.FacetParams{{Level: 0, First: 1}, {Level: 21, First: 1}, {Level: 1}, {Level: 1, First: 101}, {Level: 1, First: 1, MetadataOf: make([]string, 21)}} {
		_, err = found.Facets(ctx, p)
		require.True(t, errs.Is(err, errs.Validation), "%v", p)
	}
}

// A made-up cursor, whatever is in it, is refused by name.
func TestMadeUpCursors(t *testing.T) {
	t.Parallel()

	ctx, _, repo := setup(t, "word", "word")
	p := fts("word")
	p.First = 1
	page, err := repo.Search(ctx, p)
	require.NoError(t, err)
	cursor := page.Found.Cursor(&page.Hits[0])
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	require.NoError(t, err)
	var parts map[string]any
	require.NoError(t, json.Unmarshal(text, &parts))
	encode := func(change func(map[string]any)) string {
		c := maps.Clone(parts)
		change(c)
		text, err := json.Marshal(c)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	p.After = new(encode(func(map[string]any) {}))
	_, err = repo.Search(ctx, p)
	require.NoError(t, err)
	cursors := []string{"", "x", cursor[1:], cursor + "=", base64.RawURLEncoding.EncodeToString([]byte("null")), strings.Repeat(cursor, 50)}
	for _, place := range []any{nil, 1, "x", true, []any{}, map[string]any{}, []any{nil, nil, nil}, []any{"x", "y", "z", "w"}, []any{1e300, "2026-01-01", "x"}, map[string]any{"id": 1}, []any{[]any{[]any{}}}, "' OR 1=1 --"} {
		cursors = append(cursors, encode(func(c map[string]any) { c["p"] = place }))
	}
	for _, name := range []string{"s", "p"} {
		cursors = append(cursors, encode(func(c map[string]any) { delete(c, name) }))
	}
	cursors = append(cursors, encode(func(c map[string]any) { c["w"] = true }), encode(func(c map[string]any) { c["s"] = "x" }))
	// What is in the place, each part spoilt.
	var spoil func(v any, put func(any))
	spoil = func(v any, put func(any)) {
		for _, bad := range []any{"x", "' --", map[string]any{}, []any{1}, "infinity"} {
			put(bad)
			cursors = append(cursors, encode(func(map[string]any) {}))
		}
		put(v)
		switch v := v.(type) {
		case []any:
			for i, e := range v {
				spoil(e, func(x any) { v[i] = x })
			}
		case map[string]any:
			for k, e := range v {
				spoil(e, func(x any) { v[k] = x })
			}
		}
	}
	spoil(parts["p"], func(x any) { parts["p"] = x })
	refused := 0
	for _, c := range cursors {
		p.After = &c
		_, err := repo.Search(ctx, p)
		if err == nil {
			continue // a part that is not looked at
		}
		refused++
		e := errs.From(err)
		raw, _ := base64.RawURLEncoding.DecodeString(c)
		require.Equal(t, errs.Validation, e.Code, "%s: %v", raw, e.Unwrap())
		require.Equal(t, "after", e.Field, "%s", raw)
	}
	require.Greater(t, refused, len(cursors)/2)

	// Cursors of other searches.
	p.After = &cursor
	for name, change := range map[string]func(*search.Params){
		"query": func(p *search.Params) { p.Query = new("other") }, "mode": func(p *search.Params) { p.Mode = search.Fuzzy }, "tags": func(p *search.Params) { p.TagIDs = []int{1} },
		"no tags": func(p *search.Params) { p.TagIDs = []int{} }, "near": func(p *search.Params) { p.Near = &search.Near{Radius: 1} }, "language": func(p *search.Params) { p.Language = "de" },
		"author": func(p *search.Params) { p.AuthorID = new(uuid.New()) }, "box": func(p *search.Params) { p.Within = &search.Box{} }, "time": func(p *search.Params) { p.CreatedAt = &query.Time{Gte: new(time.Now())} },
		"metadata": func(p *search.Params) { p.Metadata = []byte(`{}`) }, "path": func(p *search.Params) { p.PathPrefix = new("a") },
	} {
		other := p
		change(&other)
		_, err := repo.Search(ctx, other)
		require.Equal(t, "after", errs.From(err).Field, name)
	}
	p.First = 5
	_, err = repo.Search(ctx, p)
	require.NoError(t, err, "the size of the page does not matter")
}

func TestSpanOfTime(t *testing.T) {
	t.Parallel()

	moment := func(text string) *time.Time {
		v, err := time.Parse(time.RFC3339Nano, text)
		require.NoError(t, err)
		return &v
	}
	at := moment("2026-01-31T10:00:00.5+01:00")
	fine := moment("2026-01-31T09:00:00.0000005Z") // half a microsecond
	for _, test := range []struct {
		in       query.Time
		from, to string
	}{
		{query.Time{}, "", ""},
		{query.Time{Gte: at}, "2026-01-31T09:00:00.5Z", ""},
		{query.Time{Gt: at}, "2026-01-31T09:00:00.500001Z", ""},
		{query.Time{Lt: at}, "", "2026-01-31T09:00:00.5Z"},
		{query.Time{Lte: at}, "", "2026-01-31T09:00:00.500001Z"},
		{query.Time{Eq: at}, "2026-01-31T09:00:00.5Z", "2026-01-31T09:00:00.500001Z"},
		{query.Time{Gte: fine, Lt: at}, "2026-01-31T09:00:00.000001Z", "2026-01-31T09:00:00.5Z"},
		{query.Time{Gt: fine, Lte: fine}, "2026-01-31T09:00:00.000001Z", "2026-01-31T09:00:00.000001Z"},
		{query.Time{Eq: fine}, "2026-01-31T09:00:00.000001Z", "2026-01-31T09:00:00.000001Z"},
		{query.Time{Gte: at, Gt: fine, Lt: at, Lte: fine}, "2026-01-31T09:00:00.5Z", "2026-01-31T09:00:00.000001Z"},
		{query.Time{IsNull: new(false)}, "", ""},
		{query.Time{IsNull: new(true)}, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"},
		{query.Time{Lte: moment("9999-12-31T23:59:59.999999999Z")}, "", "10000-01-01T00:00:00Z"},
	} {
		p := fts("x")
		p.CreatedAt = &test.in
		text, err := p.Request()
		require.NoError(t, err)
		var got struct{ CreatedFrom, CreatedTo string }
		require.NoError(t, json.Unmarshal(text, &got))
		require.Equal(t, test.from, got.CreatedFrom, "%+v", test.in)
		require.Equal(t, test.to, got.CreatedTo, "%+v", test.in)
	}
	ctx, _, repo := setup(t, "word")
	for want, in := range map[int]query.Time{1: {Lte: moment("9999-12-31T23:59:59.999999999Z"), Gte: moment("0001-01-01T00:00:00Z")}, 0: {IsNull: new(true)}} {
		p := fts("word")
		p.CreatedAt = &in
		page, err := repo.Search(ctx, p)
		require.NoError(t, err)
		require.Len(t, page.Hits, want)
	}
}

func TestMark(t *testing.T) {
	t.Parallel()

	for _, test := range []struct {
		in, html, text string
		ranges         []search.Range
	}{
		{"", "", "", []search.Range{}},
		{"no match", "no match", "no match", []search.Range{}},
		{"a \x02b\x03 c", "a <mark>b</mark> c", "a b c", []search.Range{{2, 1}}},
		{"\x02a\x03\x02b\x03", "<mark>a</mark><mark>b</mark>", "ab", []search.Range{{0, 1}, {1, 1}}},
		{"<script>\x02a & b\x03</script>\"'", "&lt;script&gt;<mark>a &amp; b</mark>&lt;/script&gt;&#34;&#39;", "<script>a & b</script>\"'", []search.Range{{8, 5}}},
		{"🦀 \x02ü🦀\x03 é\x02x\x03", "🦀 <mark>ü🦀</mark> é<mark>x</mark>", "🦀 ü🦀 éx", []search.Range{{3, 3}, {8, 1}}},
		{"a\x03b\x02c", "abc", "abc", []search.Range{}},
		{"\x02a\x02b\x03c\x03", "<mark>ab</mark>c", "abc", []search.Range{{0, 2}}},
		{"\x02<mark>\x03", "<mark>&lt;mark&gt;</mark>", "<mark>", []search.Range{{0, 6}}},
	} {
		h := search.Mark(test.in)
		require.Equal(t, search.Highlight{Field: search.Body, HTML: test.html, Text: test.text, Ranges: test.ranges}, h, "%q", test.in)
	}
}

func TestPlansHaveNoConditions(t *testing.T) {
	t.Parallel()

	step, err := search.ReadPlan([]byte(`[{"Plan": {"Node Type": "Limit", "Output": ["secret"], "Actual Total Time": 1.5, "Plans": [
		{"Node Type": "Bitmap Heap Scan", "Relation Name": "documents", "Recheck Cond": "secret", "Filter": "secret", "Plans": [
			{"Node Type": "Bitmap Index Scan", "Index Name": "ix_b", "Index Cond": "secret"}, {"Node Type": "Index Scan", "Index Name": "ix_a", "Order By": "secret", "Sort Key": ["secret"]}]}]},
		"Query Text": "secret", "Settings": {"a": "secret"}, "Planning Time": 0.25, "Execution Time": 2, "Triggers": ["secret"]}]`))
	require.NoError(t, err)
	require.NotContains(t, string(step.Plan), "secret")
	require.JSONEq(t, `[{"Plan": {"Node Type": "Limit", "Actual Total Time": 1.5, "Plans": [{"Node Type": "Bitmap Heap Scan", "Relation Name": "documents", "Plans": [
		{"Node Type": "Bitmap Index Scan", "Index Name": "ix_b"}, {"Node Type": "Index Scan", "Index Name": "ix_a"}]}]}, "Planning Time": 0.25, "Execution Time": 2}]`, string(step.Plan))
	require.Equal(t, []string{"ix_a", "ix_b"}, step.Indexes)
	require.InDelta(t, 2.25, *step.Milliseconds, 1e-9)

	step, err = search.ReadPlan([]byte(`[{"Plan": {"Node Type": "Result"}, "Planning Time": 1}]`))
	require.NoError(t, err)
	require.Nil(t, step.Milliseconds, "it did not run")
	require.True(t, slices.Equal([]string{}, step.Indexes))
}
