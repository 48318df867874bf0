// Package node copies the database of the Node service, whose callers this program serves, into a migrated database of its
// own: users, API keys (they go on working), documents, jobs and records of files. docs/migrating-from-node.md is the way of
// an operator. The rules are in the SQL files beside this one, one for each table.
package node

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

//go:embed *.sql
var files embed.FS

// Options say what to copy beside what is always copied.
type Options struct {
	// EmbeddingModel made the vectors of the documents. Without it they are left out, because vectors of different models
	// cannot be compared; `stackforge embed --missing` makes new ones.
	EmbeddingModel string
	// Progress is told of each table when it is done; nil tells nobody.
	Progress func(Table)
}

// Table is what became of one table of the Node service.
type Table struct {
	Name     string // at the source
	Read     int64
	Written  int64
	Present  int64 // were there already, by id
	Rejected int64
}

// Reject is a row that was not taken, and why.
type Reject struct {
	Table, ID, Reason string
}

// Object is a file whose bytes must be copied within the bucket: keys of this program begin with the tenant.
type Object struct {
	Old, New string
}

// Report is what was done.
type Report struct {
	Tables  []Table
	Rejects []Reject
	Objects []Object
}

// source is a table of the Node service and how its rows become JSON there.
type source struct {
	name     string
	required bool
	row      string // of the alias t
}

// tables are in the order of their references.
func tables() []source {
	return []source{
		{name: "app_users", required: true, row: `to_jsonb(t)`},
		{name: "api_keys", required: true, row: `to_jsonb(t)`},
		{name: "documents", required: true, row: `to_jsonb(t) - 'search_tsv' - 'location'`},
		{name: "jobs", required: true, row: `to_jsonb(t)`},
		{name: "files", row: `to_jsonb(t)`},
	}
}

// ErrNotNode says that the source is no database of the Node service.
var ErrNotNode = errors.New("this is no database of the Node service")

// Copy copies from source to target in one transaction of each: the source is read as of one moment and not changed, and the
// target has all or nothing. Rows that are there already, by id, stay as they are, so a copy may be repeated. target must act
// as the owner.
func Copy(ctx context.Context, from, to *pgx.Conn, o Options) (Report, error) {
	var r Report
	err := pgx.BeginTxFunc(ctx, from, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(src pgx.Tx) error {
		return pgx.BeginFunc(ctx, to, func(dst pgx.Tx) error {
			var err error
			r, err = (&copier{src: src, dst: dst, opt: o}).run(ctx)
			return err
		})
	})
	return r, err
}

type copier struct {
	src, dst pgx.Tx
	opt      Options
}

func (c *copier) run(ctx context.Context) (Report, error) {
	var r Report
	if err := c.exec(ctx, "start", c.opt.EmbeddingModel); err != nil {
		return r, err
	}
	for _, s := range tables() {
		t, err := c.table(ctx, s)
		if err != nil {
			return r, fmt.Errorf("table %s: %w", s.name, err)
		}
		r.Tables = append(r.Tables, t)
		if c.opt.Progress != nil {
			c.opt.Progress(t)
		}
	}
	if err := c.exec(ctx, "finish"); err != nil {
		return r, err
	}
	var err error
	if r.Rejects, err = collect[Reject](ctx, c.dst, `SELECT source, id, reason FROM pg_temp.node_reject ORDER BY source, id, reason`); err != nil {
		return r, err
	}
	r.Objects, err = collect[Object](ctx, c.dst, `SELECT old_key, new_key FROM pg_temp.node_object ORDER BY old_key`)
	return r, err
}

// table stages the rows of one table as JSON and lets its SQL file move them.
func (c *copier) table(ctx context.Context, s source) (Table, error) {
	t := Table{Name: s.name}
	row, err := c.expression(ctx, s)
	if err != nil || row == "" {
		return t, err
	}
	if t.Read, err = c.stage(ctx, fmt.Sprintf(`COPY (SELECT %s FROM public.%s t) TO STDOUT`, row, s.name)); err != nil {
		return t, err
	}
	text, err := files.ReadFile(s.name + ".sql")
	if err != nil {
		return t, err
	}
	if err := c.dst.QueryRow(ctx, string(text), pgx.QueryExecModeExec).Scan(&t.Written, &t.Present, &t.Rejected); err != nil {
		return t, err
	}
	return t, c.exec(ctx, "empty")
}

// expression is how a row becomes JSON: the point of a document as two numbers where it has one. It is empty for a table that
// may be missing and is.
func (c *copier) expression(ctx context.Context, s source) (string, error) {
	var exists, hasPoint bool
	err := c.src.QueryRow(ctx, `
		SELECT to_regclass('public.' || $1) IS NOT NULL,
		       EXISTS (SELECT FROM pg_attribute
		               WHERE attrelid = to_regclass('public.' || $1) AND attname = 'location' AND atttypid = to_regtype('geography'))`,
		s.name).Scan(&exists, &hasPoint)
	switch {
	case err != nil:
		return "", err
	case !exists && s.required:
		return "", ErrNotNode
	case !exists:
		return "", nil
	case hasPoint:
		return s.row + ` || jsonb_build_object('longitude', ST_X(t.location::geometry), 'latitude', ST_Y(t.location::geometry))`, nil
	}
	return s.row, nil
}

// stage pipes the rows of a COPY at the source into pg_temp.node_line; memory does not grow with them.
func (c *copier) stage(ctx context.Context, query string) (int64, error) {
	r, w := io.Pipe()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		_, err := c.src.Conn().PgConn().CopyTo(ctx, w, query)
		return errors.Join(err, w.CloseWithError(err))
	})
	var n int64
	g.Go(func() error {
		tag, err := c.dst.Conn().PgConn().CopyFrom(ctx, r, `COPY pg_temp.node_line (line) FROM STDIN`)
		n = tag.RowsAffected()
		_ = r.CloseWithError(err)
		return err
	})
	return n, g.Wait()
}

// exec runs a file of several statements; an argument is given to it as the setting node.argument.
func (c *copier) exec(ctx context.Context, name string, argument ...string) error {
	text, err := files.ReadFile(name + ".sql")
	if err != nil {
		return err
	}
	for _, a := range argument {
		if _, err := c.dst.Exec(ctx, `SELECT set_config('node.argument', $1, true)`, a); err != nil {
			return err
		}
	}
	_, err = c.dst.Conn().PgConn().Exec(ctx, string(text)).ReadAll()
	return err
}

func collect[T any](ctx context.Context, tx pgx.Tx, sql string) ([]T, error) {
	rows, err := tx.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[T])
}
