package db

import (
	"context"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"stackforge/tenant"
)

// Query is what a hook learns of one statement. It holds neither arguments nor rows.
type Query struct {
	Name       string // of its first line, `-- name: job.Claim`; "unnamed" without one
	Start      time.Time
	Duration   time.Duration
	Rows       int64
	ErrorClass string // SQLSTATE class, "conn", "ctx", "other", or "" for success
}

// Hook is called after each statement, on the caller's goroutine: it must be quick.
type Hook func(ctx context.Context, q Query)

func (d *DB) observe(ctx context.Context, sql string, start time.Time, rows int64, err error) {
	if len(d.hooks) == 0 {
		return
	}
	q := Query{Name: Name(sql), Start: start, Duration: time.Since(start), Rows: rows, ErrorClass: class(err)}
	for _, h := range d.hooks {
		h(ctx, q)
	}
}

// Name returns the name on a statement's first line.
func Name(sql string) string {
	sql = strings.TrimLeft(sql, " \t\r\n")
	rest, ok := strings.CutPrefix(sql, "-- name: ")
	if !ok {
		return "unnamed"
	}
	if i := strings.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i]
	}
	return strings.TrimSpace(rest)
}

// LogQueries returns a hook that writes a debug line for each statement and a warning for one slower than slow.
func LogQueries(log zerolog.Logger, slow time.Duration) Hook {
	return func(ctx context.Context, q Query) {
		level := zerolog.DebugLevel
		if q.Duration >= slow {
			level = zerolog.WarnLevel
		}
		log.WithLevel(level).Str("requestId", tenant.RequestID(ctx)).Str("queryName", q.Name).Dur("durationMs", q.Duration).
			Int64("rows", q.Rows).Str("errorClass", q.ErrorClass).Msg("query")
	}
}
