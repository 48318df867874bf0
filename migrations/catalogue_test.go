package migrations_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/tenant"
)

var writeGolden = flag.Bool("golden", false, "write testdata anew")

// rows returns each row of a query as one text.
func rows(t *testing.T, conn *pgx.Conn, sql string, args ...any) []string {
	t.Helper()

	r, err := conn.Query(t.Context(), sql, args...)
	require.NoError(t, err)
	out, err := pgx.CollectRows(r, pgx.RowTo[string])
	require.NoError(t, err)
	return out
}

// golden compares lines with a checked-in file: whoever changes it shows what a reviewer has to look at.
func golden(t *testing.T, name string, got []string) {
	t.Helper()

	path := filepath.Join("testdata", name)
	text := strings.Join(got, "\n") + "\n"
	if *writeGolden {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), text, "if this is meant: go test ./migrations -run 'Roles|Rights' -golden")
}

// ours are the relations that are no extension's.
const ours = `
	FROM pg_class c
	JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname IN ('public', 'core', 'graphql_api')
	  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`

func TestRowSecurity(t *testing.T) {
	t.Parallel()

	t.Run("every table with a tenant, and every partition, is secured by its policy", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		d.Exec(t, `SELECT ensure_partitions(6, 9)`) // what comes later is secured, too
		conn := d.Connect(t)
		tables := rows(t, conn, `
			SELECT c.oid::regclass::text`+ours+` AND c.relkind IN ('r', 'p', 'f')
			  AND (c.relname = 'tenants' OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped))
			ORDER BY 1`)
		require.Subset(t, tables, []string{"tenants", "app_users", "api_keys", "documents", "files", "jobs", "jobs_live", "jobs_finished", "job_events"})
		require.Greater(t, len(tables), 20, "with partitions")
		for _, table := range tables {
			column := "tenant_id"
			if table == "tenants" {
				column = "id"
			}
			cond := "(" + column + " = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)"
			got := rows(t, conn, `
				SELECT format('%s,%s,%s,%s|%s|%s|%s', c.relrowsecurity, c.relforcerowsecurity, p.polcmd, p.polpermissive,
				    CASE WHEN p.polroles = '{0}' THEN 'all' ELSE 'some' END,
				    pg_get_expr(p.polqual, c.oid), pg_get_expr(p.polwithcheck, c.oid))
				FROM pg_class c
				LEFT JOIN pg_policy p ON p.polrelid = c.oid AND p.polname = 'p_' || c.relname || '_tenant'
				WHERE c.oid = $1::regclass`, table)
			require.Equal(t, []string{"t,t,*,t|all|" + cond + "|" + cond}, got, table)
		}
	})

	t.Run("further policies are the owner's, and those listed here", func(t *testing.T) {
		t.Parallel()

		conn := dbtest.New(t).Connect(t)
		got := rows(t, conn, `
			SELECT format('%s on %s to %s', p.polname, p.polrelid::regclass, p.polroles::regrole[]::text)
			FROM pg_policy p
			WHERE p.polname NOT LIKE 'p\_%\_tenant' AND p.polroles <> ARRAY['stackforge_owner'::regrole::oid]
			ORDER BY 1`)
		require.Equal(t, []string{"p_jobs_worker on jobs to {app_worker}"}, got)
	})

	t.Run("no view or materialized view leads around it", func(t *testing.T) {
		t.Parallel()

		conn := dbtest.New(t).Connect(t)
		require.Empty(t, rows(t, conn, `
			SELECT c.relname::text`+ours+` AND c.relkind = 'v' AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false)`))
		require.Empty(t, rows(t, conn, `
			SELECT c.relname || ' by ' || r
			FROM pg_class c, unnest(ARRAY['app_api', 'app_worker', 'app_readonly', 'app_graphql_write']) r
			WHERE c.relkind = 'm' AND has_table_privilege(r, c.oid, 'SELECT')`))
	})
}

