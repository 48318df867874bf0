package realtime_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/realtime"
	"stackforge/realtime/cursor"
	"stackforge/repo/job"
	"stackforge/tenant"
)

func TestSubscribe(t *testing.T) {
	t.Parallel()

	t.Run("it begins with what is committed after it returned", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		j := newJobs(t, d, 1)
		p, conn := start(t, d, "api", realtime.Config[*job.Event]{}), d.Connect(t)
		for i := range 20 {
			change(t, conn, j.ids[0]) // nobody's
			sub := p.subscribe(t, j.scope, "")
			change(t, conn, j.ids[0])
			require.Equal(t, 2*i+2, next(t, sub).Attempts)
			sub.Close()
		}
	})

	t.Run("it begins at a cursor", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		j := newJobs(t, d, 1)
		p, conn := start(t, d, "api", realtime.Config[*job.Event]{Buffer: 16, PageSize: 10}), d.Connect(t)
		sub := p.subscribe(t, j.scope, "")
		begin := sub.Begin()
		sub.Close()
		for range 100 { // many buffers and pages, while nobody is there
			change(t, conn, j.ids[0])
		}
		sub = p.subscribe(t, j.scope, begin)
		require.Equal(t, begin, sub.Begin())
		for i := range 100 {
			require.Equal(t, i+1, next(t, sub).Attempts)
		}
		change(t, conn, j.ids[0])
		require.Equal(t, 101, next(t, sub).Attempts)
	})

	t.Run("a tenant gets its own events only", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		own, foreign := newJobs(t, d, 1), newJobs(t, d, 1)
		p, conn := start(t, d, "api", realtime.Config[*job.Event]{}), d.Connect(t)
		live := p.subscribe(t, own.scope, "")
		for range 3 {
			change(t, conn, foreign.ids[0])
		}
		change(t, conn, own.ids[0])
		require.Equal(t, own.scope.TenantID, next(t, live).TenantID)
		replayed := p.subscribe(t, own.scope, live.Begin())
		e := next(t, replayed)
		require.Equal(t, own.ids[0], e.JobID)
		select {
		case e := <-replayed.Events():
			require.Fail(t, "one more event", "%+v", e)
		case e := <-live.Events():
			require.Fail(t, "one more event", "%+v", e)
		default:
		}
	})

	t.Run("a filter holds for the replay and for what is live", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		j := newJobs(t, d, 2)
		p, conn := start(t, d, "api", realtime.Config[*job.Event]{}), d.Connect(t)
		begin := p.subscribe(t, j.scope, "").Begin()
		keep, err := job.EventFilter{IDs: j.ids[1:]}.Func()
		require.NoError(t, err)
		change(t, conn, j.ids[0])
		change(t, conn, j.ids[1])
		sub, err := p.Subscribe(tenant.With(t.Context(), j.scope), keep, begin)
		require.NoError(t, err)
		require.Equal(t, j.ids[1], next(t, sub).JobID)
		change(t, conn, j.ids[0])
		change(t, conn, j.ids[1])
		require.Equal(t, fmt.Sprintf("%d#2", j.ids[1]), describe(next(t, sub)))
	})

	t.Run("it ends with its context", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		j := newJobs(t, d, 1)
		p := start(t, d, "api", realtime.Config[*job.Event]{})
		ctx, cancel := context.WithCancel(tenant.With(t.Context(), j.scope))
		sub, err := p.Subscribe(ctx, nil, "")
		require.NoError(t, err)
		require.Equal(t, 1, p.Stats().Subscribers)
		cancel()
		_, ok := <-sub.Events()
		require.False(t, ok)
		require.NoError(t, sub.Err())
		require.Zero(t, p.Stats().Subscribers)

		_, err = p.Subscribe(ctx, nil, "")
		require.ErrorIs(t, err, context.Canceled)
	})

	t.Run("it ends with the hub, and says from where to go on", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		j := newJobs(t, d, 1)
		p := start(t, d, "api", realtime.Config[*job.Event]{})
		sub := p.subscribe(t, j.scope, "")
		change(t, d.Connect(t), j.ids[0])
		e := next(t, sub)
		p.stop()
		_, ok := <-sub.Events()
		require.False(t, ok)
		var end *realtime.EndError
		require.ErrorAs(t, sub.Err(), &end)
		require.False(t, end.Slow)
		require.Equal(t, e.Cursor, end.Cursor)
		require.True(t, errs.Is(sub.Err(), errs.Unavailable))

		_, err := p.Subscribe(tenant.With(t.Context(), j.scope), nil, "")
		require.True(t, errs.Is(err, errs.Unavailable), "%v", err)
	})

	t.Run("what is no cursor is an error on after", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		p := start(t, d, "api", realtime.Config[*job.Event]{})
		other := cursor.Position{Seen: cursor.Snapshot{Max: 5}}.Encode("documents")
		for _, after := range []string{"x", "!!!", other, strings.Repeat("A", 100_000)} {
			_, err := p.Subscribe(tenant.With(t.Context(), dbtest.Tenant(t, d)), nil, after)
			require.True(t, errs.Is(err, errs.Validation), "%v", err)
			require.Equal(t, "after", errs.From(err).Field)
		}
		require.Zero(t, p.Stats().Subscribers)
	})

	t.Run("without a tenant it is unauthenticated", func(t *testing.T) {
		t.Parallel()

		p := start(t, dbtest.New(t), "api", realtime.Config[*job.Event]{})
		_, err := p.Subscribe(t.Context(), nil, "")
		require.True(t, errs.Is(err, errs.Unauthenticated), "%v", err)
	})
}

