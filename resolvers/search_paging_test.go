package resolvers_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/db"
)

func TestSearchPaging(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	_, err := db.Exec(t.Context(), d.Owner, `
		INSERT INTO documents (tenant_id, author_id, title, body, longitude, latitude, created_at)
		SELECT $1, $2, CASE WHEN i % 7 = 0 THEN 'word' ELSE 'title' END, repeat('word ', 1 + i % 4), 8.5 + (i % 5) * 0.001, 47.4,
		       '2026-01-01'::timestamptz + (i % 3) * interval '1 microsecond'
		FROM generate_series(1, 137) i`, c.scope.TenantID, c.scope.UserID)
	require.NoError(t, err)
	for _, args := range []string{`query: "word"`, `near: {longitude: 8.5, latitude: 47.4}`, `near: {longitude: 8.5, latitude: 47.4}, query: "word"`, `tagMatch: ANY`} {
		read := func(size int) []string {
			var out []string
			v := vars{"first": size, "after": nil}
			for {
				p := at(t, c.get(`query ($first: Int!, $after: String) { searchDocuments(`+args+`, first: $first, after: $after) {
					nodes { document { id } score distance } edges { cursor } pageInfo { hasNextPage hasPreviousPage endCursor startCursor } } }`, v), "searchDocuments")
				require.Equal(t, len(out) > 0, at(t, p, "pageInfo", "hasPreviousPage"))
				out = append(out, texts(t, at(t, p, "nodes"), "document", "id")...)
				if at(t, p, "pageInfo", "hasNextPage") == false {
					return out
				}
				require.Less(t, len(out), 200)
				v["after"] = at(t, p, "pageInfo", "endCursor")
			}
		}
		want := read(100)
		require.Len(t, want, 137, args)
		distinct := slices.Clone(want)
		slices.Sort(distinct)
		require.Len(t, slices.Compact(distinct), 137, "%s: duplicates", args)
		require.Equal(t, want, read(10), args)
		require.Equal(t, want, read(7), args)
	}
	t.Run("a cursor fits its search", func(t *testing.T) {
		near := at(t, c.get(`{ searchDocuments(near: {longitude: 8.5, latitude: 47.4}) { pageInfo { endCursor } } }`, nil), "searchDocuments", "pageInfo", "endCursor")
		require.Equal(t, []string{"after"}, c.ask(`query ($c: String) { searchDocuments(query: "word", after: $c) { nodes { score } } }`, vars{"c": near}).fields())
		words := at(t, c.get(`{ searchDocuments(query: "word") { pageInfo { endCursor } } }`, nil), "searchDocuments", "pageInfo", "endCursor")
		require.Equal(t, []string{"after"}, c.ask(`query ($c: String) { searchDocuments(near: {longitude: 8.5, latitude: 47.4}, after: $c) { nodes { score } } }`, vars{"c": words}).fields())
	})
}

