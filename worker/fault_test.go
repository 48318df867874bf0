package worker_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/job"
	"stackforge/worker"
)

// faulty are Runs some of whose answers get lost.
type faulty struct {
	*job.Runs
	claims    atomic.Int32 // so many claims take effect and fail
	completes atomic.Int32 // so many completions take effect and fail
	beats     atomic.Int32 // so many heartbeats fail
}

var errLost = errs.New(errs.Unavailable, "The connection broke.")

func (f *faulty) Claim(ctx context.Context, id uuid.UUID, types []string, n int) ([]job.Job, error) {
	jobs, err := f.Runs.Claim(ctx, id, types, n)
	if len(jobs) > 0 && f.claims.Add(-1) >= 0 {
		return nil, errLost
	}
	return jobs, err
}

func (f *faulty) Heartbeat(ctx context.Context, beat job.Beat) error {
	if f.beats.Add(-1) >= 0 {
		return errLost
	}
	return f.Runs.Heartbeat(ctx, beat)
}

func (f *faulty) Complete(ctx context.Context, runs []job.Success) ([]int64, error) {
	ids, err := f.Runs.Complete(ctx, runs)
	if f.completes.Add(-1) >= 0 {
		return nil, errLost
	}
	return ids, err
}

// blocking is a handler that tells of its start and ends when it is let go, with the error of its context if that ends first.
type blocking struct {
	started chan *worker.Run
	release chan error
	heeds   bool
}

func newBlocking() blocking {
	return blocking{started: make(chan *worker.Run, 100), release: make(chan error, 100), heeds: true}
}

func (b blocking) do(ctx context.Context, r *worker.Run) (any, error) {
	b.started <- r
	if !b.heeds {
		return nil, <-b.release
	}
	select {
	case err := <-b.release:
		return nil, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestCancelWhileRunning(t *testing.T) {
	t.Parallel()

	b := setup(t)
	j := b.enqueue(t, job.EnqueueParams{Type: "it"})
	h := newBlocking()
	p := start(t, worker.Config{}, worker.Deps{Runs: b.runs, Handlers: worker.Table{"it": handle(h.do)}})
	r := receive(t, h.started)
	cancelled, err := b.jobs.Cancel(b.ctx, j.ID)
	require.NoError(t, err)
	p.wait(t, worker.Lost, nil)
	p.wait(t, worker.Refused, nil)
	require.Equal(t, cancelled, b.get(t, j.ID))
	require.Equal(t, job.ReasonCancelled, *cancelled.Reason)
	require.True(t, errs.Is(r.Progress(t.Context(), 50), errs.Conflict))
}

func TestLateEndIsRefused(t *testing.T) {
	t.Parallel()

	for name, end := range map[string]error{"success": nil, "retry": errors.New("boom"), "failure": errs.Field("x", "No.")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := setup(t)
			j := b.enqueue(t, job.EnqueueParams{Type: "it"})
			h := newBlocking()
			h.heeds = false
			p := start(t, worker.Config{Poll: time.Hour, Heartbeat: time.Hour}, worker.Deps{Runs: b.runs, Handlers: worker.Table{"it": handle(h.do)}})
			receive(t, h.started)
			// The worker seems dead, and another one takes the job: it has a new lease.
			b.d.Exec(t, `UPDATE job_workers SET heartbeat_at = now() - interval '1 minute'`)
			n, err := b.runs.Rescue(t.Context(), 20*time.Second)
			require.NoError(t, err)
			require.Equal(t, 1, n)
			other := uuid.New()
			require.NoError(t, b.runs.Heartbeat(t.Context(), job.Beat{WorkerID: other, Name: "other"}))
			taken, err := b.runs.Claim(t.Context(), other, nil, 1)
			require.NoError(t, err)
			require.Len(t, taken, 1)
			require.Equal(t, 1, taken[0].Attempts)

			h.release <- end
			e := p.wait(t, worker.Refused, nil)
			require.NotEqual(t, *taken[0].LeaseID, e.Job.Lease)
			require.Equal(t, taken[0], b.get(t, j.ID))
		})
	}
}

