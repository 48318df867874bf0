package cli

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"stackforge/app"
	"stackforge/auth"
	"stackforge/config"
	"stackforge/db"
	"stackforge/httpd"
	"stackforge/migrations"
	"stackforge/playground"
	"stackforge/realtime"
	"stackforge/repo/apikey"
	"stackforge/repo/capability"
	"stackforge/repo/dashboard"
	"stackforge/repo/document"
	"stackforge/repo/file"
	"stackforge/repo/idempotency"
	"stackforge/repo/job"
	"stackforge/repo/message"
	"stackforge/repo/operator"
	"stackforge/repo/pggraphql"
	"stackforge/repo/search"
	"stackforge/repo/searchsettings"
	"stackforge/repo/tenancy"
	"stackforge/repo/user"
	"stackforge/resolvers"
	"stackforge/rest"
	"stackforge/tenant"
	"stackforge/tracing"
	"stackforge/transport"
	"stackforge/webhook"
	"stackforge/worker"
)

// application is the API process, put together.
type application struct {
	p       *program
	db      *db.DB // acts as app_api
	auth    *auth.Authenticator
	files   *app.Files
	hub     *realtime.Hub[*job.Event]
	nudger  *realtime.Nudger
	queues  *app.Messages
	carrier realtime.Carrier
	graphql *transport.Handler
	pg      *transport.Handler // of pg_graphql's dialect alone
	health  *httpd.Health
	limiter *httpd.Limiter
	metrics *httpd.Metrics
	latency *dashboard.Latencies
	refresh *dashboard.Refresher
	secrets *app.Payloads
	rest    *rest.API
	wake    waker // wakes the worker of this process
	hooks   waker // wakes its dispatcher of webhooks
	address address
}

// issuer names this product in tokens.
const issuer = "stackforge"

// sampleEvery is how often the sizes of tables are read.
const sampleEvery = time.Minute

// build puts the API together. It opens no connection yet.
func (p *program) build(ctx context.Context, url string) (*application, error) {
	a := &application{p: p, metrics: httpd.NewMetrics(p.config.Log.SlowQuery), latency: dashboard.NewLatencies(nil), wake: newWaker(), hooks: newWaker()}
	var err error
	if p.tracer, err = p.trace(ctx, issuer); err != nil {
		return nil, err
	}
	if a.db, err = p.openMeasured(ctx, url, db.RoleAPI, "web-app", a.metrics, a.latency.Query); err != nil {
		return nil, err
	}
	a.refresh = dashboard.NewRefresher(a.db)
	a.metrics.Counter("dashboard_refresh_calls_total", "Calls of refreshDashboard.", func() float64 { return float64(a.refresh.Counts().Calls) })
	a.metrics.Counter("dashboard_refreshes_total", "Refreshes that those calls shared.", func() float64 { return float64(a.refresh.Counts().Runs) })
	a.metrics.Gauge("dashboard_refresh_seconds", "Time of the last refresh.", func() float64 { return a.refresh.Counts().Last.Seconds() })
	secret, err := p.jwtSecret()
	if err != nil {
		return nil, err
	}
	if a.auth, err = auth.New(auth.Config{Issuer: issuer, JWTSecret: secret, Keys: apikey.New(a.db), Log: p.log}); err != nil {
		return nil, err
	}
	if a.limiter, err = p.limiter(a.metrics); err != nil {
		return nil, err
	}
	if err := a.realtime(url); err != nil {
		return nil, err
	}
	if err := a.openFiles(ctx, secret); err != nil {
		return nil, err
	}
	embedder, err := p.embedder(a.db)
	if err != nil {
		return nil, err
	}
	if a.secrets, err = p.payloads(a.db, a.metrics); err != nil {
		return nil, err
	}
	deps, handler := a.deps(embedder), resolvers.HandlerConfig{
		Origins: p.config.HTTP.Origins, MaxBody: int(p.config.HTTP.MaxBody), Introspection: p.config.GraphQL.Introspection,
		Suggest: !p.config.IsProduction(), Authenticate: a.authenticateSocket, Hold: a.auth.Hold, Admit: a.admitOperation, Observe: a.observe, Log: p.log,
	}
	a.graphql, a.pg = resolvers.NewHandler(deps, handler), resolvers.NewPgHandler(deps, handler)
	a.health = httpd.NewHealth(httpd.HealthConfig{
		Database: a.db, Metrics: a.metrics, Version: version(),
		Pending:      func(ctx context.Context) ([]string, error) { return db.Pending(ctx, a.db, migrations.FS) },
		Capabilities: func(ctx context.Context) ([]db.Capability, error) { return db.Capabilities(ctx, a.db) },
	})
	return a, nil
}

