package migrations_test

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/migrations"
)

// numbered are the numbered migrations up to one.
func numbered(t *testing.T, last string) fstest.MapFS {
	t.Helper()
	names, err := fs.Glob(migrations.FS, "*.up.sql")
	require.NoError(t, err)
	out := fstest.MapFS{}
	for _, name := range names {
		if name[:4] <= last {
			text, err := fs.ReadFile(migrations.FS, name)
			require.NoError(t, err)
			out[name] = &fstest.MapFile{Data: text}
		}
	}
	return out
}

// Records from before 0007 come through it: all of them, each in the partition of its id, counted, and secured.
func TestFilesFromBefore(t *testing.T) {
	t.Parallel()

	url := dbtest.Empty(t)
	config := db.MigrateConfig{Config: db.Config{URL: url}, Extensions: dbtest.Lane().Extensions()}
	_, err := db.Migrate(t.Context(), config, numbered(t, "0006"))
	require.NoError(t, err)
	conn := dbtest.Connect(t, url)
	_, err = conn.Exec(t.Context(), `
		SET ROLE stackforge_owner;
		INSERT INTO tenants (id, name) SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, 'tenant ' || n FROM generate_series(1, 3) n;
		INSERT INTO app_users (tenant_id, id, email)
		SELECT t.id, t.id AS user_id, 'a@example.org' FROM tenants t;
		INSERT INTO files (tenant_id, id, uploader_id, filename, content_type, size_bytes, storage_key, status, created_at)
		SELECT u.tenant_id, f.id::uuid, u.id, f.name, 'text/plain', f.size, f.name, f.status, f.created::timestamptz
		FROM app_users u
		JOIN (VALUES
			(1, '017c3926-8c00-7000-8000-000000000001', 'october', 10, 'ready', '2021-10-01Z'),
			(1, '017c3926-8bff-7fff-bfff-ffffffffffff', 'somewhere', 20, 'pending', '2021-09-30T23:59:59Z'),
			(1, '11111111-1111-4111-8111-111111111111', 'random', 30, 'ready', '2023-05-05Z'),
			(1, '0fffffff-0000-7000-8000-000000000001', 'a time to come', 40, 'ready', '2023-05-05Z'),
			(2, '017c3926-8c00-7000-8000-000000000001', 'october', 5, 'ready', '2021-10-01Z')) AS f (n, id, name, size, status, created)
		ON u.tenant_id = ('00000000-0000-0000-0000-00000000000' || f.n)::uuid;
		INSERT INTO files (tenant_id, uploader_id, filename, content_type, size_bytes, storage_key)
		SELECT tenant_id, id, 'new', 'text/plain', 1, 'new' FROM app_users WHERE tenant_id = '00000000-0000-0000-0000-000000000002';
		RESET ROLE`)
	require.NoError(t, err)
	before := rows(t, conn, `SELECT format('%s %s %s %s %s %s', tenant_id, id, uploader_id, filename, size_bytes, status) FROM files ORDER BY 1`)
	require.Len(t, before, 6)

	_, err = db.Migrate(t.Context(), config, migrations.FS)
	require.NoError(t, err)
	require.Equal(t, before, rows(t, conn, `SELECT format('%s %s %s %s %s %s', tenant_id, id, uploader_id, filename, size_bytes, status) FROM files ORDER BY 1`))
	require.Equal(t, []string{
		"a time to come files_default", "new this month", "october files_2021_10", "october files_2021_10", "random files_default", "somewhere files_2021_09",
	}, rows(t, conn, `
		SELECT filename || ' ' || CASE WHEN tableoid::regclass::text = 'files_' || to_char(created_at AT TIME ZONE 'UTC', 'YYYY_MM') AND filename = 'new'
			THEN 'this month' ELSE tableoid::regclass::text END
		FROM files ORDER BY 1`))
	require.Empty(t, rows(t, conn, `
		SELECT id::text FROM files
		WHERE storage_key <> format('tenants/%s/%s/%s', tenant_id, to_char(created_at AT TIME ZONE 'UTC', 'YYYY/MM'), id)
		   OR (status = 'ready') <> (completed_at IS NOT NULL) OR checksum IS NOT NULL`))
	require.Equal(t, []string{"1 100 4", "2 6 2"}, rows(t, conn, `
		SELECT format('%s %s %s', right(tenant_id::text, 1), bytes_used, files_used) FROM tenant_storage ORDER BY 1`))
	require.Empty(t, rows(t, conn, `
		SELECT relname::text FROM pg_class
		WHERE relname ~ '^files(_|$)' AND relkind IN ('r', 'p') AND NOT (relrowsecurity AND relforcerowsecurity)`))
	require.Empty(t, rows(t, conn, `SELECT relname::text FROM pg_class WHERE relname = 'files_0004'`))
	_, err = conn.Exec(t.Context(), `DELETE FROM files`)
	require.NoError(t, err)
	require.Equal(t, []string{"0 0", "0 0"}, rows(t, conn, `SELECT format('%s %s', bytes_used, files_used) FROM tenant_storage`))
}
