package db

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Mode is what a transaction of Once sees and may do.
type Mode int

// Snapshot reads one state of all tables and writes nothing; Change reads and writes as Do does.
const (
	Snapshot Mode = iota
	Change
)

// Once runs fn in one transaction that is not repeated, so fn may read from and write to the world outside, and take its time:
// the server waits for it without a limit. Each statement keeps its own.
func (d *DB) Once(ctx context.Context, m Mode, fn func(tx *Tx) error) error {
	o := pgx.TxOptions{}
	if m == Snapshot {
		o = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	}
	start := time.Now()
	committed := false // a panic leaves it so
	defer func() { d.ended(committed, time.Since(start)) }()
	var own error // of fn: it may be the outer world's
	err := pgx.BeginTxFunc(ctx, d.pool, o, func(ptx pgx.Tx) error {
		if _, err := ptx.Exec(ctx, d.scope, scopeArgs(ctx)...); err != nil {
			return err
		}
		if _, err := ptx.Exec(ctx, `SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
			return err
		}
		own = fn(&Tx{tx: ptx, db: d})
		return own
	})
	committed = err == nil
	if own != nil && errors.Is(err, own) {
		return own
	}
	return fromPG(err)
}

// Each hands the rows of a statement, their values as the bytes that the server sends, to fn one by one and returns how many there
// were. The bytes are overwritten by the next row. An error of fn ends it and is returned as it is.
func Each(ctx context.Context, tx *Tx, sql string, fn func(columns []pgconn.FieldDescription, row [][]byte) error, args ...any) (int64, error) {
	var n int64
	var own error
	err := tx.run(ctx, statement{sql: sql, args: args, scan: func(rows pgx.Rows) (int64, error) {
		defer rows.Close()
		for rows.Next() {
			if own = fn(rows.FieldDescriptions(), rows.RawValues()); own != nil {
				return n, own
			}
			n++
		}
		return n, rows.Err()
	}})
	if own != nil {
		return n, own
	}
	return n, err
}