// payloads encrypts and decrypts payloads through a pool.
func (p *program) payloads(pool *db.DB, m *httpd.Metrics) (*app.Payloads, error) {
	keys, err := p.payloadKeys()
	if err != nil {
		return nil, err
	}
	if p.payloadCounts == nil {
		c := &app.PayloadCounts{}
		p.payloadCounts = c
		m.Counter("payloads_encrypted_total", "Job payloads that this process encrypted.", func() float64 { return float64(c.Encrypted.Load()) })
		m.Counter("payloads_decrypted_total", "Job payloads that this process decrypted.", func() float64 { return float64(c.Decrypted.Load()) })
		m.Counter("payloads_undecryptable_total", "Job payloads that could not be decrypted: changed, of another job, or of a lost key.",
			func() float64 { return float64(c.Failed.Load()) })
	}
	return app.NewPayloads(job.New(pool), keys, p.payloadCounts), nil
}

// trace starts traces under the name of a service, when there is a collector for them.
func (p *program) trace(ctx context.Context, service string) (*tracing.Tracer, error) {
	c := p.config.Tracing
	return tracing.Start(ctx, tracing.Config{Endpoint: c.Endpoint, Service: service, Version: version(), Ratio: c.Ratio, Log: p.log})
}

// openMeasured returns a pool whose statements are measured, logged and traced.
func (p *program) openMeasured(ctx context.Context, url string, role db.Role, name string, m *httpd.Metrics, more ...db.Hook) (*db.DB, error) {
	c := p.dbConfig(url, role, name)
	c.Hooks = append([]db.Hook{m.Query, db.LogQueries(p.log, p.config.Log.SlowQuery)}, p.tracer.Hooks()...)
	c.Hooks = append(c.Hooks, more...)
	c.Retried, c.Transaction = m.Retried, m.Transaction
	h, err := db.Open(ctx, c)
	if err == nil {
		m.Pool(name, h.Stat)
	}
	return h, err
}

// carrier takes news between processes: by NOTIFY, unless a pooler stands in between.
func (p *program) carrier(h *db.DB, url string, role db.Role, name string, channels ...string) (realtime.Postgres, error) {
	c := realtime.Postgres{DB: h}
	if p.config.Database.Pooler == "none" {
		l, err := db.NewListener(p.dbConfig(url, role, name), p.log, channels...)
		if err != nil {
			return c, err
		}
		c.Listener = l
	}
	return c, nil
}

func newNudger(p *program, c realtime.Carrier, local map[string]func()) *realtime.Nudger {
	return realtime.NewNudger(realtime.NudgerConfig{
		Carrier: c, Channels: channels(), Local: local, Log: p.log,
	})
}

// channels are those of all nudges.
func channels() []string {
	return append(app.MessageChannels(), app.MessagesDone, job.EventChannel, worker.ChannelReady, webhook.Channel, apikey.ChangedChannel)
}

