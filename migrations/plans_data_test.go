package migrations_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
	"stackforge/tenant"
)

// scale is how much data the plans are made on.
type scale struct {
	Documents int // of one tenant
	Small     int // tenants beside it
	Each      int // documents of each of them
	Jobs      int // of all tenants; one in ten has not finished
	Words     int // of a body
	Vectors   int // documents of the one tenant that fillSearch gives a vector
}

// data is what the statements ask for.
type data struct {
	scope     tenant.Scope // the large tenant
	documents []uuid.UUID  // of its newest
	users     []uuid.UUID
	jobs      []int64 // some waiting, most finished
	keyHash   string
	cursor    time.Time // of the middle document
}

// words is SQL for some of 5,000 made-up words of three syllables, by a falling frequency.
func words(n int) string {
	return fmt.Sprintf(`(
		SELECT string_agg((ARRAY['ba','ce','di','fo','gu','la','me','ni','po','ru','sa','te','vi','wo','zu','ka','je','mi','no','pu'])[1 + k %% 20] ||
		                  (ARRAY['ra','le','ti','so','mu','ga','ne','bi','do','ku','va','fe','zi','lo','tu','pa','re','li','mo','su'])[1 + k / 20 %% 20] ||
		                  (ARRAY['nd','rk','lt','mp','st','ck','ng','rd','lm','pt','sk','ft','nt'])[1 + k / 400], ' ')
		FROM (SELECT (4999 * random() ^ 3)::int AS k FROM generate_series(1, %d) WHERE o.i > 0) k)`, n)
}

