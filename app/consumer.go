package app

import (
	"context"
	"time"

	"stackforge/errs"
	"stackforge/repo/message"
)

// consumer is one subscriber of a queue. It holds at most prefetch reads that are not acknowledged.
type consumer struct {
	m        *Messages
	key      queueKey
	seconds  int // visibility timeout
	prefetch int
	out      chan message.Message
	err      error         // why it ended, after out is closed
	space    chan struct{} // has a token when what is held may have changed

	// Guarded by m.mu.
	held map[int64]lease
	full bool // it waits for room
}

// lease is a read that is not acknowledged.
type lease struct {
	receipt string
	until   time.Time
}

// releaseTimeout bounds the return of what is not acknowledged when a subscriber ends.
const releaseTimeout = 5 * time.Second

// fullPoll is how often a subscriber without room looks by itself, for acknowledgements in other processes.
const fullPoll = 5 * time.Second

// Consume sends the messages of a queue as they come until ctx ends, each read and hidden for visibilitySeconds, with at most
// prefetch not acknowledged at a time. What is not acknowledged at the end is shown again at once. After the channel is
// closed reason tells why, nil for the end of ctx. It is Validation naming visibilitySeconds or prefetch.
func (m *Messages) Consume(ctx context.Context, queue string, visibilitySeconds, prefetch int) (_ <-chan message.Message, reason func() error, _ error) {
	key, err := m.key(ctx, queue)
	if err != nil {
		return nil, nil, err
	}
	var list errs.List
	if visibilitySeconds < 1 || visibilitySeconds > maxVisibility {
		list.Add("visibilitySeconds", "This must be from 1 to 43,200, which is half a day.")
	}
	if prefetch < 1 || prefetch > message.MaxRead {
		list.Add("prefetch", "This must be from 1 to 100.")
	}
	if err := list.Err(); err != nil {
		return nil, nil, err
	}
	c := &consumer{
		m: m, key: key, seconds: visibilitySeconds, prefetch: prefetch, out: make(chan message.Message),
		space: make(chan struct{}, 1), held: make(map[int64]lease, prefetch),
	}
	m.mu.Lock()
	if m.consumers[key] == nil {
		m.consumers[key] = map[*consumer]struct{}{}
	}
	m.consumers[key][c] = struct{}{}
	m.mu.Unlock()
	go c.run(ctx)
	return c.out, func() error { return c.err }, nil
}

// run reads and sends until ctx ends or an error that does not pass.
func (c *consumer) run(ctx context.Context) {
	defer close(c.out)
	defer c.end(context.WithoutCancel(ctx))
	w := c.m.join(c.key)
	defer c.m.leave(w)
	for ctx.Err() == nil {
		n, err := c.round(ctx, w)
		if err != nil && ctx.Err() == nil {
			if !errs.Is(err, errs.Unavailable) && !errs.Is(err, errs.Timeout) {
				c.err = err
				return
			}
			c.m.log.Warn().Err(err).Str("queue", c.key.queue).Msg("messages: a subscriber could not read")
		}
		if n == 0 && !w.wait(ctx, nil) { // also after an error: then it comes again with the poll
			return
		}
	}
}

// round waits for room, reads once and sends what it got.
func (c *consumer) round(ctx context.Context, w *waiter) (int, error) {
	room, err := c.room(ctx)
	if err != nil || room == 0 {
		return 0, err
	}
	c.m.rejoin(w) // before the read: what comes after it wakes
	list, err := c.m.Read(ctx, c.key.queue, c.seconds, room)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	c.hold(list)
	c.m.wake(c.key) // there may be more, for others
	for _, msg := range list {
		select {
		case c.out <- msg:
		case <-ctx.Done():
			return 0, nil
		}
	}
	return len(list), nil
}

// room waits until fewer than prefetch are held and returns how many more may be; 0 when ctx has ended.
func (c *consumer) room(ctx context.Context) (int, error) {
	for {
		room, next := c.look()
		if room > 0 {
			return room, nil
		}
		t := time.NewTimer(max(0, min(fullPoll, time.Until(next))))
		select {
		case <-ctx.Done():
			t.Stop()
			return 0, nil
		case <-c.space:
			t.Stop()
		case <-t.C:
		}
		if room, _ := c.look(); room > 0 {
			return room, nil
		}
		if err := c.refresh(ctx); err != nil {
			return 0, err
		}
	}
}

// look returns the room there is, and when the first lease ends. Leases that have ended take no room once refresh has seen so.
func (c *consumer) look() (int, time.Time) {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	next := time.Now().Add(fullPoll)
	for _, l := range c.held {
		if l.until.Before(next) {
			next = l.until
		}
	}
	room := c.prefetch - len(c.held)
	c.full = room == 0
	return room, next
}

// refresh asks the database which of the reads still count: elsewhere they may have been acknowledged, extended, or read again.
func (c *consumer) refresh(ctx context.Context) error {
	refs := c.refs()
	if len(refs) == 0 {
		return nil
	}
	list, err := c.m.Held(ctx, c.key.queue, refs)
	if err != nil && !errs.Is(err, errs.NotFound) { // the queue is gone, and so are they
		return err
	}
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	until := make(map[int64]time.Time, len(list))
	for _, v := range list {
		until[v.ID] = v.VisibleAt
	}
	for _, ref := range refs {
		l, ok := c.held[ref.ID]
		if !ok || l.receipt != ref.Receipt {
			continue
		}
		if l.until = until[ref.ID]; l.until.After(time.Now()) {
			c.held[ref.ID] = l
		} else {
			delete(c.held, ref.ID)
		}
	}
	return nil
}

func (c *consumer) refs() []message.Ref {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	out := make([]message.Ref, 0, len(c.held))
	for id, l := range c.held {
		out = append(out, message.Ref{ID: id, Receipt: l.receipt})
	}
	return out
}

func (c *consumer) hold(list []message.Message) {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	for _, msg := range list {
		c.held[msg.ID] = lease{receipt: msg.Receipt(), until: msg.VisibleAt}
	}
}

// drop forgets what was acknowledged; m.mu is held.
func (c *consumer) drop(ids []int64) {
	for _, id := range ids {
		delete(c.held, id)
	}
	c.signal()
}

// move takes over new moments; m.mu is held.
func (c *consumer) move(list []message.Visible) {
	for _, v := range list {
		l, ok := c.held[v.ID]
		if !ok {
			continue
		}
		if l.until = v.VisibleAt; l.until.After(time.Now()) {
			c.held[v.ID] = l
		} else {
			delete(c.held, v.ID)
		}
	}
	c.signal()
}

func (c *consumer) signal() {
	select {
	case c.space <- struct{}{}:
	default:
	}
}

// end shows what was not acknowledged to others at once. When that fails it comes back after its time.
func (c *consumer) end(ctx context.Context) {
	refs := c.refs()
	c.m.mu.Lock()
	delete(c.m.consumers[c.key], c)
	if len(c.m.consumers[c.key]) == 0 {
		delete(c.m.consumers, c.key)
	}
	c.m.mu.Unlock()
	if len(refs) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	if _, err := c.m.SetVisibility(ctx, c.key.queue, refs, 0); err != nil && !errs.Is(err, errs.NotFound) {
		c.m.log.Warn().Err(err).Str("queue", c.key.queue).Msg("messages: what a subscriber held comes back after its time")
	}
}