func TestRescue(t *testing.T) {
	t.Parallel()

	type state struct {
		Status   job.Status
		Attempts int
		Reason   string
	}
	look := func(t *testing.T, b bundle, id int64) state {
		t.Helper()
		j := b.get(t, id)
		return state{j.Status, j.Attempts, value(j.Reason)}
	}
	dead := func(t *testing.T, b bundle) uuid.UUID {
		t.Helper()
		id := uuid.New()
		require.NoError(t, b.runs.Heartbeat(t.Context(), job.Beat{WorkerID: id, Name: "dead"}))
		b.d.Exec(t, `UPDATE job_workers SET heartbeat_at = now() - interval '1 minute' WHERE id = $1`, id)
		return id
	}

	t.Run("a dead worker's job runs again and its attempt is not counted", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		j := b.enqueue(t, job.EnqueueParams{Type: "it"})
		jobs, err := b.runs.Claim(t.Context(), dead(t, b), nil, 1)
		require.NoError(t, err)
		require.Len(t, jobs, 1)
		p := start(t, worker.Config{}, worker.Deps{Runs: b.runs, Handlers: worker.Table{"it": handle(nothing)}})
		require.Equal(t, 1, p.wait(t, worker.Rescued, nil).Count)
		require.Equal(t, job.Done, p.ended(t, j.ID).Status)
		require.Equal(t, state{Status: job.Done, Attempts: 1}, look(t, b, j.ID))
	})

	t.Run("a job that brings down five workers fails", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		j := b.enqueue(t, job.EnqueueParams{Type: "it"})
		for i := 1; i <= 5; i++ {
			jobs, err := b.runs.Claim(t.Context(), dead(t, b), nil, 1)
			require.NoError(t, err)
			require.Len(t, jobs, 1)
			n, err := b.runs.Rescue(t.Context(), 20*time.Second)
			require.NoError(t, err)
			require.Equal(t, 1, n)
			if i < 5 {
				require.Equal(t, state{Status: job.Pending}, look(t, b, j.ID))
			}
		}
		require.Equal(t, state{job.Failed, 1, job.ReasonCrashed}, look(t, b, j.ID))
	})

	t.Run("a long run of a living worker is left alone, of a dead one is taken back", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		j := b.enqueue(t, job.EnqueueParams{Type: "it"})
		alive := uuid.New()
		require.NoError(t, b.runs.Heartbeat(t.Context(), job.Beat{WorkerID: alive, Name: "alive"}))
		_, err := b.runs.Claim(t.Context(), alive, nil, 1)
		require.NoError(t, err)
		b.d.Exec(t, `UPDATE jobs SET started_at = now() - interval '11 minutes' WHERE id = $1`, j.ID)
		n, err := b.runs.RecoverStale(t.Context(), 10)
		require.NoError(t, err)
		require.Zero(t, n)
		require.Equal(t, state{Status: job.Running, Attempts: 1}, look(t, b, j.ID))
		b.d.Exec(t, `UPDATE job_workers SET heartbeat_at = now() - interval '1 minute'`)
		n, err = b.runs.RecoverStale(t.Context(), 10)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, state{Status: job.Pending}, look(t, b, j.ID))
	})

	t.Run("a worker that was cut off itself judges nobody yet", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		j := b.enqueue(t, job.EnqueueParams{Type: "it"})
		id := dead(t, b)
		_, err := b.runs.Claim(t.Context(), id, nil, 1)
		require.NoError(t, err)
		b.d.Exec(t, `UPDATE job_workers SET heartbeat_at = now() - interval '2 hours' WHERE id = $1`, id)
		f := &faulty{Runs: b.runs}
		f.beats.Store(1)
		p := start(t, worker.Config{DeadAfter: time.Hour}, worker.Deps{Runs: f})
		for range 3 {
			p.wait(t, worker.Beat, nil)
		}
		require.Equal(t, state{Status: job.Running, Attempts: 1}, look(t, b, j.ID))
	})

	t.Run("a run outside of any worker process is only judged by its age", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		j := b.enqueue(t, job.EnqueueParams{Type: "it"})
		id, err := db.Get[int64](t.Context(), b.d.Worker, "job", `SELECT id FROM claim_job()`)
		require.NoError(t, err)
		require.Equal(t, j.ID, id)
		n, err := b.runs.Rescue(t.Context(), 0)
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = b.runs.RecoverStale(t.Context(), 10)
		require.NoError(t, err)
		require.Zero(t, n)
		b.d.Exec(t, `UPDATE jobs SET started_at = now() - interval '11 minutes' WHERE id = $1`, j.ID)
		n, err = b.runs.RecoverStale(t.Context(), 10)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
}

