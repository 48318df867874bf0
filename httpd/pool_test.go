package httpd_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/httpd"
	"stackforge/migrations"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

func TestProbesOfARealDatabase(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	m := httpd.NewMetrics(200 * time.Millisecond)
	pool := d.Open(t, db.Config{Role: db.RoleAPI, MaxConns: 2, Hooks: []db.Hook{m.Query}})
	m.Pool("api", pool.Stat)
	h := httpd.NewHealth(httpd.HealthConfig{
		Database: pool, Metrics: m, MaxAge: time.Nanosecond, Saturation: 300 * time.Millisecond, Timeout: 200 * time.Millisecond,
		Pending:      func(ctx context.Context) ([]string, error) { return db.Pending(ctx, pool, migrations.FS) },
		Capabilities: func(ctx context.Context) ([]db.Capability, error) { return db.Capabilities(ctx, pool) },
	})
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	work.Go(func() { h.Run(ctx) })

	// A busy machine may need more than the probe's 200 ms for the first connection.
	require.Eventually(t, func() bool {
		w := httptest.NewRecorder()
		h.Ready(w, httptest.NewRequestWithContext(t.Context(), "GET", "/ready", nil))
		return w.Code == http.StatusOK
	}, 20*time.Second, 10*time.Millisecond)
	_, body := probe(t, h.Ready)
	require.Equal(t, map[string]any{"database": "ok", "migrations": "ok", "pool": "ok"}, body["checks"])
	require.NotEmpty(t, body["capabilities"])
	text := bundle{metrics: m}.prometheus(t)
	require.Contains(t, text, `postgres_connections_max{pool="api"} 2`)
	require.Contains(t, text, `postgres_query_duration_seconds_count{query="db.Pending"}`)

	busy, free := context.WithCancel(t.Context())
	defer free()
	var asleep sync.WaitGroup
	for range 2 {
		asleep.Go(func() {
			_, _ = db.Exec(busy, pool, "-- name: test.Sleep\nSELECT pg_sleep(60)") // ends by free
		})
	}
	require.Eventually(t, func() bool {
		status, body := probe(t, h.Ready)
		checks, ok := body["checks"].(map[string]any)
		return ok && status == http.StatusServiceUnavailable && checks["pool"] == "exhausted" && checks["database"] == "ok"
	}, 20*time.Second, 50*time.Millisecond)
	free()
	asleep.Wait()
	require.Eventually(t, func() bool { status, _ := probe(t, h.Ready); return status == http.StatusOK },
		20*time.Second, 50*time.Millisecond)
	s := bundle{metrics: m}.snapshot(t)
	require.InDelta(t, 2, s.Counters["postgres_query_errors_total"], 0)
	require.Equal(t, 2, s.Timings["postgres_query_duration_seconds{query=test.Sleep}"].Count)
}

func TestProbesWithoutADatabase(t *testing.T) {
	t.Parallel()

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close()) // nobody answers there now
	m := httpd.NewMetrics(time.Second)
	pool, err := db.Open(context.WithoutCancel(t.Context()), db.Config{
		URL: "postgres://u:canary-s3cr3t@" + l.Addr().String() + "/x", MinConns: -1, Hooks: []db.Hook{m.Query},
	})
	require.NoError(t, err)
	t.Cleanup(func() { pool.Close(time.Second) })
	h := httpd.NewHealth(httpd.HealthConfig{Database: pool, Metrics: m, MaxAge: time.Nanosecond})
	status, body := probe(t, h.Health)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "down", body["database"])
	status, body = probe(t, h.Ready)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, []any{"The database does not answer."}, body["reasons"])
	_, err = db.Exec(t.Context(), pool, "-- name: test.One\nSELECT 1")
	require.Error(t, err)
	text := bundle{metrics: m}.prometheus(t)
	require.Contains(t, text, "postgres_connection_failures_total")
	require.NotContains(t, text, "postgres_connection_failures_total 0")
	require.Contains(t, text, `postgres_query_errors_total{class="conn"}`)
	require.NotContains(t, text, "canary")
}
