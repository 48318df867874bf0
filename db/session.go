package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Session is one connection beside the pools whose statements run outside of transactions and without a time limit: for
// those that PostgreSQL refuses within a transaction, CREATE INDEX CONCURRENTLY before all.
type Session struct {
	conn   *pgx.Conn
	locked bool
}

// OpenSession connects. The connection is of the URL itself, so it must not be that of a pooler.
func OpenSession(ctx context.Context, c Config) (*Session, error) {
	pc, err := c.parse()
	if err != nil {
		return nil, err
	}
	cc := pc.ConnConfig
	cc.RuntimeParams["statement_timeout"] = "0"
	if c.Role != RoleLogin {
		cc.RuntimeParams["role"] = string(c.Role)
	}
	conn, err := pgx.ConnectConfig(ctx, cc)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", fromPG(err))
	}
	return &Session{conn: conn}, nil
}

// Close lets the locks go and ends the connection. The server hears later of an end than whoever wants the locks next, so it
// is told first.
func (s *Session) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) //nolint:forbidigo // the caller's may have ended
	defer cancel()
	if s.locked {
		_, _ = s.conn.Exec(ctx, `SELECT pg_advisory_unlock_all()`) // as below
	}
	_ = s.conn.Close(ctx) // it may be lost already
}

// Exec runs one statement, which is given as it is.
func (s *Session) Exec(ctx context.Context, sql string) error {
	_, err := s.conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
	return fromPG(err)
}

// Conn is the connection itself, for COPY from one database to another.
func (s *Session) Conn() *pgx.Conn { return s.conn }

// TryLock takes an advisory lock until Close and reports whether it could. It does not wait: who waits for a lock is a
// transaction that CREATE INDEX CONCURRENTLY waits for.
func (s *Session) TryLock(ctx context.Context, name string) (bool, error) {
	var ok bool
	err := s.conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtextextended($1, 0))`, name).Scan(&ok)
	s.locked = s.locked || ok
	return ok, fromPG(err)
}

// Lock takes an advisory lock as TryLock does, again and again until it is free or ctx ends.
func (s *Session) Lock(ctx context.Context, name string) error {
	again := time.NewTicker(lockPoll)
	defer again.Stop()
	for {
		ok, err := s.TryLock(ctx, name)
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
		}
	}
}

// lockPoll is how long a lock that was let go may stay unseen.
const lockPoll = 20 * time.Millisecond
