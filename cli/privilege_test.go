package cli_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
)

// tenantTables are the tables, and views, of the product that hold rows of tenants and that app_api may read, with the
// column that names the tenant.
const tenantTables = `
	SELECT format('%I.%I', n.nspname, c.relname), CASE c.relname WHEN 'tenants' THEN 'id' ELSE 'tenant_id' END
	FROM pg_class c
	JOIN pg_namespace n ON n.oid = c.relnamespace
	JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = CASE c.relname WHEN 'tenants' THEN 'id' ELSE 'tenant_id' END
	WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname IN ('public', 'core')
		AND has_column_privilege('app_api', c.oid, a.attnum, 'SELECT')
	ORDER BY 1`

// Somebody with psql who acts as app_api reads nothing without a tenant and nothing of others with one, whatever the
// statement.
func TestRowsOfOthersCannotBeRead(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	w := &world{DB: d, dir: t.TempDir()}
	ok(t, w.environ(), "seed")
	w.Exec(t, `UPDATE jobs SET progress = 50 WHERE status = 'running' OR status = 'pending'`) // events of every tenant
	w.Exec(t, `SELECT set_search_synonyms(id, 'a', '{b}') FROM tenants`)
	w.Exec(t, `SELECT set_search_stop_words(id, '{c}') FROM tenants`)
	w.Exec(t, `
		INSERT INTO webhook_endpoints (tenant_id, name, url) SELECT id, 'x', 'https://example.org' FROM tenants;
		INSERT INTO webhook_lanes (tenant_id, endpoint_id) SELECT tenant_id, id FROM webhook_endpoints ON CONFLICT DO NOTHING;
		INSERT INTO core.outbox (tenant_id, aggregate_type, aggregate_id, topic, payload) SELECT id, 'job', '1', 'job.done', '{}' FROM tenants;
		INSERT INTO webhook_deliveries (tenant_id, endpoint_id, event_id, event)
			SELECT e.tenant_id, e.id, o.id, o.topic FROM webhook_endpoints e JOIN core.outbox o USING (tenant_id);
		INSERT INTO webhook_attempts (tenant_id, delivery_id, attempt, endpoint_id, at, duration_ms)
			SELECT tenant_id, id, 1, endpoint_id, now(), 1 FROM webhook_deliveries;
		INSERT INTO message_queues (tenant_id, name, physical) SELECT id, 'q', 'q_' || left(md5(id::text), 8) FROM tenants;
		INSERT INTO tenant_limits (tenant_id) SELECT id FROM tenants;
		INSERT INTO jobs_archive SELECT DISTINCT ON (tenant_id) * FROM jobs`)

	conn := w.Connect(t)
	rows, err := conn.Query(t.Context(), tenantTables)
	require.NoError(t, err)
	type table struct{ Name, Column string }
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[table])
	require.NoError(t, err)
	var names []string
	for _, x := range tables {
		names = append(names, x.Name)
	}
	require.Subset(t, names, []string{
		"public.api_keys", "public.app_users", "public.documents", "public.files", "public.job_events", "public.jobs", "public.tenants",
	})

	tenants := func(x table, where string) []string {
		rows, err := conn.Query(t.Context(), `SELECT DISTINCT `+x.Column+`::text FROM `+x.Name+` WHERE `+where+` ORDER BY 1`)
		require.NoError(t, err, x.Name)
		out, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err, x.Name)
		return out
	}
	for _, x := range tables {
		require.Len(t, tenants(x, "true"), 3, "the superuser sees three tenants in %s", x.Name)
	}
	_, err = conn.Exec(t.Context(), `SET ROLE app_api`)
	require.NoError(t, err)
	for _, x := range tables {
		require.Empty(t, tenants(x, "true"), "%s without a tenant", x.Name)
	}
	_, err = conn.Exec(t.Context(), `SELECT set_config('app.tenant_id', $1, false)`, firstTenant)
	require.NoError(t, err)
	for _, x := range tables {
		require.Equal(t, []string{firstTenant}, tenants(x, "true"), x.Name)
		require.Empty(t, tenants(x, x.Column+` = '00000000-0000-0000-0000-000000000002'`), "%s when asked for another", x.Name)
	}

	for _, sql := range []string{
		`SELECT key_hash FROM api_keys`,
		`TRUNCATE documents`,
		`DELETE FROM tenants`,
		`DELETE FROM jobs`,
		`DELETE FROM job_events`,
		`ALTER TABLE documents DISABLE ROW LEVEL SECURITY`,
		`DROP POLICY p_documents_tenant ON documents`,
		`CREATE TABLE mine (x int)`,
		`CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
		`SELECT pg_read_file('/etc/passwd')`,
		`COPY tenants TO PROGRAM 'cat'`,
		`INSERT INTO documents (tenant_id, author_id, title, body)
			VALUES ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000020', 'x', 'x')`,
		`UPDATE documents SET tenant_id = '00000000-0000-0000-0000-000000000002'`,
		`SELECT claim_jobs('00000000-0000-0000-0000-000000000001', NULL, 1)`,
	} {
		_, err := conn.Exec(t.Context(), sql)
		require.Error(t, err, sql)
		require.Regexp(t, `permission denied|must be owner|must be superuser|row-level security`, err.Error(), sql)
	}
	tag, err := conn.Exec(t.Context(), `UPDATE documents SET title = 'stolen' WHERE tenant_id <> $1`, firstTenant)
	require.NoError(t, err)
	require.Zero(t, tag.RowsAffected())
	tag, err = conn.Exec(t.Context(), `DELETE FROM documents WHERE tenant_id <> $1`, firstTenant)
	require.NoError(t, err)
	require.Zero(t, tag.RowsAffected())
}

