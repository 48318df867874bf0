package httpd_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/httpd"
)

// fakeDatabase answers as it is told.
type fakeDatabase struct {
	mu    sync.Mutex
	err   error
	stat  db.PoolStat
	pings int
}

func (f *fakeDatabase) Ready(context.Context, time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pings++
	return f.err
}

func (f *fakeDatabase) Stat() db.PoolStat {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.stat
	if s.Max == 0 {
		s.Max = 20
	}
	return s
}

func (f *fakeDatabase) set(err error, inUse int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err, f.stat.InUse = err, inUse
}

func probe(t *testing.T, h http.HandlerFunc) (int, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	h(w, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
	var m map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &m))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	return w.Code, m
}

var errDown = errors.New("connection refused")

func TestHealth(t *testing.T) {
	t.Parallel()

	d := &fakeDatabase{}
	m := httpd.NewMetrics(time.Second)
	h := httpd.NewHealth(httpd.HealthConfig{Database: d, Version: "v1", Metrics: m, MaxAge: time.Nanosecond})
	status, body := probe(t, h.Health)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, map[string]any{"status": "ok", "database": "up", "uptimeSeconds": 0.0, "version": "v1"}, body)

	d.set(errDown, 0)
	status, body = probe(t, h.Health)
	require.Equal(t, http.StatusOK, status, "the process lives")
	require.Equal(t, "down", body["database"])
	require.Contains(t, bundle{metrics: m}.prometheus(t), "postgres_connection_failures_total 1")
}

func TestHealthSparesTheDatabase(t *testing.T) {
	t.Parallel()

	d := &fakeDatabase{}
	h := httpd.NewHealth(httpd.HealthConfig{Database: d, MaxAge: time.Hour})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			h.Health(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
			h.Ready(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
		})
	}
	wg.Wait()
	require.Equal(t, 1, d.pings)
}

func TestReady(t *testing.T) {
	t.Parallel()

	t.Run("the database answers or not, and recovers", func(t *testing.T) {
		t.Parallel()

		d := &fakeDatabase{}
		h := httpd.NewHealth(httpd.HealthConfig{
			Database: d, MaxAge: time.Nanosecond,
			Capabilities: func(context.Context) ([]db.Capability, error) {
				return []db.Capability{
					{Name: "vector", Installed: true, Version: "0.8"}, {Name: "postgis", Available: true, Version: "3", Fallback: "cube"},
				}, nil
			},
		})
		status, body := probe(t, h.Ready)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, map[string]any{
			"status": "ready", "checks": map[string]any{"database": "ok", "migrations": "ok", "pool": "ok"},
			"capabilities": []any{
				map[string]any{"name": "vector", "installed": true, "version": "0.8"},
				map[string]any{"name": "postgis", "installed": false, "fallback": "cube"},
			},
		}, body)
		d.set(errDown, 0)
		status, body = probe(t, h.Ready)
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Equal(t, []any{"The database does not answer."}, body["reasons"])
		d.set(nil, 0)
		status, _ = probe(t, h.Ready)
		require.Equal(t, http.StatusOK, status)
	})
	t.Run("pending migrations, until there were none", func(t *testing.T) {
		t.Parallel()

		pending, asked := []string{"0005_x"}, 0
		var failure error
		h := httpd.NewHealth(httpd.HealthConfig{
			Database: &fakeDatabase{}, MaxAge: time.Nanosecond,
			Pending: func(context.Context) ([]string, error) { asked++; return pending, failure },
		})
		status, body := probe(t, h.Ready)
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Equal(t, []any{"1 migrations are pending; run migrate."}, body["reasons"])
		failure = errDown
		status, _ = probe(t, h.Ready)
		require.Equal(t, http.StatusServiceUnavailable, status)
		pending, failure = nil, nil
		status, _ = probe(t, h.Ready)
		require.Equal(t, http.StatusOK, status)
		pending = []string{"0006_of_the_next_release"}
		status, _ = probe(t, h.Ready)
		require.Equal(t, http.StatusOK, status, "a newer release migrates while this one serves")
		require.Equal(t, 3, asked)
	})
	t.Run("a pool that stays exhausted", func(t *testing.T) {
		t.Parallel()

		d := &fakeDatabase{}
		m := httpd.NewMetrics(time.Second)
		h := httpd.NewHealth(httpd.HealthConfig{
			Database: d, Metrics: m, MaxAge: time.Nanosecond, Saturation: 200 * time.Millisecond,
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { h.Run(ctx); close(done) }()
		d.set(errDown, 20)
		status, body := probe(t, h.Ready)
		require.Equal(t, http.StatusOK, status, "a burst may pass")
		require.Equal(t, map[string]any{"database": "ok", "migrations": "ok", "pool": "busy"}, body["checks"])
		require.Eventually(t, func() bool {
			status, body = probe(t, h.Ready)
			return status == http.StatusServiceUnavailable
		}, 5*time.Second, 10*time.Millisecond)
		require.Equal(t, map[string]any{"database": "ok", "migrations": "ok", "pool": "exhausted"}, body["checks"])
		require.Contains(t, bundle{metrics: m}.prometheus(t), "postgres_connection_failures_total 0", "a busy pool is no lost server")
		d.set(nil, 20)
		status, _ = probe(t, h.Ready)
		require.Equal(t, http.StatusOK, status, "full, but moving")
		d.set(nil, 3)
		require.Eventually(t, func() bool { s, _ := probe(t, h.Ready); return s == http.StatusOK }, 5*time.Second, 10*time.Millisecond)
		cancel()
		<-done
	})
	t.Run("a shutdown", func(t *testing.T) {
		t.Parallel()

		h := httpd.NewHealth(httpd.HealthConfig{Database: &fakeDatabase{}})
		h.Drain()
		status, body := probe(t, h.Ready)
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Equal(t, []any{"The process is shutting down."}, body["reasons"])
	})
}

func TestProbesAreRouted(t *testing.T) {
	t.Parallel()

	mux := http.NewServeMux()
	b := setup(t, mux)
	var pings atomic.Int32
	httpd.Probes(mux, httpd.NewHealth(httpd.HealthConfig{
		Database: &fakeDatabase{}, Pending: func(context.Context) ([]string, error) { pings.Add(1); return nil, nil },
	}), b.metrics)
	for _, path := range []string{"/health", "/ready", "/metrics"} {
		require.Equal(t, http.StatusOK, b.do(t, "GET", path).Code)
		require.Equal(t, http.StatusOK, b.do(t, "HEAD", path).Code)
		require.Equal(t, http.StatusMethodNotAllowed, b.do(t, "POST", path).Code)
	}
	require.EqualValues(t, 1, pings.Load())
}
