package dashboard_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/dashboard"
	"stackforge/repo/job"
	"stackforge/tenant"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

type bundle struct {
	d     *dbtest.DB
	repo  *dashboard.Repo
	runs  *job.Runs
	ctx   context.Context //nolint:containedctx // a test's
	scope tenant.Scope
}

func setup(t *testing.T) bundle {
	t.Helper()

	d := dbtest.New(t)
	s := dbtest.Tenant(t, d)
	return bundle{d, dashboard.New(d.API), job.NewRuns(d.Worker), tenant.With(t.Context(), s), s}
}

// other is the same for another tenant of the database.
func (b bundle) other(t *testing.T) bundle {
	t.Helper()

	b.scope = dbtest.Tenant(t, b.d)
	b.ctx = tenant.With(t.Context(), b.scope)
	return b
}

// documents makes n documents, the i-th of which is i steps old.
func (b bundle) documents(t *testing.T, n int, step string) {
	t.Helper()

	b.d.Exec(t, `INSERT INTO documents (tenant_id, author_id, title, body, created_at) SELECT $1, $2, 't', 'b', now() - i * $4::interval FROM generate_series(0, $3::int - 1) i`,
		b.scope.TenantID, b.scope.UserID, n, step)
}

// jobs makes n finished jobs of three types; one in five failed. The i-th ended i steps ago, waited 1 s and ran 2 s.
func (b bundle) jobs(t *testing.T, n int, step string) {
	t.Helper()

	b.d.Exec(t, `INSERT INTO jobs (tenant_id, type, status, reason, last_error, created_at, run_at, started_at, finished_at)
		SELECT $1, 'type' || i % 3, CASE i % 5 WHEN 0 THEN 'failed' ELSE 'done' END, CASE i % 5 WHEN 0 THEN 'permanent' END, CASE i % 5 WHEN 0 THEN 'no answer from host ' || i END,
		       f - interval '3 s', f - interval '3 s', f - interval '2 s', f
		FROM (SELECT i, now() - i * $3::interval AS f FROM generate_series(0, $2::int - 1) i) j`, b.scope.TenantID, n, step)
}

// counted is a breakdown by the plainest statement there is.
func (b bundle) counted(t *testing.T) []dashboard.TypeCount {
	t.Helper()

	list, err := db.List[dashboard.TypeCount](t.Context(), b.d.Owner, `
		SELECT type, count(*) FILTER (WHERE status = 'pending') AS pending, count(*) FILTER (WHERE status = 'running') AS running,
		       count(*) FILTER (WHERE status = 'done') AS done, count(*) FILTER (WHERE status = 'failed') AS failed
		FROM jobs WHERE tenant_id = $1 GROUP BY type ORDER BY type COLLATE "C"`, b.scope.TenantID)
	require.NoError(t, err)
	return list
}

// byMonth is a pivot by the plainest statement there is.
func (b bundle) byMonth(t *testing.T, months int) []dashboard.MonthCount {
	t.Helper()

	list, err := db.List[dashboard.MonthCount](t.Context(), b.d.Owner, `
		SELECT to_char(date_trunc('month', created_at AT TIME ZONE 'UTC'), 'YYYY-MM') AS month, count(*) AS count
		FROM documents
		WHERE tenant_id = $1 AND created_at AT TIME ZONE 'UTC' >= date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => $2 - 1)
		GROUP BY 1 ORDER BY 1`, b.scope.TenantID, months)
	require.NoError(t, err)
	return list
}

func (b bundle) refresh(t *testing.T) {
	t.Helper()

	require.NoError(t, b.runs.RefreshStats(t.Context()))
}

