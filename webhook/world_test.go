package webhook_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/repo/job"
	repo "stackforge/repo/webhook"
	"stackforge/tenant"
	"stackforge/webhook"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// patience bounds every wait of these tests; nothing waits for that long when it works.
const patience = 20 * time.Second

// open is a guard that lets everything through, for receivers on this machine.
var open = webhook.Guard{AllowPrivate: true}

// world is a database with a tenant.
type world struct {
	d     *dbtest.DB
	ctx   context.Context //nolint:containedctx // acts for the tenant
	scope tenant.Scope
	hooks *webhook.Endpoints
}

func newWorld(t testing.TB) world {
	t.Helper()

	d := dbtest.New(t)
	w := world{d: d, scope: dbtest.Tenant(t, d)}
	return w.of(t, w.scope)
}

// of is the same database for another tenant.
func (w world) of(t testing.TB, s tenant.Scope) world {
	t.Helper()

	w.scope, w.ctx = s, tenant.With(t.Context(), s)
	w.hooks = webhook.NewEndpoints(repo.New(w.d.API), webhook.EndpointsConfig{Guard: open, Patience: patience})
	return w
}

// endpoint makes one for a URL.
func (w world) endpoint(t testing.TB, url string, change func(*repo.Params)) (repo.Endpoint, string) {
	t.Helper()

	p := repo.Params{Name: new(uuid.NewString()), URL: &url}
	if change != nil {
		change(&p)
	}
	e, secret, err := w.hooks.Create(w.ctx, p)
	require.NoError(t, err)
	return e, secret
}

// publish writes events order.paid and returns their ids.
func (w world) publish(t testing.TB, n int) []int64 {
	t.Helper()

	ids, err := db.List[int64](w.ctx, w.d.API, `
		SELECT publish_event($1, 'order.paid', jsonb_build_object('n', n)) FROM generate_series(1, $2) n ORDER BY n`, w.scope.TenantID, n)
	require.NoError(t, err)
	return ids
}

// finishJobs enqueues jobs of a type and ends them, as a worker does.
func (w world) finishJobs(t testing.TB, typ string, n int, fail bool) []int64 {
	t.Helper()

	params := make([]job.EnqueueParams, n)
	for i := range params {
		params[i].Type = typ
	}
	_, err := job.New(w.d.API).EnqueueMany(w.ctx, params, false)
	require.NoError(t, err)
	runs := job.NewRuns(w.d.Worker)
	claimed, err := runs.Claim(t.Context(), uuid.New(), []string{typ}, n)
	require.NoError(t, err)
	require.Len(t, claimed, n)
	ids := make([]int64, n)
	var good []job.Success
	var bad []job.Failure
	for i, j := range claimed {
		ids[i] = j.ID
		lease := job.Lease{ID: j.ID, Lease: *j.LeaseID}
		good = append(good, job.Success{Lease: lease})
		bad = append(bad, job.Failure{Lease: lease, Error: "broken", Reason: job.ReasonPermanent})
	}
	if fail {
		_, err = runs.Fail(t.Context(), bad)
	} else {
		_, err = runs.Complete(t.Context(), good)
	}
	require.NoError(t, err)
	return ids
}

func (w world) outbox(t testing.TB) int {
	t.Helper()
	return w.count(t, `SELECT count(*) FROM core.outbox WHERE tenant_id = $1`, w.scope.TenantID)
}

func (w world) count(t testing.TB, sql string, args ...any) int {
	t.Helper()

	n, err := db.Get[int](t.Context(), w.d.Owner, "count", sql, args...)
	require.NoError(t, err)
	return n
}

// deliveries are those of the tenant, the oldest first.
func (w world) deliveries(t testing.TB) []repo.Delivery {
	t.Helper()

	page, err := w.hooks.Deliveries(w.ctx, query(100), nil, repo.DeliveryOrders()["created_at_asc"])
	require.NoError(t, err)
	return page.Deliveries
}

func attempts(t testing.TB, d repo.Delivery) []repo.Attempt {
	t.Helper()

	list, err := d.AttemptLog()
	require.NoError(t, err)
	require.Len(t, list, d.Attempts)
	return list
}

// process is a dispatcher that runs until stop, or the end of the test.
type process struct {
	*webhook.Dispatcher
	events chan webhook.Event
	stop   func()
}

// start runs a dispatcher that polls quickly, retries at once and has no circuit, unless c says otherwise.
func (w world) start(t testing.TB, c webhook.Config, d webhook.Deps) *process {
	t.Helper()

	p := &process{events: make(chan webhook.Event, 100_000)}
	c.Hook = func(e webhook.Event) { p.events <- e }
	if c.Poll == 0 {
		c.Poll = 20 * time.Millisecond
	}
	if c.Schedule == nil {
		c.Schedule = make([]time.Duration, 5)
		for i := range c.Schedule {
			c.Schedule[i] = 10 * time.Millisecond
		}
	}
	if c.Circuit == 0 {
		c.Circuit = 1_000_000
	}
	if c.Timeout == 0 {
		c.Timeout = patience
	}
	d.Log = zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.ErrorLevel)
	if d.Queue == nil {
		d.Queue = repo.NewQueue(w.d.Worker)
	}
	if d.Sender == nil {
		d.Sender = webhook.NewSender(webhook.SenderConfig{Guard: open, Timeout: c.Timeout})
	}
	p.Dispatcher = webhook.NewDispatcher(c, d)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		receive(t, done)
	})
	t.Cleanup(p.stop)
	return p
}

// next returns the next attempt that was recorded.
func (p *process) next(t testing.TB) webhook.Event {
	t.Helper()
	return receive(t, p.events)
}

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

// request is what a receiver got.
type request struct {
	header http.Header
	body   []byte
}

func (r request) id() string { return r.header.Get("webhook-id") }

func (r request) json(t testing.TB) map[string]any {
	t.Helper()

	var v map[string]any
	require.NoError(t, json.Unmarshal(r.body, &v))
	return v
}

// receiver is a real HTTP server that tells of each request and answers as it is told.
type receiver struct {
	*httptest.Server
	requests chan request
}

func newReceiver(t testing.TB, answer http.HandlerFunc) *receiver {
	t.Helper()

	r := &receiver{requests: make(chan request, 100_000)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		r.requests <- request{req.Header.Clone(), body}
		if answer != nil {
			answer(w, req)
		}
	}))
	t.Cleanup(func() { r.CloseClientConnections(); r.Close() })
	return r
}

// status answers with a status and nothing else.
func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	require.Eventually(t, is, patience, 5*time.Millisecond, what)
}
