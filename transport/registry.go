package transport

import (
	"sync"
	"sync/atomic"
	"time"
)

// registry knows all sockets and keeps them alive. One ticker serves all: the sockets stand in slots, one slot is
// pinged per tick, and the slot that was pinged PongTimeout ago is checked. It runs only while there are sockets.
type registry struct {
	h    *Handler
	tick time.Duration
	late int64 // ticks from ping to check

	now atomic.Int64 // ticks since the start

	mu     sync.Mutex
	closed bool
	count  int
	slots  [slots]map[*socket]struct{}
	next   int
	stop   chan struct{} // nil while no ticker runs
}

// slots is how many groups of sockets take turns within one PingInterval.
const slots = 27

func (r *registry) init(h *Handler) {
	r.h = h
	r.tick = max(h.limits.PingInterval/slots, time.Millisecond)
	r.late = min(max(1, int64(h.limits.PongTimeout/r.tick)), slots-1)
}

// add takes a socket in, unless the handler is shutting down.
func (r *registry) add(s *socket) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.h.work.Add(1)
	s.slot = r.next % slots
	r.next++
	if r.slots[s.slot] == nil {
		r.slots[s.slot] = map[*socket]struct{}{}
	}
	r.slots[s.slot][s] = struct{}{}
	r.count++
	s.seen.Store(r.now.Load())
	if r.stop == nil {
		r.stop = make(chan struct{})
		go r.run(r.stop)
	}
	return true
}

func (r *registry) remove(s *socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.slots[s.slot], s)
	if len(r.slots[s.slot]) == 0 {
		r.slots[s.slot] = nil // a map keeps the memory of its largest time
	}
	if r.count--; r.count == 0 {
		close(r.stop)
		r.stop = nil
	}
	r.h.work.Done()
}

// close refuses further sockets and returns those there are.
func (r *registry) close() []*socket {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	return r.all()
}

func (r *registry) all() []*socket {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*socket, 0, r.count)
	for _, slot := range r.slots {
		for s := range slot {
			out = append(out, s)
		}
	}
	return out
}

func (r *registry) run(stop chan struct{}) {
	ticker := time.NewTicker(r.tick)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			now := r.now.Add(1)
			for _, s := range r.slot(now) {
				s.ping(now)
			}
			for _, s := range r.slot(now - r.late) {
				s.checkAlive()
			}
		}
	}
}

func (r *registry) slot(tick int64) []*socket {
	r.mu.Lock()
	defer r.mu.Unlock()
	if tick < 0 {
		return nil
	}
	slot := r.slots[tick%slots]
	out := make([]*socket, 0, len(slot))
	for s := range slot {
		out = append(out, s)
	}
	return out
}

// ping asks for a sign of life. Browsers answer by themselves.
func (s *socket) ping(now int64) {
	s.pinged.Store(now)
	s.push(message{opcode: opPing})
	if s.proto.keepAlive != "" && s.acked.Load() {
		s.pushText(s.proto.keepAlive)
	}
}

// checkAlive drops a socket that has sent nothing since it was pinged.
func (s *socket) checkAlive() {
	if pinged := s.pinged.Load(); pinged > 0 && s.seen.Load() < pinged {
		s.drop()
	}
}

// alive notes a sign of life.
func (s *socket) alive() { s.seen.Store(s.h.sockets.now.Load()) }