func TestReset(t *testing.T) {
	t.Parallel()

	t.Run("a cursor that cannot be continued gets a reset and then what is new", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		j := newJobs(t, d, 1)
		p, conn := start(t, d, "api", realtime.Config[*job.Event]{}), d.Connect(t)
		position, err := cursor.Parse(job.Stream, p.subscribe(t, j.scope, "").Begin())
		require.NoError(t, err)
		old, future, foreign := position, position, position
		// So old that no transaction of another test, which the snapshots of today list, is older.
		old.Seen = cursor.Snapshot{Max: 10}
		exec(t, conn, `INSERT INTO core.stream_horizon VALUES ('jobs', '10')`)
		future.Seen.Max += 1_000_000
		foreign.Epoch++
		for name, after := range map[string]string{"expired": old.Encode(job.Stream), "future": future.Encode(job.Stream), "foreign": foreign.Encode(job.Stream)} {
			sub := p.subscribe(t, j.scope, after)
			reset := next(t, sub)
			require.True(t, reset.Reset, name)
			require.Equal(t, j.scope.TenantID, reset.TenantID)
			change(t, conn, j.ids[0])
			e := next(t, sub)
			require.False(t, e.Reset, name)

			again := p.subscribe(t, j.scope, reset.Cursor)
			require.Equal(t, e.ID, next(t, again).ID, "the reset's cursor goes on after it")
		}
	})

	t.Run("subscribers that are live get one when the database begins another life", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		j := newJobs(t, d, 1)
		p, conn := start(t, d, "api", realtime.Config[*job.Event]{}), d.Connect(t)
		sub := p.subscribe(t, j.scope, "")
		change(t, conn, j.ids[0])
		require.Equal(t, 1, next(t, sub).Attempts)
		exec(t, conn, `TRUNCATE core.stream_epoch`) // as a crash does
		require.True(t, next(t, sub).Reset)
		change(t, conn, j.ids[0])
		require.Equal(t, 2, next(t, sub).Attempts)
	})
}

