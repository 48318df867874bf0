package tracing_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/tenant"
	"stackforge/tracing"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

func TestStart(t *testing.T) {
	t.Parallel()

	none, err := tracing.Start(t.Context(), tracing.Config{Service: "test", Ratio: 1})
	require.NoError(t, err)
	require.Nil(t, none)
	for _, endpoint := range []string{
		"localhost:4318", "ftp://h", "http://", "http://h/%zz", "http://user:hunter2@h", "http://h?key=hunter2", "http://h#hunter2",
	} {
		tracer, err := tracing.Start(t.Context(), tracing.Config{Endpoint: endpoint})
		require.ErrorContains(t, err, "without user, query and fragment", endpoint)
		require.NotContains(t, err.Error(), "hunter2")
		require.Nil(t, tracer)
	}
}

// TestOff does not run beside other tests: it counts allocations.
func TestOff(t *testing.T) { //nolint:paralleltest // see above
	var off *tracing.Tracer
	require.Empty(t, off.Hooks())
	next := http.NewServeMux()
	require.Same(t, next, off.Middleware(next))
	ran := false
	failure := errors.New("failed")
	require.ErrorIs(t, off.Job(t.Context(), tracing.Job{}, func(context.Context) error { ran = true; return failure }), failure)
	require.True(t, ran)
	off.Close(time.Hour)
	ctx := t.Context()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		off.Operation(ctx, tracing.Operation{Kind: "query", Name: "A"})
		_ = off.Job(ctx, tracing.Job{Type: "t", ID: 1}, func(context.Context) error { return nil })
	}))
}

// TestCredential does not run beside other tests: it changes the environment, where the library looks for headers.
func TestCredential(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20hunter2")
	c := newCollector(t)
	tracer := start(t, tracing.Config{Endpoint: c.url + "/below/", Ratio: 1, Log: zerolog.Nop()})
	require.NoError(t, tracer.Job(t.Context(), tracing.Job{Type: "test"}, func(context.Context) error { return nil }))
	tracer.Close(patience)
	require.Equal(t, map[string]bool{"Bearer hunter2": true}, c.keys)
	require.Equal(t, map[string]bool{"/below/v1/traces": true}, c.paths)
}

func TestStatements(t *testing.T) {
	t.Parallel()

	c := newCollector(t)
	tracer := newTracer(t, c)
	hook := tracer.Hooks()[0]
	begin := time.Now().Add(-time.Minute)
	q := db.Query{Name: "document.Get", Start: begin, Duration: 3 * time.Second, Rows: 7}
	hook(t.Context(), q) // a statement of nobody
	require.NoError(t, tracer.Job(t.Context(), tracing.Job{Type: "test"}, func(ctx context.Context) error {
		hook(ctx, q)
		q.Name, q.ErrorClass = "document.Update", "23"
		hook(ctx, q)
		q.Name, q.ErrorClass = "document.Delete", "ZE"
		hook(ctx, q)
		return nil
	}))
	tracer.Close(patience)

	require.Equal(t, []string{"document.Get", "document.Update", "document.Delete", "job test"}, c.names())
	require.Equal(t, map[string]bool{"/v1/traces": true}, c.paths)
	require.Equal(t, map[string]bool{"test": true}, c.services)
	root, get, update := c.one(t, "job test"), c.one(t, "document.Get"), c.one(t, "document.Update")
	require.Equal(t, root.GetSpanId(), get.GetParentSpanId())
	require.Equal(t, root.GetTraceId(), get.GetTraceId())
	require.Equal(t, tracepb.Span_SPAN_KIND_CLIENT, get.GetKind())
	require.Equal(t, uint64(begin.UnixNano()), get.GetStartTimeUnixNano())
	require.Equal(t, uint64(begin.Add(3*time.Second).UnixNano()), get.GetEndTimeUnixNano())
	require.Equal(t, map[string]any{
		"db.system.name": "postgresql", "db.operation.name": "document.Get", "db.response.returned_rows": int64(7),
	}, attributes(get))
	require.False(t, isError(get))
	require.True(t, isError(update))
	require.Equal(t, "23", attributes(update)["error.type"])
	refused := c.one(t, "document.Delete")
	require.Equal(t, "ZE", attributes(refused)["error.type"])
	require.False(t, isError(refused), "the answer of a function is no failure")
}

