package realtime

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"stackforge/db"
)

// Carrier takes nudges from process to process. PostgreSQL's is Postgres; another one may reach where LISTEN does not.
type Carrier interface {
	// Send wakes whoever listens on the channel, in every process.
	Send(ctx context.Context, channel string) error
	// Listen calls connected each time it begins to hear, as nudges before that may have been missed, and notified for each
	// nudge, until ctx ends.
	Listen(ctx context.Context, connected func(), notified func(channel string))
}

// Postgres carries nudges by NOTIFY without a payload.
type Postgres struct {
	DB       db.Handle
	Listener *db.Listener // nil behind a pooler that cannot LISTEN: nothing is heard, and polls do the work
}

// Send notifies in a transaction of its own, so that no other commit waits for the queue of notifications. The error is
// Unavailable or Timeout.
func (p Postgres) Send(ctx context.Context, channel string) error {
	_, err := db.Exec(ctx, p.DB, `
		-- name: realtime.Send
		SELECT pg_notify($1, '')`, channel)
	return err
}

// Listen holds the process's one LISTEN connection.
func (p Postgres) Listen(ctx context.Context, connected func(), notified func(channel string)) {
	if p.Listener == nil {
		<-ctx.Done()
		return
	}
	p.Listener.Run(ctx, connected, notified)
}

// Listen wakes by channel until ctx ends: wake[channel] at each of its nudges, and all after each (re)connection. The
// functions must not block; Hub.Wake is one.
func Listen(ctx context.Context, c Carrier, wake map[string]func()) {
	c.Listen(ctx, func() {
		for _, fn := range wake {
			fn()
		}
	}, func(channel string) {
		if fn := wake[channel]; fn != nil {
			fn()
		}
	})
}

// NudgerConfig is what a Nudger needs. Zero values take the defaults named here.
type NudgerConfig struct {
	Carrier  Carrier
	Channels []string          // it nudges these and no others
	Interval time.Duration     // at most one nudge per channel in it; default 5 ms
	Local    map[string]func() // called at once for a nudge of this process; must not block
	Log      zerolog.Logger
}

// sendTimeout bounds a nudge, also the one that goes out while the process stops; after a failed one the next waits as long.
const sendTimeout = time.Second

// Nudger sends coalesced nudges after commits: the first of a burst at once, and one more at the end of it.
type Nudger struct {
	c       NudgerConfig
	pending map[string]chan struct{}
}

// NewNudger returns a Nudger. It sends while Run does.
func NewNudger(c NudgerConfig) *Nudger {
	c.Interval = or(c.Interval, 5*time.Millisecond)
	n := &Nudger{c: c, pending: make(map[string]chan struct{}, len(c.Channels))}
	for _, ch := range c.Channels {
		n.pending[ch] = make(chan struct{}, 1)
	}
	return n
}

// Nudge tells the listeners of a channel that there is something new. It is called after the commit and never blocks; what
// it cannot deliver is found by the next poll. A channel that is not the Nudger's is ignored.
func (n *Nudger) Nudge(channel string) {
	if fn := n.c.Local[channel]; fn != nil {
		fn()
	}
	select {
	case n.pending[channel] <- struct{}{}: // a nil channel is never ready
	default:
	}
}

// Run sends until ctx ends, and then what is still pending.
func (n *Nudger) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for ch, pending := range n.pending {
		wg.Go(func() { n.run(ctx, ch, pending) })
	}
	wg.Wait()
}

func (n *Nudger) run(ctx context.Context, channel string, pending <-chan struct{}) {
	for ctx.Err() == nil {
		select {
		case <-pending:
			wait(ctx, n.send(ctx, channel), nil)
		case <-ctx.Done():
		}
	}
	select {
	case <-pending:
		n.send(ctx, channel)
	default:
	}
}

// send nudges and returns how long the next nudge has to wait.
func (n *Nudger) send(ctx context.Context, channel string) time.Duration {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	if err := n.c.Carrier.Send(ctx, channel); err != nil {
		n.c.Log.Warn().Err(err).Str("channel", channel).Msg("realtime: nudge failed")
		return max(n.c.Interval, sendTimeout)
	}
	return n.c.Interval
}
