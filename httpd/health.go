package httpd

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"stackforge/db"
)

// database is what the probes ask of a pool; *db.DB has it.
type database interface {
	Ready(ctx context.Context, timeout time.Duration) error
	Stat() db.PoolStat
}

// HealthConfig is what the probes look at. Only Database is required.
type HealthConfig struct {
	Database database
	// Pending returns the migrations that are missing. Once there were none it is not asked again: a newer release
	// may migrate while this process still serves.
	Pending func(ctx context.Context) ([]string, error)
	// Capabilities returns the extensions of the database; the answer is kept.
	Capabilities func(ctx context.Context) ([]db.Capability, error)
	Metrics      *Metrics      // counts pings that failed
	Version      string        // shown by /health
	Saturation   time.Duration // /ready fails after the pool was exhausted for this time; default 5 s
	Timeout      time.Duration // for the database to answer; default 1 s
	MaxAge       time.Duration // answers are kept for this time, so that probes cannot load the database; default 500 ms
}

// Health answers the probes.
type Health struct {
	cfg     HealthConfig
	started time.Time

	draining  atomic.Bool
	migrated  atomic.Bool
	fullSince atomic.Int64 // Unix nanoseconds since which the pool has been exhausted, 0 when it is not

	pinged memo[error]
	ready  memo[readyBody]
	have   memo[[]db.Capability]
}

// NewHealth returns the probes of a process that starts now.
func NewHealth(c HealthConfig) *Health {
	set := func(field *time.Duration, value time.Duration) {
		if *field <= 0 {
			*field = value
		}
	}
	set(&c.Saturation, 5*time.Second)
	set(&c.Timeout, time.Second)
	set(&c.MaxAge, 500*time.Millisecond)
	h := &Health{cfg: c, started: time.Now()}
	h.migrated.Store(c.Pending == nil)
	return h
}

// Drain makes /ready fail from now on; it is for the start of a shutdown.
func (h *Health) Drain() { h.draining.Store(true) }

// Run watches the pool until ctx ends; without it /ready never sees exhaustion.
func (h *Health) Run(ctx context.Context) {
	t := time.NewTicker(min(250*time.Millisecond, h.cfg.Saturation/4))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			if s := h.cfg.Database.Stat(); s.InUse < s.Max {
				h.fullSince.Store(0)
			} else {
				h.fullSince.CompareAndSwap(0, now.UnixNano())
			}
		}
	}
}

type healthBody struct {
	Status        string `json:"status"`
	Database      string `json:"database"`
	UptimeSeconds int64  `json:"uptimeSeconds"`
	Version       string `json:"version,omitempty"`
}

// Health answers 200 while the process lives, and says whether the database does.
func (h *Health) Health(w http.ResponseWriter, r *http.Request) {
	b := healthBody{
		Status: "ok", Database: "up", Version: h.cfg.Version,
		UptimeSeconds: int64(time.Since(h.started).Seconds()),
	}
	if h.ping(r.Context()) != nil {
		b.Database = "down"
	}
	writeJSON(w, http.StatusOK, b)
}

type readyBody struct {
	Status       string           `json:"status"`
	Checks       map[string]check `json:"checks"`
	Reasons      []string         `json:"reasons,omitempty"`
	Capabilities []capability     `json:"capabilities,omitempty"`
}

// check is "ok" or what is the matter.
type check string

type capability struct {
	Name      string `json:"name"`
	Installed bool   `json:"installed"`
	Version   string `json:"version,omitempty"`
	Fallback  string `json:"fallback,omitempty"`
}

func (b *readyBody) fail(name, word, reason string) {
	b.Status = "unavailable"
	b.Checks[name] = check(word)
	b.Reasons = append(b.Reasons, reason)
}

// Ready answers 200 when requests can be served: the database answers, no migration is missing, the pool has not been
// exhausted for long, and no shutdown has begun; 503 with reasons otherwise.
func (h *Health) Ready(w http.ResponseWriter, r *http.Request) {
	b := h.ready.get(h.cfg.MaxAge, func() (readyBody, bool) { return h.checks(r.Context()), true })
	if h.draining.Load() {
		b = readyBody{Status: "unavailable", Checks: map[string]check{}, Reasons: []string{"The process is shutting down."}}
	}
	status := http.StatusOK
	if b.Status != "ready" {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, b)
}

