package db

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"stackforge/errs"
)

// fromPG turns what pgx returns into an *errs.Error; nil, *errs.Error and "no rows" pass unchanged.
func fromPG(err error) error {
	if err == nil || errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	var own *errs.Error
	var list errs.List
	if errors.As(err, &own) || errors.As(err, &list) {
		return err
	}
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg):
		return fromState(pg, err)
	case errors.Is(err, context.DeadlineExceeded) && !isConnect(err):
		return errs.Wrap(errs.Timeout, err, "The request took too long.")
	case errors.Is(err, context.Canceled):
		return errs.Wrap(errs.Unavailable, err, "The request was cancelled.")
	case isConnection(err):
		return errs.Wrap(errs.Unavailable, err, "The database cannot be reached; try again.")
	default:
		return errs.From(err)
	}
}

// fromState uses our own state when a function or trigger put one into the hint beside a standard SQLSTATE.
func fromState(pg *pgconn.PgError, err error) error {
	if strings.HasPrefix(pg.Hint, "ZE") && len(pg.Hint) == 5 {
		return errs.FromSQL(pg.Hint, pg.Message, pg.ColumnName, err)
	}
	if list := inputErrors(pg); len(list) > 1 {
		return list
	}
	return errs.FromSQL(pg.Code, pg.Message, fieldOf(pg), err)
}

// inputErrors reads the list that raise_invalid puts into the detail: several input errors come back together.
func inputErrors(pg *pgconn.PgError) errs.List {
	if pg.Code != "ZE400" || !strings.HasPrefix(pg.Detail, "[") {
		return nil
	}
	var list []struct {
		Field   string `json:"field"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal([]byte(pg.Detail), &list); err != nil {
		return nil //nolint:nilerr // then there is only the message
	}
	var out errs.List
	for _, e := range list {
		out.Add(e.Field, e.Message)
	}
	return out
}

// fieldOf names the input field of an error: the column when PostgreSQL tells it, else what stands between table and
// suffix in the constraint's name (documents_author_id_fkey → authorId).
func fieldOf(pg *pgconn.PgError) string {
	name := pg.ColumnName
	if strings.HasPrefix(pg.Code, "ZE") {
		return name
	}
	if name == "" && pg.TableName != "" {
		name = strings.TrimPrefix(pg.ConstraintName, pg.TableName+"_")
		for _, suffix := range []string{"_check", "_fkey", "_key", "_excl"} {
			if rest, ok := strings.CutSuffix(name, suffix); ok {
				return camel(rest)
			}
		}
		return ""
	}
	return camel(name)
}

func camel(snake string) string {
	parts := strings.Split(snake, "_")
	for i, p := range parts[1:] {
		if p != "" {
			parts[i+1] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, "")
}

func isConnect(err error) bool {
	var c *pgconn.ConnectError
	return errors.As(err, &c)
}

func isConnection(err error) bool {
	var n net.Error
	return isConnect(err) || errors.As(err, &n) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "closed pool")
}

// class returns the SQLSTATE class of an error for metrics: two characters, "conn" for lost connections, "other", or "" for none.
func class(err error) string {
	var pg *pgconn.PgError
	switch {
	case err == nil || errors.Is(err, pgx.ErrNoRows):
		return ""
	case errors.As(err, &pg) && len(pg.Code) == 5:
		return pg.Code[:2]
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return "ctx"
	case isConnection(err):
		return "conn"
	default:
		return "other"
	}
}

// rolledBack reports failures after which nothing is in effect, so that a write may be repeated.
func rolledBack(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == "40001" || pg.Code == "40P01"
	}
	return pgconn.SafeToRetry(err)
}

// passing reports failures after which a read may be repeated: those, and connections that broke.
func passing(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return rolledBack(err) || strings.HasPrefix(pg.Code, "08") || strings.HasPrefix(pg.Code, "57P")
	}
	return isConnection(err) && !errors.Is(err, context.DeadlineExceeded)
}
