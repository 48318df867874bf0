package realtime

import (
	"context"

	"github.com/google/uuid"

	"stackforge/errs"
	"stackforge/realtime/cursor"
)

// EndError is why a subscription ended against the subscriber's will.
type EndError struct {
	Cursor string // from here the subscriber can go on; "" when it has got nothing and did not begin at a cursor
	Slow   bool   // its buffer was full: a WebSocket is closed with code 1013
	cause  error
}

// Error returns the client's message.
func (e *EndError) Error() string { return e.Unwrap().Error() }

// Unwrap returns an *errs.Error: Unavailable for a slow subscriber or a hub that ended, else what the replay met.
func (e *EndError) Unwrap() error {
	if e.Slow {
		return errs.New(errs.Unavailable, "The subscriber was too slow; subscribe again from the last cursor.")
	}
	return errs.From(e.cause)
}

// state is where a subscription stands.
type state int

const (
	fresh   state = iota // it replays, or waits for the hub
	holding              // the hub delivers, and its events are held until those of the replay are sent
	live                 // the hub sends
	ended
)

// Subscription is one subscriber's stream.
type Subscription[E Event] struct {
	hub    *Hub[E]
	tenant uuid.UUID
	keep   func(E) bool
	begin  string
	events chan E
	over   chan struct{}        // closed when it ends
	joined chan cursor.Position // gets the position from which the hub delivers

	// Guarded by hub.mu.
	state     state
	replaying bool // a goroutine of its own sends to events, and closes it
	index     int  // in its group; -1 when it is in none
	held      []E
	last      string // cursor of the last event that was sent
	err       *EndError
	stop      func() bool
}

func newSubscription[E Event](h *Hub[E], id uuid.UUID, keep func(E) bool, after string) *Subscription[E] {
	return &Subscription[E]{
		hub: h, tenant: id, keep: keep, begin: after, last: after, replaying: after != "", index: -1,
		events: make(chan E, h.c.Buffer), over: make(chan struct{}), joined: make(chan cursor.Position, 1),
	}
}

// Begin returns the cursor at which the subscription began: what a client gives back that has got no event yet.
func (s *Subscription[E]) Begin() string { return s.begin }

// Close ends the subscription; Events is closed after what is in its buffer. It may be called more than once.
func (s *Subscription[E]) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.endLocked(nil)
}

// Err returns why the subscription ended, an *EndError, or nil when it did by Close or its context. It is meant for after
// Events was closed.
func (s *Subscription[E]) Err() error {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if s.err == nil {
		return nil
	}
	e := *s.err
	e.Cursor = s.last
	return &e
}

// Events returns the events in order. It is closed at the end.
func (s *Subscription[E]) Events() <-chan E { return s.events }

// endLocked ends the subscription unless it has ended.
func (s *Subscription[E]) endLocked(err *EndError) {
	if s.state == ended {
		return
	}
	s.state = ended
	s.err = err
	s.held = nil
	s.hub.removeLocked(s)
	s.stop()
	close(s.over)
	if !s.replaying {
		close(s.events)
	}
}

// liveLocked lets the hub deliver what came after p.
func (s *Subscription[E]) liveLocked(p cursor.Position, at string) {
	if s.replaying {
		s.state = holding
	} else {
		s.state = live
		s.begin, s.last = at, at
	}
	s.joined <- p
}

// put takes an event from the hub; false when the buffer is full.
func (s *Subscription[E]) put(e E, at string) bool {
	if s.state == holding {
		if len(s.held) == cap(s.events) {
			return false
		}
		s.held = append(s.held, e)
		return true
	}
	select {
	case s.events <- e:
		s.last = at
		return true
	default:
		return false
	}
}

// waitJoined waits until the hub delivers and returns from where on; false when the subscription has ended.
func (s *Subscription[E]) waitJoined() (cursor.Position, bool) {
	select {
	case p := <-s.joined:
		return p, true
	case <-s.over:
		return cursor.Position{}, false
	}
}

