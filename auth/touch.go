package auth

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

const (
	touchEvery   = time.Second
	touchBatch   = 1_000           // keys of one statement
	touchTimeout = 5 * time.Second // of one statement, also of the last one at shutdown
)

// touched is the second in which a grant was last counted as used.
type touched = atomic.Int64

// touches are the uses of keys that are not written yet: one per key, the latest.
type touches struct {
	mu      sync.Mutex
	pending map[uuid.UUID]time.Time
}

func newTouches() *touches { return &touches{pending: map[uuid.UUID]time.Time{}} }

// touch counts a use. Within one second only the first does anything, so a busy key costs one atomic load per request.
func (a *Authenticator) touch(g *grant) {
	now := a.config.Now()
	last := g.touched.Load()
	if last == now.Unix() || !g.touched.CompareAndSwap(last, now.Unix()) {
		return
	}
	a.touches.add(g.scope.KeyID, now)
}

func (t *touches) add(id uuid.UUID, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at.After(t.pending[id]) && (len(t.pending) < maxEntries || !t.pending[id].IsZero()) {
		t.pending[id] = at
	}
}

func (t *touches) take() map[uuid.UUID]time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	taken := t.pending
	t.pending = map[uuid.UUID]time.Time{}
	return taken
}

// Run looks after held connections and writes when keys were last used, at most once a second for each, until ctx ends; then it
// writes the rest and returns. What could not be written is tried again with the next batch.
func (a *Authenticator) Run(ctx context.Context) {
	tick := time.NewTicker(touchEvery)
	defer tick.Stop()
	go a.watch(ctx)
	for {
		select {
		case <-tick.C:
			a.flush(ctx)
		case <-ctx.Done():
			a.flush(context.WithoutCancel(ctx))
			return
		}
	}
}

func (a *Authenticator) flush(ctx context.Context) {
	taken := a.touches.take()
	ids := slices.Collect(maps.Keys(taken))
	for len(ids) > 0 {
		batch := ids[:min(touchBatch, len(ids))]
		if err := a.write(ctx, batch, taken); err != nil {
			a.config.Log.Warn().Err(err).Int("keys", len(ids)).Msg("last use of keys not written")
			for _, id := range ids {
				a.touches.add(id, taken[id])
			}
			return
		}
		ids = ids[len(batch):]
	}
}

func (a *Authenticator) write(ctx context.Context, ids []uuid.UUID, at map[uuid.UUID]time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, touchTimeout)
	defer cancel()
	times := make([]time.Time, len(ids))
	for i, id := range ids {
		times[i] = at[id]
	}
	return a.config.Keys.Touch(ctx, ids, times)
}