func TestStats(t *testing.T) {
	t.Parallel()

	b := setup(t)
	none, err := b.repo.Stats(b.ctx, false)
	require.NoError(t, err)
	require.Equal(t, dashboard.Stats{TenantID: b.scope.TenantID}, none, "before the first refresh")

	b.documents(t, 7, "1 day")
	before := time.Now().Add(-time.Minute)
	s, err := b.repo.Stats(b.ctx, false)
	require.NoError(t, err)
	require.Zero(t, s.DocumentCount, "as of the last refresh")
	fresh, err := b.repo.Stats(b.ctx, true)
	require.NoError(t, err)
	require.Equal(t, int64(7), fresh.DocumentCount)
	require.NotNil(t, fresh.NewestDocumentAt)

	b.refresh(t)
	s, err = b.repo.Stats(b.ctx, false)
	require.NoError(t, err)
	require.Equal(t, int64(7), s.DocumentCount)
	require.True(t, s.NewestDocumentAt.Equal(*fresh.NewestDocumentAt))
	require.True(t, s.UpdatedAt.After(before))

	empty := b.other(t)
	s, err = empty.repo.Stats(empty.ctx, false)
	require.NoError(t, err)
	require.Zero(t, s.DocumentCount)
	require.Nil(t, s.NewestDocumentAt)
	require.NotNil(t, s.UpdatedAt, "the refresh was for all")
	fresh, err = empty.repo.Stats(empty.ctx, true)
	require.NoError(t, err)
	require.Zero(t, fresh.DocumentCount)
	require.Nil(t, fresh.NewestDocumentAt)

	_, err = b.repo.Stats(t.Context(), false)
	require.True(t, errs.Is(err, errs.Unauthenticated))
}

// Every function refuses a tenant that is not the caller's.
func TestForeignTenant(t *testing.T) {
	t.Parallel()

	b := setup(t)
	other := b.other(t)
	for _, call := range []string{
		"get_tenant_stats($1)", "get_tenant_stats_fresh($1)", "get_tenant_documents_pivot($1, 6)", "get_tenant_jobs_breakdown($1)", "get_tenant_job_series($1)",
		"get_tenant_job_errors($1)", "get_tenant_storage($1)",
	} {
		for _, id := range []any{other.scope.TenantID, uuid.New(), nil} {
			_, err := db.Exec(b.ctx, b.d.API, "SELECT * FROM "+call, id)
			require.True(t, errs.Is(err, errs.Forbidden), "%s %v: %v", call, id, err)
		}
		_, err := db.Exec(b.ctx, b.d.API, "SELECT * FROM "+call, b.scope.TenantID)
		require.NoError(t, err, call)
	}
}

func TestPivot(t *testing.T) {
	t.Parallel()

	t.Run("equals a plain count, whatever the size", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		for _, n := range []int{0, 500, 19_600} {
			if n > 0 {
				b.documents(t, n, fmt.Sprintf("%d hours", max(1, 12_000/n)))
			}
			b.d.Exec(t, `INSERT INTO documents (tenant_id, author_id, title, body, created_at) SELECT $1, $2, 't', 'b', x FROM unnest(ARRAY[
				date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', (date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC') - interval '1 microsecond']) x`, b.scope.TenantID, b.scope.UserID)
			for _, refreshed := range []bool{false, true} {
				if refreshed {
					b.refresh(t)
				}
				for _, months := range []int{1, 6, 60} {
					want := b.byMonth(t, months)
					for _, fresh := range []bool{false, true} {
						got, err := b.repo.Pivot(b.ctx, months, false, fresh)
						require.NoError(t, err)
						require.Equal(t, want, got, "%d documents, %d months, refreshed %v, fresh %v", n, months, refreshed, fresh)
					}
				}
			}
		}
		// New documents of a large tenant count at once, those that were deleted with the next refresh.
		b.documents(t, 3, "0")
		got, err := b.repo.Pivot(b.ctx, 6, false, false)
		require.NoError(t, err)
		require.Equal(t, b.byMonth(t, 6), got)
		b.d.Exec(t, `DELETE FROM documents WHERE tenant_id = $1 AND created_at < now() - interval '20 days'`, b.scope.TenantID)
		got, err = b.repo.Pivot(b.ctx, 6, false, true)
		require.NoError(t, err)
		require.Equal(t, b.byMonth(t, 6), got)
	})

	t.Run("gaps are filled when asked", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.documents(t, 2, "62 days") // there is a month between
		list, err := b.repo.Pivot(b.ctx, 6, false, false)
		require.NoError(t, err)
		require.Len(t, list, 2)
		filled, err := b.repo.Pivot(b.ctx, 6, true, false)
		require.NoError(t, err)
		require.Len(t, filled, 6)
		require.Equal(t, list[1], filled[5])
		require.Contains(t, filled, list[0])
		require.Contains(t, filled, dashboard.MonthCount{Month: filled[0].Month})
		empty := b.other(t)
		list, err = empty.repo.Pivot(empty.ctx, 60, true, false)
		require.NoError(t, err)
		require.Len(t, list, 60)
	})

	t.Run("months are 1 to 60", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		for _, months := range []int{0, -1, 61, 1 << 30} {
			_, err := b.repo.Pivot(b.ctx, months, true, false)
			require.True(t, errs.Is(err, errs.Validation))
			require.Equal(t, "months", errs.From(err).Field)
		}
	})
}

