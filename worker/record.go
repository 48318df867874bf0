package worker

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"stackforge/errs"
	"stackforge/repo/job"
)

// outcomeKind is how a run ended.
type outcomeKind int

const (
	successes outcomeKind = iota // done
	retries                      // pending again, or failed when the attempts are used up
	failures                     // failed for good
	releases                     // pending again, with the attempt given back
	drops                        // nothing to record: the lease was taken back
)

// outcome is the end of a run that is not recorded yet.
type outcome struct {
	run     *Run
	kind    outcomeKind
	result  json.RawMessage
	text    string // last_error
	reason  string // of failures
	delay   time.Duration
	elapsed time.Duration
}

// outcomes are the ends that wait for the database.
type outcomes struct {
	mu     sync.Mutex
	list   []outcome
	signal chan struct{}
}

func (q *outcomes) add(o outcome) {
	q.mu.Lock()
	q.list = append(q.list, o)
	n := len(q.list)
	q.mu.Unlock()
	if n == 1 || n == maxBatch {
		notify(q.signal)
	}
}

// take returns up to maxBatch outcomes, the oldest first.
func (q *outcomes) take() []outcome {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.list), maxBatch)
	out := q.list[:n:n]
	q.list = q.list[n:]
	if len(q.list) == 0 {
		q.list = nil
	}
	return out
}

func (q *outcomes) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.list)
}

const (
	maxBatch = 500                  // ends recorded by one statement
	linger   = 5 * time.Millisecond // an end waits at most this long for others, and not at all after a pause
)

// record writes outcomes until ctx ends: at once when none was written for a while, else together with those of the next
// milliseconds. While the database is away they wait; nothing is lost as long as the process lives.
func (w *Worker) record(ctx context.Context) {
	var last time.Time
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		if w.outcomes.len() == 0 {
			select {
			case <-ctx.Done():
				return
			case <-w.outcomes.signal:
			}
			continue
		}
		if rest := linger - time.Since(last); rest > 0 && w.outcomes.len() < maxBatch {
			pause.Reset(rest)
			select {
			case <-ctx.Done():
			case <-w.outcomes.signal:
			case <-pause.C:
			}
			if w.outcomes.len() < maxBatch && time.Since(last) < linger && ctx.Err() == nil {
				continue
			}
		}
		batch := w.outcomes.take()
		last = time.Now()
		w.write(ctx, batch)
		if ctx.Err() != nil {
			return
		}
	}
}

// write records a batch, one statement for each kind of end.
func (w *Worker) write(ctx context.Context, batch []outcome) {
	var kinds [drops + 1][]outcome
	for _, o := range batch {
		kinds[o.kind] = append(kinds[o.kind], o)
	}
	for kind, list := range kinds {
		if len(list) == 0 {
			continue
		}
		if outcomeKind(kind) == drops {
			w.ended(list, nil, ChannelEvents)
			continue
		}
		w.persist(ctx, list)
	}
}

// persist records outcomes of one kind. It tries for ever while the database is away or not in order. When the data of
// one spoils the statement, each is recorded alone, and the one that cannot be becomes a failure.
func (w *Worker) persist(ctx context.Context, list []outcome) {
	var failed backoff
	for {
		statuses, err := w.send(context.WithoutCancel(ctx), list)
		switch {
		case err == nil:
			channel := ChannelEvents
			if list[0].kind == releases {
				channel = ChannelReady
			}
			w.ended(list, statuses, channel)
			return
		case !spoiled(err):
			w.failing(&failed, "record", err)
			failed.wait(ctx)
			if ctx.Err() != nil {
				return
			}
		case len(list) > 1:
			for i := range list {
				w.persist(ctx, list[i:i+1])
			}
			return
		case list[0].kind == failures && list[0].text == unrecordable:
			// Nothing more can be said to the database; the next heartbeats find the run and release it.
			list[0].run.Log.Error().Err(err).AnErr("cause", cause(err)).Msg("worker: end of the run is given up")
			w.ended(list, nil, ChannelEvents)
			return
		default:
			list[0].run.Log.Error().Err(err).AnErr("cause", cause(err)).Msg("worker: end of the run cannot be recorded")
			list = []outcome{{run: list[0].run, kind: failures, reason: job.ReasonPermanent, text: unrecordable, elapsed: list[0].elapsed}}
		}
	}
}

const unrecordable = "The outcome of the job could not be recorded."

// spoiled reports whether the statement failed for the data it was given, so that it would fail again.
func spoiled(err error) bool { return errs.Is(err, errs.Validation) || errs.Is(err, errs.TooLarge) }

// send records outcomes of one kind and returns the statuses of the jobs whose run ended by it.
func (w *Worker) send(ctx context.Context, list []outcome) (map[int64]job.Status, error) {
	switch list[0].kind {
	case successes:
		runs := make([]job.Success, len(list))
		for i, o := range list {
			runs[i] = job.Success{Lease: o.run.lease, Result: o.result}
		}
		ids, err := w.deps.Runs.Complete(ctx, runs)
		return all(ids, job.Done), err
	case failures:
		runs := make([]job.Failure, len(list))
		for i, o := range list {
			runs[i] = job.Failure{Lease: o.run.lease, Error: clean(o.text), Reason: o.reason}
		}
		ids, err := w.deps.Runs.Fail(ctx, runs)
		return all(ids, job.Failed), err
	case retries:
		runs := make([]job.Again, len(list))
		for i, o := range list {
			runs[i] = job.Again{Lease: o.run.lease, Error: clean(o.text), Delay: o.delay}
		}
		ended, err := w.deps.Runs.Retry(ctx, runs, w.cfg.MaxAttempts)
		statuses := make(map[int64]job.Status, len(ended))
		for _, e := range ended {
			statuses[e.ID] = e.Status
		}
		return statuses, err
	case releases:
		leases, ids := make([]job.Lease, len(list)), make([]int64, len(list))
		for i, o := range list {
			leases[i], ids[i] = o.run.lease, o.run.lease.ID
		}
		_, err := w.deps.Runs.Release(ctx, leases)
		return all(ids, job.Pending), err
	case drops:
	}
	return map[int64]job.Status{}, nil
}

func all(ids []int64, status job.Status) map[int64]job.Status {
	out := make(map[int64]job.Status, len(ids))
	for _, id := range ids {
		out[id] = status
	}
	return out
}

// ended tells of recorded ends and forgets their runs.
func (w *Worker) ended(list []outcome, statuses map[int64]job.Status, channel string) {
	w.deps.Nudge(ChannelEvents)
	if w.deps.Webhooks != nil {
		w.deps.Webhooks.Wake() // the ends of jobs may be in the outbox now
	}
	if channel != ChannelEvents {
		w.deps.Nudge(channel)
	}
	runs := make([]*Run, len(list))
	for i, o := range list {
		runs[i] = o.run
	}
	w.settle(runs)
	for _, o := range list {
		e := Event{Kind: Ended, Job: o.run.lease, Type: o.run.Job.Type, Status: statuses[o.run.lease.ID], Elapsed: o.elapsed}
		if e.Status == "" {
			e.Kind = Refused
			o.run.Log.Warn().Msg("worker: end of the run does not count: its lease is over, or it was recorded before the connection broke")
		}
		w.cfg.Hook(e)
	}
}
