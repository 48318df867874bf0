// Package realtime turns logs of events in the database into bounded, resumable streams.
//
// Rows are the truth and notifications are only nudges. A writer appends to a log in its own transaction and nudges after
// its commit (Nudger). A process reads what is new once, whatever the number of its subscribers, and hands it to them in
// memory (Hub). What a nudge does not reach in time, the hub's poll does. One mechanism serves every stream; a stream is a
// Source. How a position can neither skip nor stall is told in docs/decisions/0001-realtime-cursor.md.
package realtime

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"stackforge/errs"
	"stackforge/realtime/cursor"
	"stackforge/tenant"
)

// Event is what a hub needs to know of an event. Events are shared by all subscribers: E is best a pointer.
type Event interface {
	// Position returns the event's tenant, and the cursor from which a subscriber goes on after it.
	Position() (tenantID uuid.UUID, cursor string)
}

// Source is one log of events.
type Source[E Event] interface {
	// Read returns the next events of all tenants after a position, at most limit; from the zero position none.
	Read(ctx context.Context, p cursor.Position, limit int) (cursor.Page[E], error)
	// Replay is Read for the tenant of the context.
	Replay(ctx context.Context, p cursor.Position, limit int) (cursor.Page[E], error)
	// Reset returns the event that tells a subscriber that events were lost and that it starts anew at a position.
	Reset(tenantID uuid.UUID, at cursor.Position) E
	// Stream returns the name that the stream has in cursors.
	Stream() string
}

// Config is what a Hub needs. Zero values take the defaults named here.
type Config[E Event] struct {
	Source   Source[E]
	Log      zerolog.Logger
	Buffer   int           // events that a subscriber may be behind before it is closed; default 256
	Gap      time.Duration // least time between two reads, so that nudges coalesce; default 5 ms
	PageSize int           // events per read; default 2,000
	Poll     time.Duration // longest time between two reads while there are subscribers; default 100 ms
	Replays  int           // pages that are read at once for subscribers that resume, so that a storm of them leaves room for the rest; default 4
}

// maxDelay bounds the wait after failed reads, which doubles from Poll on.
const maxDelay = 2 * time.Second

// Hub reads a stream once for all its subscribers in this process. It reads nothing while there are none.
type Hub[E Event] struct {
	c       Config[E]
	wake    chan struct{}
	replays chan struct{} // has a token for each replay that reads

	mu      sync.Mutex // guards what follows, and the subscriptions' states
	subs    map[*Subscription[E]]struct{}
	joining map[*Subscription[E]]struct{} // become live at the end of the next read that begins
	tenants map[uuid.UUID]*group[E]       // the live ones
	ended   bool

	delivered, dropped atomic.Int64
	readAt             atomic.Int64 // when the last complete read began, Unix nanoseconds; 0 while idle
}

// group is the live subscribers of one tenant, in no order.
type group[E Event] struct {
	subs []*Subscription[E]
}

// New returns a Hub. It works while Run does.
func New[E Event](c Config[E]) *Hub[E] {
	c.Buffer = or(c.Buffer, 256)
	c.Gap = or(c.Gap, 5*time.Millisecond)
	c.PageSize = or(c.PageSize, 2000)
	c.Poll = or(c.Poll, 100*time.Millisecond)
	c.Replays = or(c.Replays, 4)
	return &Hub[E]{
		c:       c,
		wake:    make(chan struct{}, 1),
		replays: make(chan struct{}, c.Replays),
		subs:    map[*Subscription[E]]struct{}{},
		joining: map[*Subscription[E]]struct{}{},
		tenants: map[uuid.UUID]*group[E]{},
	}
}

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// Stats are gauges and counters of a hub.
type Stats struct {
	Subscribers int
	Delivered   int64         // events put into subscribers' buffers since start
	Dropped     int64         // subscribers closed because they were too slow
	Lag         time.Duration // since the log was last read to its end; 0 without subscribers
}

// Stats returns the state of the hub at this instant.
func (h *Hub[E]) Stats() Stats {
	h.mu.Lock()
	n := len(h.subs)
	h.mu.Unlock()
	s := Stats{Subscribers: n, Delivered: h.delivered.Load(), Dropped: h.dropped.Load()}
	if at := h.readAt.Load(); at != 0 {
		s.Lag = time.Since(time.Unix(0, at))
	}
	return s
}

// Subscribe starts a subscription of the context's tenant to the events that keep lets through (nil: all). keep is called
// under the hub's lock: it must be quick.
//
// With after "" it returns when capture is certain: every event committed from then on is delivered. With a cursor it
// first replays what came after it. A cursor that cannot be continued, because the events are gone or because the
// database is another one now, gives a reset event first, and then what is new from there on.
//
// The subscription ends with ctx. Subscribe is Validation on after when that is no cursor of this stream,
// Unauthenticated without a tenant, and Unavailable when the hub has ended or ctx ends while it waits.
func (h *Hub[E]) Subscribe(ctx context.Context, keep func(E) bool, after string) (*Subscription[E], error) {
	scope, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	var from cursor.Position
	if after != "" {
		if from, err = cursor.Parse(h.c.Source.Stream(), after); err != nil {
			return nil, errs.Field("after", "This is not a cursor of this stream.")
		}
	}
	s := newSubscription(h, scope.TenantID, keep, after)
	if !h.add(ctx, s) {
		return nil, unavailable(nil)
	}
	if after != "" {
		go s.replay(ctx, from)
		return s, nil
	}
	h.join(s)
	if _, ok := s.waitJoined(); ok {
		return s, nil
	}
	s.Close()
	return nil, unavailable(ctx.Err())
}

func unavailable(cause error) error {
	return errs.Wrap(errs.Unavailable, cause, "The stream has ended; subscribe again.")
}