// fill loads made-up data: words by a falling frequency, "common" in 30 % of the documents, "granite" in 1 of 1,000, and either
// "morning" or "evening", 1,000 paths, 200 tags, points in a square of 10 degrees, documents and jobs over the last year.
func fill(t *testing.T, d *dbtest.DB, n scale) data {
	t.Helper()

	scope := dbtest.Tenant(t, d)
	conn := d.Connect(t)
	ctx := t.Context()
	_, err := conn.Exec(ctx, `SET session_replication_role = replica; SET work_mem = '64MB'; SET maintenance_work_mem = '256MB'; SELECT setseed(0.42)`)
	require.NoError(t, err)

	for _, sql := range []string{
		`INSERT INTO tenants (name) SELECT 'small ' || i FROM generate_series(1, $2::int) i WHERE $1::uuid IS NOT NULL`,
		`INSERT INTO app_users (tenant_id, email) SELECT t.id, 'u' || i || '@example.org' FROM tenants t, generate_series(1, CASE WHEN t.id = $1 THEN 2000 ELSE 5 END) i WHERE $2::int > 0`,
		`INSERT INTO api_keys (tenant_id, key_prefix, key_hash, name)
		 SELECT t.id, 'sk_live_abcd', encode(sha256((t.id::text || i)::bytea), 'hex'), 'key' FROM tenants t, generate_series(1, 5) i WHERE $1::uuid IS NOT NULL AND $2::int > 0`,
	} {
		_, err := conn.Exec(ctx, sql, scope.TenantID, n.Small)
		require.NoError(t, err)
	}
	// Indexes that are made of all rows at once take a fraction of the time.
	var names string
	var makes []string
	require.NoError(t, conn.QueryRow(ctx, `
		SELECT string_agg(indexrelid::regclass::text, ', '), array_agg(pg_get_indexdef(indexrelid))
		FROM pg_index WHERE indrelid = 'documents'::regclass AND NOT indisunique`).Scan(&names, &makes))
	_, err = conn.Exec(ctx, `DROP INDEX `+names)
	require.NoError(t, err)
	_, err = conn.Exec(ctx, `
		INSERT INTO documents (tenant_id, author_id, external_id, title, body, metadata, path, tag_ids, longitude, latitude, created_at, updated_at)
		SELECT o.tenant_id, o.author_id, 'e' || o.i,
		       'Report ' || o.i || ' on ' || `+words(1)+`,
		       `+words(40)+` || CASE WHEN o.i % 10 < 3 THEN ' common' ELSE '' END || CASE WHEN o.i % 1000 = 7 THEN ' granite' ELSE '' END
		         || CASE o.i % 2 WHEN 0 THEN ' morning' ELSE ' evening' END,
		       hstore('source', 's' || o.i % 20),
		       ('area' || o.i % 20 || '.topic' || (o.i / 20) % 50)::ltree,
		       ARRAY[1 + (200 * random())::int, 1 + (200 * random())::int] || CASE WHEN o.i % 1000 = 9 AND o.tenant_id = $1 THEN '{777}'::int[] ELSE '{}' END,
		       10 * random(), 45 + 10 * random(),
		       now() - o.i * (interval '365 days' / $2::int), now() - o.i * (interval '365 days' / $2::int)
		FROM (
		    SELECT u.tenant_id, u.id AS author_id, i
		    FROM (SELECT tenant_id, id, row_number() OVER (PARTITION BY tenant_id) AS n FROM app_users) u
		    CROSS JOIN LATERAL generate_series(u.n, CASE WHEN u.tenant_id = $1 THEN $2::int ELSE $3::int END, 5) i
		    WHERE u.n <= 5
		    ORDER BY i) o`, scope.TenantID, n.Documents, n.Each)
	require.NoError(t, err)
	for _, sql := range makes {
		_, err = conn.Exec(ctx, sql)
		require.NoError(t, err, sql)
	}
	_, err = conn.Exec(ctx, `
		WITH ids AS MATERIALIZED (SELECT array_agg(id ORDER BY id) AS a FROM tenants)
		INSERT INTO jobs (tenant_id, type, payload, status, priority, attempts, last_error, lease_id, worker_id, run_at, started_at, finished_at, created_at)
		SELECT CASE WHEN (i / 10) % 2 = 0 THEN $1 ELSE ids.a[1 + i % array_length(ids.a, 1)] END,
		       (ARRAY['send_email', 'reindex_search', 'generate_embedding'])[1 + i % 3], '{}',
		       CASE WHEN i % 10 > 0 THEN CASE WHEN i % 23 = 0 THEN 'failed' ELSE 'done' END WHEN i % 400 = 0 THEN 'running' ELSE 'pending' END,
		       CASE WHEN i % 40 = 0 THEN 5 ELSE 0 END, CASE WHEN i % 10 > 0 THEN 1 ELSE 0 END, CASE WHEN i % 23 = 0 THEN 'no answer from host ' || i % 7 END, i,
		       CASE WHEN i % 400 = 0 THEN gen_random_uuid() END,
		       at + CASE WHEN i % 30 = 0 THEN interval '400 days' ELSE '0' END, at, CASE WHEN i % 10 > 0 THEN at + interval '1 s' END, at
		FROM ids, generate_series(1, $2::int) i, LATERAL (SELECT now() - i * (interval '365 days' / $2::int) AS at) x`, scope.TenantID, n.Jobs)
	require.NoError(t, err)
	_, err = conn.Exec(ctx, `VACUUM ANALYZE`)
	require.NoError(t, err)

	out := data{scope: scope}
	read := func(dst any, sql string) {
		require.NoError(t, conn.QueryRow(ctx, sql, scope.TenantID).Scan(dst))
	}
	read(&out.documents, `SELECT array_agg(id) FROM (SELECT id FROM documents WHERE tenant_id = $1 ORDER BY created_at DESC LIMIT 20 OFFSET 50) x`)
	read(&out.users, `SELECT array_agg(id) FROM (SELECT id FROM app_users WHERE tenant_id = $1 ORDER BY id LIMIT 20) x`)
	read(&out.jobs, `SELECT array_agg(id) FROM (SELECT id FROM jobs WHERE tenant_id = $1 ORDER BY created_at DESC LIMIT 20) x`)
	read(&out.cursor, `SELECT now() - interval '180 days' WHERE $1::uuid IS NOT NULL`)
	read(&out.keyHash, `SELECT key_hash FROM api_keys WHERE tenant_id = $1 ORDER BY id LIMIT 1`)
	return out
}
