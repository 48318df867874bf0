package migrations_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/query"
	"stackforge/repo/search"
	"stackforge/repo/searchsettings"
	"stackforge/tenant"
)

// searchScales are the sizes that docs/queries shows of search: 100,000 and 1,000,000 documents in all, about half of them
// of one tenant.
func searchScales() []scale {
	return []scale{
		{Documents: 50_000, Small: 2_500, Each: 20, Jobs: 1_000, Words: 12, Vectors: 5_000},
		{Documents: 600_000, Small: 20_000, Each: 20, Jobs: 1_000, Words: 12, Vectors: 20_000},
	}
}

// fillSearch makes what search needs beside the documents of fill: the vocabularies of the large tenant and of some small
// ones, and vectors of the newest documents of the large tenant. It returns a small tenant.
func fillSearch(t *testing.T, d *dbtest.DB, in data, n scale) tenant.Scope {
	t.Helper()

	conn := d.Connect(t)
	ctx := t.Context()
	var small uuid.UUID
	require.NoError(t, conn.QueryRow(ctx, `SELECT id FROM tenants WHERE name LIKE 'small %' ORDER BY id OFFSET $1 LIMIT 1`, n.Small/2).Scan(&small))
	_, err := conn.Exec(ctx, `SET session_replication_role = replica; SET maintenance_work_mem = '512MB'; SELECT setseed(0.7)`)
	require.NoError(t, err)
	_, err = conn.Exec(ctx, `
		SELECT rebuild_search_words(x.id)
		FROM (SELECT $1::uuid AS id UNION SELECT $2 UNION (SELECT id FROM tenants WHERE name LIKE 'small %' ORDER BY id LIMIT 100)) x`, in.scope.TenantID, small)
	require.NoError(t, err)

	// An index of vectors is made in one go: adding them one by one takes several times as long.
	var makes []string
	require.NoError(t, conn.QueryRow(ctx, `SELECT coalesce(array_agg(indexdef), '{}') FROM pg_indexes WHERE tablename = 'documents' AND indexdef LIKE '%hnsw%'`).Scan(&makes))
	_, err = conn.Exec(ctx, `DROP INDEX IF EXISTS ix_documents_embedding`)
	require.NoError(t, err)
	_, err = conn.Exec(ctx, `
		UPDATE documents d
		SET embedding = (SELECT array_agg((random() - 0.5)::real) FROM generate_series(1, 1536) WHERE d.id IS NOT NULL), embedding_model = 'test'
		WHERE d.tenant_id = $1
		  AND d.id IN (SELECT id FROM documents WHERE tenant_id = $1 ORDER BY created_at DESC LIMIT $2)`, in.scope.TenantID, n.Vectors)
	require.NoError(t, err)
	for _, sql := range append(makes, "VACUUM (ANALYZE)") {
		_, err = conn.Exec(ctx, sql)
		require.NoError(t, err, sql)
	}
	return tenant.Scope{TenantID: small, Scopes: in.scope.Scopes}
}

// searchTables are those whose plans the pages of search show.
const searchTables = `(documents|search_words_\d+)`

// ranked is how many documents a text of many hits may read: those of the newest that are ranked, whatever the tenant's size.
const ranked = 2_500

