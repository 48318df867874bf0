package worker

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/adhocore/gronx"

	"stackforge/repo/job"
)

// task is something to do at fixed times, once whatever the number of workers.
type task struct {
	name string
	cron string // in UTC
	do   func(ctx context.Context) (outcome string, err error)
}

type dropper interface {
	DropOldEvents(ctx context.Context, keep time.Duration) (int, error)
	DropOldIdempotencyKeys(ctx context.Context) (int64, error)
}

type maintainer interface {
	dropper
	EnsurePartitions(ctx context.Context) (int, error)
	FinishMaintenance(ctx context.Context, task string, tick time.Time, outcome string) error
	RefreshStats(ctx context.Context) error
	StartMaintenance(ctx context.Context, task string, tick time.Time) (bool, error)
}

type scheduled interface {
	maintainer
	retainer
}

type retainer interface {
	Archive(ctx context.Context) (int, error)
	CountFinished(ctx context.Context, all bool) (int, error)
	DeleteFailed(ctx context.Context) (int, error)
	DropOldPartitions(ctx context.Context, archive time.Duration) ([]string, error)
}

// tasks is the schedule. The workers keep it on every server, with pg_cron or without.
func (w *Worker) tasks() []task {
	r := w.deps.Runs
	list := []task{
		{"refresh_tenant_document_stats", "*/5 * * * *", func(ctx context.Context) (string, error) {
			return "ok", r.RefreshStats(ctx)
		}},
		{"recover_stale_jobs", "*/2 * * * *", func(ctx context.Context) (string, error) {
			n, err := w.recoverStale(ctx)
			return fmt.Sprintf("%d jobs", n), err
		}},
		{"count_finished_jobs", "*/5 * * * *", func(ctx context.Context) (string, error) {
			n, err := r.CountFinished(ctx, false)
			return fmt.Sprintf("%d types", n), err
		}},
		{"ensure_partitions", "*/10 * * * *", func(ctx context.Context) (string, error) {
			n, err := r.EnsurePartitions(ctx)
			if err != nil {
				return "", err
			}
			gone, err := r.DropOldPartitions(ctx, w.cfg.ArchiveRetention)
			return strings.TrimSpace(fmt.Sprintf("%d new, %d ended %s", n, len(gone), strings.Join(gone, " "))), err
		}},
		{"archive_jobs", "10 3 * * *", func(ctx context.Context) (string, error) {
			n, err := r.Archive(ctx)
			return fmt.Sprintf("%d jobs", n), err
		}},
		{"delete_failed_jobs", "20 3 * * *", func(ctx context.Context) (string, error) {
			n, err := r.DeleteFailed(ctx)
			w.log.Info().Int("jobs", n).Msg("worker: old failed jobs are deleted")
			return fmt.Sprintf("%d jobs", n), err
		}},
		{"recount_finished_jobs", "40 3 * * *", func(ctx context.Context) (string, error) {
			n, err := r.CountFinished(ctx, true)
			return fmt.Sprintf("%d types", n), err
		}},
		{"drop_old_events", "30 3 * * *", func(ctx context.Context) (string, error) {
			n, err := r.DropOldEvents(ctx, w.cfg.EventRetention)
			return fmt.Sprintf("%d days", n), err
		}},
		{"drop_old_idempotency_keys", "15 * * * *", func(ctx context.Context) (string, error) {
			n, err := r.DropOldIdempotencyKeys(ctx)
			return fmt.Sprintf("%d keys", n), err
		}},
	}
	if h := w.deps.Webhooks; h != nil {
		list = append(list, task{"expire_webhook_deliveries", "*/10 * * * *", func(ctx context.Context) (string, error) {
			n, err := h.Expire(ctx)
			return fmt.Sprintf("%d deliveries", n), err
		}}, task{"drop_old_webhooks", "40 * * * *", func(ctx context.Context) (string, error) {
			n, err := h.DropOld(ctx)
			return fmt.Sprintf("%d events", n), err
		}})
	}
	if w.deps.Queues != nil {
		list = append(list, task{"message_queues", "* * * * *", func(ctx context.Context) (string, error) {
			n, err := w.deps.Queues.Maintain(ctx)
			return fmt.Sprintf("%d partitions", n), err
		}})
	}
	if f := w.deps.Files; f != nil {
		list = append(list, task{"cleanup_files", "20 * * * *", func(ctx context.Context) (string, error) {
			n, err := f.EnqueueCleanup(ctx)
			return fmt.Sprintf("%d jobs", n), err
		}}, task{"clean_detached_files", "40 * * * *", func(ctx context.Context) (string, error) {
			n, err := f.CleanDetached(ctx)
			return fmt.Sprintf("%d files", n), err
		}})
	}
	return list
}

