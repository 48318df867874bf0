package migrations_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/query"
	"stackforge/repo/file"
	"stackforge/repo/job"
	"stackforge/tenant"
)

// fileScale is how many rows the plans of files and ciphertexts are made on.
type fileScale struct {
	Files       int // of one tenant, over a year
	Small       int // tenants beside it, with 20 files each
	Ciphertexts int // of jobs; as many have none
}

// fileData is what those statements ask for.
type fileData struct {
	scope    tenant.Scope
	uploader uuid.UUID // of one file in 50
	cursor   time.Time
	key      string // of the middle file
	ids      []uuid.UUID
	job      int64 // the middle one
}

// The current key's ciphertexts, and those of the key before.
const newKey, oldKey = "sf1:AAAAA", "sf1:BBBBB"

// fillFiles loads files of the last year, one in 500 of them unfinished, and jobs of which every other one is encrypted, half of
// these by the current key.
func fillFiles(t *testing.T, d *dbtest.DB, n fileScale) fileData {
	t.Helper()

	out := fileData{scope: dbtest.Tenant(t, d)}
	conn := d.Connect(t)
	exec := func(sql string, args ...any) {
		_, err := conn.Exec(t.Context(), sql, args...)
		require.NoError(t, err)
	}
	exec(`SET session_replication_role = replica`)
	exec(`SELECT make_partition('files', at::timestamp) FROM generate_series(now() - interval '13 months', now(), '1 month') at`)
	exec(`INSERT INTO tenants (name) SELECT 'small ' || i FROM generate_series(1, $1::int) i`, n.Small)
	exec(`INSERT INTO app_users (tenant_id, email) SELECT t.id, 'u' || i || '@example.org' FROM tenants t, generate_series(1, CASE WHEN t.id = $1 THEN 50 ELSE 1 END) i`, out.scope.TenantID)
	exec(`
		INSERT INTO files (tenant_id, id, uploader_id, filename, content_type, size_bytes, storage_key, status, created_at, completed_at)
		SELECT f.tenant_id, f.id, f.uploader_id, 'f.txt', 'text/plain', 100, format('tenants/%s/%s/%s', f.tenant_id, to_char(f.at, 'YYYY/MM'), f.id),
		       CASE WHEN f.i % 500 = 0 THEN 'pending' ELSE 'ready' END, f.at, f.at
		FROM (SELECT u.tenant_id, u.id AS uploader_id, i, x.at, overlay(gen_random_uuid()::text PLACING left(uuid_v7_floor(x.at)::text, 15) FROM 1 FOR 15)::uuid AS id
		      FROM (SELECT tenant_id, id, row_number() OVER (PARTITION BY tenant_id) AS n, count(*) OVER (PARTITION BY tenant_id) AS all_users FROM app_users) u
		      CROSS JOIN LATERAL generate_series(u.n, CASE WHEN u.tenant_id = $1 THEN $2::int ELSE 20 END, u.all_users) i
		      CROSS JOIN LATERAL (SELECT now() - i * interval '360 days' / CASE WHEN u.tenant_id = $1 THEN $2::int ELSE 20 END AS at) x) f`, out.scope.TenantID, n.Files)
	exec(`INSERT INTO tenant_storage (tenant_id, bytes_used, files_used) SELECT tenant_id, sum(size_bytes), count(*) FROM files GROUP BY tenant_id
		ON CONFLICT (tenant_id) DO UPDATE SET bytes_used = excluded.bytes_used, files_used = excluded.files_used`)
	for i, table := range []string{"jobs", "jobs_archive"} {
		exec(fmt.Sprintf(`
			INSERT INTO %s (tenant_id, id, type, payload, payload_encrypted, priority, queue, attempts, rescues, status, created_at, updated_at, run_at, finished_at)
			SELECT $1, i, 'x', '{}', CASE WHEN i %% 2 = 0 THEN CASE WHEN i %% 4 = 0 THEN $3 ELSE $4 END || repeat('A', 60) END, 0, 'default', 1, 0,
			       CASE WHEN $5 OR i %% 3 > 0 THEN 'done' ELSE 'pending' END, x.at, x.at AS updated_at, x.at AS run_at, CASE WHEN $5 OR i %% 3 > 0 THEN x.at END
			FROM generate_series($6::int, $6::int + $2::int - 1) i, LATERAL (SELECT now() - i * interval '60 days' / (2 * $2::int) AS at) x`, table),
			out.scope.TenantID, n.Ciphertexts, newKey, oldKey, i == 1, 1+i*n.Ciphertexts)
	}
	exec(`SET session_replication_role = DEFAULT`)
	exec(`VACUUM ANALYZE`)
	read := func(dst any, sql string) {
		require.NoError(t, conn.QueryRow(t.Context(), sql, out.scope.TenantID).Scan(dst))
	}
	read(&out.uploader, `SELECT id FROM app_users WHERE tenant_id = $1 ORDER BY id LIMIT 1`)
	read(&out.cursor, `SELECT now() - interval '180 days' WHERE $1::uuid IS NOT NULL`)
	read(&out.key, `SELECT storage_key FROM files WHERE tenant_id = $1 ORDER BY storage_key OFFSET 1000 LIMIT 1`)
	read(&out.ids, `SELECT array_agg(id) FROM (SELECT id FROM files WHERE tenant_id = $1 ORDER BY created_at DESC LIMIT 20 OFFSET 50) x`)
	out.job = int64(n.Ciphertexts)
	return out
}

