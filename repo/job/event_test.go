package job_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/realtime/cursor"
	"stackforge/repo/job"
	"stackforge/tenant"
)

// events is a database with some jobs of one tenant, and a reader of their events.
type events struct {
	*dbtest.DB
	reader *job.Reader
	scope  tenant.Scope
	jobs   []int64
}

func newEvents(t *testing.T, n int) *events {
	t.Helper()

	d := dbtest.New(t)
	e := &events{DB: d, reader: job.NewReader(d.API), scope: dbtest.Tenant(t, d)}
	conn := d.Connect(t)
	for range n {
		e.jobs = append(e.jobs, newJob(t, conn, e.scope))
	}
	return e
}

func newJob(t *testing.T, conn *pgx.Conn, s tenant.Scope) int64 {
	t.Helper()

	var id int64
	err := conn.QueryRow(t.Context(), `INSERT INTO jobs (tenant_id, type) VALUES ($1, 'nope') RETURNING id`, s.TenantID).Scan(&id)
	require.NoError(t, err)
	return id
}

// change makes one event of a job; its attempts count the job's changes.
func change(t *testing.T, conn *pgx.Conn, id int64) {
	t.Helper()

	_, err := conn.Exec(t.Context(), `UPDATE jobs SET attempts = attempts + 1 WHERE id = $1`, id)
	require.NoError(t, err)
}

func exec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()

	_, err := conn.Exec(t.Context(), sql)
	require.NoError(t, err)
}

// now returns the present position.
func (e *events) now(t *testing.T) cursor.Position {
	t.Helper()

	page, err := e.reader.Read(t.Context(), cursor.Position{}, 1)
	require.NoError(t, err)
	require.Empty(t, page.Events)
	return page.Next
}

// read returns everything after p, "job#attempts" for each event, and the position then.
func (e *events) read(t *testing.T, p cursor.Position, limit int) ([]string, cursor.Position) {
	t.Helper()

	return read(t, t.Context(), e.reader.Read, p, limit)
}

// replay is read for the tenant.
func (e *events) replay(t *testing.T, p cursor.Position, limit int) []string {
	t.Helper()

	got, _ := read(t, tenant.With(t.Context(), e.scope), e.reader.Replay, p, limit)
	return got
}