// queueMaintainer keeps the partitions of message queues.
type queueMaintainer interface {
	Maintain(ctx context.Context) (int, error)
}

// dispatcher sends the events of the outbox to whom they concern.
type dispatcher interface {
	DropOld(ctx context.Context) (int, error)
	Expire(ctx context.Context) (int, error)
	Run(ctx context.Context)
	Wake()
}

// fileKeeper is what the schedule needs of app.FileRetention.
type fileKeeper interface {
	CleanDetached(ctx context.Context) (int, error)
	EnqueueCleanup(ctx context.Context) (int64, error)
}

// searchMaintainer does one piece of what is waiting, and returns 0 when nothing is left.
type searchMaintainer interface {
	Maintain(ctx context.Context) (int, error)
}

// searchEvery is how often a worker looks for changes of documents whose words are not counted yet, searchPause the least time
// between two pieces of what waits: the words of many documents take hardly longer to count than those of one.
const (
	searchEvery = 2 * time.Second
	searchPause = 250 * time.Millisecond
)

// maintainSearch takes them up until ctx ends. Any number of workers may: one at a time does. It rests as long as it has worked,
// so that it leaves half a core to others however much there is to do.
func (w *Worker) maintainSearch(ctx context.Context) {
	for ctx.Err() == nil {
		start := time.Now()
		n, err := w.deps.Search.Maintain(ctx)
		if err != nil && ctx.Err() == nil {
			w.log.Warn().Err(err).AnErr("cause", cause(err)).Msg("worker: maintain search")
		}
		pause := max(searchPause, time.Since(start))
		if n == 0 {
			pause = searchEvery
		}
		sleep(ctx, pause)
	}
}

// recoverEvery is how often each worker looks for stale runs of its own accord.
const recoverEvery = time.Minute

// maintain keeps the schedule until ctx ends.
func (w *Worker) maintain(ctx context.Context) {
	var wg sync.WaitGroup
	for _, t := range w.tasks() {
		wg.Go(func() { w.keep(ctx, t) })
	}
	if w.deps.Search != nil {
		wg.Go(func() { w.maintainSearch(ctx) })
	}
	for ctx.Err() == nil {
		sleep(ctx, recoverEvery)
		if ctx.Err() != nil {
			break
		}
		if _, err := w.recoverStale(ctx); err != nil && ctx.Err() == nil {
			w.log.Warn().Err(err).AnErr("cause", cause(err)).Msg("worker: recover stale jobs")
		}
	}
	wg.Wait()
}

func (w *Worker) recoverStale(ctx context.Context) (int, error) {
	n, err := w.deps.Runs.RecoverStale(ctx, w.cfg.StaleMinutes)
	if err == nil && n > 0 {
		w.rescued(n)
	}
	return n, err
}

// keep runs the ticks of one task until ctx ends: first the last one that was due, which nobody may have run while all
// workers were down, then each as it comes.
func (w *Worker) keep(ctx context.Context, t task) {
	log := w.log.With().Str("task", t.name).Logger()
	tick, err := gronx.PrevTickBefore(t.cron, time.Now().UTC(), true)
	for err == nil && ctx.Err() == nil {
		if rerr := w.tick(ctx, t, tick); rerr != nil && ctx.Err() == nil {
			log.Error().Err(rerr).AnErr("cause", cause(rerr)).Msg("worker: scheduled task failed")
		}
		// Ticks that passed meanwhile are left out: all tasks do what is to be done now.
		if tick, err = gronx.NextTickAfter(t.cron, time.Now().UTC(), false); err == nil {
			sleep(ctx, time.Until(tick))
		}
	}
	if err != nil {
		log.Error().Err(err).Msg("worker: schedule")
	}
}

// tick runs a task's tick unless another worker does or did.
func (w *Worker) tick(ctx context.Context, t task, tick time.Time) error {
	mine, err := w.deps.Runs.StartMaintenance(ctx, t.name, tick)
	if err != nil || !mine {
		return err
	}
	text, err := t.do(ctx)
	if err != nil {
		text = "error: " + err.Error()
	}
	if ferr := w.deps.Runs.FinishMaintenance(context.WithoutCancel(ctx), t.name, tick, clean(text)); err == nil {
		err = ferr
	}
	w.cfg.Hook(Event{Kind: Maintained, Task: t.name})
	return err
}

var _ Runs = (*job.Runs)(nil)