const (
	traceID  = "0af7651916cd43dd8448eb211c80319c"
	parentID = "b7ad6b7169203331"
)

func TestRequests(t *testing.T) {
	t.Parallel()

	c := newCollector(t)
	tracer := newTracer(t, c)
	hook := tracer.Hooks()[0]
	mux := http.NewServeMux()
	mux.HandleFunc("POST /things/{id}", func(w http.ResponseWriter, r *http.Request) {
		tracer.Operation(r.Context(), tracing.Operation{Kind: "query", Name: "Things", Code: "NOT_FOUND"})
		hook(r.Context(), db.Query{Name: "thing.Get", Start: time.Now()})
		w.WriteHeader(http.StatusCreated)
	})
	mux.HandleFunc("/fault", func(_ http.ResponseWriter, r *http.Request) {
		tracer.Operation(r.Context(), tracing.Operation{Code: "INTERNAL"})
	})
	mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("hunter2") })
	fine := func(_ http.ResponseWriter, r *http.Request) {
		hook(r.Context(), db.Query{Name: "health.Ping", Start: time.Now()})
	}
	for _, probe := range []string{"/health", "/ready", "/metrics", "/socket"} {
		mux.HandleFunc(probe, fine)
	}
	h := tracer.Middleware(mux)
	send := func(method, target string, header ...string) {
		r := httptest.NewRequestWithContext(tenant.WithRequestID(t.Context(), "request-1"), method, target, strings.NewReader("hunter2"))
		r.Header.Set("Authorization", "Bearer hunter2")
		r.Header.Set("Cookie", "session=hunter2")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	send("POST", "/things/7?token=hunter2", "Traceparent", "00-"+traceID+"-"+parentID+"-01")
	send("POST", "/things/8", "Traceparent", "00-"+traceID+"-"+parentID+"-00") // whose caller does not record it
	send("GET", "/"+strings.Repeat("x", 1000))
	send("GET", "/fault")
	require.PanicsWithValue(t, "hunter2", func() { send("GET", "/panic") })
	send("GET", "/health")
	send("GET", "/ready")
	send("GET", "/metrics")
	send("GET", "/socket", "Upgrade", "WebSocket")
	tracer.Close(patience)

	require.Equal(t, []string{"thing.Get", "POST /things/{id}", "GET", "GET /fault", "GET"}, c.names())
	require.NotContains(t, c.text(), "hunter2")
	post := c.one(t, "POST /things/{id}")
	require.Equal(t, tracepb.Span_SPAN_KIND_SERVER, post.GetKind())
	require.Equal(t, traceID, hexOf(post.GetTraceId()))
	require.Equal(t, parentID, hexOf(post.GetParentSpanId()))
	require.False(t, isError(post), "what the client asked for in vain is no failure")
	require.Subset(t, attributes(post), map[string]any{
		"http.route": "/things/{id}", "http.request.method": "POST", "http.response.status_code": int64(201), "url.path": "/things/7",
		"request.id": "request-1", "graphql.operation.type": "query", "graphql.operation.name": "Things", "error.type": "NOT_FOUND",
	})
	require.Equal(t, post.GetSpanId(), c.one(t, "thing.Get").GetParentSpanId())
	require.True(t, isError(c.one(t, "GET /fault")))
	unrouted, panicked := c.named("GET")[0], c.named("GET")[1]
	require.Len(t, attributes(unrouted)["url.path"], 256)
	require.NotContains(t, attributes(unrouted), "http.route")
	require.True(t, isError(panicked))
	require.Equal(t, "/panic", attributes(panicked)["http.route"])
	require.Empty(t, panicked.GetEvents())
}

func TestOperationOnSocket(t *testing.T) {
	t.Parallel()

	c := newCollector(t)
	tracer := newTracer(t, c)
	ctx := tenant.WithRequestID(t.Context(), "request-2")
	tracer.Operation(ctx, tracing.Operation{Kind: "subscription", Name: "Updates", Duration: time.Hour, Events: 12})
	tracer.Operation(ctx, tracing.Operation{Code: "GRAPHQL_VALIDATION_FAILED"})
	tracer.Close(patience)

	s := c.one(t, "subscription")
	require.Empty(t, s.GetParentSpanId())
	require.Equal(t, map[string]any{
		"graphql.operation.type": "subscription", "graphql.operation.name": "Updates", "graphql.events": int64(12), "request.id": "request-2",
	}, attributes(s))
	require.Equal(t, time.Hour, time.Duration(s.GetEndTimeUnixNano()-s.GetStartTimeUnixNano()))
	refused := c.one(t, "refused")
	require.Equal(t, "GRAPHQL_VALIDATION_FAILED", attributes(refused)["error.type"])
	require.False(t, isError(refused))
}