func TestBreakdown(t *testing.T) {
	t.Parallel()

	b := setup(t)
	got, err := b.repo.Breakdown(b.ctx, false)
	require.NoError(t, err)
	require.Empty(t, got)
	same := func(why string) {
		t.Helper()
		for _, fresh := range []bool{false, true} {
			got, err := b.repo.Breakdown(b.ctx, fresh)
			require.NoError(t, err)
			require.Equal(t, b.counted(t), got, "%s, fresh %v", why, fresh)
		}
	}
	b.d.Exec(t, `INSERT INTO jobs (tenant_id, type, status) SELECT $1, 'zz', s FROM unnest('{pending,pending,running}'::text[]) s`, b.scope.TenantID)
	b.jobs(t, 300, "1 hour")
	b.other(t).jobs(t, 10, "1 hour")
	same("few")
	_, err = b.runs.CountFinished(t.Context(), false)
	require.NoError(t, err)
	same("counted")
	b.jobs(t, 20_000, "4 seconds")
	_, err = b.runs.CountFinished(t.Context(), true)
	require.NoError(t, err)
	same("many")
	b.jobs(t, 50, "0")
	same("what ended since")
	_, err = b.runs.CountFinished(t.Context(), false)
	require.NoError(t, err)
	same("counted again")
	// A failed job that is run again, and what retention takes, are right at once.
	b.d.Exec(t, `UPDATE jobs SET status = 'pending', finished_at = NULL WHERE id = (SELECT min(id) FROM jobs WHERE tenant_id = $1 AND status = 'failed')`, b.scope.TenantID)
	same("run again")
	b.d.Exec(t, `UPDATE jobs SET finished_at = finished_at - interval '200 days' WHERE tenant_id = $1 AND status = 'done' AND id % 3 = 0`, b.scope.TenantID)
	_, err = b.runs.CountFinished(t.Context(), true)
	require.NoError(t, err)
	n, err := b.runs.Archive(t.Context())
	require.NoError(t, err)
	require.Positive(t, n)
	same("archived")
}

