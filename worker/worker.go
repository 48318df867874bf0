// Package worker runs jobs: it claims those that are due, runs each with a deadline as its tenant, and records how it
// ended. docs/jobs.md has the states, the promises and how to add a job type.
//
// A job runs at least once. A run that ended is recorded under its lease, so that of two runs of one job (a worker that
// seemed dead was not) only the one that holds the lease counts.
package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"stackforge/repo/job"
)

// Config says how a worker works. Zero values take the defaults named here.
type Config struct {
	Name             string        // of the process, for people; default host and process id
	Concurrency      int           // runs at a time; default 16
	Types            []string      // claims only jobs of these types; default all
	Poll             time.Duration // looks for due jobs at least this often; default 1 s
	MaxAttempts      int           // of a job that sets none of its own; default 5
	BackoffBase      time.Duration // delay after the first failure, doubled with each further one; default 2 s
	Heartbeat        time.Duration // between two signs of life; default 5 s
	DeadAfter        time.Duration // a worker silent for longer is dead and its runs are rescued; default 20 s
	StaleMinutes     int           // age at which runs outside of any worker process are taken back; default 10
	ShutdownGrace    time.Duration // running jobs may finish within it after the stop; default 10 s
	EventRetention   time.Duration // job events are kept for at least this long; default 7 days
	ArchiveRetention time.Duration // months of the archive of jobs are kept for at least this long; default for ever
	Hook             func(Event)   // is told what the worker does, from many goroutines; must not block. Default none
}

func (c *Config) defaults() {
	if c.Name == "" {
		host, _ := os.Hostname() // without one the process id must do
		c.Name = fmt.Sprintf("%s:%d", host, os.Getpid())
	}
	c.Concurrency = or(c.Concurrency, 16)
	c.Poll = or(c.Poll, time.Second)
	c.MaxAttempts = or(c.MaxAttempts, 5)
	c.BackoffBase = or(c.BackoffBase, 2*time.Second)
	c.Heartbeat = or(c.Heartbeat, 5*time.Second)
	c.DeadAfter = or(c.DeadAfter, 20*time.Second)
	c.StaleMinutes = or(c.StaleMinutes, 10)
	c.ShutdownGrace = or(c.ShutdownGrace, 10*time.Second)
	c.EventRetention = or(c.EventRetention, 7*24*time.Hour)
	if c.Hook == nil {
		c.Hook = func(Event) {}
	}
}

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// Deps is what a worker works with.
type Deps struct {
	Runs     Runs
	Files    fileKeeper // cleans up files; nil: another process does
	Handlers Table
	Log      zerolog.Logger
	Payloads payloadOpener    // decrypts payloads; nil: jobs with an encrypted one fail
	Queues   queueMaintainer  // keeps the partitions of message queues; nil: another process does
	Search   searchMaintainer // keeps the search up to date; nil: another process does
	Webhooks dispatcher       // sends what the outbox holds; nil: another process does
	Wake     <-chan struct{}  // a value says that jobs may be due; nil: only polling finds them
	Nudge    func(channel string)
}

type payloadOpener interface {
	Open(ctx context.Context, j job.Job) (json.RawMessage, error)
}

// Channels that Nudge is called with, after the commit of what they tell of. Nudge must not block.
const (
	ChannelEvents = "job_events" // jobs have changed
	ChannelReady  = "jobs_ready" // jobs became due
)

// EventKind is what an Event tells.
type EventKind string

// The kinds of events.
const (
	Beat       EventKind = "beat"       // a heartbeat was recorded; Count is the runs in hand
	Claimed    EventKind = "claimed"    // Count jobs were claimed, perhaps 0
	Started    EventKind = "started"    // a run begins
	Ended      EventKind = "ended"      // a run's end is recorded; Status is the job's
	Refused    EventKind = "refused"    // a run's end did not count: its lease was taken back
	Lost       EventKind = "lost"       // a run was told to stop because its lease was taken back
	Rescued    EventKind = "rescued"    // Count runs of dead workers were taken back
	Maintained EventKind = "maintained" // a tick of Task was run by this worker
	Failing    EventKind = "failing"    // the database did not answer; Task says what was tried
)

// Event is something a worker did, for metrics and tests.
type Event struct {
	Kind    EventKind
	Job     job.Lease
	Type    string        // of the job
	Status  job.Status    // of the job after the end of a run
	Waited  time.Duration // of a started run: since the job was due, by this machine's clock
	Elapsed time.Duration // of an ended run
	Count   int
	Task    string
}

// Runs is what a worker needs of repo/job.
type Runs interface {
	claimer
	ender
	keeper
	scheduled
}

type claimer interface {
	Claim(ctx context.Context, workerID uuid.UUID, types []string, n int) ([]job.Job, error)
}

type ender interface {
	Complete(ctx context.Context, runs []job.Success) ([]int64, error)
	Fail(ctx context.Context, runs []job.Failure) ([]int64, error)
	Progress(ctx context.Context, run job.Lease, percent int) error
	Release(ctx context.Context, runs []job.Lease) (int64, error)
	Retry(ctx context.Context, runs []job.Again, maxAttempts int) ([]job.Ended, error)
}