// Every mode is read to its end in pages of any size, by cursor and by offset, without a hit twice or none.
func TestPagingOfEveryMode(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	_, err := db.Exec(t.Context(), d.Owner, `
		INSERT INTO documents (tenant_id, author_id, title, body, longitude, latitude, created_at)
		SELECT $1, $2, CASE WHEN i % 7 = 0 THEN 'smith' ELSE 'title' END, repeat((ARRAY['smith ', 'smyth ', 'smithe '])[1 + i % 3], 1 + i % 4), 8.5 + (i % 5) * 0.001, 47.4,
		       '2026-01-01'::timestamptz + (i % 3) * interval '1 microsecond'
		FROM generate_series(1, 83) i`, c.scope.TenantID, c.scope.UserID)
	require.NoError(t, err)
	ids, err := db.List[string](t.Context(), d.Owner, `SELECT id::text FROM documents`)
	require.NoError(t, err)
	c.embed(ids...)
	for _, mode := range modes() {
		for _, near := range []string{"", `, near: {longitude: 8.5, latitude: 47.4}`} {
			ask := `query ($first: Int!, $after: String, $offset: Int! = 0) { searchDocuments(mode: ` + mode + `, query: "smith or smyth or smithe"` + near + `, first: $first, after: $after, offset: $offset) {
				nodes { document { id } score } pageInfo { hasNextPage hasPreviousPage endCursor } } }`
			if mode != "FTS" && mode != "SEMANTIC" && mode != "HYBRID" {
				ask = strings.Replace(ask, "smith or smyth or smithe", "smith", 1)
			}
			read := func(size int) []string {
				var out []string
				v := vars{"first": size, "after": nil}
				for {
					p := at(t, c.get(ask, v), "searchDocuments")
					require.Equal(t, len(out) > 0, at(t, p, "pageInfo", "hasPreviousPage"))
					out = append(out, texts(t, at(t, p, "nodes"), "document", "id")...)
					if at(t, p, "pageInfo", "hasNextPage") == false {
						return out
					}
					require.Less(t, len(out), 200, "%s%s does not end", mode, near)
					v["after"] = at(t, p, "pageInfo", "endCursor")
				}
			}
			want := read(100)
			require.Len(t, want, 83, "%s%s", mode, near)
			require.Len(t, slices.Compact(sorted(want)), 83, "%s%s: duplicates", mode, near)
			require.Equal(t, want, read(10), "%s%s", mode, near)
			require.Equal(t, want, read(7), "%s%s", mode, near)
			var skipped []string
			for offset := 0; offset < 90; offset += 30 {
				p := at(t, c.get(ask, vars{"first": 30, "offset": offset}), "searchDocuments")
				require.Equal(t, offset > 0, at(t, p, "pageInfo", "hasPreviousPage"))
				require.Equal(t, offset < 60, at(t, p, "pageInfo", "hasNextPage"))
				skipped = append(skipped, texts(t, at(t, p, "nodes"), "document", "id")...)
			}
			require.Equal(t, want, skipped, "%s%s by offset", mode, near)
			// A cursor goes on behind a page that was skipped to.
			p := at(t, c.get(ask, vars{"first": 10, "offset": 30}), "searchDocuments")
			p = at(t, c.get(ask, vars{"first": 10, "after": at(t, p, "pageInfo", "endCursor")}), "searchDocuments")
			require.Equal(t, want[40:50], texts(t, at(t, p, "nodes"), "document", "id"), "%s%s", mode, near)
		}
	}
	for args, field := range map[string]string{`offset: -1`: "offset", `offset: 10001`: "offset"} {
		require.Equal(t, []string{field}, c.ask(`{ searchDocuments(`+args+`) { nodes { score } } }`, nil).fields())
	}
	require.Empty(t, c.hits(`offset: 10000`, nil))
	cursor := at(t, c.get(`{ searchDocuments { pageInfo { endCursor } } }`, nil), "searchDocuments", "pageInfo", "endCursor")
	require.Equal(t, []string{"offset"}, c.ask(`query ($c: String) { searchDocuments(after: $c, offset: 1) { nodes { score } } }`, vars{"c": cursor}).fields())
}