// TestFilePlans is TestPlans for the statements of files, and for those that change the key of payloads.
func TestFilePlans(t *testing.T) {
	t.Parallel()

	size := fileScale{Files: 10_000, Small: 300, Ciphertexts: 8_000}
	if *update {
		size = fileScale{Files: 100_000, Small: 2_000, Ciphertexts: 50_000}
	}
	d := dbtest.New(t)
	in := fillFiles(t, d, size)
	e := explain(t, d)
	c := db.Config{URL: e.dsn, MaxConns: 1, Role: db.RoleAPI}
	api := file.New(d.Open(t, c))
	c.Role = db.RoleWorker
	worker := file.New(d.Open(t, c))
	c.Role = db.RoleOwner
	owner := job.NewCiphertexts(d.Open(t, c))
	for _, p := range filePages(in, api, worker, owner) { //nolint:paralleltest // explain is one for all
		t.Run(p.name, func(t *testing.T) {
			plans := p.plans(t, e, in.scope)
			if *update {
				write(t, version(t, d), p, fmt.Sprintf("%d files of one tenant over a year and 20 of each of %d others; %d jobs and as many in the archive, every other one encrypted, half of "+
					"these by the current key. Each is the last of %d executions.", size.Files, size.Small, size.Ciphertexts, executions), plans)
			}
		})
	}
}

func filePages(in fileData, api, worker *file.Repo, owner *job.Ciphertexts) []page {
	first := 20
	newest := file.Orders()["created_at_desc"]
	after := newest.Cursor(in.cursor.Format(time.RFC3339Nano), in.ids[0].String())
	list := func(p file.ListParams) func(ctx context.Context) error {
		p.Page.First, p.Order = &first, newest
		return func(ctx context.Context) error { _, err := api.List(ctx, p); return err }
	}
	uploader := in.uploader.String()
	return []page{
		{
			name: "file.List", nodes: "files",
			story: "Each month gives its newest rows by (tenant, created_at, id) and a merge takes the page of them, so that a page costs a probe of each month " +
				"and its own rows. The files of an uploader have an index of the same form.",
			hot: []hot{
				{title: "the newest page", index: []string{`files_\d+_\d+_tenant_id_created_at_id_idx`}, rows: first + 1, run: list(file.ListParams{})},
				{title: "the page after a cursor", index: []string{`files_\d+_\d+_tenant_id_created_at_id_idx`}, rows: first + 1, run: list(file.ListParams{Page: query.Page{After: &after}})},
				{
					title: "the newest of an uploader", index: []string{`files_\d+_\d+_tenant_id_uploader_id`}, rows: first + 1,
					run: list(file.ListParams{Filter: &file.Filter{UploaderID: &query.ID{Eq: &uploader}}}),
				},
			},
		},
		{
			name: "file.ByIDs", nodes: "files", story: byIDs + " An id is a time: the server looks into the partition of its month only.",
			hot: []hot{{
				title: "twenty files", index: []string{`files_\d+_\d+_pkey`}, rows: first,
				run: func(ctx context.Context) error { _, err := api.ByIDs(ctx, in.ids); return err },
			}},
		},
		{
			name: "file.Unfinished", nodes: "files",
			story: "What the clean-up asks first: an index of each month that has unfinished uploads and deletions only, so that a million of whole files cost nothing.",
			hot: []hot{{
				title: "the oldest unfinished", index: []string{`files_\d+_\d+_tenant_id_created_at_idx`}, rows: 100,
				run: func(ctx context.Context) error {
					_, err := worker.Unfinished(ctx, time.Now().Add(-24*time.Hour), 500)
					return err
				},
			}},
		},
		{
			name: "file.Keyed", nodes: "files",
			story: "The clean-up walks through objects and records in the order of their keys: a batch is a range of `ix_files_key` of each month, merged.",
			hot: []hot{{
				title: "the next hundred", index: []string{`files_\d+_\d+_tenant_id_storage_key_idx`}, rows: 101,
				run: func(ctx context.Context) error { _, err := worker.Keyed(ctx, in.key, 100); return err },
			}},
		},
		{
			name: "file.Usage", nodes: "tenant_storage",
			story: "The sums are kept with every change of files, so that the quota is one row, found by its key.",
			hot: []hot{{
				title: "what a tenant has stored", index: []string{"tenant_storage_pkey"}, rows: 1,
				run: func(ctx context.Context) error { _, err := api.Usage(ctx); return err },
			}},
		},
		{
			name: "job.PageCiphertexts", nodes: "jobs",
			story: "`stackforge key rotate-payload` reads what the current key has not encrypted, by id, from indexes that have encrypted payloads only, of the table " +
				"and of the archive. What is done already is read and left out, which is why a page goes on behind the last id.",
			hot: []hot{{
				title: "the next hundred", index: []string{"payload_encrypted|jobs_live_id_idx|id_idx"}, rows: 1000,
				run: func(ctx context.Context) error { _, err := owner.Page(ctx, in.job, newKey, 100); return err },
			}},
		},
	}
}
