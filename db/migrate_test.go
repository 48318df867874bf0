package db_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/migrations"
)

func files(pairs ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return out
}

// with returns the files and one more, or one that is changed.
func with(f fstest.MapFS, name, text string) fstest.MapFS {
	out := maps.Clone(f)
	out[name] = &fstest.MapFile{Data: []byte(text)}
	return out
}

// small is a set of migrations that any database takes.
func small() fstest.MapFS {
	return files(
		"0001_notes.up.sql", "CREATE TABLE notes (id int);",
		"0002_pages.up.sql", "CREATE TABLE pages (id int);",
		"functions/one.sql", "CREATE OR REPLACE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';",
		"functions/two.sql", "CREATE OR REPLACE FUNCTION two() RETURNS int LANGUAGE sql AS 'SELECT one() + 1';",
	)
}

func migrate(t *testing.T, url string, f fs.FS) (db.Report, error) {
	t.Helper()

	return db.Migrate(t.Context(), db.MigrateConfig{Config: db.Config{URL: url}, Extensions: db.ExtensionsContrib}, f)
}

func has(t *testing.T, conn *pgx.Conn, sql string) bool {
	t.Helper()

	var ok bool
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&ok))
	return ok
}

func names(t *testing.T, pattern string) []string {
	t.Helper()

	list, err := fs.Glob(migrations.FS, pattern)
	require.NoError(t, err)
	var out []string
	for _, n := range list {
		out = append(out, strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(n, ".sql"), ".up"), ".plain"))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestMigrate(t *testing.T) {
	t.Parallel()

	t.Run("an empty database gets all, a second run nothing", func(t *testing.T) {
		t.Parallel()

		url := dbtest.Empty(t)
		config := db.MigrateConfig{Config: db.Config{URL: url}, Extensions: dbtest.Lane().Extensions()}
		first, err := db.Migrate(t.Context(), config, migrations.FS)
		require.NoError(t, err)
		require.Equal(t, names(t, "*.up.sql"), first.Applied)
		require.Subset(t, names(t, "functions/*.sql"), first.Functions)
		require.Greater(t, len(first.Functions), 40)
		if dbtest.Lane() == dbtest.Bare {
			require.Subset(t, first.Missing, []string{"postgis", "vector", "pg_cron"})
		}

		second, err := db.Migrate(t.Context(), config, migrations.FS)
		require.NoError(t, err)
		require.Empty(t, second.Applied)
		require.Empty(t, second.Functions)
		require.Equal(t, first.Missing, second.Missing)
	})

	t.Run("every file is recorded with the hash of its text", func(t *testing.T) {
		t.Parallel()

		f := small()
		url := dbtest.Empty(t)
		_, err := migrate(t, url, f)
		require.NoError(t, err)
		rows, err := dbtest.Connect(t, url).Query(t.Context(), `SELECT module, version, migration_hash FROM core.schema_version WHERE applied_at <= now() ORDER BY module`)
		require.NoError(t, err)
		type row struct {
			Module        string
			Version       int
			MigrationHash string
		}
		got, err := pgx.CollectRows(rows, pgx.RowToStructByName[row])
		require.NoError(t, err)
		hash := func(name string) string {
			sum := sha256.Sum256(f[name].Data)
			return hex.EncodeToString(sum[:])
		}
		require.Equal(t, []row{
			{"0001_notes", 1, hash("0001_notes.up.sql")},
			{"0002_pages", 2, hash("0002_pages.up.sql")},
			{"functions/one", 1, hash("functions/one.sql")},
			{"functions/two", 1, hash("functions/two.sql")},
		}, got)
	})

	t.Run("runners at once share the work", func(t *testing.T) {
		t.Parallel()

		url := dbtest.Empty(t)
		type outcome struct {
			report db.Report
			err    error
		}
		const runners = 4
		results := make(chan outcome, runners)
		for range runners {
			go func() {
				r, err := db.Migrate(t.Context(), db.MigrateConfig{Config: db.Config{URL: url}, Extensions: dbtest.Lane().Extensions()}, migrations.FS)
				results <- outcome{r, err}
			}()
		}
		var applied, functions []string
		for range runners {
			o := <-results
			require.NoError(t, o.err)
			applied = append(applied, o.report.Applied...)
			functions = append(functions, o.report.Functions...)
		}
		require.Equal(t, names(t, "*.up.sql"), applied, "each file once")
		require.Len(t, slices.Compact(slices.Sorted(slices.Values(functions))), len(functions))
	})

	t.Run("a numbered file that was changed is refused, and nothing else happens", func(t *testing.T) {
		t.Parallel()

		url := dbtest.Empty(t)
		_, err := migrate(t, url, small())
		require.NoError(t, err)
		f := with(small(), "0001_notes.up.sql", "CREATE TABLE notes (id bigint);")
		f = with(f, "0003_more.up.sql", "CREATE TABLE more (id int);")
		f = with(f, "functions/one.sql", "CREATE OR REPLACE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 100';")
		report, err := migrate(t, url, f)
		require.ErrorContains(t, err, "0001_notes")
		require.Empty(t, report.Applied)
		conn := dbtest.Connect(t, url)
		require.True(t, has(t, conn, `SELECT to_regclass('more') IS NULL AND one() = 1`))
	})

	t.Run("a broken file leaves the earlier ones applied and itself absent; repaired, the next run goes on", func(t *testing.T) {
		t.Parallel()

		url := dbtest.Empty(t)
		conn := dbtest.Connect(t, url)
		broken := with(small(), "0002_pages.up.sql", "CREATE TABLE pages (id int); INSERT INTO nowhere VALUES (1);")
		for range 2 { // and it stays so
			report, err := migrate(t, url, broken)
			require.ErrorContains(t, err, "0002")
			require.NotContains(t, report.Applied, "0002_pages")
			require.True(t, has(t, conn, `SELECT to_regclass('notes') IS NOT NULL AND to_regclass('pages') IS NULL`))
			require.True(t, has(t, conn, `SELECT array_agg(module) = '{0001_notes}' FROM core.schema_version`))
			require.True(t, has(t, conn, `SELECT to_regproc('one') IS NULL`), "functions come after all numbered files")
		}
		report, err := migrate(t, url, small())
		require.NoError(t, err)
		require.Equal(t, []string{"0002_pages"}, report.Applied)
		require.True(t, has(t, conn, `SELECT to_regclass('pages') IS NOT NULL AND two() = 2`))
	})

	t.Run("the first file may be the broken one", func(t *testing.T) {
		t.Parallel()

		url := dbtest.Empty(t)
		_, err := migrate(t, url, with(small(), "0001_notes.up.sql", "CREATE TABLE notes (id nonsense);"))
		require.ErrorContains(t, err, "0001")
		report, err := migrate(t, url, small())
		require.NoError(t, err)
		require.Equal(t, []string{"0001_notes", "0002_pages"}, report.Applied)
	})

	t.Run("a function that was changed is replaced, and its record counts", func(t *testing.T) {
		t.Parallel()

		url := dbtest.Empty(t)
		conn := dbtest.Connect(t, url)
		_, err := migrate(t, url, small())
		require.NoError(t, err)
		report, err := migrate(t, url, with(small(), "functions/one.sql", "CREATE OR REPLACE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 10';"))
		require.NoError(t, err)
		require.Equal(t, []string{"functions/one"}, report.Functions)
		require.True(t, has(t, conn, `SELECT two() = 11`))
		require.True(t, has(t, conn, `SELECT version = 2 FROM core.schema_version WHERE module = 'functions/one'`))
	})

	t.Run("a broken function leaves all functions as they were", func(t *testing.T) {
		t.Parallel()

		url := dbtest.Empty(t)
		_, err := migrate(t, url, small())
		require.NoError(t, err)
		f := with(small(), "functions/one.sql", "CREATE OR REPLACE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 10';")
		f = with(f, "functions/two.sql", "CREATE FUNCTION broken(")
		_, err = migrate(t, url, f)
		require.ErrorContains(t, err, "functions/two")
		require.True(t, has(t, dbtest.Connect(t, url), `SELECT one() = 1 AND two() = 2`))
	})

	t.Run("tables belong to the owner's role, whoever runs", func(t *testing.T) {
		t.Parallel()

		url := dbtest.Empty(t)
		_, err := migrate(t, url, small())
		require.NoError(t, err)
		require.True(t, has(t, dbtest.Connect(t, url), `
			SELECT bool_and(pg_get_userbyid(relowner) = 'stackforge_owner') FROM pg_class WHERE relname IN ('notes', 'schema_version', 'schema_migrations')`))
	})
}

