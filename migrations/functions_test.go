package migrations_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
	"stackforge/migrations"
)

// ourFunctions are the functions that are no extension's.
const ourFunctions = `
	FROM pg_proc p
	JOIN pg_namespace n ON n.oid = p.pronamespace
	WHERE n.nspname IN ('public', 'core')
	  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')`

// fitting returns the function files of this database's variants, by name.
func fitting(t *testing.T, conn *pgx.Conn) map[string]string {
	t.Helper()

	have := map[string]bool{}
	for _, name := range rows(t, conn, `SELECT extname::text FROM pg_extension`) {
		have[name] = true
	}
	list, err := fs.Glob(migrations.FS, "functions/*.sql")
	require.NoError(t, err)
	out := map[string]string{}
	for _, name := range list {
		text, err := fs.ReadFile(migrations.FS, name)
		require.NoError(t, err)
		first, _, _ := strings.Cut(string(text), "\n")
		if x, ok := strings.CutPrefix(first, "-- requires: "); ok && !have[x] {
			continue
		}
		if x, ok := strings.CutPrefix(first, "-- unless: "); ok && have[x] {
			continue
		}
		out[name] = string(text)
	}
	return out
}

// PostgreSQL does not notice when what a body uses is dropped or changes: this does.
func TestFunctions(t *testing.T) {
	t.Parallel()

	t.Run("every file is applied again with its bodies checked", func(t *testing.T) {
		t.Parallel()

		conn := dbtest.New(t).Connect(t)
		_, err := conn.Exec(t.Context(), `SET check_function_bodies = on; SET client_min_messages = warning; SET ROLE stackforge_owner`)
		require.NoError(t, err)
		files := fitting(t, conn)
		require.Greater(t, len(files), 40)
		for name, text := range files {
			_, err := conn.Exec(t.Context(), text, pgx.QueryExecModeSimpleProtocol)
			require.NoError(t, err, name)
		}
	})

	t.Run("plpgsql_check finds no error", func(t *testing.T) {
		t.Parallel()

		conn := dbtest.New(t).Connect(t)
		if len(rows(t, conn, `SELECT name::text FROM pg_available_extensions WHERE name = 'plpgsql_check'`)) == 0 {
			require.False(t, dbtest.CI(), "the machine that decides must have plpgsql_check")
			t.Skip("the server does not have plpgsql_check")
		}
		_, err := conn.Exec(t.Context(), `
			CREATE EXTENSION IF NOT EXISTS plpgsql_check;
			CREATE FUNCTION broken() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM colour FROM documents; END $$`)
		require.NoError(t, err)
		plpgsql := ourFunctions + ` AND p.prolang = (SELECT oid FROM pg_language WHERE lanname = 'plpgsql')`
		require.Greater(t, len(rows(t, conn, `SELECT p.proname::text`+plpgsql)), 20)
		found := rows(t, conn, `
			SELECT concat_ws(' ', f.oid::regprocedure::text, c.lineno, c.level, c.sqlstate, c.message, c.query)
			FROM (SELECT p.oid, p.prorettype`+plpgsql+`) f
			LEFT JOIN (SELECT DISTINCT tgfoid, tgrelid, tgnewtable, tgoldtable FROM pg_trigger WHERE NOT tgisinternal) g ON g.tgfoid = f.oid
			CROSS JOIN LATERAL plpgsql_check_function_tb(f.oid, coalesce(g.tgrelid, 0), fatal_errors => false, extra_warnings => false,
			    performance_warnings => false, other_warnings => true, oldtable => g.tgoldtable, newtable => g.tgnewtable) c
			WHERE (f.prorettype <> 'trigger'::regtype OR g.tgrelid IS NOT NULL) 
			  AND (c.level = 'error' OR c.level LIKE 'warning%' AND c.sqlstate <> '42804') -- 42804: a literal that is cast
			ORDER BY 1`)
		require.Len(t, found, 1, strings.Join(found, "\n"))
		require.Contains(t, found[0], "broken() 1 error 42703", "the check sees what is broken on purpose")
	})

	t.Run("every file says what its function does", func(t *testing.T) {
		t.Parallel()

		list, err := fs.Glob(migrations.FS, "functions/*.sql")
		require.NoError(t, err)
		for _, name := range list {
			text, err := fs.ReadFile(migrations.FS, name)
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(string(text), "-- "), "%s starts with a comment", name)
		}
	})
}

func TestFunctionRights(t *testing.T) {
	t.Parallel()

	t.Run("PUBLIC may execute what is listed, and nothing with powers", func(t *testing.T) {
		t.Parallel()

		conn := dbtest.New(t).Connect(t)
		public := `SELECT p.proname::text` + ourFunctions + ` AND (p.proacl IS NULL OR EXISTS (
			SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE'))`
		require.Empty(t, rows(t, conn, public+` AND p.prosecdef`))
		// Those of one lane only are judged by the rule above alone.
		golden(t, "public_functions.txt", rows(t, conn, `
			SELECT DISTINCT name FROM (`+public+`) f (name)
			WHERE name NOT IN ('embedding_cubes', 'sphere_point', 'sphere_distance', 'jsonb_matches_schema',
			    'cosine_similarity', 'document_embedding_distance')
			ORDER BY 1`))
	})

	t.Run("SECURITY DEFINER has a fixed search_path and checks its tenant", func(t *testing.T) {
		t.Parallel()

		conn := dbtest.New(t).Connect(t)
		definer := ourFunctions + ` AND p.prosecdef`
		require.NotEmpty(t, rows(t, conn, `SELECT p.proname::text`+definer))
		require.Empty(t, rows(t, conn, `
			SELECT p.proname::text`+definer+` AND NOT coalesce('search_path=public, pg_temp' = ANY (p.proconfig), false)`))
		require.Empty(t, rows(t, conn, `
			SELECT p.proname::text`+definer+` AND 'p_tenant_id' = ANY (p.proargnames) AND p.prosrc !~ 'assert_tenant\(p_tenant_id\)'`))
	})

	t.Run("who may execute what is as checked in", func(t *testing.T) {
		t.Parallel()

		conn := dbtest.New(t).Connect(t)
		golden(t, "functions.txt", rows(t, conn, `
			SELECT format('%-12s %s', r, string_agg(DISTINCT p.proname, ' ' ORDER BY p.proname))
			FROM unnest(ARRAY['app_api', 'app_graphql', 'app_graphql_write', 'app_readonly', 'app_worker']) r, LATERAL (
			    SELECT p.*`+ourFunctions+` AND has_function_privilege(r, p.oid, 'EXECUTE')
			      AND NOT (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0))) p
			GROUP BY r
			ORDER BY 1`))
	})
}