func TestSeries(t *testing.T) {
	t.Parallel()

	b := setup(t)
	b.jobs(t, 600, "1 minute")
	b.d.Exec(t, `INSERT INTO jobs (tenant_id, type, status, reason, finished_at) VALUES ($1, 'cancelled', 'failed', 'cancelled', now())`, b.scope.TenantID)
	for bucket, last := range map[dashboard.Bucket]int{dashboard.Minute: 60, dashboard.Hour: 5, dashboard.Day: 2} {
		list, err := b.repo.Series(b.ctx, bucket, last, nil)
		require.NoError(t, err)
		type sums struct{ Done, Failed, Points int64 }
		want, err := db.Get[sums](t.Context(), b.d.Owner, "count", `
			SELECT count(*) FILTER (WHERE status = 'done') AS done, count(*) FILTER (WHERE status = 'failed') AS failed,
			       count(DISTINCT (date_trunc(@b, finished_at AT TIME ZONE 'UTC'), type)) AS points
			FROM jobs WHERE tenant_id = @t AND finished_at AT TIME ZONE 'UTC' >= date_trunc(@b, now() AT TIME ZONE 'UTC') - (@n - 1) * ('1 ' || @b)::interval`,
			pgx.NamedArgs{"b": string(bucket), "t": b.scope.TenantID, "n": last})
		require.NoError(t, err)
		got := sums{Points: int64(len(list))}
		for i, p := range list {
			got.Done, got.Failed = got.Done+p.Done, got.Failed+p.Failed
			if i > 0 {
				require.False(t, p.At.Before(list[i-1].At))
			}
			if p.Type == "cancelled" {
				require.Nil(t, p.WaitP50)
				require.Nil(t, p.RunP95)
				continue
			}
			require.InDelta(t, 1000, *p.WaitP50, .001)
			require.InDelta(t, 1000, *p.WaitP95, .001)
			require.InDelta(t, 2000, *p.RunP50, .001)
			require.InDelta(t, 2000, *p.RunP95, .001)
		}
		require.Equal(t, want, got, bucket)
	}
	name := "type1"
	list, err := b.repo.Series(b.ctx, dashboard.Day, 3, &name)
	require.NoError(t, err)
	require.NotEmpty(t, list)
	for _, p := range list {
		require.Equal(t, name, p.Type)
	}
	other := b.other(t)
	list, err = other.repo.Series(other.ctx, dashboard.Day, 92, nil)
	require.NoError(t, err)
	require.Empty(t, list)
	for bucket, last := range map[dashboard.Bucket]int{dashboard.Minute: 181, dashboard.Hour: 169, dashboard.Day: 93} {
		for _, n := range []int{0, -1, last} {
			_, err = b.repo.Series(b.ctx, bucket, n, nil)
			require.Equal(t, "last", errs.From(err).Field)
		}
	}
	_, err = b.repo.Series(b.ctx, "year", 1, nil)
	require.Equal(t, "bucket", errs.From(err).Field)
}

func TestErrors(t *testing.T) {
	t.Parallel()

	b := setup(t)
	b.jobs(t, 50, "1 hour")
	b.d.Exec(t, `INSERT INTO jobs (tenant_id, type, status, reason, last_error, finished_at) VALUES
		($1, 'mail', 'failed', 'permanent', 'mailbox "ada@example.com" of 01a1fdc6-ac3e-70de-9561-ec19fecad3c1 is full at 0xDEADBEEF', now()),
		($1, 'mail', 'failed', 'permanent', 'mailbox "bob"  of 01a1fdc6-ac3e-70de-9561-ec19fecad3c2 is full at 0xdeadbeef01', now() - interval '1 hour'),
		($1, 'mail', 'failed', 'cancelled', 'stopped', now()),
		($1, 'mail', 'failed', 'permanent', 'long ago', now() - interval '8 days')`, b.scope.TenantID)
	list, err := b.repo.Errors(b.ctx, 7, 10)
	require.NoError(t, err)
	require.Len(t, list, 4)
	for _, g := range list[:3] {
		require.Equal(t, "no answer from host <n>", g.Pattern)
	}
	require.Equal(t, int64(10), list[0].Count+list[1].Count+list[2].Count)
	require.Equal(t, "mailbox <text> of <id> is full at <hex>", list[3].Pattern)
	require.Equal(t, int64(2), list[3].Count)
	require.Contains(t, list[3].Example, "ada", "the newest is the example")
	list, err = b.repo.Errors(b.ctx, 90, 1)
	require.NoError(t, err)
	require.Len(t, list, 1)
	other := b.other(t)
	list, err = other.repo.Errors(other.ctx, 90, 100)
	require.NoError(t, err)
	require.Empty(t, list)
	_, err = b.repo.Errors(b.ctx, 0, 101)
	require.ErrorContains(t, err, "days")
	require.True(t, errs.Is(err, errs.Validation))
}

