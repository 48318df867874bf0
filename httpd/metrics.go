package httpd

import (
	"context"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"stackforge/db"
)

// Metrics is the one registry of a process. Its methods are quick, safe for concurrent use, and do nothing on nil. Labels
// hold names of routes, statements, codes and job types only, never what a caller sent, and their number is bounded.
type Metrics struct {
	registry *prometheus.Registry
	slow     time.Duration

	inFlight prometheus.Gauge
	requests *children[requestKey, requestChild]

	operations *children[operationKey, prometheus.Counter]
	operation  *children[string, prometheus.Observer]
	events     prometheus.Counter

	queries      *children[string, prometheus.Observer]
	queryErrors  *children[string, prometheus.Counter]
	slowQueries  prometheus.Counter
	failures     prometheus.Counter
	retries      *children[string, prometheus.Counter]
	transactions *children[bool, prometheus.Observer]

	jobs    *children[jobKey, prometheus.Counter]
	jobTime *children[string, prometheus.Observer]

	pools pools
	stats atomic.Pointer[DatabaseStats]
}

// Most label values of each kind; what comes later is counted as "other".
const (
	maxRequests = 2000
	maxCodes    = 200
	maxQueries  = 1000
	maxClasses  = 64
	maxJobTypes = 200
)

// other stands for label values above the bound.
const other = "other"

// Buckets of timings, in seconds.
func buckets() []float64 {
	return []float64{
		.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30,
	}
}

// NewMetrics returns an empty registry with the numbers of the process. A statement of at least slow counts as slow.
func NewMetrics(slow time.Duration) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), slow: slow}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&m.pools,
		statsCollector{m},
	)
	m.registerHTTP()
	m.registerDatabase()
	m.registerJobs()
	return m
}

//nolint:ireturn // the library has no other type for it
func (m *Metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) timings(name, help string, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets()}, labels)
	m.registry.MustRegister(h)
	return h
}

func (m *Metrics) registerHTTP() {
	m.inFlight = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "http_requests_in_flight", Help: "Requests that are being answered.",
	})
	m.registry.MustRegister(m.inFlight)
	count := m.counters("http_requests_total", "Requests answered, by route pattern.", "route", "method", "status")
	timing := m.timings("http_request_duration_seconds", "Time to answer; without streams and WebSockets.", "route", "method")
	m.requests = newChildren(maxRequests, requestKey{other, other, 0}, func(k requestKey) requestChild {
		return requestChild{
			count:  count.WithLabelValues(k.route, k.method, statusLabel(k.status)),
			timing: timing.WithLabelValues(k.route, k.method),
		}
	})
	operations := m.counters("graphql_operations_total", "GraphQL operations that ended, by first error code.", "kind", "code")
	m.operations = newChildren(maxCodes, operationKey{other, other}, func(k operationKey) prometheus.Counter {
		return operations.WithLabelValues(k.kind, k.code)
	})
	operation := m.timings("graphql_operation_duration_seconds", "Time of a query or mutation.", "kind")
	m.operation = newChildren(maxClasses, other, func(k string) prometheus.Observer { return operation.WithLabelValues(k) })
	m.events = m.counter("graphql_events_total", "Answers that subscriptions sent.")
}

func (m *Metrics) registerDatabase() {
	queries := m.timings("postgres_query_duration_seconds", "Time of a statement, with the wait for a connection.", "query")
	m.queries = newChildren(maxQueries, other, func(k string) prometheus.Observer { return queries.WithLabelValues(k) })
	failed := m.counters("postgres_query_errors_total",
		"Statements that failed, by SQLSTATE class (two characters), conn, ctx or other.", "class")
	m.queryErrors = newChildren(maxClasses, other, func(k string) prometheus.Counter { return failed.WithLabelValues(k) })
	m.slowQueries = m.counter("postgres_slow_queries_total", "Statements that took at least SLOW_QUERY_MS.")
	m.failures = m.counter("postgres_connection_failures_total", "Statements and probes that found no working connection.")
	retries := m.counters("postgres_retries_total", "Statements and transactions that were run again.", "class")
	m.retries = newChildren(maxClasses, other, func(k string) prometheus.Counter { return retries.WithLabelValues(k) })
	tx := m.timings("postgres_transaction_duration_seconds", "Time of a transaction.", "outcome")
	m.transactions = newChildren(2, true, func(ok bool) prometheus.Observer {
		if ok {
			return tx.WithLabelValues("commit")
		}
		return tx.WithLabelValues("rollback")
	})
	m.transactions.get(true) // present from the start
	m.transactions.get(false)
}

func (m *Metrics) registerJobs() {
	jobs := m.counters("worker_jobs_total", "Jobs of this worker, by type and what became of them.", "type", "outcome")
	m.jobs = newChildren(maxJobTypes*4, jobKey{other, other}, func(k jobKey) prometheus.Counter {
		return jobs.WithLabelValues(k.typ, k.outcome)
	})
	timing := m.timings("worker_job_duration_seconds", "Time of one attempt of a job.", "type")
	m.jobTime = newChildren(maxJobTypes, other, func(k string) prometheus.Observer { return timing.WithLabelValues(k) })
}