type keeper interface {
	Heartbeat(ctx context.Context, b job.Beat) error
	Held(ctx context.Context, workerID uuid.UUID) ([]job.Lease, error)
	Leave(ctx context.Context, workerID uuid.UUID) error
	RecoverStale(ctx context.Context, minutes int) (int, error)
	Rescue(ctx context.Context, deadAfter time.Duration) (int, error)
}

// Worker runs jobs. Make one with New and call Run once.
type Worker struct {
	cfg  Config
	deps Deps
	id   uuid.UUID
	log  zerolog.Logger

	freed chan struct{} // a slot became free, or an outcome was recorded
	wake  chan struct{} // jobs may be due
	alive chan struct{} // closed by the first heartbeat: claims of a worker nobody knows would be rescued at once

	outcomes outcomes

	mu   sync.Mutex
	runs map[int64]*Run // by lease: running, or ended and not yet recorded
	busy int            // how many of them are running
}

// New returns a Worker. Nothing happens before Run.
func New(c Config, d Deps) *Worker {
	c.defaults()
	if d.Nudge == nil {
		d.Nudge = func(string) {}
	}
	id := uuid.New()
	return &Worker{
		cfg: c, deps: d, id: id,
		log:      d.Log.With().Str("worker", c.Name).Logger(),
		freed:    make(chan struct{}, 1),
		wake:     make(chan struct{}, 1),
		alive:    make(chan struct{}),
		outcomes: outcomes{signal: make(chan struct{}, 1)},
		runs:     map[int64]*Run{},
	}
}

// ID returns the id of the worker process, as in jobs.worker_id.
func (w *Worker) ID() uuid.UUID { return w.id }

// Run works until ctx ends, then stops: it claims no more, lets running jobs finish within the grace, cancels the rest
// and puts them back as pending, and returns when everything is recorded. The error says how many ends could not be
// recorded because the database was away; other workers rescue those runs.
func (w *Worker) Run(ctx context.Context) error {
	// What the stop itself does must outlive ctx.
	work := context.WithoutCancel(ctx)
	runs, cancelRuns := context.WithCancelCause(work)
	defer cancelRuns(nil)
	support, stopSupport := context.WithCancel(work)
	defer stopSupport()

	var helpers sync.WaitGroup
	helpers.Go(func() { w.keepAlive(support) })
	helpers.Go(func() { w.relay(ctx) })
	helpers.Go(func() { w.maintain(ctx) })
	if w.deps.Webhooks != nil {
		helpers.Go(func() { w.deps.Webhooks.Run(ctx) })
	}
	recorder := make(chan struct{})
	go func() { defer close(recorder); w.record(support) }()

	w.log.Info().Int("concurrency", w.cfg.Concurrency).Stringer("workerId", w.id).Msg("worker: started")
	w.claimLoop(ctx, work, runs)
	w.log.Info().Int("running", w.running()).Msg("worker: stopping")
	err := w.stop(work, cancelRuns)

	stopSupport()
	<-recorder
	helpers.Wait()
	if lerr := w.leave(work); lerr != nil {
		w.log.Warn().Err(lerr).Msg("worker: leave")
	}
	w.log.Info().Msg("worker: stopped")
	return err
}

// relay keeps a wake-up until the claim loop looks, whoever sends it and however.
func (w *Worker) relay(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-w.deps.Wake:
			if !ok {
				return
			}
			notify(w.wake)
		}
	}
}

// notify sets a flag: a channel of capacity one.
func notify(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// claimLoop claims jobs into free slots until ctx ends. A claim that got as many as it asked for is followed by another
// at once; otherwise it waits for a wake-up or the poll.
func (w *Worker) claimLoop(ctx, work, runs context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-w.alive:
	}
	poll := time.NewTimer(0)
	defer poll.Stop()
	var failed backoff
	due := false // jobs may be due
	for {
		n := w.free()
		if due && n > 0 && n < w.enough() {
			w.gather(ctx)
			n = w.free()
		}
		if due && n > 0 && ctx.Err() == nil {
			jobs, err := w.deps.Runs.Claim(work, w.id, w.cfg.Types, n)
			if err != nil {
				w.failing(&failed, "claim", err)
				failed.wait(ctx)
				continue
			}
			failed.reset()
			w.cfg.Hook(Event{Kind: Claimed, Count: len(jobs)})
			due = len(jobs) == n
			w.start(ctx, runs, jobs)
			poll.Reset(w.cfg.Poll)
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
			due = true
		case <-poll.C:
			due = true
			poll.Reset(w.cfg.Poll)
		case <-w.freed: // due and full: now there may be room
		}
	}
}

