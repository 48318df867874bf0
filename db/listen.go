package db

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"
)

// Listener holds one connection that listens on channels and reconnects for ever.
type Listener struct {
	config   *pgx.ConnConfig
	channels []string
	log      zerolog.Logger
}

// NewListener returns a Listener for the channels. It needs a direct connection: behind a transaction-mode pooler LISTEN
// does not work and callers poll instead.
func NewListener(c Config, log zerolog.Logger, channels ...string) (*Listener, error) {
	pc, err := c.parse()
	if err != nil {
		return nil, err
	}
	return &Listener{config: pc.ConnConfig, channels: channels, log: log}, nil
}

// Run listens until ctx ends. connected is called after each LISTEN took effect: what happened before may have been
// missed, so the caller reads from its cursor. notified is called for each notification with its channel.
func (l *Listener) Run(ctx context.Context, connected func(), notified func(channel string)) {
	delay := 100 * time.Millisecond
	for ctx.Err() == nil {
		err := l.session(ctx, func() { delay = 100 * time.Millisecond; connected() }, notified)
		if ctx.Err() != nil {
			return
		}
		l.log.Warn().Err(fromPG(err)).Dur("retryIn", delay).Msg("listen: connection lost")
		t := time.NewTimer(delay)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		delay = min(2*delay, 5*time.Second)
	}
}

func (l *Listener) session(ctx context.Context, connected func(), notified func(channel string)) error {
	conn, err := pgx.ConnectConfig(ctx, l.config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, ch := range l.channels {
		if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{ch}.Sanitize()); err != nil {
			return err
		}
	}
	connected()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		notified(n.Channel)
	}
}