func (h *Health) checks(ctx context.Context) readyBody {
	b := readyBody{Status: "ready", Checks: map[string]check{"database": "ok", "migrations": "ok", "pool": "ok"}}
	stat := h.cfg.Database.Stat()
	full := h.exhausted()
	switch err := h.ping(ctx); {
	case err == nil:
	case stat.InUse < stat.Max:
		b.fail("database", "down", "The database does not answer.")
	case full >= h.cfg.Saturation:
		b.fail("pool", "exhausted", fmt.Sprintf("Every connection of the pool has been in use for %d s.", int(full.Seconds())))
	default:
		b.Checks["pool"] = "busy" // a burst: it may pass
	}
	if b.Checks["database"] != "ok" || b.Checks["pool"] != "ok" {
		if !h.migrated.Load() {
			b.fail("migrations", "unknown", "Whether migrations are missing is not known.")
		}
		return b
	}
	h.migrations(ctx, &b)
	b.Capabilities = h.capabilities(ctx)
	return b
}

// exhausted is how long the pool has had no free connection.
func (h *Health) exhausted() time.Duration {
	since := h.fullSince.Load()
	if since == 0 {
		return 0
	}
	return time.Since(time.Unix(0, since))
}

func (h *Health) migrations(ctx context.Context, b *readyBody) {
	if h.migrated.Load() {
		return
	}
	ctx, cancel := h.bounded(ctx)
	defer cancel()
	switch list, err := h.cfg.Pending(ctx); {
	case err != nil:
		b.fail("migrations", "unknown", "The database has not been migrated, or cannot say whether it has.")
	case len(list) > 0:
		b.fail("migrations", "pending", fmt.Sprintf("%d migrations are pending; run migrate.", len(list)))
	default:
		h.migrated.Store(true)
	}
}

func (h *Health) capabilities(ctx context.Context) []capability {
	if h.cfg.Capabilities == nil {
		return nil
	}
	list := h.have.get(time.Minute, func() ([]db.Capability, bool) {
		ctx, cancel := h.bounded(ctx)
		defer cancel()
		list, err := h.cfg.Capabilities(ctx)
		return list, err == nil
	})
	out := make([]capability, 0, len(list))
	for _, c := range list {
		shown := capability{Name: c.Name, Installed: c.Installed}
		if c.Installed {
			shown.Version = c.Version
		} else {
			shown.Fallback = c.Fallback
		}
		out = append(out, shown)
	}
	return out
}

func (h *Health) ping(ctx context.Context) error {
	return h.pinged.get(h.cfg.MaxAge, func() (error, bool) {
		// The answer is for every caller of the next moment, so the first one leaving must not spoil it.
		err := h.cfg.Database.Ready(context.WithoutCancel(ctx), h.cfg.Timeout)
		if s := h.cfg.Database.Stat(); err != nil && s.InUse < s.Max {
			h.cfg.Metrics.ConnectionFailed()
		}
		return err, true
	})
}

func (h *Health) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), h.cfg.Timeout)
}

// memo keeps a value for a while. One caller makes it; the others wait for it.
type memo[T any] struct {
	mu    sync.Mutex
	made  time.Time
	value T
}

// get returns the value, made anew when it is older than age; make says whether to keep it.
func (m *memo[T]) get(age time.Duration, build func() (T, bool)) T {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.made.IsZero() && time.Since(m.made) < age {
		return m.value
	}
	v, keep := build()
	if keep {
		m.value, m.made = v, time.Now()
	}
	return v
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // made of texts and numbers only
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // a prober that went away is no news
}

// Probes registers GET /health, /ready and /metrics: on the API's mux, or on that of a second listener.
func Probes(mux *http.ServeMux, h *Health, m *Metrics) {
	mux.HandleFunc("GET /health", h.Health)
	mux.HandleFunc("GET /ready", h.Ready)
	mux.Handle("GET /metrics", m.Handler())
}