// Wake tells the hub that there may be new events. It never blocks.
func (h *Hub[E]) Wake() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Run reads and delivers until ctx ends; then every subscription ends with an Unavailable error. Failed reads are logged
// and repeated from where they stopped. It is called once.
func (h *Hub[E]) Run(ctx context.Context) {
	defer h.end()
	var p cursor.Position // zero while nobody listens
	var failed time.Duration
	for h.sleep(ctx, failed) {
		begin := time.Now()
		joining := h.takeJoining()
		var err error
		if p, err = h.read(ctx, p); err != nil {
			failed = max(h.c.Poll, min(2*failed, maxDelay))
			h.c.Log.Warn().Err(err).AnErr("cause", errors.Unwrap(err)).Str("stream", h.c.Source.Stream()).
				Dur("retryIn", failed).Msg("realtime: read failed")
			continue
		}
		failed = 0
		h.readAt.Store(begin.UnixNano())
		h.goLive(joining, p)
		if h.idle() {
			p = cursor.Position{}
			h.readAt.Store(0)
		}
	}
}

// sleep waits for the next read: after a failure for that long, else for a nudge or Poll, and at least Gap; without
// subscribers for the first of them. It is false when ctx has ended.
func (h *Hub[E]) sleep(ctx context.Context, failed time.Duration) bool {
	if !wait(ctx, max(h.c.Gap, failed), nil) {
		return false
	}
	if failed > 0 {
		return true
	}
	woken := false
	for h.idle() {
		select {
		case <-ctx.Done():
			return false
		case <-h.wake: // a subscriber, or a nudge that concerns nobody
			woken = true
		}
	}
	return woken || wait(ctx, h.c.Poll, h.wake)
}

// wait waits for d or for an early signal. It is false when ctx has ended.
func wait(ctx context.Context, d time.Duration, early <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-early:
	case <-t.C:
	}
	return ctx.Err() == nil
}

// read delivers what came after p, page by page, up to a snapshot that is younger than the call, and returns the position
// there; with an error, the position it reached.
func (h *Hub[E]) read(ctx context.Context, p cursor.Position) (cursor.Position, error) {
	fresh := p.Until.IsZero() // a batch that an error broke off has an older end
	for {
		page, err := h.c.Source.Read(ctx, p, h.c.PageSize)
		if err != nil {
			return p, err
		}
		if page.Lost {
			h.reset(page.Next)
			return page.Next, nil
		}
		for _, e := range page.Events {
			h.deliver(e)
		}
		p = page.Next
		if !page.More {
			if fresh {
				return p, nil
			}
			fresh = true
		}
	}
}

// deliver puts an event into the buffers of its tenant's live subscribers. Nobody waits: a full buffer ends its
// subscription.
func (h *Hub[E]) deliver(e E) {
	id, at := e.Position()
	h.mu.Lock()
	defer h.mu.Unlock()
	g := h.tenants[id]
	if g == nil {
		return
	}
	var n int64
	for _, s := range slices.Backward(g.subs) { // backwards: a removal moves the last one, which has had it, into the gap
		if s.keep != nil && !s.keep(e) {
			continue
		}
		switch {
		case !s.put(e, at):
			h.dropped.Add(1)
			s.endLocked(&EndError{Slow: true})
		case s.state == live:
			n++
		}
	}
	h.delivered.Add(n)
}

// reset tells every live subscriber that events were lost.
func (h *Hub[E]) reset(at cursor.Position) {
	h.mu.Lock()
	ids := slices.Collect(maps.Keys(h.tenants))
	h.mu.Unlock()
	for _, id := range ids {
		h.deliver(h.c.Source.Reset(id, at))
	}
}

// add counts a new subscriber, which ends with ctx; false when the hub has ended.
func (h *Hub[E]) add(ctx context.Context, s *Subscription[E]) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return false
	}
	h.subs[s] = struct{}{}
	s.stop = context.AfterFunc(ctx, s.Close)
	return true
}

// join lets a subscriber become live at the end of the next read that begins after this.
func (h *Hub[E]) join(s *Subscription[E]) {
	h.mu.Lock()
	if s.state != ended {
		h.joining[s] = struct{}{}
	}
	h.mu.Unlock()
	h.Wake()
}

// takeJoining returns who may become live at the end of the read that begins now.
func (h *Hub[E]) takeJoining() []*Subscription[E] {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Keys(h.joining))
}

// goLive makes them live from p on.
func (h *Hub[E]) goLive(joining []*Subscription[E], p cursor.Position) {
	if len(joining) == 0 {
		return
	}
	at := p.Encode(h.c.Source.Stream())
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range joining {
		if s.state == ended {
			continue
		}
		delete(h.joining, s)
		g := h.tenants[s.tenant]
		if g == nil {
			g = &group[E]{}
			h.tenants[s.tenant] = g
		}
		s.index = len(g.subs)
		g.subs = append(g.subs, s)
		s.liveLocked(p, at)
	}
}

// removeLocked forgets a subscriber.
func (h *Hub[E]) removeLocked(s *Subscription[E]) {
	delete(h.subs, s)
	delete(h.joining, s)
	g := h.tenants[s.tenant]
	if g == nil || s.index < 0 {
		return
	}
	last := len(g.subs) - 1
	g.subs[s.index] = g.subs[last]
	g.subs[s.index].index = s.index
	g.subs[last] = nil
	g.subs = g.subs[:last]
	if last == 0 {
		delete(h.tenants, s.tenant)
	}
}

func (h *Hub[E]) idle() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.subs) == 0
}

// end ends every subscription.
func (h *Hub[E]) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	h.readAt.Store(0)
	for s := range h.subs {
		s.endLocked(&EndError{cause: unavailable(nil)})
	}
}