func TestRoles(t *testing.T) {
	t.Parallel()

	t.Run("the roles have no powers of their own", func(t *testing.T) {
		t.Parallel()

		conn := dbtest.New(t).Connect(t)
		require.Equal(t, []string{"app_api", "app_graphql", "app_graphql_write", "app_readonly", "app_worker", "stackforge_owner"}, rows(t, conn, `
			SELECT rolname::text FROM pg_roles
			WHERE rolname IN ('app_api', 'app_graphql', 'app_graphql_write', 'app_worker', 'app_readonly', 'stackforge_owner')
			  AND NOT (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolcanlogin OR rolreplication)
			ORDER BY 1`))
		// What the owner may read of other roles are the times and texts of their statements (get_slow_queries). The API changes to the
		// two roles of pg_graphql.
		require.Equal(t, []string{"app_api app_graphql_write", "app_graphql_write app_graphql", "stackforge_owner pg_read_all_stats"}, rows(t, conn, `
			SELECT m.member::regrole::text || ' ' || m.roleid::regrole::text FROM pg_auth_members m
			WHERE m.member::regrole::text IN ('app_api', 'app_graphql', 'app_graphql_write', 'app_worker', 'app_readonly', 'stackforge_owner')
			  AND m.roleid::regrole::text <> 'pgsodium_keyiduser' -- gives the use of keys by name, and none to see
			ORDER BY 1`))
	})

	t.Run("all tables, sequences and functions are the owner's", func(t *testing.T) {
		t.Parallel()

		conn := dbtest.New(t).Connect(t)
		require.Empty(t, rows(t, conn, `SELECT c.relname::text`+ours+` AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND pg_get_userbyid(c.relowner) <> 'stackforge_owner'`))
		require.Empty(t, rows(t, conn, `SELECT p.oid::regprocedure::text`+ourFunctions+` AND pg_get_userbyid(p.proowner) <> 'stackforge_owner'`))
	})

	t.Run("who may do what with which table is as checked in", func(t *testing.T) {
		t.Parallel()

		conn := dbtest.New(t).Connect(t)
		// Partitions have no grants: they are reached through their table. Columns are named where not all are granted.
		got := rows(t, conn, `
			SELECT format('%-12s %-24s %s', r, o.oid::regclass, string_agg(v.verb || coalesce(' (' || v.columns || ')', ''), ', ' ORDER BY v.ord))
			FROM unnest(ARRAY['app_api', 'app_graphql', 'app_graphql_write', 'app_readonly', 'app_worker', 'public']) r
			CROSS JOIN (SELECT c.oid, c.relkind`+ours+` AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
			    AND c.relname NOT LIKE 'documents_embedding%') o
			CROSS JOIN LATERAL (
			    SELECT x.verb, x.ord, NULL AS columns
			    FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) WITH ORDINALITY x (verb, ord)
			    WHERE o.relkind <> 'S' AND has_table_privilege(r, o.oid, x.verb)
			    UNION ALL
			    SELECT x.verb, x.ord, string_agg(a.attname, ', ' ORDER BY a.attname)
			    FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) WITH ORDINALITY x (verb, ord)
			    JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
			    WHERE o.relkind <> 'S' AND NOT has_table_privilege(r, o.oid, x.verb) AND has_column_privilege(r, o.oid, a.attnum, x.verb)
			    GROUP BY x.verb, x.ord
			    UNION ALL
			    SELECT x.verb, 10 + x.ord, NULL
			    FROM unnest(ARRAY['USAGE', 'SELECT', 'UPDATE']) WITH ORDINALITY x (verb, ord)
			    WHERE o.relkind = 'S' AND has_sequence_privilege(r, o.oid, x.verb)) v
			GROUP BY r, o.oid
			ORDER BY 1`)
		golden(t, "grants.txt", got)
	})
}

// act runs statements as a role of the product, with a tenant.
func act(t *testing.T, h *db.DB, s tenant.Scope) func(sql string, args ...any) errs.Code {
	t.Helper()

	ctx := tenant.With(t.Context(), s)
	return func(sql string, args ...any) errs.Code {
		_, err := db.Exec(ctx, h, sql, args...)
		if err == nil {
			return ""
		}
		return errs.From(err).Code
	}
}