func TestStorage(t *testing.T) {
	t.Parallel()

	b := setup(t)
	b.documents(t, 2000, "0")
	b.jobs(t, 100, "1 second")
	b.refresh(t)
	b.d.Exec(t, `ANALYZE documents; ANALYZE jobs`)
	kept, err := db.Get[bool](t.Context(), b.d.Owner, "function", `SELECT to_regprocedure('add_tenant_storage(uuid, numeric, bigint)') IS NOT NULL`)
	require.NoError(t, err)
	if kept {
		b.d.Exec(t, `SELECT add_tenant_storage($1, 3000, 3)`, b.scope.TenantID)
	} else {
		b.d.Exec(t, `INSERT INTO files (tenant_id, uploader_id, filename, content_type, size_bytes, storage_key) SELECT $1, $2, 'f', 'text/plain', 1000, 'k' || i FROM generate_series(1, 3) i`,
			b.scope.TenantID, b.scope.UserID)
	}
	uses := func(b bundle) map[string]dashboard.StorageUse {
		list, err := b.repo.Storage(b.ctx)
		require.NoError(t, err)
		out := map[string]dashboard.StorageUse{}
		for _, u := range list {
			out[u.Kind] = u
		}
		return out
	}
	got := uses(b)
	require.Equal(t, dashboard.StorageUse{Kind: "files", Rows: 3, Bytes: 3000}, got["files"])
	require.Equal(t, int64(2000), got["documents"].Rows)
	require.True(t, got["documents"].IsEstimate)
	size, err := db.Get[int64](t.Context(), b.d.Owner, "size", `SELECT pg_table_size('documents')`)
	require.NoError(t, err)
	require.InEpsilon(t, size, got["documents"].Bytes, .01, "one tenant has all of it")
	require.Equal(t, int64(100), got["jobs"].Rows)
	require.Positive(t, got["jobs"].Bytes)
	for _, u := range uses(b.other(t)) {
		require.Zero(t, u.Rows+u.Bytes, u.Kind)
	}
}

