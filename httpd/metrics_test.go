package httpd_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/httpd"
)

// scrape returns what the metrics show for an Accept header and a query.
func (b bundle) scrape(t *testing.T, query, accept string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/metrics"+query, nil)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	w := httptest.NewRecorder()
	b.metrics.Handler().ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code)
	return w
}

func (b bundle) prometheus(t *testing.T) string {
	t.Helper()
	return b.scrape(t, "?format=prometheus", "").Body.String()
}

type snapshot struct {
	Counters map[string]float64 `json:"counters"`
	Gauges   map[string]float64 `json:"gauges"`
	Timings  map[string]struct {
		Count int     `json:"count"`
		Mean  float64 `json:"mean"`
		P50   float64 `json:"p50"`
		P95   float64 `json:"p95"`
		P99   float64 `json:"p99"`
	} `json:"timings"`
}

func (b bundle) snapshot(t *testing.T) snapshot {
	t.Helper()
	w := b.scrape(t, "", "")
	require.Equal(t, "application/json; charset=utf-8", w.Header().Get("Content-Type"))
	var s snapshot
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &s))
	return s
}

func TestMetricsNegotiation(t *testing.T) {
	t.Parallel()

	b := bundle{metrics: httpd.NewMetrics(time.Second)}
	for _, tc := range []struct{ query, accept, want string }{
		{"", "", "application/json"},
		{"", "*/*", "application/json"},
		{"", "text/html,application/xhtml+xml,*/*;q=0.8", "application/json"},
		{"", "application/json, text/plain, */*", "application/json"},
		{"", "text/plain", "text/plain"},
		{"", "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "text/plain"},
		{"", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "application/openmetrics-text"},
		{"?format=prometheus", "application/json", "text/plain"},
		{"?format=json", "text/plain", "application/json"},
	} {
		require.Contains(t, b.scrape(t, tc.query, tc.accept).Header().Get("Content-Type"), tc.want, "%v", tc)
	}
}

func TestRequestMetrics(t *testing.T) {
	t.Parallel()

	mux := http.NewServeMux()
	mux.HandleFunc("GET /documents/{id}", func(http.ResponseWriter, *http.Request) {})
	b := setup(t, mux)
	for i := range 5 {
		b.do(t, "GET", fmt.Sprint("/documents/", i))
		b.do(t, "GET", fmt.Sprint("/guess/", i))
	}
	b.do(t, "BREW", "/documents/1")
	s := b.snapshot(t)
	require.InDelta(t, 11, s.Counters["http_requests_total"], 0)
	require.InDelta(t, 5, s.Counters["http_requests_total{method=GET,route=/documents/{id},status=200}"], 0)
	require.InDelta(t, 5, s.Counters["http_requests_total{method=GET,route=unmatched,status=404}"], 0)
	require.InDelta(t, 1, s.Counters["http_requests_total{method=other,route=unmatched,status=405}"], 0)
	require.Equal(t, 11, s.Timings["http_request_duration_seconds"].Count)
	require.InDelta(t, 0, s.Gauges["http_requests_in_flight"], 0)
	require.NotContains(t, b.prometheus(t), "guess")
}

func TestQueryMetrics(t *testing.T) {
	t.Parallel()

	b := bundle{metrics: httpd.NewMetrics(200 * time.Millisecond)}
	var hook db.Hook = b.metrics.Query
	for i := range 100 {
		d := time.Millisecond
		if i >= 90 {
			d = 300 * time.Millisecond
		}
		hook(t.Context(), db.Query{Name: "job.Claim", Duration: d})
	}
	hook(t.Context(), db.Query{Name: "job.Get", Duration: time.Minute, ErrorClass: "57"})
	hook(t.Context(), db.Query{Name: "job.Get", Duration: time.Millisecond, ErrorClass: "conn"})
	b.metrics.Retried("conn")
	b.metrics.Transaction(true, 3*time.Millisecond)

	s := b.snapshot(t)
	got := s.Timings["postgres_query_duration_seconds{query=job.Claim}"]
	require.Equal(t, 100, got.Count)
	require.InDelta(t, 0.0005, got.P50, 0.0005)
	require.Greater(t, got.P95, 0.25)
	require.Less(t, got.P95, 0.5)
	require.GreaterOrEqual(t, got.P99, got.P95)
	require.InDelta(t, 0.0309, got.Mean, 0.0001)
	require.Equal(t, 102, s.Timings["postgres_query_duration_seconds"].Count)
	require.InDelta(t, 30, s.Timings["postgres_query_duration_seconds{query=job.Get}"].P99, 0, "the last bound")
	require.InDelta(t, 11, s.Counters["postgres_slow_queries_total"], 0)
	require.InDelta(t, 1, s.Counters["postgres_query_errors_total{class=57}"], 0)
	require.InDelta(t, 2, s.Counters["postgres_query_errors_total"], 0)
	require.InDelta(t, 1, s.Counters["postgres_connection_failures_total"], 0)
	require.InDelta(t, 1, s.Counters["postgres_retries_total{class=conn}"], 0)
	require.Equal(t, 1, s.Timings["postgres_transaction_duration_seconds{outcome=commit}"].Count)
}

func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()

	b := bundle{metrics: httpd.NewMetrics(time.Second)}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				b.metrics.Operation("query", fmt.Sprintf("CODE_%d_%d", g, i), time.Millisecond, 1)
			}
		})
	}
	wg.Wait()
	s := b.snapshot(t)
	n := 0
	for name := range s.Counters {
		if strings.HasPrefix(name, "graphql_operations_total{") {
			n++
		}
	}
	require.Equal(t, 201, n)
	require.InDelta(t, 2000, s.Counters["graphql_operations_total"], 0, "none is lost")
	require.InDelta(t, 1800, s.Counters["graphql_operations_total{code=other,kind=other}"], 0)
}