// realtime builds what carries news between processes and to subscribers.
func (a *application) realtime(url string) error {
	var err error
	if a.carrier, err = a.p.carrier(a.db, url, db.RoleAPI, "web-app", channels()...); err != nil {
		return err
	}
	a.hub = realtime.New(realtime.Config[*job.Event]{Source: job.NewReader(a.db), Log: a.p.log})
	a.nudger = newNudger(a.p, a.carrier, a.local())
	a.queues = app.NewMessages(message.New(a.db), a.nudge, a.p.log)
	gauge := func(name, help string, read func(s realtime.Stats) float64) {
		a.metrics.Gauge(name, help, func() float64 { return read(a.hub.Stats()) })
	}
	gauge("realtime_subscribers", "Open subscriptions to job updates.", func(s realtime.Stats) float64 { return float64(s.Subscribers) })
	gauge("realtime_lag_seconds", "Time since the log of job events was last read to its end.", func(s realtime.Stats) float64 { return s.Lag.Seconds() })
	a.metrics.Counter("realtime_delivered_total", "Events handed to subscribers.", func() float64 { return float64(a.hub.Stats().Delivered) })
	a.metrics.Gauge("message_consumers", "Open subscriptions to messages.", func() float64 { return float64(a.queues.Stats().Consumers) })
	a.metrics.Gauge("messages_under_way", "Messages sent to subscribers and not acknowledged.", func() float64 { return float64(a.queues.Stats().UnderWay) })
	a.metrics.Counter("realtime_dropped_total", "Subscribers closed because they were too slow.", func() float64 { return float64(a.hub.Stats().Dropped) })
	return nil
}

// nudge tells on a channel that there is something new, once what was done with ctx is committed.
func (a *application) nudge(ctx context.Context, channel string) {
	a.db.AfterCommit(ctx, func() { a.nudger.Nudge(channel) })
}

// wakers are the listeners of this process by channel.
func (a *application) wakers() map[string]func() {
	out := a.queues.Wakers()
	maps.Copy(out, a.local())
	return out
}

// local are those that a nudge of this process wakes at once; who waits for messages is woken by the one who sent them.
func (a *application) local() map[string]func() {
	return map[string]func(){job.EventChannel: a.hub.Wake, worker.ChannelReady: a.wake.wake, webhook.Channel: a.hooks.wake, apikey.ChangedChannel: a.auth.Changed}
}

func (a *application) deps(e *app.Embedder) resolvers.Deps {
	return resolvers.Deps{
		Capabilities: capability.New(a.db), Dashboard: dashboard.New(a.db), Documents: document.New(a.db), Jobs: job.New(a.db), Keys: apikey.New(a.db), Messages: a.queues, Operator: operator.New(a.db),
		FileRecords: file.New(a.db), Files: a.files,
		Search: app.NewSearcher(search.New(a.db), e), Similar: e, SearchSettings: searchsettings.New(a.db), Tenants: tenancy.New(a.db), Users: user.New(a.db), Webhooks: a.p.endpoints(a.db, a.nudge),
		Nudge: a.nudge, RefreshStats: a.refresh.Refresh, SearchLatency: a.latency.Of,
		Idempotency: idempotency.New(a.db), Payloads: a.secrets,
		PgGraphQL: pggraphql.New(a.db, a.p.config.GraphQL.PgTimeout),
		Updates: func(ctx context.Context, f job.EventFilter, after string) (<-chan *job.Event, func() error, error) {
			keep, err := f.Func()
			if err != nil {
				return nil, nil, err
			}
			s, err := a.hub.Subscribe(ctx, keep, after)
			if err != nil {
				return nil, nil, err
			}
			return s.Events(), s.Err, nil
		},
		IssueToken: func(_ context.Context, s tenant.Scope) (string, time.Duration, error) {
			token, err := a.auth.IssueToken(s)
			return token, auth.TokenLifetime, err
		},
		Forget: a.auth.Forget,
		Left: func(s tenant.Scope) (limit, remaining int, reset time.Duration, limited bool) {
			q, limited := a.limiter.Left(s.KeyID, s.RequestsPerMinute)
			return q.Limit, q.Remaining, q.Reset, limited
		},
	}
}

