package search_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/repo/search"
	"stackforge/tenant"
)

// The documented function reads what it found, not all documents of the tenant.
func TestDocumentedReadsItsHits(t *testing.T) {
	t.Parallel()

	ctx, d, _ := setup(t, "quokka")
	s, err := tenant.From(ctx)
	require.NoError(t, err)
	d.Exec(t, `INSERT INTO documents (tenant_id, author_id, title, body)
		SELECT $1, $2, 'other ' || n, 'b' FROM generate_series(1, 1000) n`, s.TenantID, s.UserID)
	d.Exec(t, `ANALYZE documents`)
	err = d.API.Do(ctx, func(tx *db.Tx) error {
		// Often enough for a plan that is kept.
		for range 8 {
			hits, err := search.New(tx).Documented(ctx, search.DocumentedParams{Query: "quokka", Mode: search.FTS, Limit: 20})
			require.NoError(t, err)
			require.Len(t, hits, 1)
			require.Equal(t, "quokka", hits[0].Title)
		}
		read, err := db.Get[int](ctx, tx, "count", `
			SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_all_tables WHERE relid = 'documents'::regclass`)
		require.NoError(t, err)
		require.Less(t, read, 100)
		return nil
	})
	require.NoError(t, err)
}
