package migrations_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
)

// Export and deletion of a tenant go by the catalogue; these fail when a table that is new is not covered.
func TestTablesOfTenants(t *testing.T) {
	t.Parallel()

	t.Run("every table is of tenants, or known to be of nobody", func(t *testing.T) {
		t.Parallel()

		conn := dbtest.New(t).Connect(t)
		require.Subset(t, []string{
			"core.detached_partitions", "core.job_counted", "core.maintenance_runs", "core.partition_config", "core.schema_migrations",
			"core.schema_version", "core.stats_refresh", "core.stream_epoch", "core.stream_horizon", "job_types", "job_workers",
		}, rows(t, conn, `
			SELECT c.oid::regclass::text`+ours+` AND c.relkind IN ('r', 'p') AND NOT c.relispartition
			  AND c.oid::regclass::text NOT IN (SELECT name FROM tenant_tables())
			ORDER BY 1`), "a table without tenant_id must not hold what belongs to a tenant; if it does not, name it here")
		require.Subset(t, []string{"tenant_document_months", "tenant_document_stats"}, rows(t, conn, `
			SELECT c.relname::text`+ours+` AND c.relkind = 'm' ORDER BY 1`), "a materialized view must be refreshed by TenantDeleter; if it is, name it here")
		require.Empty(t, rows(t, conn, `
			SELECT format('%s.%s', n.nspname, c.relname)
			FROM pg_class c
			JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname NOT IN ('public', 'core', 'pgmq', 'information_schema') AND n.nspname NOT LIKE 'pg\_%' AND c.relkind IN ('r', 'p')
			  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
			ORDER BY 1`), "other schemas have no tables")
	})

	t.Run("a table that is new is exported and deleted", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		d.Exec(t, `SET ROLE stackforge_owner; CREATE TABLE notes (tenant_id uuid NOT NULL REFERENCES tenants (id), author_id uuid, text text,
			FOREIGN KEY (tenant_id, author_id) REFERENCES app_users (tenant_id, id))`)
		conn := d.Connect(t)
		require.Equal(t, []string{"data"}, rows(t, conn, `SELECT kind FROM tenant_tables() WHERE name = 'notes'`))
		require.Empty(t, rows(t, conn, `
			SELECT format('%s before %s', c.name, p.name)
			FROM pg_constraint f
			JOIN tenant_tables() c ON c.name::regclass = f.conrelid
			JOIN tenant_tables() p ON p.name::regclass = f.confrelid
			WHERE f.contype = 'f' AND f.conrelid <> f.confrelid AND c.ord < p.ord`), "parents come first")
	})

	t.Run("no column that looks like a secret is exported", func(t *testing.T) {
		t.Parallel()

		conn := dbtest.New(t).Connect(t)
		require.Empty(t, rows(t, conn, `
			SELECT format('%s.%s', t.name, c.name)
			FROM tenant_tables() t, tenant_columns(t.name) c
			WHERE t.kind IN ('data', 'log') AND c.name ~ 'hash|secret|password|token|private|credential'
			ORDER BY 1`), "leave it out in tenant_columns")
	})

	t.Run("every column is exported, computed, or left out for a reason", func(t *testing.T) {
		t.Parallel()

		conn := dbtest.New(t).Connect(t)
		require.Equal(t, []string{"api_keys.key_hash", "api_keys.previous_ends_at", "api_keys.previous_hash", "job_events.xid", "tenants.deleting_at"}, rows(t, conn, `
			SELECT format('%s.%s', t.name, a.attname)
			FROM tenant_tables() t
			JOIN pg_attribute a ON a.attrelid = t.name::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
			WHERE t.kind IN ('data', 'log') AND a.attname NOT IN (SELECT c.name FROM tenant_columns(t.name) c) AND t.name <> 'tenant_storage'
			ORDER BY 1`))
	})

	t.Run("users are named by what delete_user looks after", func(t *testing.T) {
		t.Parallel()

		conn := dbtest.New(t).Connect(t)
		require.Equal(t, []string{"documents", "files"}, rows(t, conn, `
			SELECT f.conrelid::regclass::text FROM pg_constraint f
			WHERE f.contype = 'f' AND f.confrelid = 'app_users'::regclass AND f.conparentid = 0
			ORDER BY 1`))
	})

	t.Run("rows of a tenant are found by an index", func(t *testing.T) {
		t.Parallel()

		conn := dbtest.New(t).Connect(t)
		require.Subset(t, []string{"core.outbox", "core.search_word_changes"}, rows(t, conn, `
			SELECT DISTINCT t.name
			FROM tenant_tables() t
			CROSS JOIN LATERAL (
			    SELECT c.oid FROM pg_class c WHERE c.oid = t.name::regclass AND c.relkind = 'r'
			    UNION ALL
			    SELECT p.relid FROM pg_partition_tree(t.name::regclass) p WHERE p.isleaf AND p.level > 0) l
			WHERE NOT EXISTS (
			    SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
			    WHERE i.indrelid = l.oid AND a.attname = t.tenant_column AND i.indpred IS NULL)
			ORDER BY 1`), "delete_tenant would read the table once per batch")
	})

	t.Run("what is made for a tenant is guarded", func(t *testing.T) {
		t.Parallel()

		conn := dbtest.New(t).Connect(t)
		require.Subset(t, rows(t, conn, `SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'tenant_guarded' AND tgparentid = 0`),
			[]string{"api_keys", "app_users", "documents", "files"})
		// Without a foreign key to the tenant, or a guard, a row could come after the tenant is gone. The rest is written by
		// functions, for rows that are there, and enqueue_jobs calls its guard itself.
		require.Subset(t, []string{
			"core.idempotency_keys", "core.job_counts", "core.outbox", "core.search_tenants", "core.search_word_changes", "core.search_words",
			"core.tenant_deletions", "core.tenant_quota", "job_events", "jobs", "jobs_archive", "webhook_attempts", "webhook_deliveries", "webhook_lanes", "webhook_secrets",
		}, rows(t, conn, `
			SELECT t.name FROM tenant_tables() t
			WHERE t.name <> 'tenants'
			  AND NOT EXISTS (SELECT FROM pg_constraint f WHERE f.conrelid = t.name::regclass AND f.contype = 'f' AND f.confrelid = 'tenants'::regclass)
			  AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = t.name::regclass AND g.tgname = 'tenant_guarded')
			ORDER BY 1`))
	})
}
