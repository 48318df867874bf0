package db

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/georgysavva/scany/v2/pgxscan"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"stackforge/errs"
	"stackforge/tenant"
)

// Handle is the database or one open transaction; a repository cannot tell which. Statements run under the tenant scope of the context.
type Handle interface {
	// Do runs fn in a transaction: a new one, or a savepoint of the open one. fn may run more than once, so it must not
	// touch the outside world. An error or panic in fn rolls back.
	Do(ctx context.Context, fn func(tx *Tx) error) error

	run(ctx context.Context, st statement) error
}

// statement is one SQL text with its arguments and what to do with the rows.
type statement struct {
	sql    string
	args   []any
	read   bool // has no effect: may be repeated after a lost connection
	fresh  bool // is planned for its arguments each time
	scan   func(pgx.Rows) (int64, error)
	copied func(ctx context.Context, c *pgx.Conn) (int64, error) // COPY instead of sql; transactions only
}

// DB is the pool. Each statement gets its own implicit transaction that carries the tenant scope, in one round trip.
type DB struct {
	pool    *pgxpool.Pool
	timeout time.Duration
	hooks   []Hook
	retried func(class string)
	ended   func(committed bool, d time.Duration)
	scope   string
}

// The settings are local to the transaction; a pooled connection never keeps them.
const (
	scopeSQL     = `SELECT set_config('app.tenant_id', $1, true), set_config('app.user_id', $2, true), set_config('app.roles', $3, true), set_config('app.request_id', $4, true)`
	scopeRoleSQL = `SELECT set_config('role', '%s', true), set_config('app.tenant_id', $1, true), set_config('app.user_id', $2, true), set_config('app.roles', $3, true), set_config('app.request_id', $4, true)`
)

// freshSQL goes behind a scope.
const freshSQL = `, set_config('plan_cache_mode', 'force_custom_plan', true)`

func scopeArgs(ctx context.Context) []any {
	s := tenant.Lookup(ctx)
	if s == nil {
		return []any{"", "", "", tenant.RequestID(ctx)}
	}
	user := ""
	if s.UserID != uuid.Nil {
		user = s.UserID.String()
	}
	return []any{s.TenantID.String(), user, strings.Join(s.Scopes, ","), tenant.RequestID(ctx)}
}

// Retries of a statement or transaction that failed for a passing reason.
const (
	tries      = 3
	firstDelay = 50 * time.Millisecond
)

// retry runs fn up to three times while again says so, with doubling, jittered delays.
func (d *DB) retry(ctx context.Context, again func(error) bool, fn func() error) error {
	delay := firstDelay
	for i := 1; ; i++ {
		err := fn()
		if err == nil || i == tries || !again(err) || ctx.Err() != nil {
			return err
		}
		d.retried(class(err))
		t := time.NewTimer(delay + rand.N(delay/2)) //nolint:gosec // jitter is no secret
		select {
		case <-ctx.Done():
			t.Stop()
			return err
		case <-t.C:
		}
		delay *= 2
	}
}

func (d *DB) run(ctx context.Context, st statement) error {
	if j := d.joint(ctx); j != nil {
		if done, err := j.run(ctx, st); done {
			return err
		}
	}
	again := rolledBack
	if st.read {
		again = passing
	}
	return fromPG(d.retry(ctx, again, func() error { return d.once(ctx, st) }))
}

// once sends the scope and the statement together: one round trip, one implicit transaction.
func (d *DB) once(ctx context.Context, st statement) (err error) {
	start := time.Now()
	var n int64
	defer func() { d.observe(ctx, st.sql, start, n, err) }()

	ctx, cancel := context.WithTimeout(ctx, d.timeout+time.Second)
	defer cancel()
	var b pgx.Batch
	scope := d.scope
	if st.fresh {
		scope += freshSQL
	}
	b.Queue(scope, scopeArgs(ctx)...)
	b.Queue(st.sql, st.args...)
	br := d.pool.SendBatch(ctx, &b)
	n, err = readBatch(br, st.scan)
	if cerr := br.Close(); err == nil {
		err = cerr
	}
	return err
}

func readBatch(br pgx.BatchResults, scan func(pgx.Rows) (int64, error)) (int64, error) {
	if _, err := br.Exec(); err != nil {
		return 0, err
	}
	if scan == nil {
		tag, err := br.Exec()
		return tag.RowsAffected(), err
	}
	rows, err := br.Query()
	if err != nil {
		return 0, err
	}
	return scan(rows)
}

// Do runs fn in a transaction of its own; see Handle. It is repeated after a serialization failure or a deadlock. Within
// Together it is a savepoint of that transaction, and fn must use tx alone.
func (d *DB) Do(ctx context.Context, fn func(tx *Tx) error) error {
	if j := d.joint(ctx); j != nil {
		if done, err := j.do(ctx, fn); done {
			return err
		}
	}
	return fromPG(d.retry(ctx, rolledBack, func() error { return d.do(ctx, fn) }))
}

func (d *DB) do(ctx context.Context, fn func(tx *Tx) error) error {
	start := time.Now()
	committed := false // a panic leaves it so
	defer func() { d.ended(committed, time.Since(start)) }()
	err := pgx.BeginFunc(ctx, d.pool, func(ptx pgx.Tx) error {
		if _, err := ptx.Exec(ctx, d.scope, scopeArgs(ctx)...); err != nil {
			return err
		}
		return fn(&Tx{tx: ptx, db: d})
	})
	committed = err == nil
	return err
}

