package importer

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"stackforge/db"
	"stackforge/errs"
)

// batch is some lines that are written by one statement.
type batch struct {
	lines   []string
	numbers []int64
	bytes   int
}

func (b *batch) add(l line) {
	b.lines = append(b.lines, string(l.text))
	b.numbers = append(b.numbers, l.number)
	b.bytes += len(l.text)
}

// outcome is the answer of import_documents.
type outcome struct {
	Created   int64  `db:"created"`
	Updated   int64  `db:"updated"`
	Unchanged int64  `db:"unchanged"`
	Rejected  []byte `db:"rejected"`
}

// rejection is one element of its list.
type rejection struct {
	Ord int `json:"ord"`
	fault
}

// write imports a batch. When one of its values breaks a limit of PostgreSQL, which ends the whole statement, or when it
// takes too long, it is halved until the line that does so is alone.
func (r *run) write(ctx context.Context, b *batch) error {
	out, err := db.Get[outcome](ctx, r.db, "outcome", `
		-- name: importer.Run
		SELECT created, updated, unchanged, rejected
		FROM import_documents(@tenant, @author, @lines)`,
		pgx.NamedArgs{"tenant": r.options.TenantID, "author": r.options.AuthorID, "lines": b.lines})
	if err == nil {
		return r.settle(b, out)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch {
	case len(b.lines) > 1 && (isFault(err) || errs.Is(err, errs.Timeout)):
		half := len(b.lines) / 2
		if err := r.write(ctx, &batch{lines: b.lines[:half], numbers: b.numbers[:half]}); err != nil {
			return err
		}
		return r.write(ctx, &batch{lines: b.lines[half:], numbers: b.numbers[half:]})
	case len(b.lines) == 1 && isFault(err):
		return r.rejects.add(b.numbers[0], []byte(b.lines[0]), []fault{reason(err)})
	default:
		return err
	}
}

// isFault reports whether the data are to blame: a value that PostgreSQL cannot store (class 22), a constraint (23) or a
// limit (54).
func isFault(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && slices.Contains([]string{"22", "23", "54"}, pg.Code[:2])
}

func reason(err error) fault {
	e := errs.From(err)
	f := fault{Field: e.Field, Message: e.Message, Code: e.Code}
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code[:2] != "23" {
		f.Message = "A value of this line cannot be stored: " + pg.Message + "."
	}
	return f
}

// settle counts the outcome and writes what was rejected.
func (r *run) settle(b *batch, out outcome) error {
	r.created.Add(out.Created)
	r.updated.Add(out.Updated)
	r.unchanged.Add(out.Unchanged)
	var list []rejection
	if err := json.Unmarshal(out.Rejected, &list); err != nil {
		return errs.Wrap(errs.Internal, err, "import_documents answered something else.")
	}
	for len(list) > 0 {
		ord, n := list[0].Ord, 1
		for n < len(list) && list[n].Ord == ord {
			n++
		}
		faults := make([]fault, n)
		for i := range faults {
			faults[i] = list[i].fault
		}
		if err := r.rejects.add(b.numbers[ord], []byte(b.lines[ord]), faults); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}
