package db

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// cancelTimeout is how long the server may take to confirm that a statement is cancelled.
const cancelTimeout = time.Second

// canceller cancels on the server what its caller has given up. A request to cancel names a connection, not a statement: one that
// the server has not confirmed may come later and hit what the connection is used for next, for whomever. So such a connection
// is closed. (pgx's own handler gives the request up when the statement ends first, and keeps the connection.)
type canceller struct {
	conn      *pgconn.PgConn
	confirmed chan bool
}

// HandleCancel sends the request. It also bounds the wait for a server that is gone.
func (c *canceller) HandleCancel(cancelled context.Context) {
	_ = c.conn.Conn().SetDeadline(time.Now().Add(cancelTimeout))
	confirmed := make(chan bool, 1)
	c.confirmed = confirmed
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(cancelled), cancelTimeout)
		defer cancel()
		err := c.conn.CancelRequest(ctx)
		confirmed <- err == nil && ctx.Err() == nil
	}()
}

// HandleUnwatchAfterCancel waits for the answer once the statement has ended, however it did.
func (c *canceller) HandleUnwatchAfterCancel() {
	if <-c.confirmed {
		_ = c.conn.Conn().SetDeadline(time.Time{})
		return
	}
	_ = c.conn.Close(context.Background()) //nolint:forbidigo // with any other context it waits for this very handler
}