func TestRefreshIsShared(t *testing.T) {
	t.Parallel()

	b := setup(t)
	b.documents(t, 3, "0")
	var mu sync.Mutex
	statements := 0
	h := b.d.Open(t, db.Config{Role: db.RoleAPI, Hooks: []db.Hook{func(_ context.Context, q db.Query) {
		if q.Name == "dashboard.Refresh" {
			mu.Lock()
			defer mu.Unlock()
			statements++
		}
	}}})
	r := dashboard.NewRefresher(h)
	const calls = 50
	errors := make(chan error, calls)
	// Somebody holds the lock, so that all come while the first one runs.
	conn := b.d.Connect(t)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT pg_advisory_xact_lock(hashtext('refresh_tenant_document_stats'))`)
	require.NoError(t, err)
	for range calls {
		go func() { errors <- r.Refresh(b.ctx) }()
	}
	require.Eventually(t, func() bool { return r.Counts().Calls == calls }, time.Minute, time.Millisecond)
	require.NoError(t, tx.Commit(t.Context()))
	for range calls {
		require.NoError(t, <-errors)
	}
	c := r.Counts()
	require.Equal(t, int64(calls), c.Calls)
	require.LessOrEqual(t, c.Runs, int64(2), "one under way, one for all who came meanwhile")
	mu.Lock()
	require.LessOrEqual(t, statements, 2)
	mu.Unlock()
	require.Positive(t, c.Last)
	s, err := b.repo.Stats(b.ctx, false)
	require.NoError(t, err)
	require.Equal(t, int64(3), s.DocumentCount)

	// Whoever gives up does not take it away from the others.
	gone, cancel := context.WithCancel(b.ctx)
	cancel()
	require.Error(t, r.Refresh(gone))
	b.documents(t, 1, "0")
	require.NoError(t, r.Refresh(b.ctx))
	s, err = b.repo.Stats(b.ctx, false)
	require.NoError(t, err)
	require.Equal(t, int64(4), s.DocumentCount)
}

// Two processes know nothing of each other: the database lets those who wait share one refresh.
func TestRefreshIsSharedByProcesses(t *testing.T) {
	t.Parallel()

	b := setup(t)
	h := b.d.Open(t, db.Config{Role: db.RoleWorker, MaxConns: 12})
	b.d.Exec(t, `CREATE SEQUENCE refreshes; GRANT ALL ON refreshes TO PUBLIC; CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('public.refreshes'); RETURN NULL; END $$;
		CREATE TRIGGER counted AFTER INSERT OR UPDATE ON core.stats_refresh FOR EACH ROW EXECUTE FUNCTION counted()`)
	conn := b.d.Connect(t)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT pg_advisory_xact_lock(hashtext('refresh_tenant_document_stats'))`)
	require.NoError(t, err)
	errors := make(chan error, 10)
	for range cap(errors) {
		go func() { errors <- job.NewRuns(h).RefreshStats(t.Context()) }()
	}
	require.Eventually(t, func() bool {
		n, err := db.Get[int](t.Context(), b.d.Owner, "count", `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
		return err == nil && n == cap(errors)
	}, time.Minute, 5*time.Millisecond)
	require.NoError(t, tx.Commit(t.Context()))
	for range cap(errors) {
		require.NoError(t, <-errors)
	}
	n, err := db.Get[int](t.Context(), b.d.Owner, "count", `SELECT last_value FROM refreshes`)
	require.NoError(t, err)
	require.Equal(t, 1, n, "the first refreshed for all ten")
}

func TestLatencies(t *testing.T) {
	t.Parallel()

	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := dashboard.NewLatencies(func() time.Time { return now })
	a := tenant.With(t.Context(), tenant.Scope{TenantID: uuid.New()})
	other := tenant.With(t.Context(), tenant.Scope{TenantID: uuid.New()})
	for i := range 1000 {
		l.Query(a, db.Query{Name: "search.Search", Duration: time.Duration(i+1) * time.Millisecond})
		l.Query(a, db.Query{Name: "job.List", Duration: time.Hour})
		l.Query(a, db.Query{Name: "search.Search", Duration: time.Hour, ErrorClass: "57"})
		l.Query(t.Context(), db.Query{Name: "search.Search", Duration: time.Hour})
	}
	got, err := l.Of(a)
	require.NoError(t, err)
	require.Equal(t, int64(1000), got.Count)
	require.Equal(t, now, got.Since)
	require.InDelta(t, 525, got.P50, 26, "at most a tenth above 500")
	require.InDelta(t, 1000, got.P95, 50)
	require.GreaterOrEqual(t, got.P50, 500.0)
	require.InDelta(t, 1000.0, got.Max, 0)
	none, err := l.Of(other)
	require.NoError(t, err)
	require.Nil(t, none)
	_, err = l.Of(t.Context())
	require.True(t, errs.Is(err, errs.Unauthenticated))

	now = now.Add(31 * time.Minute)
	l.Query(a, db.Query{Name: "embedding.Similar", Duration: 0})
	got, err = l.Of(a)
	require.NoError(t, err)
	require.Equal(t, int64(1001), got.Count, "the half before still counts")
	now = now.Add(31 * time.Minute)
	got, err = l.Of(a)
	require.NoError(t, err)
	require.Equal(t, int64(1), got.Count)
	now = now.Add(2 * time.Hour)
	got, err = l.Of(a)
	require.NoError(t, err)
	require.Nil(t, got)
}