func TestLeastPrivilege(t *testing.T) {
	t.Parallel()

	t.Run("app_api", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		s := dbtest.Tenant(t, d)
		do := act(t, d.API, s)
		require.Empty(t, do(`SELECT key_prefix FROM api_keys`), "what it may do works")
		for _, sql := range []string{
			`SELECT key_hash FROM api_keys`,
			`SELECT * FROM api_keys`,
			`SELECT k FROM api_keys k`,
			`UPDATE api_keys SET key_hash = repeat('a', 64)`,
			`UPDATE api_keys SET expires_at = NULL`,
			`DELETE FROM api_keys`,
			`INSERT INTO tenants (name) VALUES ('x')`,
			`UPDATE app_users SET email = 'x@example.org'`,
			`DELETE FROM jobs`,
			`INSERT INTO job_events (tenant_id, job_id, type, status, attempts) VALUES (current_tenant(), 1, 'x', 'done', 1)`,
			`SELECT * FROM tenant_document_stats`,
			`SELECT * FROM jobs_live`,
			`CREATE TABLE mine (id int)`,
			`CREATE TABLE core.mine (id int)`,
			`CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
			`CREATE SCHEMA mine`,
			`ALTER TABLE documents DISABLE ROW LEVEL SECURITY`,
			`DROP POLICY p_documents_tenant ON documents`,
			`TRUNCATE documents`,
			`UPDATE core.schema_version SET migration_hash = ''`,
			`SELECT claim_job()`,
			`SELECT create_tenant('x')`,
			`SELECT secure_table('documents')`,
			`SELECT * FROM tenant_document_months`,
			`SELECT * FROM core.job_counts`,
			`SELECT archive_jobs()`,
			`SELECT drop_old_partitions()`,
			`UPDATE core.partition_config SET retention = '1 day'`,
			`SELECT * FROM get_slow_queries()`,
			`SELECT * FROM get_partitions()`,
			`SELECT * FROM get_audit_settings()`,
			`SELECT create_api_key(current_tenant(), 'x', 'sk_live_abcd', repeat('a', 64), '{operator:read}')`,
		} {
			require.Equal(t, errs.Forbidden, do(sql), sql)
		}
	})

	t.Run("app_api cannot switch row-level security off", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		s, other := dbtest.Tenant(t, d), dbtest.Tenant(t, d)
		err := d.API.Do(tenant.With(t.Context(), s), func(tx *db.Tx) error {
			if _, err := db.Exec(t.Context(), tx, `SET LOCAL row_security = off`); err != nil {
				return err
			}
			_, err := db.List[string](t.Context(), tx, `SELECT id::text FROM app_users WHERE id = $1 ORDER BY id`, other.UserID)
			return err
		})
		require.Equal(t, errs.Forbidden, errs.From(err).Code, "the statement is refused, not widened")
	})

	t.Run("app_worker", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		s := dbtest.Tenant(t, d)
		do := act(t, d.Worker, s)
		require.Empty(t, do(`SELECT claim_job()`), "what it may do works")
		for _, sql := range []string{
			`SELECT create_document(current_tenant(), current_tenant(), 'x', 'x')`,
			`INSERT INTO documents (tenant_id, author_id, title, body) VALUES (current_tenant(), current_tenant(), 'x', 'x')`,
			`UPDATE documents SET title = 'x'`,
			`DELETE FROM documents`,
			`SELECT key_prefix FROM api_keys`,
			`SELECT authenticate_key('x')`,
			`SELECT create_api_key(current_tenant(), 'x', 'x', 'x')`,
			`SELECT create_user(current_tenant(), 'x@example.org')`,
			`DELETE FROM jobs`,
			`CREATE TABLE mine (id int)`,
		} {
			require.Equal(t, errs.Forbidden, do(sql), sql)
		}
	})

	t.Run("app_readonly reads its tenant and writes nothing", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		s, _ := dbtest.Tenant(t, d), dbtest.Tenant(t, d)
		h := d.Open(t, db.Config{Role: "app_readonly"})
		users, err := db.List[string](tenant.With(t.Context(), s), h, `SELECT id::text FROM app_users ORDER BY id`)
		require.NoError(t, err)
		require.Equal(t, []string{s.UserID.String()}, users)
		do := act(t, h, s)
		conn := d.Connect(t)
		require.Empty(t, rows(t, conn, `
			SELECT c.relname::text`+ours+` AND c.relkind IN ('r', 'p', 'v', 'm') AND (
			    has_table_privilege('app_readonly', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') OR has_any_column_privilege('app_readonly', c.oid, 'INSERT, UPDATE'))`))
		for _, sql := range []string{
			`INSERT INTO app_users (tenant_id, email) VALUES (current_tenant(), 'x@example.org')`,
			`UPDATE documents SET title = 'x'`,
			`DELETE FROM files`,
			`SELECT key_hash FROM api_keys`,
			`SELECT enqueue_job(current_tenant(), 'x')`,
			`SELECT authenticate_key('x')`,
			`SELECT nextval('jobs_id_seq')`,
			`CREATE TABLE mine (id int)`,
		} {
			require.Equal(t, errs.Forbidden, do(sql), sql)
		}
	})

	t.Run("a login that was granted app_api gets no further", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		admin := d.Connect(t)
		const login = "dbtest_api_login"
		_, err := admin.Exec(t.Context(), `CREATE ROLE `+login+` LOGIN IN ROLE app_api`)
		require.NoError(t, err)
		t.Cleanup(func() {
			_, err := admin.Exec(context.WithoutCancel(t.Context()), `DROP ROLE `+login)
			require.NoError(t, err)
		})
		h := d.Open(t, db.Config{Role: db.RoleAPI, User: login})
		t.Cleanup(func() { h.Close(0) })
		do := act(t, h, dbtest.Tenant(t, d))
		require.Empty(t, do(`SELECT * FROM documents`))
		for _, role := range []string{"stackforge_owner", "app_worker", "postgres"} {
			require.Equal(t, errs.Forbidden, do(fmt.Sprintf(`SET LOCAL ROLE %s`, role)), role)
		}
	})
}
