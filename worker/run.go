package worker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"stackforge/errs"
	"stackforge/repo/job"
	"stackforge/tenant"
)

// Handler does the work of one job type.
type Handler struct {
	// Do does the work and returns the job's result: any value that encodes as JSON, nil for none. ctx ends at the
	// deadline, when the worker stops, and when the job is cancelled; it acts for the job's tenant. Do may run more than
	// once for a job. An error that errs.Retryable says cannot go away fails the job for good; others are tried again.
	Do func(ctx context.Context, r *Run) (any, error)
	// Timeout is the deadline of one run; default one minute.
	Timeout time.Duration
}

// Table is the handler of each job type.
type Table map[string]Handler

const defaultTimeout = time.Minute

// Why the context of a run ended.
var (
	errStopping = errors.New("the worker stops")
	errLost     = errors.New("the run is no longer the job's")
)

// Run is one run of a job, as its handler sees it.
type Run struct {
	Job job.Job
	Log zerolog.Logger // names the job and the request

	w      *Worker
	lease  job.Lease
	began  time.Time
	ctx    context.Context //nolint:containedctx // a run is the lifetime of this context
	cancel context.CancelCauseFunc
	isOver bool    // its slot is free; guarded by Worker.mu
	secret *secret // of a payload that came encrypted; nil for others
}

// Progress records how far the run is, in percent, where subscribers see it. It is errs.Validation outside 0 to 100, and
// errs.Conflict when the job was cancelled or taken back: then ctx has ended too.
func (r *Run) Progress(ctx context.Context, percent int) error {
	err := r.w.deps.Runs.Progress(ctx, r.lease, percent)
	switch {
	case errs.Is(err, errs.Conflict):
		r.cancel(errLost)
	case err == nil:
		r.w.deps.Nudge(ChannelEvents)
	}
	return err
}

func (w *Worker) newRun(ctx context.Context, j job.Job) *Run {
	r := &Run{Job: j, w: w, began: time.Now(), lease: job.Lease{ID: j.ID}}
	if j.LeaseID != nil {
		r.lease.Lease = *j.LeaseID
	}
	id := fmt.Sprintf("job-%d-%d", r.lease.ID, r.lease.Lease)
	r.Log = w.log.With().Int64("job", j.ID).Str("type", j.Type).Str("requestId", id).Logger()
	ctx = tenant.With(ctx, tenant.Scope{TenantID: j.TenantID, Scopes: []string{"*"}})
	r.ctx, r.cancel = context.WithCancelCause(tenant.WithRequestID(ctx, id))
	return r
}

// run runs a job to its end.
func (w *Worker) run(r *Run) {
	w.cfg.Hook(Event{Kind: Started, Job: r.lease, Type: r.Job.Type, Waited: time.Since(r.Job.RunAt)})
	h, ok := w.deps.Handlers[r.Job.Type]
	if !ok {
		w.finish(r, outcome{kind: failures, reason: job.ReasonNoHandler, text: fmt.Sprintf("no handler for type %q", r.Job.Type)})
		return
	}
	timeout := or(h.Timeout, defaultTimeout)
	ctx, cancel := context.WithTimeout(r.ctx, timeout)
	defer cancel()
	// A handler can end its goroutine: then this is all that runs.
	ended := false
	defer func() {
		if ended {
			return
		}
		p := recover()
		if p == nil {
			p = "the handler ended its goroutine"
		}
		text := r.secret.text(fmt.Sprint(p))
		r.Log.Error().Str("panic", text).Bytes("stack", debug.Stack()).Msg("worker: handler panicked")
		w.finish(r, w.again(r, "panicked: "+text, 0))
	}()
	var result any
	err := w.decrypt(ctx, r)
	if err == nil {
		result, err = h.Do(ctx, r)
	}
	o := w.judge(ctx, r, timeout, result, err)
	ended = true
	w.finish(r, o)
}

// decrypt puts the plaintext of an encrypted payload into the run, where it is for as long as that lasts.
func (w *Worker) decrypt(ctx context.Context, r *Run) error {
	if !r.Job.Redacted() {
		return nil
	}
	if w.deps.Payloads == nil {
		return errs.New(errs.NotImplemented, "The payload is encrypted, and this worker cannot decrypt.")
	}
	payload, err := w.deps.Payloads.Open(ctx, r.Job)
	if err == nil {
		r.Job.Payload, r.secret = payload, newSecret(payload)
	}
	return err
}

// judge says what becomes of a job whose handler returned.
func (w *Worker) judge(ctx context.Context, r *Run, timeout time.Duration, result any, err error) outcome {
	if err == nil {
		text, err := resultJSON(result)
		if err != nil {
			return outcome{kind: failures, reason: job.ReasonPermanent, text: r.secret.text("The result cannot be written as JSON: " + err.Error())}
		}
		return outcome{kind: successes, result: r.secret.result(text)}
	}
	shown, hidden := r.secret.shown(err)
	why := context.Cause(ctx)
	switch {
	case errors.Is(why, errStopping):
		return outcome{kind: releases}
	case errors.Is(why, errLost):
		return outcome{kind: drops}
	case errors.Is(why, context.DeadlineExceeded):
		r.Log.Warn().Dur("timeout", timeout).Msg("worker: job ran out of time")
		return w.again(r, fmt.Sprintf("The job ran longer than %s.", timeout), 0)
	case !errs.Retryable(err):
		r.Log.Info().Err(shown).AnErr("cause", hidden).Msg("worker: job failed for good")
		return outcome{kind: failures, reason: job.ReasonPermanent, text: shown.Error()}
	}
	r.Log.Warn().Err(shown).AnErr("cause", hidden).Int("attempt", r.Job.Attempts).Msg("worker: job failed")
	var later interface{ RetryAfter() time.Duration }
	var wait time.Duration
	if errors.As(err, &later) {
		wait = later.RetryAfter()
	}
	return w.again(r, shown.Error(), wait)
}

// again is the outcome of a run that is worth another one, not before wait.
func (w *Worker) again(r *Run, text string, wait time.Duration) outcome {
	return outcome{kind: retries, text: text, delay: min(max(w.backoff(r.Job.Attempts), wait), maxDelay)}
}

// maxDelay bounds the time between two runs of a job.
const maxDelay = time.Hour

// backoff is the delay after so many attempts: the base doubled with each attempt, and up to a tenth more (at most a
// second) so that jobs which failed together do not return together.
func (w *Worker) backoff(attempts int) time.Duration {
	d := w.cfg.BackoffBase
	for range attempts - 1 {
		if d *= 2; d >= maxDelay {
			return maxDelay
		}
	}
	if jitter := min(d/10, time.Second); jitter > 0 {
		d += rand.N(jitter) //nolint:gosec // jitter is no secret
	}
	return min(d, maxDelay)
}

// cause is what an error keeps for the log.
func cause(err error) error {
	if e, ok := errors.AsType[*errs.Error](err); ok {
		return e.Unwrap()
	}
	return nil
}

// clean makes a text that PostgreSQL takes.
func clean(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}
