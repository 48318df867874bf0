package search_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/repo/document"
	"stackforge/repo/search"
	"stackforge/tenant"
)

// vocabulary is what the vocabularies hold, a line a word.
func vocabulary(t *testing.T, d *dbtest.DB) []string {
	t.Helper()

	rows, err := db.List[struct{ Line string }](t.Context(), d.Owner, `
		SELECT concat_ws(' ', tenant_id, language, word, lexeme, soundex, metaphone, documents, titles) AS line
		FROM core.search_words
		ORDER BY 1`)
	require.NoError(t, err)
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = r.Line
	}
	return out
}

// fold counts all changes that are noted.
func fold(t *testing.T, d *dbtest.DB) {
	t.Helper()

	m := search.NewMaintenance(d.Worker)
	for {
		n, err := m.Maintain(t.Context())
		require.NoError(t, err)
		if n == 0 {
			return
		}
	}
}

// TestVocabularyFollowsTheDocuments lets writers change documents of two tenants at random, also within transactions that
// are rolled back, while the counts are folded; in the end the vocabulary is what one made anew from the documents is.
func TestVocabularyFollowsTheDocuments(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	scopes := []tenant.Scope{dbtest.Tenant(t, d), dbtest.Tenant(t, d)}
	text := func(r *rand.Rand) string {
		words := make([]string, 1+r.IntN(6))
		for i := range words {
			words[i] = fmt.Sprintf("word%c", 'a'+r.IntN(20))
		}
		return strings.Join(words, " ") + " Café 12345 the x mail@example.com a-b-c v1.2"
	}
	done := make(chan struct{})
	folded := make(chan error, 1)
	go func() {
		m := search.NewMaintenance(d.Worker)
		for {
			select {
			case <-done:
				folded <- nil
				return
			default:
			}
			if _, err := m.Maintain(context.WithoutCancel(t.Context())); err != nil {
				folded <- err
				return
			}
		}
	}()
	var writers sync.WaitGroup
	errs := make(chan error, 4)
	for w := range 4 {
		writers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 7))
			for range 60 {
				s := scopes[r.IntN(2)]
				language := []string{"en", "de", "plain"}[r.IntN(3)]
				var err error
				switch r.IntN(4) {
				case 0:
					_, err = db.Exec(t.Context(), d.Owner, `
						INSERT INTO documents (tenant_id, author_id, title, body, language)
						SELECT $1, $2, $3, $4, $5 FROM generate_series(1, 3)`, s.TenantID, s.UserID, text(r), text(r), language)
				case 1:
					_, err = db.Exec(t.Context(), d.Owner, `
						UPDATE documents SET title = $2, language = $3
						WHERE tenant_id = $1 AND id IN (SELECT id FROM documents WHERE tenant_id = $1 ORDER BY random() LIMIT 2 FOR UPDATE SKIP LOCKED)`, s.TenantID, text(r), language)
				case 2:
					_, err = db.Exec(t.Context(), d.Owner, `
						DELETE FROM documents
						WHERE tenant_id = $1 AND id IN (SELECT id FROM documents WHERE tenant_id = $1 ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED)`, s.TenantID)
				default: // of both tenants in one statement, without any effect on the text, and rolled back
					_, _ = db.Exec(t.Context(), d.Owner, `
						WITH changed AS (UPDATE documents SET path = 'a' WHERE id IN (SELECT id FROM documents ORDER BY random() LIMIT 2 FOR UPDATE SKIP LOCKED) RETURNING 1)
						INSERT INTO documents (tenant_id, author_id, title, body, latitude) SELECT $1, $2, 'never', 'never', 1`, s.TenantID, s.UserID)
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	writers.Wait()
	close(done)
	require.NoError(t, <-folded)
	require.Empty(t, errs)

	fold(t, d)
	got := vocabulary(t, d)
	require.Greater(t, len(got), 40)
	for _, s := range scopes {
		d.Exec(t, `SELECT rebuild_search_words($1)`, s.TenantID)
	}
	require.Equal(t, vocabulary(t, d), got)
	for _, line := range got {
		require.NotContains(t, line, "12345", "numbers are no words")
	}
	d.Exec(t, `DELETE FROM documents`)
	fold(t, d)
	require.Empty(t, vocabulary(t, d))
}

// A word can be searched for in the statement after the one that brought it, counted or not.
func TestVocabularyHasAWordAtOnce(t *testing.T) {
	t.Parallel()

	ctx, d, repo := setup(t, "Quokka")
	one := func() {
		p := fts("qoukka")
		p.Mode = search.Fuzzy
		page, err := repo.Search(ctx, p)
		require.NoError(t, err)
		require.Equal(t, []string{"Quokka"}, titles(page))
	}
	one()
	fold(t, d)
	one()
}

// A prefix finds all that begins so, words and what is none, as the tenant's own documents have it: of what others have, the query
// knows nothing, and the shared index is not read for it.
func TestPrefix(t *testing.T) {
	t.Parallel()

	long := "postal" + strings.Repeat("s", 40)
	found := []string{"Postmasters", "a poster-child", "mail post.office@example.com", "see postgres.example.com/docs", "open posts/list.txt", long}
	ctx, d, repo := setup(t, append(slices.Clone(found), "past", "www.post.example.com", "1post 42post")...)
	other := dbtest.Tenant(t, d)
	_, err := document.New(d.API).Create(tenant.With(t.Context(), other), document.Input{"authorId": other.UserID, "title": "postilion", "body": "b"})
	require.NoError(t, err)
	check := func() {
		t.Helper()
		for text, want := range map[string][]string{
			"post*": found, "POST* -office": found, "postm*": found[:1], "poster*": found[1:2], "postma* past": nil,
			"postals*": found[5:], "postg*": found[3:4], "postil*": nil, "42*": {"1post 42post"}, "1p* 42*": {"1post 42post"},
		} {
			page, err := repo.Search(ctx, fts(text))
			require.NoError(t, err)
			require.ElementsMatch(t, want, titles(page), text)
		}
		s, err := tenant.From(ctx)
		require.NoError(t, err)
		asked, err := db.Get[string](ctx, d.API, "query", `SELECT query::text FROM search_queries($1, '{"query": "post*"}')`, s.TenantID)
		require.NoError(t, err)
		require.NotContains(t, asked, ":*")
		require.NotContains(t, asked, "postilion")
	}
	check()
	fold(t, d)
	check()

	d.Exec(t, `DELETE FROM documents`)
	fold(t, d)
	require.Empty(t, vocabulary(t, d), "no address outlives its documents")
}

// With more words than a query should have, a prefix is asked of the index.
func TestPrefixOfMany(t *testing.T) {
	t.Parallel()

	ctx, d, repo := setup(t)
	s, err := tenant.From(ctx)
	require.NoError(t, err)
	d.Exec(t, `INSERT INTO documents (tenant_id, author_id, title, body) SELECT $1, $2, 'quark' || chr(97 + n % 26) || chr(97 + n / 26), 'b' FROM generate_series(0, 199) n`, s.TenantID, s.UserID)
	page, err := repo.Search(ctx, fts("quark*"))
	require.NoError(t, err)
	count, err := page.Found.Count(ctx)
	require.NoError(t, err)
	require.Equal(t, search.Count{Hits: 200, Exact: true}, count)
}

// TestWhatIsSaidTwice makes queries of few parts at random: without repetitions they are shorter and match the same texts.
func TestWhatIsSaidTwice(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	r := rand.New(rand.NewPCG(1, 2))
	parts := []string{"bear", "bears", "cat", "dog", "owl", "-cat", "-dog", `"bear cat"`, `-"cat dog"`, `"dog cat"`, "o'neill", `a\b`, "cat/dog", "turn-based", "x.y.org/cat", "42"}
	phrase := func(most int, list []string) string {
		out := make([]string, 1+r.IntN(most))
		for i := range out {
			out[i] = list[r.IntN(len(list))]
			if i > 0 && r.IntN(3) == 0 {
				out[i] = "or " + out[i]
			}
		}
		return strings.Join(out, " ")
	}
	var queries, texts []string
	for range 400 {
		queries = append(queries, phrase(12, parts))
		texts = append(texts, phrase(5, parts))
	}
	type answer struct {
		Query, Once      string
		Parts, OnceParts int
		Matches, Differs int
	}
	got, err := db.List[answer](t.Context(), d.Owner, `
		SELECT q.query::text, o.once::text, numnode(q.query) AS parts, numnode(o.once) AS once_parts,
			count(*) FILTER (WHERE x.tsv @@ q.query)::int AS matches, count(*) FILTER (WHERE (x.tsv @@ q.query) <> (x.tsv @@ o.once))::int AS differs
		FROM unnest($1::text[]) AS t (text), websearch_to_tsquery('english', t.text) AS q (query), search_query_once(q.query) AS o (once),
			(SELECT to_tsvector('english', text) AS tsv FROM unnest($2::text[]) AS text) x
		GROUP BY q.query, o.once`, queries, texts)
	require.NoError(t, err)
	matches, shorter := 0, 0
	for _, a := range got {
		require.Zero(t, a.Differs, "%s\n%s", a.Query, a.Once)
		require.LessOrEqual(t, a.OnceParts, a.Parts)
		matches += a.Matches
		if a.OnceParts < a.Parts {
			shorter++
		}
	}
	require.Greater(t, matches, 1000)
	require.Greater(t, shorter, 100)
	for text, want := range map[string]string{
		strings.Repeat("lib ", 9):                           `'lib'`,
		"bear bears cat bear":                               `'bear' & 'cat'`,
		"bear cat or bear cat or cat or dog":                `'bear' & 'cat' | 'cat' | 'dog'`,
		`dog "bear cat" -dog "bear cat" -dog dog`:           `'dog' & 'bear' <-> 'cat' & !'dog'`,
		strings.Repeat(`zebra -"cat dog" or `, 5) + "zebra": `'zebra' & !( 'cat' <-> 'dog' ) | 'zebra'`,
	} {
		once, err := db.Get[string](t.Context(), d.Owner, "query", `SELECT search_query_once(websearch_to_tsquery('english', $1))::text`, text)
		require.NoError(t, err)
		require.Equal(t, want, once, text)
	}
}
