package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/job"
	"stackforge/tenant"
	"stackforge/worker"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// patience bounds every wait of these tests; nothing waits for that long when it works.
const patience = 20 * time.Second

// bundle is a database with one tenant and the means to run workers on it.
type bundle struct {
	d    *dbtest.DB
	ctx  context.Context //nolint:containedctx // acts for the tenant
	jobs *job.Repo
	runs *job.Runs
}

func setup(t testing.TB) bundle {
	t.Helper()

	d := dbtest.New(t)
	return bundle{
		d: d, ctx: tenant.With(t.Context(), dbtest.Tenant(t, d)),
		jobs: job.New(d.API), runs: job.NewRuns(d.Worker),
	}
}

func (b bundle) enqueue(t testing.TB, p job.EnqueueParams) job.Job {
	t.Helper()

	j, _, err := b.jobs.Enqueue(b.ctx, p)
	require.NoError(t, err)
	return j
}

func (b bundle) get(t testing.TB, id int64) job.Job {
	t.Helper()

	j, err := b.jobs.Get(b.ctx, id)
	require.NoError(t, err)
	return j
}

// process is a worker that runs until stop, or the end of the test.
type process struct {
	*worker.Worker
	events chan worker.Event
	stop   func() error
}

// start runs a worker whose polling is quick.
func start(t testing.TB, c worker.Config, d worker.Deps) *process {
	t.Helper()

	p := &process{events: make(chan worker.Event, 100_000)}
	c.Hook = func(e worker.Event) { p.events <- e }
	if c.Poll == 0 {
		c.Poll = 20 * time.Millisecond
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 50 * time.Millisecond
	}
	if d.Payloads == nil { // else the test reads the log
		d.Log = zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)
	}
	p.Worker = worker.New(c, d)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	p.stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(patience):
			return errors.New("the worker does not stop")
		}
	})
	t.Cleanup(func() { require.NoError(t, p.stop()) })
	return p
}

// wait returns the next event of a kind that fits.
func (p *process) wait(t testing.TB, kind worker.EventKind, fits func(worker.Event) bool) worker.Event {
	t.Helper()

	timeout := time.After(patience)
	for {
		select {
		case e := <-p.events:
			if e.Kind == kind && (fits == nil || fits(e)) {
				return e
			}
		case <-timeout:
			require.FailNow(t, "the worker did not tell", "event %q", kind)
		}
	}
}

// ended waits for the end of a run of a job.
func (p *process) ended(t testing.TB, id int64) worker.Event {
	t.Helper()

	return p.wait(t, worker.Ended, func(e worker.Event) bool { return e.Job.ID == id })
}

func handle(do func(ctx context.Context, r *worker.Run) (any, error)) worker.Handler {
	return worker.Handler{Do: do}
}

func nothing(context.Context, *worker.Run) (any, error) { return nil, nil }

func receive[T any](t testing.TB, ch <-chan T) T {
	t.Helper()

	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		require.FailNow(t, "nothing came")
		panic("unreachable")
	}
}

func TestEachJobOnce(t *testing.T) {
	t.Parallel()

	b := setup(t)
	const count = 1000
	params := make([]job.EnqueueParams, count)
	for i := range params {
		params[i] = job.EnqueueParams{Type: "count"}
	}
	_, err := b.jobs.EnqueueMany(b.ctx, params, false)
	require.NoError(t, err)

	var ran sync.Map
	var twice, total atomic.Int64
	all := make(chan struct{})
	table := worker.Table{"count": handle(func(_ context.Context, r *worker.Run) (any, error) {
		if _, again := ran.LoadOrStore(r.Job.ID, true); again {
			twice.Add(1)
		}
		if total.Add(1) == count {
			close(all)
		}
		return nil, nil
	})}
	var workers []*process
	for range 4 {
		h := b.d.Open(t, db.Config{Role: db.RoleWorker})
		workers = append(workers, start(t, worker.Config{}, worker.Deps{Runs: job.NewRuns(h), Handlers: table}))
	}
	receive(t, all)
	for _, w := range workers {
		require.NoError(t, w.stop())
	}
	require.Zero(t, twice.Load())
	type sum struct {
		Attempts, Done, Left, Workers int
	}
	got, err := db.Get[sum](b.ctx, b.d.Owner, "job", `
		SELECT sum(attempts) AS attempts, count(*) FILTER (WHERE status = 'done') AS done, count(*) FILTER (WHERE status <> 'done') AS left,
		       (SELECT count(*) FROM job_workers) AS workers
		FROM jobs`)
	require.NoError(t, err)
	require.Equal(t, sum{Attempts: count, Done: count}, got)
}

