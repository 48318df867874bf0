package auth

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"stackforge/errs"
	"stackforge/repo/apikey"
	"stackforge/tenant"
)

// How long and how much is remembered.
const (
	knownFor   = 30 * time.Second // also the longest that a revoked key can go on
	unknownFor = 5 * time.Second  // spares the database a client that retries a dead key
	maxEntries = 10_000
	maxUnknown = 1_000 // made-up keys must not push anything else out
	askFor     = 5 * time.Second
)

// cache is a bounded map whose entries end.
type cache[K comparable, V any] struct {
	limit int

	mu      sync.RWMutex
	entries map[K]entry[V]
}

type entry[V any] struct {
	value V
	until time.Time
}

func newCache[K comparable, V any](limit int) *cache[K, V] {
	return &cache[K, V]{limit: limit, entries: make(map[K]entry[V])}
}

func (c *cache[K, V]) get(k K, now time.Time) (V, bool) {
	c.mu.RLock()
	e, ok := c.entries[k]
	c.mu.RUnlock()
	return e.value, ok && now.Before(e.until)
}

func (c *cache[K, V]) put(k K, v V, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.entries[k]; !there && len(c.entries) >= c.limit {
		c.evict()
	}
	c.entries[k] = entry[V]{value: v, until: until}
}

// evict drops, of a few entries that the map's random order offers, the one that ends first: nearly as good as the oldest
// of all, at a cost that does not grow.
func (c *cache[K, V]) evict() {
	const sample = 8
	var victim K
	var first time.Time
	seen := 0
	for k, e := range c.entries {
		if seen == 0 || e.until.Before(first) {
			victim, first = k, e.until
		}
		if seen++; seen == sample {
			break
		}
	}
	delete(c.entries, victim)
}

func (c *cache[K, V]) drop(k K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, k)
}

// remove drops all entries whose value matches.
func (c *cache[K, V]) remove(match func(V) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, e := range c.entries {
		if match(e.value) {
			delete(c.entries, k)
		}
	}
}

// lookup finds keys, at first in memory. Misses of one key at one time make one query.
type lookup[K comparable] struct {
	ask     func(context.Context, K) (apikey.Grant, error)
	flights singleflight.Group
	known   *cache[K, *grant]
	name    func(K) string
	now     func() time.Time
	unknown *cache[K, struct{}]
	changes atomic.Int64 // of keys, as told
}

func newLookup[K comparable](now func() time.Time, name func(K) string, ask func(context.Context, K) (apikey.Grant, error)) *lookup[K] {
	return &lookup[K]{
		ask: ask, known: newCache[K, *grant](maxEntries), name: name, now: now, unknown: newCache[K, struct{}](maxUnknown),
	}
}

// get returns the grant of a key. It is errs.NotFound when there is none that holds.
func (l *lookup[K]) get(ctx context.Context, k K) (*grant, error) {
	if g, err, ok := l.remembered(k); ok {
		return g, err
	}
	// The query outlives the request that started it: others may wait for it.
	flight := l.flights.DoChan(l.name(k), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askFor)
		defer cancel()
		return l.fetch(ctx, k)
	})
	select {
	case <-ctx.Done():
		return nil, errs.From(ctx.Err())
	case r := <-flight:
		g, ok := r.Val.(*grant)
		if r.Err != nil || !ok {
			return nil, r.Err
		}
		return g, nil
	}
}

func (l *lookup[K]) remembered(k K) (g *grant, err error, ok bool) { //nolint:revive // the error is a remembered value
	now := l.now()
	if g, ok := l.known.get(k, now); ok {
		if !g.expires.IsZero() && !now.Before(g.expires) {
			return nil, notFound(), true
		}
		return g, nil, true
	}
	if _, ok := l.unknown.get(k, now); ok {
		return nil, notFound(), true
	}
	return nil, nil, false //nolint:nilnil // ok says that there is neither
}

func (l *lookup[K]) fetch(ctx context.Context, k K) (*grant, error) {
	// Another flight may have landed between this caller's miss and its take-off.
	if g, err, ok := l.remembered(k); ok {
		return g, err
	}
	asked, changes := l.now(), l.changes.Load() // the answer is as old as the question
	found, err := l.ask(ctx, k)
	if errs.Is(err, errs.NotFound) {
		l.known.drop(k)
		l.unknown.put(k, struct{}{}, asked.Add(unknownFor))
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	g := &grant{scope: tenant.Scope{
		TenantID: found.TenantID, KeyID: found.KeyID, Scopes: found.Scopes, RequestsPerMinute: found.RequestsPerMinute,
	}}
	if found.ExpiresAt != nil {
		g.expires = *found.ExpiresAt
	}
	if changes == l.changes.Load() { // else the answer may be from before the change
		l.known.put(k, g, asked.Add(knownFor))
	}
	return g, nil
}

// forget drops what is known, and what is being asked.
func (l *lookup[K]) forget() {
	l.changes.Add(1)
	l.known.remove(func(*grant) bool { return true })
}

func notFound() error { return errs.New(errs.NotFound, "There is no such key.") }
