package migrations_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/migrations"
)

// TestBackup dumps a database with PostgreSQL's own tools and restores it into an empty one, by the commands that
// docs/operations.md gives. A function whose text hides what it needs breaks that, and only on the day of the restore.
func TestBackup(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	fill(t, d, scale{Documents: 50, Small: 2, Each: 5, Jobs: 100, Words: 40})
	restored := dbtest.Empty(t)
	file := filepath.Join(t.TempDir(), "backup")
	tool(t, d, "pg_dump", "--format=custom", "--file="+file, d.URL)
	tool(t, d, "pg_restore", "--exit-on-error", "--enable-row-security", "--dbname="+restored, file)

	const counts = `
		SELECT ARRAY[(SELECT count(*) FROM tenants), (SELECT count(*) FROM app_users), (SELECT count(*) FROM api_keys),
		    (SELECT count(*) FROM documents WHERE search_tsv @@ 'report'), (SELECT count(*) FROM jobs), (SELECT count(*) FROM pg_policies),
		    (SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p', 'i', 'I', 'm')),
		    (SELECT count(*) FROM pg_proc), (SELECT count(*) FROM pg_trigger)]`
	count := func(conn *pgx.Conn) (n []int64) {
		require.NoError(t, conn.QueryRow(t.Context(), counts).Scan(&n))
		return n
	}
	require.Equal(t, count(d.Connect(t)), count(dbtest.Connect(t, restored)))

	r, err := db.Migrate(t.Context(), db.MigrateConfig{Config: db.Config{URL: restored}, Extensions: dbtest.Lane().Extensions()}, migrations.FS)
	require.NoError(t, err)
	require.Empty(t, append(r.Applied, r.Functions...), "a restored database is up to date")
}

// tool runs one of PostgreSQL's programs, those of the server when it is on this machine.
func tool(t *testing.T, d *dbtest.DB, name string, args ...string) {
	t.Helper()

	var dir string
	require.NoError(t, d.Connect(t).QueryRow(t.Context(), `SELECT setting FROM pg_config WHERE name = 'BINDIR'`).Scan(&dir))
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		path = name
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append(os.Environ(), "PGOPTIONS=-c pgaudit.log=none") // PostGIS refuses to be created while pgaudit logs
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: %s", name, out)
}