func TestJobs(t *testing.T) {
	t.Parallel()

	c := newCollector(t)
	tracer := newTracer(t, c)
	ctx := tenant.WithRequestID(t.Context(), "job-7-8")
	job := func(typ string, run func(context.Context) error) error {
		return tracer.Job(ctx, tracing.Job{Type: typ, ID: 7, Attempt: 2}, run)
	}
	require.NoError(t, job("fine", func(context.Context) error { return nil }))
	conflict := errs.New(errs.Conflict, "hunter2")
	require.Equal(t, error(conflict), job("refused", func(context.Context) error { return conflict }))
	require.ErrorContains(t, job("broken", func(context.Context) error { return errors.New("hunter2") }), "hunter2")
	require.PanicsWithValue(t, "hunter2", func() { _ = job("panic", func(context.Context) error { panic("hunter2") }) })
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = job("exit", func(context.Context) error { runtime.Goexit(); return nil })
	}()
	<-gone
	tracer.Close(patience)

	require.NotContains(t, c.text(), "hunter2")
	fine := c.one(t, "job fine")
	require.Equal(t, map[string]any{"job.type": "fine", "job.id": int64(7), "job.attempt": int64(2), "request.id": "job-7-8"}, attributes(fine))
	for name, want := range map[string]struct {
		code   any
		failed bool
	}{
		"job fine": {nil, false}, "job refused": {"CONFLICT", false}, "job broken": {"INTERNAL", true},
		"job panic": {"INTERNAL", true}, "job exit": {"INTERNAL", true},
	} {
		s := c.one(t, name)
		require.Equal(t, want.code, attributes(s)["error.type"], name)
		require.Equal(t, want.failed, isError(s), name)
		require.Empty(t, s.GetParentSpanId())
	}
}

func TestRatio(t *testing.T) {
	t.Parallel()

	c := newCollector(t)
	tracer := start(t, tracing.Config{Endpoint: c.url, Ratio: 0.25, Log: zerolog.Nop()})
	for range 1000 {
		require.NoError(t, tracer.Job(t.Context(), tracing.Job{Type: "test"}, func(ctx context.Context) error {
			tracer.Hooks()[0](ctx, db.Query{Name: "test.Get", Start: time.Now()})
			return nil
		}))
	}
	tracer.Close(patience)
	require.InDelta(t, 250, len(c.named("job test")), 100) // 7 standard deviations
	require.Len(t, c.named("test.Get"), len(c.named("job test")), "a trace is recorded as a whole")
}

// TestCollectorAway keeps the work going and the log short when the collector refuses, and Close within its grace when it
// hangs.
func TestCollectorAway(t *testing.T) {
	t.Parallel()

	run := func(tracer *tracing.Tracer) {
		require.NoError(t, tracer.Job(t.Context(), tracing.Job{Type: "test"}, func(context.Context) error { return nil }))
	}
	t.Run("refuses", func(t *testing.T) {
		t.Parallel()

		s := httptest.NewServer(http.NotFoundHandler())
		defer s.Close()
		var log bytes.Buffer
		tracer := start(t, tracing.Config{Endpoint: s.URL, Ratio: 1, Log: zerolog.New(&log)})
		for range 600 { // more than one batch of 512
			run(tracer)
		}
		tracer.Close(patience) // nothing writes after it
		require.Equal(t, 1, strings.Count(log.String(), `"level":"warn"`), log.String())
		require.Contains(t, log.String(), `"level":"debug"`)
		require.Contains(t, log.String(), "404")
	})
	t.Run("hangs", func(t *testing.T) {
		t.Parallel()

		release := make(chan struct{})
		s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
		defer s.Close()
		defer close(release)
		tracer := start(t, tracing.Config{Endpoint: s.URL, Ratio: 1, Log: zerolog.Nop()})
		run(tracer)
		begin := time.Now()
		tracer.Close(50 * time.Millisecond)
		require.Less(t, time.Since(begin), 5*time.Second)
	})
}
