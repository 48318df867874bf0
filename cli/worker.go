package cli

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"stackforge/app"
	"stackforge/db"
	"stackforge/httpd"
	"stackforge/realtime"
	"stackforge/repo/dashboard"
	"stackforge/repo/file"
	"stackforge/repo/job"
	"stackforge/repo/message"
	"stackforge/repo/search"
	"stackforge/tracing"
	"stackforge/webhook"
	"stackforge/worker"
)

type workerCmd struct{}

// Run runs a worker until the context ends; then jobs under way get WORKER_SHUTDOWN_MS to finish and the rest go back.
func (workerCmd) Run(ctx context.Context, p *program) error {
	url, stop, err := p.database(ctx, false)
	if err != nil {
		return err
	}
	defer stop()
	if p.tracer, err = p.trace(ctx, issuer+"-worker"); err != nil {
		return err
	}
	defer p.tracer.Close(5 * time.Second)
	if _, err := p.store(ctx); err != nil {
		return err
	}
	m := httpd.NewMetrics(p.config.Log.SlowQuery)
	pool, err := p.openMeasured(ctx, url, db.RoleWorker, "web-jobs", m)
	if err != nil {
		return err
	}
	defer pool.Close(5 * time.Second)
	carrier, err := p.carrier(pool, url, db.RoleWorker, "web-jobs", worker.ChannelReady, webhook.Channel)
	if err != nil {
		return err
	}
	wake, hooks := newWaker(), newWaker()
	wakers := map[string]func(){worker.ChannelReady: wake.wake, webhook.Channel: hooks.wake}
	nudger := newNudger(p, carrier, wakers)
	w, err := p.worker(pool, m, wake, hooks, nudger)
	if err != nil {
		return err
	}

	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var support errgroup.Group
	support.Go(func() error { nudger.Run(background); return nil })
	support.Go(func() error {
		realtime.Listen(background, carrier, wakers)
		return nil
	})
	p.log.Info().Str("worker", w.ID().String()).Int("concurrency", p.config.Worker.Concurrency).Msg("worker is running")
	err = w.Run(ctx)
	cancel()
	_ = support.Wait() // it ends with its context
	return err
}

// waker wakes the worker of this process; a worker that is awake already need not be told.
type waker chan struct{}

func newWaker() waker { return make(waker, 1) }

func (w waker) wake() {
	select {
	case w <- struct{}{}:
	default:
	}
}

// worker puts a worker together.
func (p *program) worker(pool *db.DB, m *httpd.Metrics, wake, hooks waker, nudger *realtime.Nudger) (*worker.Worker, error) {
	runs := job.NewRuns(pool)
	files := p.workerFiles(pool)
	handlers, err := p.handlers(pool, runs, files)
	if err != nil {
		return nil, err
	}
	payloads, err := p.payloads(pool, m)
	if err != nil {
		return nil, err
	}
	c := p.config.Worker
	return worker.New(worker.Config{
		Concurrency: c.Concurrency, Poll: c.Poll, MaxAttempts: c.MaxAttempts, BackoffBase: c.BackoffBase, Heartbeat: c.Heartbeat,
		DeadAfter: 4 * c.Heartbeat, StaleMinutes: int(c.Stale / time.Minute), ShutdownGrace: c.Shutdown,
		EventRetention: p.config.Realtime.Retention, ArchiveRetention: p.config.Retention.Archive(), Hook: countJobs(m, handlers),
	}, worker.Deps{Runs: runs, Files: app.NewFileRetention(files, file.NewMaintenance(pool)), Handlers: p.traced(handlers), Log: p.log, Payloads: payloads, Queues: message.New(pool), Search: search.NewMaintenance(pool), Webhooks: p.dispatcher(pool, m, hooks), Wake: wake, Nudge: nudger.Nudge}), nil
}

// traced makes each run of a job a trace; without traces it is the table itself.
func (p *program) traced(handlers worker.Table) worker.Table {
	if p.tracer == nil {
		return handlers
	}
	out := make(worker.Table, len(handlers))
	for typ, h := range handlers {
		do := h.Do
		h.Do = func(ctx context.Context, r *worker.Run) (result any, err error) {
			err = p.tracer.Job(ctx, tracing.Job{Type: typ, ID: r.Job.ID, Attempt: r.Job.Attempts}, func(ctx context.Context) error {
				result, err = do(ctx, r)
				return err
			})
			return result, err
		}
		out[typ] = h
	}
	return out
}

// countJobs is told what the worker does and counts it; types that nobody handles are one label.
func countJobs(m *httpd.Metrics, handlers worker.Table) func(worker.Event) {
	outcomes := map[job.Status]httpd.Outcome{job.Done: httpd.JobDone, job.Failed: httpd.JobFailed, job.Pending: httpd.JobRetried}
	return func(e worker.Event) {
		typ := e.Type
		if _, ok := handlers[typ]; !ok {
			typ = "unknown"
		}
		switch e.Kind { //nolint:exhaustive // the others are not counted
		case worker.Started:
			m.Jobs(typ, httpd.JobClaimed, 1)
		case worker.Ended:
			m.Jobs(typ, outcomes[e.Status], 1)
			m.JobTime(typ, e.Elapsed)
		}
	}
}

// handlers are the job types this program knows.
func (p *program) handlers(pool *db.DB, runs *job.Runs, files *app.Files) (worker.Table, error) {
	d := worker.HandlerDeps{Runs: runs, Stats: dashboard.NewRefresher(pool), Mailer: app.LogMailer{Log: p.log, Full: p.config.Mail.LogFull}}
	if m := p.config.Mail; m.Host != "" {
		smtp, err := app.NewSMTP(app.SMTPConfig{
			Host: m.Host, Port: m.Port, User: m.User, Password: string(m.Password), From: m.From, TLS: app.TLSMode(m.TLS),
		})
		if err != nil {
			return nil, err
		}
		d.Mailer = smtp
	}
	var err error
	if d.Embedder, err = p.embedder(pool); err != nil {
		return nil, err
	}
	d.Files = files
	return worker.Handlers(d), nil
}
