package job_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/repo/job"
)

// aged makes n jobs that ended some time ago and returns nothing of them but their tenant's rows.
func aged(t *testing.T, d *dbtest.DB, tenantID any, status, age string, n int) {
	t.Helper()

	d.Exec(t, `INSERT INTO jobs (tenant_id, type, status, payload, reason, last_error, created_at, finished_at)
		SELECT $1, 'old', $2, jsonb_build_object('n', i), CASE $2 WHEN 'failed' THEN 'permanent' END, CASE $2 WHEN 'failed' THEN 'e' END, now() - $3::interval, now() - $3::interval
		FROM generate_series(1, $4::int) i`, tenantID, status, age, n)
}

func count(t *testing.T, d *dbtest.DB, sql string, args ...any) int {
	t.Helper()

	n, err := db.Get[int](t.Context(), d.Owner, "count", sql, args...)
	require.NoError(t, err)
	return n
}

func TestRetention(t *testing.T) {
	t.Parallel()

	t.Run("done jobs move to the archive as they are, failed ones go", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		s, other := dbtest.Tenant(t, d), dbtest.Tenant(t, d)
		runs := job.NewRuns(d.Worker)
		aged(t, d, s.TenantID, "done", "91 days", 30)
		aged(t, d, other.TenantID, "done", "400 days", 5)
		aged(t, d, s.TenantID, "done", "89 days", 7)
		aged(t, d, s.TenantID, "failed", "31 days", 11)
		aged(t, d, s.TenantID, "failed", "29 days", 3)
		aged(t, d, s.TenantID, "failed", "100 days", 2)
		type row struct{ Row string }
		before, err := db.List[row](t.Context(), d.Owner, `SELECT to_jsonb(j)::text AS row FROM jobs j WHERE status = 'done' AND finished_at < now() - interval '90 days' ORDER BY id`)
		require.NoError(t, err)
		require.Len(t, before, 35)

		n, err := runs.Archive(t.Context())
		require.NoError(t, err)
		require.Equal(t, 35, n)
		after, err := db.List[row](t.Context(), d.Owner, `SELECT to_jsonb(j)::text AS row FROM jobs_archive j ORDER BY id`)
		require.NoError(t, err)
		require.Equal(t, before, after)
		require.Zero(t, count(t, d, `SELECT count(*) FROM jobs_archive_default`), "each month has its partition")
		require.Equal(t, 7, count(t, d, `SELECT count(*) FROM jobs WHERE status = 'done'`))
		n, err = runs.Archive(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)

		n, err = runs.DeleteFailed(t.Context())
		require.NoError(t, err)
		require.Equal(t, 13, n)
		require.Equal(t, 3, count(t, d, `SELECT count(*) FROM jobs WHERE status = 'failed'`))
		require.Zero(t, count(t, d, `SELECT count(*) FROM jobs_archive WHERE status = 'failed'`))
	})

	t.Run("many are moved in several statements", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		s := dbtest.Tenant(t, d)
		aged(t, d, s.TenantID, "done", "100 days", 250)
		aged(t, d, s.TenantID, "done", "200 days", 50)
		for _, want := range []int{120, 120, 60, 0} {
			require.Equal(t, want, count(t, d, `SELECT archive_jobs(p_limit => 120)`))
		}
		require.Equal(t, 300, count(t, d, `SELECT count(*) FROM jobs_archive`))
	})

	t.Run("jobs that have not finished are never touched", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		s := dbtest.Tenant(t, d)
		runs := job.NewRuns(d.Worker)
		d.Exec(t, `INSERT INTO jobs (tenant_id, type, status, created_at, run_at) VALUES
			($1, 'future', 'pending', now() - interval '7 months', now() + interval '1 month'), ($1, 'running', 'running', now() - interval '7 months', now() - interval '7 months')`, s.TenantID)
		d.Exec(t, `UPDATE core.partition_config SET retention = '1 day' WHERE parent = 'jobs_finished'`)
		_, err := runs.Archive(t.Context())
		require.NoError(t, err)
		_, err = runs.DeleteFailed(t.Context())
		require.NoError(t, err)
		_, err = runs.DropOldPartitions(t.Context(), 24*time.Hour)
		require.NoError(t, err)
		require.Equal(t, 2, count(t, d, `SELECT count(*) FROM jobs`))
	})

	t.Run("only empty months of finished jobs are dropped, and a row of the table says when", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		s := dbtest.Tenant(t, d)
		runs := job.NewRuns(d.Worker)
		for _, months := range []int{3, 7, 8} {
			require.Equal(t, 1, count(t, d, `SELECT make_partition('jobs_finished', now() AT TIME ZONE 'UTC' - make_interval(months => $1))::int`, months))
		}
		aged(t, d, s.TenantID, "done", "7 months", 1)
		gone, err := runs.DropOldPartitions(t.Context(), 0)
		require.NoError(t, err)
		require.Len(t, gone, 1, "that of 8 months ago; the other has a row")
		_, err = runs.Archive(t.Context())
		require.NoError(t, err)
		gone, err = runs.DropOldPartitions(t.Context(), 0)
		require.NoError(t, err)
		require.Len(t, gone, 1)
		require.Equal(t, 1, count(t, d, `SELECT count(*) FROM jobs_archive`))
		d.Exec(t, `UPDATE core.partition_config SET retention = '1 month' WHERE parent = 'jobs_finished'`)
		gone, err = runs.DropOldPartitions(t.Context(), 0)
		require.NoError(t, err)
		require.Len(t, gone, 1)
	})

	t.Run("the archive has a retention of its own", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		s := dbtest.Tenant(t, d)
		runs := job.NewRuns(d.Worker)
		aged(t, d, s.TenantID, "done", "100 days", 1)
		aged(t, d, s.TenantID, "done", "500 days", 2)
		_, err := runs.Archive(t.Context())
		require.NoError(t, err)
		gone, err := runs.DropOldPartitions(t.Context(), 0)
		require.NoError(t, err)
		require.Empty(t, gone, "0 is for ever")
		gone, err = runs.DropOldPartitions(t.Context(), 365*24*time.Hour)
		require.NoError(t, err)
		require.Len(t, gone, 1)
		require.Equal(t, 1, count(t, d, `SELECT count(*) FROM jobs_archive`))
		// What is configured in the database goes first.
		d.Exec(t, `UPDATE core.partition_config SET retention = '10 years' WHERE parent = 'jobs_archive'`)
		gone, err = runs.DropOldPartitions(t.Context(), 24*time.Hour)
		require.NoError(t, err)
		require.Empty(t, gone)
	})

	t.Run("a shorter retention of jobs goes before the age of 90 days", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		s := dbtest.Tenant(t, d)
		aged(t, d, s.TenantID, "done", "40 days", 4)
		require.Zero(t, count(t, d, `SELECT archive_jobs()`))
		d.Exec(t, `UPDATE core.partition_config SET retention = '1 month' WHERE parent = 'jobs_finished'`)
		require.Equal(t, 4, count(t, d, `SELECT archive_jobs()`))
	})

	t.Run("a partition in use is left for the next time", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		require.Equal(t, 1, count(t, d, `SELECT make_partition('jobs_finished', now() AT TIME ZONE 'UTC' - interval '8 months')::int`))
		tx, err := d.Connect(t).Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), `SELECT count(*) FROM jobs`)
		require.NoError(t, err)
		gone, err := job.NewRuns(d.Worker).DropOldPartitions(t.Context(), 0)
		require.NoError(t, err)
		require.Empty(t, gone)
		require.NoError(t, tx.Rollback(t.Context()))
		gone, err = job.NewRuns(d.Worker).DropOldPartitions(t.Context(), 0)
		require.NoError(t, err)
		require.Len(t, gone, 1)
	})

	t.Run("the archive has the columns of jobs", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		const columns = `SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attname) FROM pg_attribute WHERE attrelid = @table::regclass AND attnum > 0 AND NOT attisdropped`
		jobs, err := db.Get[string](t.Context(), d.Owner, "column", columns, pgx.NamedArgs{"table": "jobs"})
		require.NoError(t, err)
		archive, err := db.Get[string](t.Context(), d.Owner, "column", columns, pgx.NamedArgs{"table": "jobs_archive"})
		require.NoError(t, err)
		require.Equal(t, jobs, archive, "a column that the archive lacks would be lost: add it there, too")
	})

	t.Run("partitions of a uuid v7 take the ids of their month", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		s := dbtest.Tenant(t, d)
		d.Exec(t, `CREATE TABLE things (tenant_id uuid NOT NULL, id uuid NOT NULL DEFAULT uuid_v7(), PRIMARY KEY (tenant_id, id)) PARTITION BY RANGE (id);
			ALTER TABLE things OWNER TO stackforge_owner;
			INSERT INTO core.partition_config (parent, period, key, premade) VALUES ('things', 'month', 'uuid_v7', 3)`)
		require.Equal(t, 4, count(t, d, `SELECT ensure_partitions()`))
		d.Exec(t, `INSERT INTO things (tenant_id) SELECT $1 FROM generate_series(1, 10)`, s.TenantID)
		require.Equal(t, 10, count(t, d, `SELECT count(*) FROM things WHERE tableoid::regclass::text = 'things_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')`))
		require.Zero(t, count(t, d, `SELECT count(*) FROM (VALUES (now()), ('2026-02-01 00:00+00'::timestamptz), ('1970-01-01 00:00+00'), ('9999-12-31 00:00+00')) v (at)
			WHERE to_timestamp(('x' || lpad(left(replace(uuid_v7_floor(at)::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0) <> date_trunc('milliseconds', at)`))
	})
}