func TestOrder(t *testing.T) {
	t.Parallel()

	b := setup(t)
	for _, priority := range []int{10, 100, -5, 50} {
		b.enqueue(t, job.EnqueueParams{Type: "note", Priority: &priority})
	}
	later := time.Now().Add(time.Hour)
	top := 1000
	future := b.enqueue(t, job.EnqueueParams{Type: "note", Priority: &top, RunAt: &later})
	order := make(chan int, 10)
	p := start(t, worker.Config{Concurrency: 1}, worker.Deps{Runs: b.runs, Handlers: worker.Table{
		"note": handle(func(_ context.Context, r *worker.Run) (any, error) { order <- r.Job.Priority; return nil, nil }),
	}})
	var got []int
	for range 4 {
		got = append(got, receive(t, order))
	}
	require.Equal(t, []int{100, 50, 10, -5}, got)
	p.wait(t, worker.Claimed, func(e worker.Event) bool { return e.Count == 0 })
	j := b.get(t, future.ID)
	require.Equal(t, job.Pending, j.Status)
	require.Zero(t, j.Attempts)
}

func TestOneAtATime(t *testing.T) {
	t.Parallel()

	b := setup(t)
	for range 12 {
		b.enqueue(t, job.EnqueueParams{Type: "slow"})
	}
	var now, most atomic.Int64
	done := make(chan struct{}, 12)
	gate := make(chan struct{})
	start(t, worker.Config{Concurrency: 4}, worker.Deps{Runs: b.runs, Handlers: worker.Table{
		"slow": handle(func(context.Context, *worker.Run) (any, error) {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			if n == 4 {
				gate <- struct{}{} // four run at once: let them go
			}
			<-gate
			now.Add(-1)
			done <- struct{}{}
			return nil, nil
		}),
	}})
	receive(t, gate)
	close(gate)
	for range 12 {
		receive(t, done)
	}
	require.EqualValues(t, 4, most.Load())
}

func TestBackoff(t *testing.T) {
	t.Parallel()

	b := setup(t)
	j := b.enqueue(t, job.EnqueueParams{Type: "fail"})
	p := start(t, worker.Config{}, worker.Deps{Runs: b.runs, Handlers: worker.Table{
		"fail": handle(func(_ context.Context, r *worker.Run) (any, error) { return nil, fmt.Errorf("boom %d", r.Job.Attempts) }),
	}})
	for attempt := 1; attempt <= 4; attempt++ {
		require.Equal(t, job.Pending, p.ended(t, j.ID).Status)
		got := b.get(t, j.ID)
		require.Equal(t, attempt, got.Attempts)
		require.Equal(t, fmt.Sprintf("boom %d", attempt), *got.LastError)
		// updated_at is taken by the same statement as the start of the delay.
		base := 2 * time.Second << (attempt - 1)
		delay := got.RunAt.Sub(got.UpdatedAt)
		require.InDelta(t, float64(base+min(base/20, time.Second/2)), float64(delay), float64(min(base/20, time.Second/2)+50*time.Millisecond), "attempt %d: %s", attempt, delay)
		b.d.Exec(t, `UPDATE jobs SET run_at = now() WHERE id = $1`, j.ID)
	}
	require.Equal(t, job.Failed, p.ended(t, j.ID).Status)
	got := b.get(t, j.ID)
	require.Equal(t, 5, got.Attempts)
	require.Equal(t, job.ReasonExhausted, *got.Reason)
	require.Equal(t, "boom 5", *got.LastError)
	require.NotNil(t, got.FinishedAt)
}