func TestVariants(t *testing.T) {
	t.Parallel()

	url := dbtest.Empty(t)
	conn := dbtest.Connect(t, url)
	if !has(t, conn, `SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')`) {
		t.Skip("the server does not offer an extension to switch by")
	}
	f := files(
		"0001_notes.up.sql", "CREATE TABLE notes (id int);",
		"functions/kind.sql", "-- requires: vector\nCREATE OR REPLACE FUNCTION kind() RETURNS text LANGUAGE sql AS $$ SELECT 'vector' $$;",
		"functions/kind.plain.sql", "-- unless: vector\nCREATE OR REPLACE FUNCTION kind() RETURNS text LANGUAGE sql AS $$ SELECT 'plain' $$;",
	)
	run := func(mode db.Extensions, want string, changed []string) {
		t.Helper()
		report, err := db.Migrate(t.Context(), db.MigrateConfig{Config: db.Config{URL: url}, Extensions: mode}, f)
		require.NoError(t, err)
		require.Equal(t, changed, report.Functions)
		require.Equal(t, want == "plain", slices.Contains(report.Missing, "vector"))
		require.True(t, has(t, conn, `SELECT kind() = '`+want+`'`))
	}
	run(db.ExtensionsContrib, "plain", []string{"functions/kind"})
	run(db.ExtensionsAuto, "vector", []string{"functions/kind"})
	run(db.ExtensionsAuto, "vector", nil)
	_, err := conn.Exec(t.Context(), `DROP EXTENSION vector`)
	require.NoError(t, err)
	run(db.ExtensionsContrib, "plain", []string{"functions/kind"})
}

