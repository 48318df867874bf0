package dashboard

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"stackforge/db"
)

// Refresher refreshes the statistics of all tenants' documents. Calls that come while a refresh runs share the one after it,
// so any number of callers costs at most two, and each sees what was committed before it called. Between two refreshes it
// rests for as long as the last one took: nobody can keep the database busy with more than half of one connection.
type Refresher struct {
	db db.Handle

	mu      sync.Mutex
	running *refresh
	next    *refresh

	calls, runs atomic.Int64
	last        atomic.Int64 // nanoseconds
}

// maxRest bounds the time between two refreshes.
const maxRest = 30 * time.Second

// refresh is one run that callers wait for.
type refresh struct {
	done chan struct{}
	err  error
}

// RefreshCounts are numbers for metrics.
type RefreshCounts struct {
	Calls, Runs int64
	Last        time.Duration // of the last run
}

// NewRefresher returns a Refresher.
func NewRefresher(h db.Handle) *Refresher { return &Refresher{db: h} }

// Counts returns how often it was called and how often it refreshed.
func (r *Refresher) Counts() RefreshCounts {
	return RefreshCounts{Calls: r.calls.Load(), Runs: r.runs.Load(), Last: time.Duration(r.last.Load())}
}

// Refresh returns when a refresh that began after the call has ended.
func (r *Refresher) Refresh(ctx context.Context) error {
	r.calls.Add(1)
	f := r.join(context.WithoutCancel(ctx)) // it serves many callers and must not end with the first of them
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *Refresher) join(ctx context.Context) *refresh {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running != nil {
		if r.next == nil {
			r.next = &refresh{done: make(chan struct{})}
		}
		return r.next
	}
	r.running = &refresh{done: make(chan struct{})}
	go r.work(ctx, r.running)
	return r.running
}

// work runs refreshes as long as somebody waits.
func (r *Refresher) work(ctx context.Context, f *refresh) {
	for f != nil {
		start := time.Now()
		_, f.err = db.Exec(ctx, r.db, `
			-- name: dashboard.Refresh
			SELECT refresh_tenant_document_stats()`)
		took := time.Since(start)
		r.runs.Add(1)
		r.last.Store(int64(took))
		close(f.done)
		<-time.After(min(took, maxRest))
		r.mu.Lock()
		r.running, r.next = r.next, nil
		f = r.running
		r.mu.Unlock()
	}
}
