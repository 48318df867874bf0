package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

func TestDump(t *testing.T) {
	t.Parallel()

	url := dbtest.Empty(t)
	first, err := migrated(t.Context(), url)
	require.NoError(t, err)

	t.Run("migrations/schema.sql is what the migrations make", func(t *testing.T) {
		t.Parallel()

		committed, err := os.ReadFile("../../../migrations/schema.sql")
		require.NoError(t, err)
		require.Equal(t, string(committed), first, "stale: run `make generate`")
	})

	t.Run("migrating again changes nothing", func(t *testing.T) {
		t.Parallel()

		second, err := migrated(t.Context(), url)
		require.NoError(t, err)
		require.Equal(t, first, second)
	})

	t.Run("it shows what a reviewer looks for", func(t *testing.T) {
		t.Parallel()

		for _, want := range []string{
			"CREATE TABLE documents (",
			"CONSTRAINT documents_author_id_fkey FOREIGN KEY (tenant_id, author_id) REFERENCES app_users(tenant_id, id)",
			"CREATE INDEX ix_documents_created ON public.documents USING btree (tenant_id, created_at DESC, id DESC);",
			"CREATE POLICY p_documents_tenant ON documents",
			"CREATE TABLE jobs_live PARTITION OF jobs FOR VALUES IN ('pending', 'running')",
			"GRANT UPDATE (revoked_at) ON api_keys TO app_api;",
			"FUNCTION claim_jobs(p_worker_id uuid, p_types text[], p_limit integer) RETURNS SETOF jobs",
		} {
			require.Contains(t, first, want)
		}
		require.NotRegexp(t, `_20\d\d_\d\d`, first, "a partition named by a date")
	})
}