// Processes that log in as a superuser act as app_api and app_worker all the same, under names that an operator can
// tell apart, and their statements carry their own names.
func TestLeastPrivilege(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// The triggers run as whoever changes the row.
	w.Exec(t, `
		CREATE TABLE witness (what text, who text, login text, application text);
		GRANT INSERT ON witness TO PUBLIC;
		CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			INSERT INTO witness VALUES (TG_TABLE_NAME, current_user, session_user, current_setting('application_name'));
			RETURN NULL;
		END $$;
		CREATE TRIGGER witness AFTER INSERT ON documents EXECUTE FUNCTION witness();
		CREATE TRIGGER witness AFTER UPDATE ON jobs EXECUTE FUNCTION witness()`)
	s := serveAPI(t, w.environ())
	startWorker(t, w.environ())
	c := w.caller(s)
	request := slow(t, w, c)
	c.awaitJob(t, c.enqueue(t, "send_email", mailTo("x")), "DONE")

	super := one[string](t, w, `SELECT current_user::text`)
	require.Equal(t, []string{"documents app_api " + super + " web-app", "jobs app_worker " + super + " web-jobs"},
		list[string](t, w, `SELECT DISTINCT concat_ws(' ', what, who, login, application) FROM witness ORDER BY 1`))
	require.Equal(t, []string{"web-app", "web-jobs"}, list[string](t, w, `
		SELECT DISTINCT application_name FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'web-%' ORDER BY 1`))

	waiting := one[string](t, w, `
		SELECT query FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'web-app' AND wait_event_type = 'Lock'`)
	require.Contains(t, waiting, "-- name: document.Update")
	if one[bool](t, w, `SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_stat_statements')`) {
		names := strings.Join(list[string](t, w, `
			SELECT DISTINCT substring(query FROM '-- name: ([A-Za-z.]+)') FROM pg_stat_statements
			WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND query LIKE '%-- name: %'`), " ")
		for _, name := range []string{"document.Create", "job.Enqueue", "job.Claim", "job.Complete"} {
			require.Contains(t, names, name)
		}
	}
	request.release()
	<-request.answer
}
