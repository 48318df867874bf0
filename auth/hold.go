package auth

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"stackforge/errs"
	"stackforge/tenant"
)

// recheckEvery is how often the keys of long connections are asked for again when nobody tells of a change.
const recheckEvery = knownFor

// held are the connections that outlive a request, by the key that opened them.
type held struct {
	mu    sync.Mutex
	byKey map[uuid.UUID]map[*hold]struct{}
}

type hold struct {
	scopes []string
	cancel context.CancelFunc
}

// Hold returns a context for a connection that outlives its request: it ends when the key behind the scope is revoked or loses
// permissions. Run looks after it.
func (a *Authenticator) Hold(ctx context.Context, s tenant.Scope) context.Context {
	if s.KeyID == uuid.Nil {
		return ctx
	}
	ctx, cancel := context.WithCancel(ctx)
	h := &hold{scopes: s.Scopes, cancel: cancel}
	a.held.mu.Lock()
	if a.held.byKey[s.KeyID] == nil {
		a.held.byKey[s.KeyID] = map[*hold]struct{}{}
	}
	a.held.byKey[s.KeyID][h] = struct{}{}
	a.held.mu.Unlock()
	context.AfterFunc(ctx, func() {
		a.held.mu.Lock()
		defer a.held.mu.Unlock()
		delete(a.held.byKey[s.KeyID], h)
		if len(a.held.byKey[s.KeyID]) == 0 {
			delete(a.held.byKey, s.KeyID)
		}
	})
	return ctx
}

// Changed says that keys were revoked or changed, in whatever process: what is remembered is asked again, and connections of
// keys that ended are closed. It does not block.
func (a *Authenticator) Changed() {
	a.byID.forget()
	a.byHash.forget()
	select {
	case a.recheck <- struct{}{}:
	default:
	}
}

// watch checks the keys of connections after each change, and now and then.
func (a *Authenticator) watch(ctx context.Context) {
	tick := time.NewTicker(recheckEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.recheck:
		case <-tick.C:
		}
		a.held.mu.Lock()
		ids := make([]uuid.UUID, 0, len(a.held.byKey))
		for id := range a.held.byKey {
			ids = append(ids, id)
		}
		a.held.mu.Unlock()
		for _, id := range ids {
			a.check(ctx, id)
		}
	}
}

// check ends what a key opened and does not allow any more. A database that does not answer ends nothing.
func (a *Authenticator) check(ctx context.Context, id uuid.UUID) {
	g, err := a.byID.get(ctx, id)
	if err != nil && !errs.Is(err, errs.NotFound) {
		return
	}
	a.held.mu.Lock()
	defer a.held.mu.Unlock()
	for h := range a.held.byKey[id] {
		if err != nil || slices.ContainsFunc(h.scopes, func(s string) bool { return !g.scope.Allows(s) }) {
			go h.cancel() // what it ends may call back for the lock
		}
	}
}