// gather waits a moment for more free slots while there is more to do than slots: claims of short jobs then take as many
// as there are slots, and cost a fraction. A long job's slot is idle for a millisecond.
func (w *Worker) gather(ctx context.Context) {
	pause := time.NewTimer(time.Millisecond)
	defer pause.Stop()
	for w.free() < w.enough() {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
			return
		case <-w.freed:
		}
	}
}

// enough is how many free slots are worth a claim at once.
func (w *Worker) enough() int { return max(1, w.cfg.Concurrency*3/4) }

// maxUnrecorded bounds the ends that wait for the database, and with them what has to run again after a crash.
const maxUnrecorded = 2000

// free returns how many jobs may be claimed.
func (w *Worker) free() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return min(w.cfg.Concurrency-w.busy, max(maxUnrecorded, w.cfg.Concurrency)-(len(w.runs)-w.busy))
}

func (w *Worker) running() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.busy
}

// start begins the runs of claimed jobs. When the stop came while they were claimed they go straight back.
func (w *Worker) start(ctx, runs context.Context, jobs []job.Job) {
	if len(jobs) == 0 {
		return
	}
	started := make([]*Run, len(jobs))
	w.mu.Lock()
	for i := range jobs {
		started[i] = w.newRun(runs, jobs[i])
		w.runs[started[i].lease.Lease] = started[i]
	}
	w.busy += len(started)
	w.mu.Unlock()
	w.deps.Nudge(ChannelEvents)
	for _, r := range started {
		if ctx.Err() != nil {
			w.finish(r, outcome{kind: releases})
			continue
		}
		go w.run(r)
	}
}

// finish frees the slot of a run and keeps its outcome until it is recorded.
func (w *Worker) finish(r *Run, o outcome) {
	r.cancel(nil)
	o.run = r
	o.elapsed = time.Since(r.began)
	w.mu.Lock()
	if !r.isOver {
		r.isOver = true
		w.busy--
		w.outcomes.add(o)
	}
	w.mu.Unlock()
	notify(w.freed)
}

// settle forgets runs whose outcome is recorded, refused or given up.
func (w *Worker) settle(runs []*Run) {
	w.mu.Lock()
	for _, r := range runs {
		delete(w.runs, r.lease.Lease)
	}
	w.mu.Unlock()
	notify(w.freed)
}

// stop waits for the running jobs, cancels those that take longer than the grace, puts back what is left, and waits
// until all outcomes are recorded.
func (w *Worker) stop(work context.Context, cancelRuns context.CancelCauseFunc) error {
	if w.quiet(work, w.cfg.ShutdownGrace, func() bool { return w.running() == 0 }) {
		return w.drain(work)
	}
	cancelRuns(errStopping)
	// A handler that heeds its context returns now; one that does not is left behind, and its end will not count.
	if !w.quiet(work, stopPatience, func() bool { return w.running() == 0 }) {
		w.mu.Lock()
		var stuck []*Run
		for _, r := range w.runs {
			if !r.isOver {
				stuck = append(stuck, r)
			}
		}
		w.mu.Unlock()
		for _, r := range stuck {
			w.log.Error().Str("type", r.Job.Type).Int64("job", r.Job.ID).Msg("worker: handler ignores its context and is left behind")
			w.finish(r, outcome{kind: releases})
		}
	}
	return w.drain(work)
}

const (
	stopPatience  = time.Second     // between the cancellation of a run and its release
	drainPatience = 5 * time.Second // for the database to take the last outcomes
)

// drain waits until every outcome is recorded.
func (w *Worker) drain(ctx context.Context) error {
	left := func() int {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.runs)
	}
	if w.quiet(ctx, drainPatience, func() bool { return left() == 0 }) {
		return nil
	}
	return fmt.Errorf("worker: the ends of %d runs could not be recorded; they will be rescued", left())
}

// quiet waits until is holds, at most for d; it reports whether it does.
func (w *Worker) quiet(ctx context.Context, d time.Duration, is func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for !is() {
		select {
		case <-ctx.Done():
			return is()
		case <-w.freed:
		}
	}
	return true
}

// failing tells of a database that does not answer: a warning for the first failure, then the error is only counted.
func (w *Worker) failing(b *backoff, task string, err error) {
	w.cfg.Hook(Event{Kind: Failing, Task: task})
	level := zerolog.DebugLevel
	if b.failures == 0 {
		level = zerolog.WarnLevel
	}
	w.log.WithLevel(level).Err(err).AnErr("cause", cause(err)).Msg("worker: " + task + " failed, trying again")
	b.failures++
}

// backoff waits longer after each failure: 100 ms doubled up to 5 s, with a jitter of a fifth.
type backoff struct{ failures int }

func (b *backoff) reset() { b.failures = 0 }

func (b *backoff) wait(ctx context.Context) {
	d := min(100*time.Millisecond<<min(max(b.failures-1, 0), 10), 5*time.Second)
	t := time.NewTimer(d + rand.N(d/5)) //nolint:gosec // jitter is no secret
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// resultJSON writes what a handler returned; nil is none.
func resultJSON(v any) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	return json.Marshal(v)
}