// replay sends what came after p, joins the hub, sends what lies between, and leaves the rest to the hub.
func (s *Subscription[E]) replay(ctx context.Context, p cursor.Position) {
	err := s.catchUp(ctx, p)
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	s.replaying = false
	switch {
	case s.state == ended:
		close(s.events)
	case err != nil && ctx.Err() != nil:
		s.endLocked(nil)
	case err != nil:
		s.endLocked(&EndError{cause: err})
	}
}

// catchUp returns nil when the subscription is live or has ended.
func (s *Subscription[E]) catchUp(ctx context.Context, p cursor.Position) error {
	// Alone first, however long it takes: nothing is held meanwhile, and a slow subscriber slows its own replay only.
	p, lost, err := s.sendUntilClose(ctx, p)
	if err != nil || s.isOver() {
		return err
	}
	s.hub.join(s)
	at, ok := s.waitJoined()
	if !ok {
		return nil
	}
	// The hub's position is younger than p, so what lies between is short.
	if !lost && (at.Epoch != p.Epoch || !at.Seen.Equal(p.Seen)) {
		if _, _, lost, err = s.sendBatch(ctx, p.To(at.Seen)); err != nil {
			return err
		}
	}
	if lost {
		s.sendOne(s.hub.c.Source.Reset(s.tenant, at))
	}
	s.release()
	return nil
}

// sendUntilClose sends batch after batch until one that ended just now had few events. It returns the position reached, and
// whether p cannot be continued.
func (s *Subscription[E]) sendUntilClose(ctx context.Context, p cursor.Position) (cursor.Position, bool, error) {
	for {
		now := p.Until.IsZero()
		next, n, lost, err := s.sendBatch(ctx, p)
		if err != nil || lost || s.isOver() || now && n <= cap(s.events)/2 {
			return next, lost, err
		}
		p = next
	}
}

// sendBatch sends the rest of p's batch, page by page. It returns the position reached and the number of events read.
func (s *Subscription[E]) sendBatch(ctx context.Context, p cursor.Position) (next cursor.Position, n int, lost bool, err error) {
	for {
		page, err := s.page(ctx, p)
		if err != nil || page.Lost {
			return p, n, page.Lost, err
		}
		n += len(page.Events)
		for _, e := range page.Events {
			if !s.sendOne(e) {
				return p, n, false, nil
			}
		}
		p = page.Next
		if !page.More {
			return p, n, false, nil
		}
	}
}

// page reads one page when its turn comes. What has begun is read to its end, whoever leaves: cancelling a statement takes
// the server a connection, and a page less than that.
func (s *Subscription[E]) page(ctx context.Context, p cursor.Position) (cursor.Page[E], error) {
	select {
	case <-s.over:
		return cursor.Page[E]{}, context.Canceled
	case s.hub.replays <- struct{}{}:
	}
	defer func() { <-s.hub.replays }()
	if s.isOver() { // both were ready
		return cursor.Page[E]{}, context.Canceled
	}
	return s.hub.c.Source.Replay(context.WithoutCancel(ctx), p, s.hub.c.PageSize)
}

// sendOne waits for room in the buffer; false when the subscription has ended.
func (s *Subscription[E]) sendOne(e E) bool {
	if s.keep != nil && !s.keep(e) {
		return !s.isOver()
	}
	select {
	case <-s.over:
		return false
	case s.events <- e:
	}
	_, at := e.Position()
	s.hub.mu.Lock()
	s.last = at
	s.hub.mu.Unlock()
	s.hub.delivered.Add(1)
	return true
}

// release sends what was held and lets the hub send from then on.
func (s *Subscription[E]) release() {
	for {
		s.hub.mu.Lock()
		held := s.held
		s.held = nil
		if len(held) == 0 && s.state == holding {
			s.state = live
		}
		over := s.state != holding
		s.hub.mu.Unlock()
		if over {
			return
		}
		for _, e := range held {
			if !s.sendOne(e) {
				return
			}
		}
	}
}

func (s *Subscription[E]) isOver() bool {
	select {
	case <-s.over:
		return true
	default:
		return false
	}
}