func TestEnds(t *testing.T) {
	t.Parallel()

	one := 1
	for _, c := range []struct {
		name      string
		handler   worker.Handler
		max       *int
		status    job.Status
		reason    string
		lastError string
		result    string
	}{
		{
			name:    "a result is kept",
			handler: handle(func(context.Context, *worker.Run) (any, error) { return map[string]any{"n": 1}, nil }),
			status:  job.Done, result: `{"n": 1}`,
		},
		{name: "no result is none", handler: handle(nothing), status: job.Done},
		{
			name:    "an error that cannot pass fails at once",
			handler: handle(func(context.Context, *worker.Run) (any, error) { return nil, errs.Field("to", "Wrong.") }),
			status:  job.Failed, reason: job.ReasonPermanent, lastError: "to: Wrong.",
		},
		{
			name:    "an error that may pass is tried again",
			handler: handle(func(context.Context, *worker.Run) (any, error) { return nil, errs.New(errs.Unavailable, "Later.") }),
			status:  job.Pending, lastError: "Later.",
		},
		{
			name:    "the job's own number of attempts counts",
			handler: handle(func(context.Context, *worker.Run) (any, error) { return nil, errors.New("boom") }),
			max:     &one, status: job.Failed, reason: job.ReasonExhausted, lastError: "boom",
		},
		{
			name:    "a panic is tried again",
			handler: handle(func(context.Context, *worker.Run) (any, error) { panic("ouch") }),
			status:  job.Pending, lastError: "panicked: ouch",
		},
		{
			name: "a run has a deadline",
			handler: worker.Handler{Timeout: 10 * time.Millisecond, Do: func(ctx context.Context, _ *worker.Run) (any, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}},
			status: job.Pending, lastError: "The job ran longer than 10ms.",
		},
		{
			name:    "a result that PostgreSQL cannot store fails the job",
			handler: handle(func(context.Context, *worker.Run) (any, error) { return "\x00", nil }),
			status:  job.Failed, reason: job.ReasonPermanent, lastError: "The outcome of the job could not be recorded.",
		},
		{
			name:    "a result that is no JSON fails the job",
			handler: handle(func(context.Context, *worker.Run) (any, error) { return make(chan int), nil }),
			status:  job.Failed, reason: job.ReasonPermanent, lastError: "The result cannot be written as JSON: json: unsupported type: chan int",
		},
		{
			name:    "a text that PostgreSQL cannot store is mended",
			handler: handle(func(context.Context, *worker.Run) (any, error) { return nil, errors.New("a\x00b\xff") }),
			status:  job.Pending, lastError: "a\uFFFDb\uFFFD",
		},
		{name: "an unknown type fails at once", status: job.Failed, reason: job.ReasonNoHandler, lastError: `no handler for type "it"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()

			b := setup(t)
			j := b.enqueue(t, job.EnqueueParams{Type: "it", MaxAttempts: c.max})
			table := worker.Table{}
			if c.handler.Do != nil {
				table["it"] = c.handler
			}
			p := start(t, worker.Config{}, worker.Deps{Runs: b.runs, Handlers: table})
			require.Equal(t, c.status, p.ended(t, j.ID).Status)
			got := b.get(t, j.ID)
			require.Equal(t, c.status, got.Status)
			require.Equal(t, 1, got.Attempts)
			require.Equal(t, c.reason, value(got.Reason))
			require.Equal(t, c.lastError, value(got.LastError))
			require.Equal(t, c.result, string(got.Result))
			require.Equal(t, c.status != job.Pending, got.FinishedAt != nil)
		})
	}
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func TestScopeOfRun(t *testing.T) {
	t.Parallel()

	b := setup(t)
	j := b.enqueue(t, job.EnqueueParams{Type: "who", Payload: json.RawMessage(`{"a":1}`)})
	got := make(chan context.Context, 1)
	start(t, worker.Config{}, worker.Deps{Runs: b.runs, Handlers: worker.Table{
		"who": handle(func(ctx context.Context, r *worker.Run) (any, error) { got <- ctx; return nil, r.Progress(ctx, 40) }),
	}})
	ctx := receive(t, got)
	scope, err := tenant.From(ctx)
	require.NoError(t, err)
	require.Equal(t, tenant.Scope{TenantID: j.TenantID, Scopes: []string{"*"}}, scope)
	require.Regexp(t, fmt.Sprintf(`^job-%d-\d+$`, j.ID), tenant.RequestID(ctx))
	_, ok := ctx.Deadline()
	require.True(t, ok)
}

// busy is an error of a provider that says when to come back.
type busy struct{ after time.Duration }

func (busy) Error() string               { return "busy" }
func (b busy) RetryAfter() time.Duration { return b.after }

func TestRetryAfter(t *testing.T) {
	t.Parallel()

	for _, c := range []struct{ after, want time.Duration }{
		{time.Minute, time.Minute}, {48 * time.Hour, time.Hour}, {time.Millisecond, 2 * time.Second},
	} {
		t.Run(c.after.String(), func(t *testing.T) {
			t.Parallel()

			b := setup(t)
			j := b.enqueue(t, job.EnqueueParams{Type: "it"})
			p := start(t, worker.Config{}, worker.Deps{Runs: b.runs, Handlers: worker.Table{
				"it": handle(func(context.Context, *worker.Run) (any, error) { return nil, fmt.Errorf("ask: %w", busy{c.after}) }),
			}})
			p.ended(t, j.ID)
			got := b.get(t, j.ID)
			require.Equal(t, "ask: busy", *got.LastError)
			require.InDelta(t, c.want, got.RunAt.Sub(got.UpdatedAt), float64(300*time.Millisecond))
		})
	}
}

func TestTypes(t *testing.T) {
	t.Parallel()

	b := setup(t)
	other := b.enqueue(t, job.EnqueueParams{Type: "other"})
	mine := b.enqueue(t, job.EnqueueParams{Type: "mine"})
	p := start(t, worker.Config{Types: []string{"mine"}}, worker.Deps{Runs: b.runs, Handlers: worker.Table{"mine": handle(nothing)}})
	p.ended(t, mine.ID)
	p.wait(t, worker.Claimed, func(e worker.Event) bool { return e.Count == 0 })
	require.Equal(t, job.Pending, b.get(t, other.ID).Status)
}

func TestWake(t *testing.T) {
	t.Parallel()

	b := setup(t)
	wake := make(chan struct{})
	nudges := make(chan string, 1000)
	p := start(t, worker.Config{Poll: time.Hour}, worker.Deps{
		Runs: b.runs, Handlers: worker.Table{"it": handle(nothing)}, Wake: wake,
		Nudge: func(channel string) { nudges <- channel },
	})
	p.wait(t, worker.Claimed, nil) // the poll of the start is over
	for range 5 {
		j := b.enqueue(t, job.EnqueueParams{Type: "it"})
		wake <- struct{}{}
		require.Equal(t, job.Done, p.ended(t, j.ID).Status)
		require.Equal(t, worker.ChannelEvents, receive(t, nudges)) // it runs
		require.Equal(t, worker.ChannelEvents, receive(t, nudges)) // it is done
	}
}