// searchPages are all modes and conditions of search, as a large tenant asks them, and then a small one.
func searchPages(in data, small tenant.Scope, n scale, api *db.DB) []page {
	find, settings := search.New(api), searchsettings.New(api)
	text := func(s string) *string { return &s }
	searched := func(p search.Params) func(ctx context.Context) error {
		p.Language, p.First = "en", 20
		if p.Mode == "" {
			p.Mode = search.FTS
		}
		return func(ctx context.Context) error { _, err := find.Search(ctx, p); return err }
	}
	asked := func(p search.Params, ask func(ctx context.Context, f *search.Found) error) func(ctx context.Context) error {
		p.Mode, p.Language, p.First = search.FTS, "en", 20
		return func(ctx context.Context) error {
			f, err := find.Ask(p)
			if err != nil {
				return err
			}
			return ask(ctx, f)
		}
	}
	vector := make([]float32, search.Dimensions)
	for i := range vector {
		vector[i] = float32(i%17) - 8
	}
	area, topic := "area3", "area3.topic2"
	thousandth, twentieth := n.Documents/500, n.Documents/15
	week := time.Now().AddDate(0, -3, 0)
	weekEnd := week.AddDate(0, 0, 7)
	own := in.users[0]
	sphere := "ix_documents_location"
	if dbtest.Lane() == dbtest.Bare {
		sphere = "ix_documents_sphere"
	}
	near := &search.Near{Longitude: 5, Latitude: 50, Radius: 10_000}
	pages := []page{
		{
			name: "search.Search", nodes: searchTables,
			story: "Each condition has an index that starts with the tenant: `ix_documents_search` and `ix_documents_labels` (GIN), `ix_documents_path`, " +
				"`ix_documents_author`, `ix_documents_created`. A text of few hits is ranked whole. Of a text with many, by the counts of the vocabulary, " +
				"only so many of the newest documents are ranked as hold some 200 hits, and the hits in titles, which `ix_documents_title_search` gives. " +
				"When these have too few for a page, the words are asked of their index, whatever the counts promised. " +
				"Without a text the newest come first, and a condition that many documents meet is answered by walking `ix_documents_created`. " +
				"The statements are those that search_statements builds from the conditions, and its lookups in the vocabulary.",
			hot: []hot{
				{title: "FTS: a word in one document of 1,000", index: []string{"ix_documents_search"}, rows: thousandth, run: searched(search.Params{Query: text("granite")})},
				{title: "FTS: a word in 30 % of the documents", index: []string{"ix_documents_created", "search_words_.*lexeme"}, rows: ranked, run: searched(search.Params{Query: text("common")})},
				{title: "FTS: two frequent words that are never together", index: []string{"ix_documents_search"}, rows: ranked, run: searched(search.Params{Query: text("morning evening")})},
				{title: "FTS: a prefix", index: []string{"ix_documents_search", "search_words_"}, rows: thousandth, run: searched(search.Params{Query: text("gran*")})},
				{title: "FTS: a rare word in a subtree of 5 %", index: []string{"ix_documents_"}, rows: thousandth, run: searched(search.Params{Query: text("granite"), PathPrefix: &area})},
				{title: "FTS: a frequent word in a subtree of 0.1 %", index: []string{"ix_documents_path"}, rows: ranked, run: searched(search.Params{Query: text("common"), PathPrefix: &topic})},
				{title: "a subtree of 0.1 %", index: []string{"ix_documents_path"}, rows: thousandth, run: searched(search.Params{PathPrefix: &topic})},
				{title: "a subtree of 5 %", index: []string{"ix_documents_"}, rows: twentieth, run: searched(search.Params{PathPrefix: &area})},
				{title: "a tag of one document in 1,000", index: []string{"ix_documents_labels"}, rows: thousandth, run: searched(search.Params{TagIDs: []int{777}})},
				{title: "any of two tags that one document in 50 has", index: []string{"ix_documents_"}, rows: n.Documents / 20, run: searched(search.Params{TagIDs: []int{7, 8}})},
				{title: "metadata that one document in 20 has", index: []string{"ix_documents_"}, rows: twentieth, run: searched(search.Params{Metadata: []byte(`{"source": "s7"}`)})},
				{title: "an author", index: []string{"ix_documents_author"}, rows: n.Documents / 4, run: searched(search.Params{AuthorID: &own})},
				{title: "a week of a year", index: []string{"ix_documents_created"}, rows: 21, run: searched(search.Params{CreatedAt: &query.Time{Gte: &week, Lt: &weekEnd}})},
			},
		},
		{
			name: "search.Words", nodes: searchTables,
			story: "The words of the query are looked up in the tenant's vocabulary, by trigrams (`ix_search_words_trigrams`), Soundex or Metaphone, and what " +
				"resembles them becomes a full-text query. Its cost is that of the vocabulary, which grows far slower than the documents.",
			hot: []hot{
				{title: "FUZZY: a misspelt word", index: []string{"search_words_", "ix_documents_search"}, rows: ranked, run: searched(search.Params{Mode: search.Fuzzy, Query: text("grannite")})},
				{title: "FUZZY: two frequent words that are never together", index: []string{"ix_documents_search"}, rows: ranked, run: searched(search.Params{Mode: search.Fuzzy, Query: text("mornign evenign")})},
				{title: "SOUNDEX: a misheard word", index: []string{"search_words_.*soundex", "ix_documents_"}, rows: ranked, run: searched(search.Params{Mode: search.Soundex, Query: text("granit")})},
				{title: "METAPHONE: a misheard word", index: []string{"search_words_.*metaphone", "ix_documents_"}, rows: ranked, run: searched(search.Params{Mode: search.Metaphone, Query: text("granyt")})},
				{
					title: "did you mean", index: []string{"search_words_"}, rows: thousandth + 50,
					run: asked(search.Params{Query: text("grannite")}, func(ctx context.Context, f *search.Found) error { _, err := f.DidYouMean(ctx); return err }),
				},
				{
					title: "suggestions", index: []string{"search_words_.*"}, rows: ranked,
					run: func(ctx context.Context) error { _, err := settings.Suggest(ctx, "gra", "en", 8); return err },
				},
			},
		},
		{
			name: "search.Near", nodes: searchTables,
			story: "A circle is a range of `ix_documents_location` (PostGIS) or `ix_documents_sphere` (contrib), a box one of `ix_documents_point`, both GiST with the tenant first.",
			hot: []hot{
				{title: "within 10 km, nearest first", index: []string{sphere}, rows: n.Documents / 100, run: searched(search.Params{Near: near})},
				{title: "a rare word within 10 km", index: []string{"ix_documents_"}, rows: n.Documents / 100, run: searched(search.Params{Near: near, Query: text("granite")})},
				{
					title: "in a box of 0.2 degrees", index: []string{"ix_documents_point"}, rows: n.Documents / 100,
					run: searched(search.Params{Within: &search.Box{West: 5, South: 50, East: 5.2, North: 50.2}}),
				},
			},
		},
		{
			name: "search.Counts", nodes: searchTables,
			story: "A count reads what matches up to 10,000 documents, facets the first 10,000 as well; the index of words tells which match, in one go for all of them.",
			hot: []hot{
				{
					title: "count of a word in one document of 1,000", index: []string{"ix_documents_search"}, rows: thousandth,
					run: asked(search.Params{Query: text("granite")}, func(ctx context.Context, f *search.Found) error { _, err := f.Count(ctx); return err }),
				},
				{
					title: "count of a word in 30 % of the documents", index: []string{"ix_documents_"}, rows: n.Documents * 2 / 5,
					run: asked(search.Params{Query: text("common")}, func(ctx context.Context, f *search.Found) error { _, err := f.Count(ctx); return err }),
				},
				{
					title: "facets of a word in 30 % of the documents", index: []string{"ix_documents_"}, rows: n.Documents * 2 / 5,
					run: asked(search.Params{Query: text("common")}, func(ctx context.Context, f *search.Found) error {
						_, err := f.Facets(ctx, search.FacetParams{Paths: true, Level: 1, Tags: true, MetadataKeys: true, Months: true, First: 10})
						return err
					}),
				},
			},
		},
	}
	if dbtest.Lane() == dbtest.Full { // without pgvector all vectors are compared one by one
		pages = append(pages, page{
			name: "search.Vectors", nodes: searchTables,
			story: "Few candidates are compared one by one. Of many, `ix_documents_embedding` (HNSW over half precision) finds the nearest, goes on until enough of them meet " +
				"the conditions, and those are put in order by their full vectors. HYBRID is both a full-text search and this, fused by rank.",
			hot: []hot{
				{title: "SEMANTIC", index: []string{"ix_documents_embedding"}, rows: ranked, run: searched(search.Params{Mode: search.Semantic, Query: text("granite"), Vector: vector})},
				{
					title: "SEMANTIC in a subtree of 0.1 %", index: []string{"ix_documents_path"}, rows: ranked,
					run: searched(search.Params{Mode: search.Semantic, Query: text("granite"), Vector: vector, PathPrefix: &topic}),
				},
				{
					title: "HYBRID", index: []string{"ix_documents_embed", "ix_documents_search"}, rows: 3 * ranked,
					run: searched(search.Params{Mode: search.Hybrid, Query: text("granite"), Vector: vector}),
				},
			},
		})
	}
	for i := range pages {
		for _, h := range pages[i].hot {
			run := h.run
			// Any index will do for a small tenant, as long as it reads nobody else's documents. A part of the vocabulary may be so small,
			// some 200 words on 3 pages, that it is read whole.
			pages[i].small = append(pages[i].small, hot{
				title: h.title + ", a small tenant", rows: 20*n.Each + 200, quiet: true,
				run: func(ctx context.Context) error { return run(tenant.With(ctx, small)) },
			})
		}
	}
	return pages
}

// writeSearch writes the pages of all scales, one after the other.
func writeSearch(t *testing.T, server string, p page, scales []scale, plans []string) {
	t.Helper()

	var doc strings.Builder
	for i, n := range scales {
		fmt.Fprintf(&doc, "\n# With %d documents\n\n%d of one tenant, %d of them with a vector, and %d of each of %d others; %d words each.\n%s",
			n.Documents+n.Small*n.Each, n.Documents, n.Vectors, n.Each, n.Small, n.Words, plans[i])
	}
	write(t, server, p, "Each is the last of "+fmt.Sprint(executions)+" executions; long values are cut.", doc.String())
}