type requestKey struct {
	route, method string
	status        int
}

type requestChild struct {
	count  prometheus.Counter
	timing prometheus.Observer
}

func statusLabel(status int) string {
	if status == 0 {
		return other
	}
	return strconv.Itoa(status)
}

func (m *Metrics) begin() {
	if m != nil {
		m.inFlight.Inc()
	}
}

func (m *Metrics) request(rec *recorder, r *http.Request, d time.Duration) {
	if m == nil {
		return
	}
	m.inFlight.Dec()
	c := m.requests.get(requestKey{route(rec.routed), methodLabel(r.Method), rec.code()})
	c.count.Inc()
	if !rec.hijacked && !isStream(rec.Header()) {
		c.timing.Observe(d.Seconds())
	}
}

func isStream(h http.Header) bool {
	types := h["Content-Type"]
	return len(types) == 1 && strings.HasPrefix(types[0], "text/event-stream")
}

// methodLabel keeps invented methods out of the labels.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions:
		return method
	default:
		return other
	}
}

type operationKey struct{ kind, code string }

// Operation counts a GraphQL operation that ended: kind is query, mutation, subscription or "" for a document that was
// refused; code is that of its first error, "" for none; events are the answers of a subscription. The time of a
// subscription is that of its client, so it is left out.
func (m *Metrics) Operation(kind, code string, d time.Duration, events int) {
	if m == nil {
		return
	}
	if kind == "" {
		kind = "refused"
	}
	if code == "" {
		code = "OK"
	}
	m.operations.get(operationKey{kind, code}).Inc()
	if kind == "subscription" {
		m.events.Add(float64(events))
		return
	}
	m.operation.get(kind).Observe(d.Seconds())
}

// Query is a db.Hook: time by statement name, failures by class, slow statements.
func (m *Metrics) Query(_ context.Context, q db.Query) {
	if m == nil {
		return
	}
	m.queries.get(q.Name).Observe(q.Duration.Seconds())
	if q.Duration >= m.slow {
		m.slowQueries.Inc()
	}
	if q.ErrorClass == "" {
		return
	}
	m.queryErrors.get(q.ErrorClass).Inc()
	if q.ErrorClass == "conn" || q.ErrorClass == "08" {
		m.failures.Inc()
	}
}

// ConnectionFailed counts an attempt to reach the database, other than a statement, that failed.
func (m *Metrics) ConnectionFailed() {
	if m != nil {
		m.failures.Inc()
	}
}

// Retried counts a statement or transaction that runs again, by the class of the error that made it.
func (m *Metrics) Retried(class string) {
	if m != nil {
		m.retries.get(class).Inc()
	}
}

// Transaction records the time of a transaction from its begin to its end.
func (m *Metrics) Transaction(committed bool, d time.Duration) {
	if m != nil {
		m.transactions.get(committed).Observe(d.Seconds())
	}
}

type jobKey struct{ typ, outcome string }

// Outcome is what became of a job.
type Outcome string

// Outcomes of jobs. A job is claimed once per attempt.
const (
	JobClaimed Outcome = "claimed"
	JobDone    Outcome = "done"
	JobFailed  Outcome = "failed"
	JobRetried Outcome = "retried"
)

// Jobs counts n jobs of a type with one outcome. Types that no handler knows should be given as "unknown".
func (m *Metrics) Jobs(jobType string, outcome Outcome, n int) {
	if m != nil {
		m.jobs.get(jobKey{jobType, string(outcome)}).Add(float64(n))
	}
}

// JobTime records the time of one attempt.
func (m *Metrics) JobTime(jobType string, d time.Duration) {
	if m != nil {
		m.jobTime.get(jobType).Observe(d.Seconds())
	}
}

// Gauge registers a number that is read when somebody looks, such as open subscriptions. The name is in snake_case and
// must be new, or it panics.
func (m *Metrics) Gauge(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
}

// Counter registers a number that only grows and is read when somebody looks. The name ends in _total and must be new,
// or it panics.
func (m *Metrics) Counter(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, read))
}

// children finds the counter of a label without a lock and without garbage. A new label copies the table, which is rare.
type children[K comparable, V any] struct {
	table atomic.Pointer[map[K]V]
	mu    sync.Mutex
	most  int
	rest  K // stands for all keys above most
	build func(K) V
}

func newChildren[K comparable, V any](most int, rest K, build func(K) V) *children[K, V] {
	c := &children[K, V]{most: most, rest: rest, build: build}
	c.table.Store(&map[K]V{})
	return c
}

func (c *children[K, V]) get(key K) V {
	if v, ok := (*c.table.Load())[key]; ok {
		return v
	}
	return c.add(key)
}

func (c *children[K, V]) add(key K) V {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := *c.table.Load()
	if len(old) >= c.most {
		key = c.rest
	}
	if v, ok := old[key]; ok {
		return v
	}
	grown := make(map[K]V, len(old)+1)
	maps.Copy(grown, old)
	v := c.build(key)
	grown[key] = v
	c.table.Store(&grown)
	return v
}