// authenticateSocket takes the credential of connection_init, else those of the upgrade request.
func (a *application) authenticateSocket(ctx context.Context, r *http.Request, init map[string]any) (tenant.Scope, time.Time, error) {
	c := auth.FromInit(init)
	if c.Empty() {
		c = auth.FromRequest(r)
	}
	return a.auth.Authenticate(ctx, c)
}

// admitOperation counts an operation of a socket for the key that opened it, by the limit that the key has now.
func (a *application) admitOperation(ctx context.Context) error {
	s, err := tenant.From(ctx)
	if err != nil {
		return err
	}
	return a.limiter.CountKey(s.KeyID, a.auth.Current(ctx, s).RequestsPerMinute)
}

func (a *application) observe(ctx context.Context, op transport.Operation) {
	code := ""
	if len(op.Errors) > 0 {
		code, _ = op.Errors[0].Extensions["code"].(string)
	}
	a.metrics.Operation(op.Kind, code, op.Duration, op.Events)
	a.p.tracer.Operation(ctx, tracing.Operation{Kind: op.Kind, Name: op.Name, Code: code, Duration: op.Duration, Events: op.Events})
}

// startSupport starts what the requests rely on.
func (a *application) startSupport(ctx context.Context, g *errgroup.Group) {
	start := func(fn func(context.Context)) { g.Go(func() error { fn(ctx); return nil }) }
	start(a.auth.Run)
	start(a.hub.Run)
	start(a.nudger.Run)
	start(a.health.Run)
	start(func(ctx context.Context) { realtime.Listen(ctx, a.carrier, a.wakers()) })
	start(func(ctx context.Context) { a.metrics.SampleDatabase(ctx, sampleEvery, a.sample, a.sampleFailed) })
}

func (a *application) sample(ctx context.Context) (httpd.DatabaseStats, error) {
	s, err := db.Stats(ctx, a.db)
	out := httpd.DatabaseStats{CacheHitRatio: s.CacheHitRatio}
	for _, r := range s.Relations {
		size := httpd.Size{Name: r.Name, Bytes: r.Bytes}
		if r.IsIndex {
			out.Indexes = append(out.Indexes, size)
		} else {
			out.Tables = append(out.Tables, size)
		}
	}
	return out, err
}

func (a *application) sampleFailed(err error) {
	a.p.log.Warn().Err(err).Msg("the sizes of tables could not be read")
}

// handler is everything the API serves.
func (a *application) handler() http.Handler {
	mux := http.NewServeMux()
	graphql := a.authenticated(a.graphql)
	page := playground.New(playground.Options{})
	mux.HandleFunc("/graphql", func(w http.ResponseWriter, r *http.Request) {
		if a.p.config.GraphQL.Playground && wantsPage(r) {
			http.Redirect(w, r, "/playground", http.StatusSeeOther)
			return
		}
		graphql.ServeHTTP(w, r)
	})
	mux.Handle("/query", graphql)
	mux.Handle("POST /graphql/pg", a.authenticated(a.pg))
	a.rest = rest.New(a.restConfig(), mux)
	mux.Handle("GET /tenant/export", a.rest.Protect("tenant:export", rest.NewExport(tenancy.NewExporter(a.db), a.p.log)))
	if a.p.config.GraphQL.Playground {
		mux.Handle("GET /playground", page)
		mux.Handle("GET /playground/", page)
		mux.Handle("GET /{$}", http.RedirectHandler("/playground", http.StatusSeeOther))
	}
	if a.p.config.HTTP.OpsAddr == "" {
		httpd.Probes(mux, a.health, a.metrics)
	}
	return httpd.Middleware(httpd.Options{Log: a.p.log, Metrics: a.metrics, Origins: a.p.config.HTTP.Origins})(a.p.tracer.Middleware(httpd.Routes(mux)))
}