func read(t *testing.T, ctx context.Context, fn func(context.Context, cursor.Position, int) (cursor.Page[*job.Event], error), p cursor.Position, limit int) ([]string, cursor.Position) { //nolint:revive // t first, as in every helper
	t.Helper()

	got := []string{}
	for {
		page, err := fn(ctx, p, limit)
		require.NoError(t, err)
		require.False(t, page.Lost)
		require.LessOrEqual(t, len(page.Events), limit)
		for _, e := range page.Events {
			got = append(got, fmt.Sprintf("%d#%d", e.JobID, e.Attempts))
		}
		p = page.Next
		if !page.More {
			return got, p
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()

	t.Run("a commit that comes late is read when it comes", func(t *testing.T) {
		t.Parallel()

		e := newEvents(t, 2)
		late, other := e.Connect(t), e.Connect(t)
		p := e.now(t)
		exec(t, late, `BEGIN`)
		change(t, late, e.jobs[0])
		change(t, other, e.jobs[1])
		got, p := e.read(t, p, 10)
		require.Equal(t, []string{fmt.Sprintf("%d#1", e.jobs[1])}, got)
		exec(t, late, `COMMIT`)
		got, p = e.read(t, p, 10)
		require.Equal(t, []string{fmt.Sprintf("%d#1", e.jobs[0])}, got)
		got, _ = e.read(t, p, 10)
		require.Empty(t, got)
	})

	t.Run("what was rolled back is never read", func(t *testing.T) {
		t.Parallel()

		e := newEvents(t, 3)
		conn := e.Connect(t)
		p := e.now(t)
		exec(t, conn, `BEGIN`)
		change(t, conn, e.jobs[0])
		exec(t, conn, `SAVEPOINT a`)
		change(t, conn, e.jobs[1])
		exec(t, conn, `ROLLBACK TO a`)
		change(t, conn, e.jobs[2])
		exec(t, conn, `SAVEPOINT b`)
		change(t, conn, e.jobs[0])
		exec(t, conn, `RELEASE b`)
		exec(t, conn, `COMMIT`)
		exec(t, conn, `BEGIN`)
		change(t, conn, e.jobs[1])
		exec(t, conn, `ROLLBACK`)
		got, _ := e.read(t, p, 10)
		require.Equal(t, []string{fmt.Sprintf("%d#1", e.jobs[0]), fmt.Sprintf("%d#1", e.jobs[2]), fmt.Sprintf("%d#2", e.jobs[0])}, got)
	})

	t.Run("a job's changes keep their order when an older transaction makes the later one", func(t *testing.T) {
		t.Parallel()

		e := newEvents(t, 2)
		older, younger := e.Connect(t), e.Connect(t)
		p := e.now(t)
		exec(t, older, `BEGIN`)
		change(t, older, e.jobs[1]) // takes the lower transaction id
		change(t, younger, e.jobs[0])
		change(t, older, e.jobs[0])
		exec(t, older, `COMMIT`)
		got, _ := e.read(t, p, 10)
		require.Equal(t, []string{fmt.Sprintf("%d#1", e.jobs[1]), fmt.Sprintf("%d#1", e.jobs[0]), fmt.Sprintf("%d#2", e.jobs[0])}, got)
	})

	t.Run("a batch is read in pages while others write", func(t *testing.T) {
		t.Parallel()

		e := newEvents(t, 1)
		conn := e.Connect(t)
		p := e.now(t)
		for range 25 {
			change(t, conn, e.jobs[0])
		}
		page, err := e.reader.Read(t.Context(), p, 10)
		require.NoError(t, err)
		require.Len(t, page.Events, 10)
		require.True(t, page.More)
		change(t, conn, e.jobs[0]) // belongs to the next batch
		got, next := e.read(t, page.Next, 10)
		require.Len(t, got, 15)
		got, _ = e.read(t, next, 10)
		require.Equal(t, []string{fmt.Sprintf("%d#26", e.jobs[0])}, got)
	})

	t.Run("every event's cursor goes on after it", func(t *testing.T) {
		t.Parallel()

		e := newEvents(t, 2)
		long, conn := e.Connect(t), e.Connect(t)
		p := e.now(t)
		exec(t, long, `BEGIN`)
		change(t, long, e.jobs[1])
		for range 7 {
			change(t, conn, e.jobs[0])
		}
		page, err := e.reader.Read(t.Context(), p, 10)
		require.NoError(t, err)
		require.Len(t, page.Events, 7)
		change(t, conn, e.jobs[0])
		exec(t, long, `COMMIT`)
		for i, event := range page.Events {
			at, err := cursor.Parse(job.Stream, event.Cursor)
			require.NoError(t, err)
			// The first read ends the batch of the cursor, the second reads what came since.
			got, rest := e.read(t, at, 3)
			if i < len(page.Events)-1 {
				require.Len(t, got, 6-i)
				got, _ = e.read(t, rest, 3)
			}
			require.Equal(t, []string{fmt.Sprintf("%d#1", e.jobs[1]), fmt.Sprintf("%d#8", e.jobs[0])}, got)
		}
	})

	t.Run("the scope of a tenant is forbidden", func(t *testing.T) {
		t.Parallel()

		e := newEvents(t, 0)
		_, err := e.reader.Read(tenant.With(t.Context(), e.scope), cursor.Position{}, 1)
		require.True(t, errs.Is(err, errs.Forbidden), "%v", err)
	})

	t.Run("a transaction that has written is refused", func(t *testing.T) {
		t.Parallel()

		e := newEvents(t, 0)
		err := e.API.Do(t.Context(), func(tx *db.Tx) error {
			_, err := db.Exec(t.Context(), tx, `SELECT pg_current_xact_id()`)
			require.NoError(t, err)
			_, err = job.NewReader(tx).Read(t.Context(), cursor.Position{}, 1)
			return err
		})
		require.True(t, errs.Is(err, errs.Internal), "%v", err)
	})
}

func TestReplay(t *testing.T) {
	t.Parallel()

	t.Run("another tenant's events are not replayed", func(t *testing.T) {
		t.Parallel()

		e := newEvents(t, 1)
		conn := e.Connect(t)
		foreign := newJob(t, conn, dbtest.Tenant(t, e.DB))
		p := e.now(t)
		change(t, conn, foreign)
		change(t, conn, e.jobs[0])
		require.Equal(t, []string{fmt.Sprintf("%d#1", e.jobs[0])}, e.replay(t, p, 10))
		got, _ := e.read(t, p, 10)
		require.Len(t, got, 2)
	})

	t.Run("no tenant is unauthenticated", func(t *testing.T) {
		t.Parallel()

		e := newEvents(t, 0)
		_, err := e.reader.Replay(t.Context(), cursor.Position{}, 1)
		require.True(t, errs.Is(err, errs.Unauthenticated), "%v", err)
	})

	t.Run("another tenant as the argument is forbidden", func(t *testing.T) {
		t.Parallel()

		e := newEvents(t, 0)
		_, err := db.Exec(tenant.With(t.Context(), e.scope), e.API, `
			SELECT * FROM read_job_events($1, p_epoch => NULL, p_seen => NULL, p_until => NULL, p_after_id => 0, p_limit => 1)`, dbtest.Tenant(t, e.DB).TenantID)
		require.True(t, errs.Is(err, errs.Forbidden), "%v", err)
	})
}

func TestLost(t *testing.T) {
	t.Parallel()

	lost := func(t *testing.T, e *events, p cursor.Position) bool {
		t.Helper()

		all, err := e.reader.Read(t.Context(), p, 10)
		require.NoError(t, err)
		own, err := e.reader.Replay(tenant.With(t.Context(), e.scope), p, 10)
		require.NoError(t, err)
		require.Equal(t, all.Lost, own.Lost)
		if all.Lost {
			require.Empty(t, all.Events)
			require.False(t, all.Next.Seen.IsZero())
		}
		return all.Lost
	}

	t.Run("a cursor from before what retention dropped", func(t *testing.T) {
		t.Parallel()

		e := newEvents(t, 1)
		conn := e.Connect(t)
		before := e.now(t)
		// A day long past, and an event of it that is made now.
		exec(t, conn, `CREATE TABLE job_events_2020_01_01 PARTITION OF job_events FOR VALUES FROM ('2020-01-01') TO ('2020-01-02')`)
		exec(t, conn, `ALTER TABLE job_events_2020_01_01 OWNER TO stackforge_owner`)
		_, err := conn.Exec(t.Context(), `INSERT INTO job_events (tenant_id, job_id, type, status, attempts, at) VALUES ($1, $2, 'nope', 'done', 1, '2020-01-01 12:00Z')`,
			e.scope.TenantID, e.jobs[0])
		require.NoError(t, err)
		after := e.now(t)
		after.Seen.Open = nil // transactions of other tests, which no longer count
		require.False(t, lost(t, e, before))
		exec(t, conn, `SELECT drop_old_events('365 days')`)
		require.True(t, lost(t, e, before))
		require.False(t, lost(t, e, after))
	})

	t.Run("a transaction in progress at the cursor whose events were dropped", func(t *testing.T) {
		t.Parallel()

		e := newEvents(t, 1)
		conn, long := e.Connect(t), e.Connect(t)
		exec(t, long, `BEGIN`)
		change(t, long, e.jobs[0])
		exec(t, conn, `SELECT pg_current_xact_id()`)
		p := e.now(t)
		var xid string
		require.NoError(t, long.QueryRow(t.Context(), `SELECT pg_current_xact_id()::text`).Scan(&xid))
		p.Seen.Open = slices.DeleteFunc(p.Seen.Open, func(x uint64) bool { return fmt.Sprint(x) != xid }) // other tests' transactions
		require.Len(t, p.Seen.Open, 1)
		_, err := conn.Exec(t.Context(), `INSERT INTO core.stream_horizon VALUES ('jobs', $1::text::xid8)`, xid)
		require.NoError(t, err)
		require.False(t, lost(t, e, p), "it is still in progress, so its events are there")
		exec(t, long, `COMMIT`)
		require.True(t, lost(t, e, p))
	})

	t.Run("a cursor from the future", func(t *testing.T) {
		t.Parallel()

		e := newEvents(t, 0)
		p := e.now(t)
		p.Seen.Max += 1_000_000
		require.True(t, lost(t, e, p))
	})

	t.Run("a cursor from another life of the database", func(t *testing.T) {
		t.Parallel()

		e := newEvents(t, 0)
		p := e.now(t)
		require.False(t, lost(t, e, p))
		e.Exec(t, `TRUNCATE core.stream_epoch`) // as a crash does
		require.True(t, lost(t, e, p))
		require.False(t, lost(t, e, e.now(t)))
	})
}

func TestEventFilter(t *testing.T) {
	t.Parallel()

	reason := job.ReasonCancelled
	e := &job.Event{JobID: 7, Type: "send_email", Status: job.Failed, Reason: &reason}
	for _, tc := range []struct {
		name   string
		filter job.EventFilter
		want   bool
	}{
		{"its id", job.EventFilter{IDs: []int64{3, 7}}, true},
		{"another id", job.EventFilter{IDs: []int64{3}}, false},
		{"its type", job.EventFilter{Types: []string{"send_email"}}, true},
		{"another type", job.EventFilter{Types: []string{"x"}}, false},
		{"its state", job.EventFilter{States: []job.State{job.StateCancelled}}, true},
		{"another state", job.EventFilter{States: []job.State{job.StateFailed}}, false},
		{"its id and another type", job.EventFilter{IDs: []int64{7}, Types: []string{"x"}}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()

			keep, err := tc.filter.Func()
			require.NoError(t, err)
			require.Equal(t, tc.want, keep(e))
			require.True(t, keep(&job.Event{Reset: true}), "a reset always passes")
		})
	}

	t.Run("no condition is no function", func(t *testing.T) {
		t.Parallel()

		keep, err := job.EventFilter{}.Func()
		require.NoError(t, err)
		require.Nil(t, keep)
	})

	t.Run("too many values are refused together", func(t *testing.T) {
		t.Parallel()

		_, err := job.EventFilter{IDs: make([]int64, 101), Types: make([]string, 101)}.Func()
		var list errs.List
		require.ErrorAs(t, err, &list)
		require.Len(t, list, 2)
	})
}