func TestOperationMetrics(t *testing.T) {
	t.Parallel()

	b := bundle{metrics: httpd.NewMetrics(time.Second)}
	b.metrics.Operation("query", "", time.Millisecond, 1)
	b.metrics.Operation("", "GRAPHQL_PARSE_FAILED", time.Millisecond, 1)
	b.metrics.Operation("subscription", "", time.Hour, 7)
	s := b.snapshot(t)
	require.InDelta(t, 1, s.Counters["graphql_operations_total{code=OK,kind=query}"], 0)
	require.InDelta(t, 1, s.Counters["graphql_operations_total{code=GRAPHQL_PARSE_FAILED,kind=refused}"], 0)
	require.InDelta(t, 7, s.Counters["graphql_events_total"], 0)
	require.NotContains(t, s.Timings, "graphql_operation_duration_seconds{kind=subscription}")
}

func TestWorkerAndRealtimeMetrics(t *testing.T) {
	t.Parallel()

	b := bundle{metrics: httpd.NewMetrics(time.Second)}
	b.metrics.Jobs("send_email", httpd.JobClaimed, 16)
	b.metrics.Jobs("send_email", httpd.JobDone, 15)
	b.metrics.Jobs("send_email", httpd.JobRetried, 1)
	b.metrics.JobTime("send_email", time.Second)
	b.metrics.Gauge("realtime_streams", "Open streams.", func() float64 { return 3 })
	b.metrics.Counter("realtime_events_total", "Events.", func() float64 { return 9 })
	s := b.snapshot(t)
	require.InDelta(t, 15, s.Counters["worker_jobs_total{outcome=done,type=send_email}"], 0)
	require.InDelta(t, 32, s.Counters["worker_jobs_total"], 0)
	require.Equal(t, 1, s.Timings["worker_job_duration_seconds{type=send_email}"].Count)
	require.InDelta(t, 3, s.Gauges["realtime_streams"], 0)
	require.InDelta(t, 9, s.Counters["realtime_events_total"], 0)
}

func TestDatabaseMetrics(t *testing.T) {
	t.Parallel()

	b := bundle{metrics: httpd.NewMetrics(time.Second)}
	b.metrics.Pool("api", func() db.PoolStat {
		return db.PoolStat{InUse: 5, Idle: 2, Max: 20, Waits: 7, WaitTime: 1500 * time.Millisecond, Opened: 9}
	})
	b.metrics.Pool("worker", func() db.PoolStat { return db.PoolStat{} })
	b.metrics.Query(t.Context(), db.Query{Name: "job.Get", Duration: time.Millisecond})

	samples := make(chan httpd.DatabaseStats)
	failures := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.metrics.SampleDatabase(ctx, time.Millisecond, func(ctx context.Context) (httpd.DatabaseStats, error) {
			select {
			case s := <-samples:
				return s, nil
			case <-ctx.Done():
				return httpd.DatabaseStats{}, ctx.Err()
			default:
				return httpd.DatabaseStats{}, errors.New("down")
			}
		}, func(err error) {
			select {
			case failures <- err:
			case <-ctx.Done():
			}
		})
	}()
	require.ErrorContains(t, <-failures, "down")
	require.NotContains(t, b.prometheus(t), "postgres_cache_hit_ratio ", "unknown is not zero")
	go func() {
		for range failures {
		}
	}()
	samples <- httpd.DatabaseStats{
		CacheHitRatio: .99,
		Tables:        []httpd.Size{{Name: "jobs", Bytes: 8192}, {Name: "jobs", Bytes: 1}}, Indexes: []httpd.Size{{Name: "ix_jobs_ready", Bytes: 16384}},
	}
	require.Eventually(t, func() bool { return strings.Contains(b.prometheus(t), "postgres_cache_hit_ratio 0.99") },
		5*time.Second, time.Millisecond)
	cancel()
	<-done
	close(failures)

	text := b.prometheus(t)
	for _, want := range []string{
		`postgres_connections_active{pool="api"} 5`, `postgres_connections_idle{pool="api"} 2`,
		`postgres_connections_max{pool="worker"} 0`, `postgres_pool_utilization_ratio{pool="api"} 0.25`,
		`postgres_pool_waits_total{pool="api"} 7`, `postgres_pool_wait_seconds_total{pool="api"} 1.5`,
		`postgres_connections_opened_total{pool="api"} 9`, `postgres_table_size_bytes{table="jobs"} 8192`,
		`postgres_index_size_bytes{index="ix_jobs_ready"} 16384`, `postgres_query_duration_seconds_count{query="job.Get"} 1`,
		`postgres_transaction_duration_seconds_count{outcome="commit"} 0`, `postgres_slow_queries_total 0`, `go_goroutines`,
	} {
		require.Contains(t, text, want)
	}
}

func TestNilMetrics(t *testing.T) {
	t.Parallel()

	var m *httpd.Metrics
	require.NotPanics(t, func() {
		m.Query(t.Context(), db.Query{})
		m.Operation("query", "", 0, 0)
		m.Jobs("x", httpd.JobDone, 1)
		m.JobTime("x", 0)
		m.Retried("40")
		m.Transaction(false, 0)
		m.ConnectionFailed()
		httpd.Middleware(httpd.Options{})(http.NotFoundHandler()).
			ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
	})
}

func BenchmarkQueryHook(b *testing.B) {
	m := httpd.NewMetrics(time.Second)
	b.ReportAllocs()
	for b.Loop() {
		m.Query(b.Context(), db.Query{Name: "job.Claim", Duration: time.Millisecond})
	}
}