// Pages go on behind the newest documents, whether these had more hits than the words promise, fewer or none.
func TestPagingBehindTheNewest(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	_, err := db.Exec(t.Context(), d.Owner, `
		INSERT INTO documents (tenant_id, author_id, title, body, created_at)
		SELECT $1, $2, 'title', CASE WHEN i % 2 = 0 THEN 'harbour' ELSE 'lantern' END || CASE WHEN i % 1000 = 500 THEN ' harbour lantern' WHEN i % 9 = 1 THEN ' harbur' ELSE '' END
			|| CASE WHEN i > 2500 THEN ' ancient' ELSE '' END || CASE WHEN i % 3 < 2 THEN ' bridge tower' ELSE '' END, '2026-01-01'::timestamptz - i * interval '1 second'
		FROM generate_series(1, 6000) i`, c.scope.TenantID, c.scope.UserID)
	require.NoError(t, err)
	for n := 1; n > 0; {
		n, err = db.Get[int](t.Context(), d.Worker, "count", `SELECT fold_search_words()`)
		require.NoError(t, err)
	}
	for _, test := range []struct{ mode, query, where string }{
		{"FTS", "harbour lantern", `body ~ '\mharbour' AND body ~ '\mlantern'`},
		{"FTS", "harbour -lantern", `body ~ '\mharbour' AND body !~ '\mlantern'`},
		{"FTS", "ancient", `body ~ 'ancient'`},
		{"FTS", "bridge tower", `body ~ 'bridge'`},
		{"FUZZY", "harbour lantern", `body ~ '\mharbo?ur' AND body ~ '\mlantern'`},
		{"FUZZY", "ancient lantern", `body ~ 'ancient' AND body ~ '\mlantern'`},
		{"FUZZY", "harbour", `body ~ '\mharbo?ur'`},
		{"SOUNDEX", "harbour lantern", `body ~ '\mharbo?ur' AND body ~ '\mlantern'`},
		{"METAPHONE", "harbour lantern ancient", `body ~ '\mharbo?ur' AND body ~ '\mlantern' AND body ~ 'ancient'`},
	} {
		want, err := db.List[string](t.Context(), d.Owner, `SELECT id::text FROM documents WHERE `+test.where+` ORDER BY 1`)
		require.NoError(t, err)
		require.NotEmpty(t, want)
		read := func(sizes ...int) []string {
			var out []string
			v := vars{"mode": test.mode, "q": test.query, "after": nil}
			for i := 0; ; i++ {
				v["first"] = sizes[min(i, len(sizes)-1)]
				p := at(t, c.get(`query ($mode: SearchMode!, $q: String, $first: Int!, $after: String) { searchDocuments(mode: $mode, query: $q, first: $first, after: $after) {
					nodes { document { id } } pageInfo { hasNextPage endCursor } } }`, v), "searchDocuments")
				out = append(out, texts(t, at(t, p, "nodes"), "document", "id")...)
				if at(t, p, "pageInfo", "hasNextPage") == false {
					return out
				}
				require.LessOrEqual(t, len(out), len(want), "%s %q does not end", test.mode, test.query)
				v["after"] = at(t, p, "pageInfo", "endCursor")
			}
		}
		whole := read(100)
		require.Equal(t, want, sorted(whole), "%s %q", test.mode, test.query)
		require.Equal(t, whole, read(1, 2, 3, 50, 100), "%s %q", test.mode, test.query)
		require.Equal(t, whole, read(7, 100), "%s %q", test.mode, test.query)
	}
}

// A cursor is good for its search alone.
func TestCursorOfAnotherSearch(t *testing.T) {
	t.Parallel()

	c := open(t).tenant()
	c.library()
	searches := []string{
		`tagMatch: ANY`, `query: "smith"`, `query: "smyth"`, `query: "smith", mode: FUZZY`, `query: "smith", mode: SOUNDEX`, `query: "smith", mode: METAPHONE`, `query: "smith", mode: SEMANTIC`,
		`query: "smith", mode: HYBRID`, `query: "smith", mode: HYBRID, weights: {words: 2}`, `query: "smith", language: "de"`, `createdAt: {gt: "2020-01-01T00:00:00Z"}`, `tagMatch: ALL`,
		`authorId: "` + c.scope.UserID.String() + `"`,
	}
	for i, from := range searches {
		cursor := at(t, c.get(`{ searchDocuments(first: 1, `+from+`) { pageInfo { endCursor } } }`, nil), "searchDocuments", "pageInfo", "endCursor")
		require.NotNil(t, cursor, from)
		for j, to := range searches {
			a := c.ask(`query ($c: String) { searchDocuments(after: $c, `+to+`) { nodes { score } } }`, vars{"c": cursor})
			if i == j {
				require.Empty(t, a.Errors, "%s: %s", from, a.raw)
				continue
			}
			require.Equal(t, []string{"after"}, a.fields(), "%s after %s: %s", to, from, a.raw)
			require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes())
		}
	}
}