func TestPending(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	pending, err := db.Pending(t.Context(), d.API, migrations.FS)
	require.NoError(t, err)
	require.Empty(t, pending)

	f := fstest.MapFS{}
	for _, pattern := range []string{"*.sql", "functions/*.sql"} {
		list, err := fs.Glob(migrations.FS, pattern)
		require.NoError(t, err)
		for _, name := range list {
			text, err := fs.ReadFile(migrations.FS, name)
			require.NoError(t, err)
			f[name] = &fstest.MapFile{Data: text}
		}
	}
	f = with(f, "9999_more.up.sql", "SELECT 1;")
	f = with(f, "functions/assert_tenant.sql", "-- changed")
	f = with(f, "functions/newcomer.sql", "-- new")
	pending, err = db.Pending(t.Context(), d.API, f)
	require.NoError(t, err)
	require.Equal(t, []string{"9999_more", "functions/assert_tenant", "functions/newcomer"}, pending)
}

// A database owner who is no superuser can migrate when an administrator has made the roles: so it is on managed servers.
func TestMigrateWithoutSuperuser(t *testing.T) {
	t.Parallel()

	admin := dbtest.Connect(t, dbtest.New(t).URL) // the roles are there by now
	const role = "dbtest_plain_owner"
	_, err := admin.Exec(t.Context(), `CREATE ROLE `+role+` LOGIN NOSUPERUSER IN ROLE stackforge_owner, app_api, app_worker, app_readonly, app_graphql, app_graphql_write`)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := admin.Exec(context.WithoutCancel(t.Context()), `DROP ROLE `+role)
		require.NoError(t, err)
	})
	url := dbtest.Empty(t)
	config, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	_, err = admin.Exec(t.Context(), `ALTER DATABASE `+pgx.Identifier{config.Database}.Sanitize()+` OWNER TO `+role)
	require.NoError(t, err)

	report, err := db.Migrate(t.Context(), db.MigrateConfig{Config: db.Config{URL: url, User: role}, Extensions: db.ExtensionsContrib}, migrations.FS)
	require.NoError(t, err)
	require.Equal(t, names(t, "*.up.sql"), report.Applied)
}
