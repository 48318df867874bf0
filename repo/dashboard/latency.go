package dashboard

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/google/uuid"

	"stackforge/db"
	"stackforge/tenant"
)

// Latency is how long statements of searches took for a tenant, with the wait for a connection, as this process measured it.
type Latency struct {
	Since time.Time // of the first measurement that counts
	Count int64
	P50   float64 // milliseconds, at most 10 % above the true value
	P95   float64
	Max   float64
}

// Latencies keeps the times of searches by tenant, those of the last hour and at least half an hour of them, in the memory
// of the process. It is bounded: tenants beyond the bound are not measured until others have been silent for an hour.
type Latencies struct {
	now func() time.Time

	mu      sync.Mutex
	turned  time.Time // when the current half began
	current map[uuid.UUID]*histogram
	before  map[uuid.UUID]*histogram
}

const (
	halfWindow = 30 * time.Minute
	maxTenants = 5000 // of each half; some 5 MB
	// Bounds of the histogram grow by a tenth from 0.05 ms; the last one is above 5 minutes.
	firstBound = 0.05
	growth     = 1.1
	bounds     = 165
)

type histogram struct {
	since  time.Time
	counts [bounds + 1]uint32
	max    float64
}

// NewLatencies returns an empty one. now is the clock, time.Now when nil.
func NewLatencies(now func() time.Time) *Latencies {
	if now == nil {
		now = time.Now
	}
	return &Latencies{now: now, turned: now(), current: map[uuid.UUID]*histogram{}, before: map[uuid.UUID]*histogram{}}
}

// Query is a db.Hook: it takes the statements that find documents.
func (l *Latencies) Query(ctx context.Context, q db.Query) {
	if q.ErrorClass != "" || q.Name != "search.Search" && q.Name != "embedding.Similar" {
		return
	}
	s := tenant.Lookup(ctx)
	if s == nil {
		return
	}
	ms := float64(q.Duration) / float64(time.Millisecond)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn()
	h := l.current[s.TenantID]
	if h == nil {
		if len(l.current) >= maxTenants {
			return
		}
		h = &histogram{since: l.now()}
		l.current[s.TenantID] = h
	}
	h.counts[bucketOf(ms)]++
	h.max = max(h.max, ms)
}

// bucketOf returns the first bound that is not below a time.
func bucketOf(ms float64) int {
	if ms <= firstBound {
		return 0
	}
	return min(int(math.Ceil(math.Log(ms/firstBound)/math.Log(growth))), bounds)
}

// turn forgets what is too old. The caller holds the lock.
func (l *Latencies) turn() {
	switch age := l.now().Sub(l.turned); {
	case age >= 2*halfWindow:
		l.before, l.current, l.turned = map[uuid.UUID]*histogram{}, map[uuid.UUID]*histogram{}, l.now()
	case age >= halfWindow:
		l.before, l.current, l.turned = l.current, map[uuid.UUID]*histogram{}, l.now()
	}
}

// Of returns the latency of the caller's tenant; nil when it has not searched in this process within the time.
func (l *Latencies) Of(ctx context.Context) (*Latency, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn()
	var sum histogram
	var out Latency
	for _, h := range []*histogram{l.before[s.TenantID], l.current[s.TenantID]} {
		if h == nil {
			continue
		}
		if out.Count == 0 {
			out.Since = h.since
		}
		for i, n := range h.counts {
			sum.counts[i] += n
			out.Count += int64(n)
		}
		out.Max = max(out.Max, h.max)
	}
	if out.Count == 0 {
		return nil, nil //nolint:nilnil // nothing measured is no failure
	}
	out.P50, out.P95 = sum.quantile(.5, out.Count, out.Max), sum.quantile(.95, out.Count, out.Max)
	return &out, nil
}

func (h *histogram) quantile(q float64, count int64, most float64) float64 {
	rank := int64(math.Ceil(q * float64(count)))
	for i, n := range h.counts {
		if rank -= int64(n); rank <= 0 {
			return min(firstBound*math.Pow(growth, float64(i)), most)
		}
	}
	return most
}