// ops are the probes and metrics on a listener of their own.
func (a *application) ops() http.Handler {
	mux := http.NewServeMux()
	httpd.Probes(mux, a.health, a.metrics)
	return httpd.Middleware(httpd.Options{Log: a.p.log})(httpd.Routes(mux))
}

// limiter counts requests.
func (p *program) limiter(m *httpd.Metrics) (*httpd.Limiter, error) {
	c := httpd.LimitConfig{Max: p.config.RateLimit.Max, Window: p.config.RateLimit.Window}
	for _, text := range p.config.RateLimit.Proxies {
		prefix, err := config.ParsePrefix(text)
		if err != nil {
			return nil, err
		}
		c.Proxies = append(c.Proxies, prefix)
	}
	l := httpd.NewLimiter(c)
	m.Counter("requests_limited_total", "Requests that were answered 429.", func() float64 { return float64(l.Refused()) })
	m.Gauge("requests_limited_callers", "Keys and addresses whose requests are counted.", func() float64 { return float64(l.Callers()) })
	return l, nil
}

func (a *application) restConfig() rest.Config {
	return rest.Config{
		Dashboard: dashboard.New(a.db), Documents: document.New(a.db), Files: a.files, Idempotency: idempotency.New(a.db), Jobs: job.New(a.db),
		Messages: a.queues, Payloads: a.secrets, Search: search.New(a.db), Webhooks: a.p.endpoints(a.db, a.nudge), MaxFile: a.p.config.Storage.MaxUpload,
		Admit: a.limiter.AdmitAddress, Authorize: a.authorize, Hold: a.auth.Hold, Nudge: a.nudge,
		Subscribe: a.hub.Subscribe,
		Token:     a.auth.TokenHandler(httpd.WriteError), MaxBody: a.p.config.HTTP.MaxBody, Origins: a.p.config.HTTP.Origins, Version: version(),
	}
}

// authorize checks credentials and counts the request for their key; one without valid credentials counts for its address.
func (a *application) authorize(w http.ResponseWriter, r *http.Request, c auth.Credentials) (tenant.Scope, time.Time, bool) {
	s, until, err := a.auth.Authenticate(r.Context(), c)
	switch {
	case err == nil:
		return s, until, a.limiter.AdmitKey(w, r, s.KeyID, s.RequestsPerMinute)
	case a.limiter.AdmitAddress(w, r):
		httpd.WriteError(w, r, err)
	}
	return s, until, false
}

// authenticated lets requests with a valid credential through. A WebSocket may bring its credential in connection_init.
func (a *application) authenticated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			if a.limiter.AdmitAddress(w, r) {
				next.ServeHTTP(w, r)
			}
			return
		}
		if s, _, ok := a.authorize(w, r, auth.FromRequest(r)); ok {
			next.ServeHTTP(w, r.WithContext(tenant.With(r.Context(), s)))
		}
	})
}

// wantsPage reports whether a person opened the endpoint in a browser.
func wantsPage(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.RawQuery == "" && r.Header.Get("Upgrade") == "" &&
		strings.Contains(r.Header.Get("Accept"), "text/html")
}

// jwtSecret is the configured one; development makes one and keeps it in the data folder, so that tokens survive a restart.
func (p *program) jwtSecret() ([]byte, error) {
	if s := p.config.Auth.JWTSecret; s != "" {
		return []byte(s), nil
	}
	name := p.path("jwt.secret")
	text, err := os.ReadFile(filepath.Clean(name))
	if err == nil && len(text) >= 32 {
		return text, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	b := make([]byte, 48)
	_, _ = rand.Read(b) // never fails
	text = []byte(base64.RawURLEncoding.EncodeToString(b))
	if err := os.MkdirAll(p.config.DataDir, 0o755); err != nil { //nolint:gosec // the files in it have their own modes
		return nil, err
	}
	return text, os.WriteFile(name, text, 0o600)
}

func (a *application) close() {
	a.db.Close(5 * time.Second)
	a.p.tracer.Close(5 * time.Second)
}