// Tx is an open transaction.
type Tx struct {
	tx     pgx.Tx
	db     *DB
	nested bool // it is a savepoint of another one
}

// Do runs fn in a savepoint.
func (t *Tx) Do(ctx context.Context, fn func(tx *Tx) error) error {
	return fromPG(pgx.BeginFunc(ctx, t.tx, func(ptx pgx.Tx) error { return fn(&Tx{tx: ptx, db: t.db, nested: true}) }))
}

func (t *Tx) run(ctx context.Context, st statement) (err error) {
	start := time.Now()
	var n int64
	defer func() { t.db.observe(ctx, st.sql, start, n, err) }()

	if st.copied != nil {
		n, err = st.copied(ctx, t.tx.Conn())
		return fromPG(err)
	}
	if st.scan == nil {
		var tag pgconn.CommandTag
		tag, err = t.tx.Exec(ctx, st.sql, st.args...)
		n = tag.RowsAffected()
		return fromPG(err)
	}
	rows, err := t.tx.Query(ctx, st.sql, st.args...)
	if err != nil {
		return fromPG(err)
	}
	n, err = st.scan(rows)
	return fromPG(err)
}

// reader marks statements as free of effects.
type reader struct{ Handle }

func (r reader) run(ctx context.Context, st statement) error {
	st.read = true
	return r.Handle.run(ctx, st)
}

// Read returns a handle for statements without effect: after a lost connection they are repeated on another one.
func Read(h Handle) Handle { return reader{h} } //nolint:ireturn // as little as h itself does it tell what it is

// planner marks statements as planned for their arguments.
type planner struct{ Handle }

func (p planner) run(ctx context.Context, st statement) error {
	st.fresh = true
	return p.Handle.run(ctx, st)
}

// Fresh returns a handle for statements whose best plan depends on the tenant: a plan that is kept for all is made for an average
// one, and may read all rows of a large one. Planning takes its time, so it is for few. Within an open transaction it has no effect.
func Fresh(h Handle) Handle { return planner{h} } //nolint:ireturn // as Read

// rowScanner is a row type that scans itself, for rows that are read on every request: about a third of scany's time.
type rowScanner interface {
	ScanRow(row pgx.Rows) error
}

func scanOne[T any](out *T, rows pgx.Rows) error {
	s, ok := any(out).(rowScanner)
	if !ok {
		return pgxscan.ScanOne(out, rows)
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := s.ScanRow(rows); err != nil {
		return err
	}
	rows.Close()
	return rows.Err()
}

func scanAll[T any](out *[]T, rows pgx.Rows) error {
	if _, ok := any(new(T)).(rowScanner); !ok {
		return pgxscan.ScanAll(out, rows)
	}
	defer rows.Close()
	for rows.Next() {
		*out = append(*out, *new(T))
		if err := any(&(*out)[len(*out)-1]).(rowScanner).ScanRow(rows); err != nil { //nolint:errcheck,forcetypeassert // asked above
			return err
		}
	}
	return rows.Err()
}

// Get returns the one row of a statement. It is NotFound, naming the noun, when there is none.
func Get[T any](ctx context.Context, h Handle, noun, sql string, args ...any) (T, error) {
	var out T
	err := h.run(ctx, statement{sql: sql, args: args, scan: func(rows pgx.Rows) (int64, error) {
		if err := scanOne(&out, rows); err != nil {
			return 0, err
		}
		return 1, nil
	}})
	if errors.Is(err, pgx.ErrNoRows) || pgxscan.NotFound(err) {
		return out, errs.Newf(errs.NotFound, "There is no such %s.", noun)
	}
	return out, err
}

// List returns all rows of a statement; the slice is never nil.
func List[T any](ctx context.Context, h Handle, sql string, args ...any) ([]T, error) {
	var out []T
	err := h.run(ctx, statement{sql: sql, args: args, scan: func(rows pgx.Rows) (int64, error) {
		out = out[:0]
		err := scanAll(&out, rows)
		return int64(len(out)), err
	}})
	if out == nil {
		out = []T{}
	}
	return out, err
}

// Exec runs a statement and returns how many rows it touched.
func Exec(ctx context.Context, h Handle, sql string, args ...any) (int64, error) {
	var n int64
	err := h.run(ctx, statement{sql: sql, args: args, scan: func(rows pgx.Rows) (int64, error) {
		for rows.Next() {
		}
		n = rows.CommandTag().RowsAffected()
		return n, rows.Err()
	}})
	return n, err
}

// Copy loads rows into a table by COPY and returns how many. name is the statement's name in logs and metrics.
func Copy(ctx context.Context, tx *Tx, name, table string, columns []string, rows pgx.CopyFromSource) (int64, error) {
	var n int64
	err := tx.run(ctx, statement{sql: "-- name: " + name + "\n", copied: func(ctx context.Context, c *pgx.Conn) (int64, error) {
		var err error
		n, err = c.CopyFrom(ctx, pgx.Identifier{table}, columns, rows)
		return n, err
	}})
	return n, err
}
