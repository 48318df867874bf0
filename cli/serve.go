package cli

import (
	"context"
	"net"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"stackforge/db"
	"stackforge/httpd"
)

type serveCmd struct {
	Worker   bool `help:"Run a worker in this process too."`
	Embedded bool `help:"Use a private PostgreSQL in DATA_DIR unless DATABASE_URL is set."`
	Migrate  bool `help:"Migrate first."`
	Seed     bool `help:"Load the demonstration data when there is no tenant yet."`
}

// Run serves until the context ends, and then stops everything in order: requests, worker, pools, embedded database.
func (c serveCmd) Run(ctx context.Context, p *program) error {
	p.calmCollector()
	url, stop, err := p.database(ctx, c.Embedded)
	if err != nil {
		return err
	}
	defer stop()
	if c.Migrate {
		r, err := p.migrate(ctx, url)
		if err != nil {
			return err
		}
		p.log.Info().Int("migrations", len(r.Applied)).Int("functions", len(r.Functions)).Strs("fallbackFor", r.Missing).Msg("database is up to date")
	}
	var first uuid.UUID
	if c.Seed {
		if first, err = p.firstSeed(ctx, url); err != nil {
			return err
		}
	}
	a, err := p.build(ctx, url)
	if err != nil {
		return err
	}
	defer a.close()
	return a.run(ctx, c, url, first)
}

// run runs API and, when asked, worker until ctx ends.
func (a *application) run(ctx context.Context, c serveCmd, url string, first uuid.UUID) error {
	// What the requests need ends only after the last of them.
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	support, _ := errgroup.WithContext(background)
	a.startSupport(background, support)

	work, ctx := errgroup.WithContext(ctx)
	if c.Worker {
		pool, err := a.p.openMeasured(ctx, url, db.RoleWorker, "web-jobs", a.metrics)
		if err != nil {
			return err
		}
		defer pool.Close(5 * time.Second)
		w, err := a.p.worker(pool, a.metrics, a.wake, a.hooks, a.nudger)
		if err != nil {
			return err
		}
		work.Go(func() error { return w.Run(ctx) })
	}
	work.Go(func() error {
		return httpd.Serve(ctx, httpd.Server{
			Addr: a.p.config.HTTP.Addr(), OpsAddr: a.p.config.HTTP.OpsAddr, Ops: a.ops(), Grace: a.p.config.HTTP.ShutdownGrace, Log: a.p.log,
			Listening:  func(api, ops net.Addr) { a.announce(api, ops, url, c, first) },
			OnShutdown: []func(context.Context){a.graphql.Shutdown, func(ctx context.Context) { a.rest.Shutdown(ctx) }, func(context.Context) { a.health.Drain() }},
		}, a.handler())
	})
	err := work.Wait()
	cancel()
	_ = support.Wait() // it ends with its context and tells its troubles to the log
	return err
}

// announce tells where things are.
func (a *application) announce(api, ops net.Addr, url string, c serveCmd, first uuid.UUID) {
	p := a.p
	a.address.set(p.config.HTTP.Host, api)
	base := a.address.String()
	if p.config.Database.URL == "" {
		if err := p.writeRunFile(base, url, first); err != nil {
			p.log.Warn().Err(err).Msg("run.env could not be written: other commands will not find this database")
		}
	}
	p.say("")
	p.say("  GraphQL      %s/graphql   (WebSocket on the same path)", base)
	if p.config.GraphQL.Playground {
		p.say("  Playground   %s/playground", base)
	}
	if ops == nil {
		p.say("  Health       %s/health  %s/ready  %s/metrics", base, base, base)
	} else {
		p.say("  Health       http://%s/health and /ready and /metrics", ops)
	}
	p.say("  Files        %s", p.filesPlace())
	p.say("  Worker       %s", map[bool]string{true: "in this process", false: "not in this process; `stackforge worker` runs one"}[c.Worker])
	if !p.config.Webhook.AllowPrivate && !p.config.IsProduction() {
		p.say("  Webhooks     go to public addresses only; WEBHOOK_ALLOW_PRIVATE=1 allows receivers on this machine")
	}
	if first != uuid.Nil {
		p.say("  Another key  %s key create --tenant %s --name my-key", binary(), first)
	}
	p.say("")
}

func port(a net.Addr) string {
	_, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return ""
	}
	return port
}

func shownHost(host string) string {
	if host == "" || host == "0.0.0.0" || host == "::" {
		return "localhost"
	}
	return host
}