func TestNudge(t *testing.T) {
	t.Parallel()

	t.Run("a nudge reaches the other process without a poll", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		j := newJobs(t, d, 1)
		a := start(t, d, "a", realtime.Config[*job.Event]{Poll: never})
		b := start(t, d, "b", realtime.Config[*job.Event]{Poll: never})
		subs := []*realtime.Subscription[*job.Event]{a.subscribe(t, j.scope, ""), b.subscribe(t, j.scope, "")}
		listening(t, d, "a", "b")
		conn := d.Connect(t)
		for i := range 50 {
			change(t, conn, j.ids[0])
			a.nudger.Nudge(job.EventChannel)
			for _, sub := range subs {
				require.Equal(t, i+1, next(t, sub).Attempts)
			}
		}
	})

	t.Run("after a lost connection it catches up", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		j := newJobs(t, d, 1)
		p := start(t, d, "to_kill", realtime.Config[*job.Event]{Poll: never})
		sub := p.subscribe(t, j.scope, "")
		listening(t, d, "to_kill")
		conn := d.Connect(t)
		for i := range 3 {
			tag, err := conn.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'to_kill'`)
			require.NoError(t, err)
			require.EqualValues(t, 1, tag.RowsAffected())
			change(t, conn, j.ids[0]) // nobody nudges, nobody listens, nobody polls
			require.Equal(t, i+1, next(t, sub).Attempts)
			listening(t, d, "to_kill")
		}
	})

	t.Run("a lost pool delays and loses nothing", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		j := newJobs(t, d, 1)
		p := start(t, d, "api", realtime.Config[*job.Event]{})
		sub, conn := p.subscribe(t, j.scope, ""), d.Connect(t)
		for i := range 10 {
			exec(t, conn, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
			change(t, conn, j.ids[0])
			require.Equal(t, i+1, next(t, sub).Attempts)
		}
	})

	t.Run("without any nudge the poll is quick enough", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		j := newJobs(t, d, 1)
		p, conn := start(t, d, "api", realtime.Config[*job.Event]{}), d.Connect(t)
		sub := p.subscribe(t, j.scope, "")
		var worst time.Duration
		for i := range 20 {
			begin := time.Now()
			change(t, conn, j.ids[0])
			require.Equal(t, i+1, next(t, sub).Attempts)
			worst = max(worst, time.Since(begin))
		}
		t.Logf("slowest of 20: %v", worst)
		require.Less(t, worst, time.Second) // 0.1 s on an idle machine
	})
}

// listening waits until the processes with these names listen.
func listening(tb testing.TB, d *dbtest.DB, names ...string) {
	tb.Helper()

	conn := d.Connect(tb)
	require.Eventually(tb, func() bool {
		var n int
		err := conn.QueryRow(tb.Context(), `SELECT count(*) FROM pg_stat_activity WHERE application_name = ANY ($1) AND query LIKE 'LISTEN%' AND state = 'idle'`, names).Scan(&n)
		return err == nil && n == len(names)
	}, patience, 5*time.Millisecond)
}

func TestOverflow(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	j := newJobs(t, d, 1)
	p, conn := start(t, d, "api", realtime.Config[*job.Event]{Buffer: 8}), d.Connect(t)
	slow, quick := p.subscribe(t, j.scope, ""), p.subscribe(t, j.scope, "")
	for i := range 30 {
		change(t, conn, j.ids[0])
		require.Equal(t, i+1, next(t, quick).Attempts)
	}
	require.EqualValues(t, 1, p.Stats().Dropped)
	require.Equal(t, 1, p.Stats().Subscribers)

	last := 0
	for e := range slow.Events() { // what is in the buffer is still good
		last++
		require.Equal(t, last, e.Attempts)
	}
	require.Equal(t, 8, last)
	var end *realtime.EndError
	require.ErrorAs(t, slow.Err(), &end)
	require.True(t, end.Slow)
	require.True(t, errs.Is(slow.Err(), errs.Unavailable))

	again := p.subscribe(t, j.scope, end.Cursor)
	for ; last < 30; last++ {
		require.Equal(t, last+1, next(t, again).Attempts)
	}
	require.NoError(t, quick.Err())
}

// TestChurn lets clients come and go in every way at once, and looks for goroutines that stay.
func TestChurn(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	j := newJobs(t, d, 1)
	p, conn := start(t, d, "api", realtime.Config[*job.Event]{Buffer: 4}), d.Connect(t)
	first := p.subscribe(t, j.scope, "")
	begin := first.Begin()
	first.Close()
	for range 20 {
		change(t, conn, j.ids[0])
	}

	var clients, writer sync.WaitGroup
	done := make(chan struct{})
	writer.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				if _, err := conn.Exec(context.WithoutCancel(t.Context()), changeSQL, j.ids[0]); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	rnd := seeds(t)
	labels := pprof.Labels("test", "churn")
	for range 50 {
		r := rnd()
		clients.Go(func() {
			pprof.Do(tenant.With(context.WithoutCancel(t.Context()), j.scope), labels, func(ctx context.Context) {
				for range 20 {
					ctx, cancel := context.WithTimeout(ctx, time.Duration(r.IntN(30_000))*time.Microsecond)
					after := ""
					if r.IntN(2) == 0 {
						after = begin
					}
					if sub, err := p.Subscribe(ctx, nil, after); err == nil {
						for range r.IntN(30) {
							if _, ok := <-sub.Events(); !ok {
								break
							}
						}
						if r.IntN(2) == 0 {
							sub.Close()
						}
					} else if !errors.Is(err, context.DeadlineExceeded) && !errs.Is(err, errs.Unavailable) {
						t.Errorf("%v", err)
					}
					cancel()
				}
			})
		})
	}
	clients.Wait()
	close(done)
	writer.Wait()
	require.Eventually(t, func() bool { return p.Stats().Subscribers == 0 }, patience, time.Millisecond)
	require.Eventually(t, func() bool {
		var b bytes.Buffer
		require.NoError(t, pprof.Lookup("goroutine").WriteTo(&b, 1))
		return !strings.Contains(b.String(), `"test":"churn"`)
	}, patience, 20*time.Millisecond, "a goroutine of a client is left")
}

// TestPlan looks at the plans inside the SQL functions.
func TestPlan(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	j := newJobs(t, d, 1)
	config, err := pgx.ParseConfig(d.URL)
	require.NoError(t, err)
	plans := explain(t, config)
	plans.exec(t, `
		INSERT INTO job_events (tenant_id, job_id, type, status, attempts)
		SELECT CASE WHEN n % 10 = 0 THEN $1 ELSE gen_random_uuid() END, $2, 'nope', 'done', n FROM generate_series(1, 20000) n`,
		j.scope.TenantID, j.ids[0])
	plans.exec(t, `ANALYZE job_events`)
	var epoch int32
	require.NoError(t, plans.conn.QueryRow(t.Context(), `SELECT epoch FROM stream_state('jobs', p_epoch => NULL, p_seen => NULL, p_until => NULL)`).Scan(&epoch))
	for index, sql := range map[string]string{ // by the other index
		`_tenant_id_xid_id_idx`: `SELECT * FROM read_job_events_all($1, '5:9:5,7', NULL, 0, 100)`,
		`\d_xid_id_idx`:         `SELECT * FROM read_job_events('` + j.scope.TenantID.String() + `', $1, '5:9:5,7', NULL, 0, 100)`,
	} {
		plan := plans.exec(t, sql, epoch)
		require.Contains(t, plan, "on job_events_")
		require.NotContains(t, plan, "Seq Scan on job_events")
		require.NotRegexp(t, index, plan)
		require.Regexp(t, `Index Cond: .*xid >= .*xid < .*id > `, plan)
		require.Regexp(t, `Index Cond: .*xid = x.x\) AND \(id > `, plan)
	}
}
