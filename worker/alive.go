package worker

import (
	"context"
	"time"

	"stackforge/repo/job"
)

// keepAlive beats until ctx ends. With each beat it compares the runs in hand with those the database knows, and
// rescues the runs of dead workers.
func (w *Worker) keepAlive(ctx context.Context) {
	var (
		failed    backoff
		strange   map[job.Lease]bool // runs of ours that we know nothing of, seen at the last beat
		known     bool               // a beat has succeeded
		rescuable time.Time          // others are not judged before
	)
	for {
		err := w.deps.Runs.Heartbeat(ctx, job.Beat{WorkerID: w.id, Name: w.cfg.Name, Concurrency: w.cfg.Concurrency})
		if err == nil {
			strange, err = w.compare(ctx, strange)
		}
		if err == nil && time.Now().After(rescuable) {
			err = w.rescue(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			w.failing(&failed, "heartbeat", err)
			// Whoever could not beat while the database was away looks dead now and is not: give all of them the time to
			// beat again.
			rescuable = time.Now().Add(w.cfg.DeadAfter)
			failed.wait(ctx)
			continue
		}
		failed.reset()
		if !known {
			known = true
			close(w.alive)
		}
		w.cfg.Hook(Event{Kind: Beat, Count: w.running()})
		sleep(ctx, w.cfg.Heartbeat)
		if ctx.Err() != nil {
			return
		}
	}
}

// compare stops runs whose lease was taken back, and releases runs that are ours in the database only: those of a claim
// whose answer was lost. It returns such runs as they are seen first; at the next beat they cannot be on their way
// to us any more.
func (w *Worker) compare(ctx context.Context, seen map[job.Lease]bool) (map[job.Lease]bool, error) {
	// Runs that begin after this moment may be missing in the answer.
	w.mu.Lock()
	mine := make(map[job.Lease]*Run, len(w.runs))
	for _, r := range w.runs {
		if !r.isOver {
			mine[r.lease] = r
		}
	}
	w.mu.Unlock()
	held, err := w.deps.Runs.Held(ctx, w.id)
	if err != nil {
		return seen, err
	}
	strange := map[job.Lease]bool{}
	var orphans []job.Lease
	w.mu.Lock()
	for _, l := range held {
		delete(mine, l)
		if _, ok := w.runs[l.Lease]; ok {
			continue
		}
		if seen[l] {
			orphans = append(orphans, l)
		} else {
			strange[l] = true
		}
	}
	for _, r := range mine {
		if r.isOver { // and perhaps recorded, while we asked
			delete(mine, r.lease)
		}
	}
	w.mu.Unlock()
	for _, r := range mine {
		r.Log.Warn().Msg("worker: run is told to stop: its lease was taken back")
		r.cancel(errLost)
		w.cfg.Hook(Event{Kind: Lost, Job: r.lease, Type: r.Job.Type})
	}
	if len(orphans) > 0 {
		n, err := w.deps.Runs.Release(ctx, orphans)
		if err != nil {
			return seen, err
		}
		w.log.Warn().Int64("count", n).Msg("worker: released runs of a claim whose answer was lost")
		w.deps.Nudge(ChannelReady)
		w.deps.Nudge(ChannelEvents)
	}
	return strange, nil
}

func (w *Worker) rescue(ctx context.Context) error {
	n, err := w.deps.Runs.Rescue(ctx, w.cfg.DeadAfter)
	if err == nil && n > 0 {
		w.rescued(n)
	}
	return err
}

func (w *Worker) rescued(n int) {
	w.log.Warn().Int("count", n).Msg("worker: rescued the runs of dead workers")
	w.deps.Nudge(ChannelReady)
	w.deps.Nudge(ChannelEvents)
	notify(w.wake)
	w.cfg.Hook(Event{Kind: Rescued, Count: n})
}

// leave forgets the process, so that nobody waits for its next heartbeat.
func (w *Worker) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainPatience)
	defer cancel()
	return w.deps.Runs.Leave(ctx, w.id)
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