func TestStop(t *testing.T) {
	t.Parallel()

	t.Run("a running job may finish", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		j := b.enqueue(t, job.EnqueueParams{Type: "it"})
		h := newBlocking()
		p := start(t, worker.Config{}, worker.Deps{Runs: b.runs, Handlers: worker.Table{"it": handle(h.do)}})
		receive(t, h.started)
		stopped := make(chan error)
		go func() { stopped <- p.stop() }()
		h.release <- nil
		require.NoError(t, receive(t, stopped))
		require.Equal(t, job.Done, b.get(t, j.ID).Status)
	})

	for name, heeds := range map[string]bool{"a job that takes too long is put back": true, "and one that ignores its context too": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := setup(t)
			j := b.enqueue(t, job.EnqueueParams{Type: "it"})
			h := newBlocking()
			h.heeds = heeds
			nudges := make(chan string, 100)
			p := start(t, worker.Config{ShutdownGrace: 10 * time.Millisecond}, worker.Deps{
				Runs: b.runs, Handlers: worker.Table{"it": handle(h.do)}, Nudge: func(channel string) { nudges <- channel },
			})
			receive(t, h.started)
			require.NoError(t, p.stop())
			got := b.get(t, j.ID)
			require.Equal(t, job.Pending, got.Status)
			require.Zero(t, got.Attempts)
			require.Nil(t, got.WorkerID)
			close(nudges)
			var channels []string
			for c := range nudges {
				channels = append(channels, c)
			}
			require.Contains(t, channels, worker.ChannelReady)
			h.release <- nil
		})
	}
}

func TestLostAnswers(t *testing.T) {
	t.Parallel()

	t.Run("the jobs of a claim whose answer was lost run soon", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		f := &faulty{Runs: b.runs}
		f.claims.Store(1)
		j := b.enqueue(t, job.EnqueueParams{Type: "it"})
		p := start(t, worker.Config{}, worker.Deps{Runs: f, Handlers: worker.Table{"it": handle(nothing)}})
		require.Equal(t, job.Done, p.ended(t, j.ID).Status)
		require.Equal(t, 1, b.get(t, j.ID).Attempts)
		require.Negative(t, f.claims.Load())
	})

	t.Run("a completion whose answer was lost stands", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		f := &faulty{Runs: b.runs}
		f.completes.Store(1)
		var ran atomic.Int32
		j := b.enqueue(t, job.EnqueueParams{Type: "it"})
		p := start(t, worker.Config{}, worker.Deps{Runs: f, Handlers: worker.Table{
			"it": handle(func(context.Context, *worker.Run) (any, error) { return ran.Add(1), nil }),
		}})
		p.wait(t, worker.Refused, nil)
		got := b.get(t, j.ID)
		require.Equal(t, job.Done, got.Status)
		require.Equal(t, "1", string(got.Result))
	})
}

func TestDatabaseAway(t *testing.T) {
	t.Parallel()

	b := setup(t)
	const count = 20
	for range count {
		b.enqueue(t, job.EnqueueParams{Type: "it"})
	}
	h := newBlocking()
	p := start(t, worker.Config{Concurrency: 8, DeadAfter: time.Second}, worker.Deps{Runs: b.runs, Handlers: worker.Table{"it": handle(h.do)}})
	for range 8 {
		receive(t, h.started)
	}
	name, err := db.Get[string](t.Context(), b.d.Owner, "database", `SELECT current_database()::text`)
	require.NoError(t, err)
	admin := dbtest.Connect(t, dbtest.WithDatabase(b.d.URL, "postgres"))
	_, err = admin.Exec(t.Context(), `ALTER DATABASE `+name+` ALLOW_CONNECTIONS false`)
	require.NoError(t, err)
	_, err = admin.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, name)
	require.NoError(t, err)

	for range count { // the eight finish while the database is away
		h.release <- nil
	}
	p.wait(t, worker.Failing, func(e worker.Event) bool { return e.Task == "record" })
	p.wait(t, worker.Failing, func(e worker.Event) bool { return e.Task == "claim" })
	_, err = admin.Exec(t.Context(), `ALTER DATABASE `+name+` ALLOW_CONNECTIONS true`)
	require.NoError(t, err)
	for range count {
		require.Equal(t, job.Done, p.wait(t, worker.Ended, nil).Status)
	}
	type sum struct{ Done, Attempts int }
	got, err := db.Get[sum](b.ctx, b.d.Owner, "job", `SELECT count(*) FILTER (WHERE status = 'done') AS done, sum(attempts) AS attempts FROM jobs`)
	require.NoError(t, err)
	require.Equal(t, sum{count, count}, got)
	require.Len(t, h.started, count-8)
}
