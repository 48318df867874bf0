// Package dashboard reads what a tenant's people look at: counts and series of documents and jobs, errors, sizes, and how
// quick its searches are. What is cheap is exact; docs/dashboards.md says what lags behind and by how much.
package dashboard

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/tenant"
)

// Stats are the tenant's documents in two numbers.
type Stats struct {
	TenantID         uuid.UUID
	DocumentCount    int64
	NewestDocumentAt *time.Time // nil without documents
	UpdatedAt        *time.Time // of the last refresh; nil before the first
}

// MonthCount is how many documents were created in a month.
type MonthCount struct {
	Month string // 2026-01, in UTC
	Count int64
}

// TypeCount is how many jobs of a type there are, by status.
type TypeCount struct {
	Type                           string
	Pending, Running, Done, Failed int64
}

// SeriesPoint is what became of the jobs of a type within a minute, an hour or a day. Times are in milliseconds, of the last
// attempt; nil when no job of the point was run.
type SeriesPoint struct {
	At           time.Time
	Type         string
	Done, Failed int64
	WaitP50      *float64 `db:"wait_p50"` // after it was due
	WaitP95      *float64 `db:"wait_p95"`
	RunP50       *float64 `db:"run_p50"`
	RunP95       *float64 `db:"run_p95"`
}

// ErrorGroup is the failed jobs of a type whose errors differ only in ids, numbers and quoted text.
type ErrorGroup struct {
	Type      string
	Pattern   string
	Count     int64
	LastAt    time.Time
	LastJobID int64  `db:"last_job_id"`
	Example   string // the last error, at most 500 characters
}

// StorageUse is what one kind of the tenant's data takes.
type StorageUse struct {
	Kind       string // documents, jobs, files
	Rows       int64  `db:"row_count"`
	Bytes      int64  // without indexes
	IsEstimate bool
}

// Dashboard stands for the tenant's in the API; it holds nothing, because each field is read on its own.
type Dashboard struct{}

// Bucket is the length of a point of a series.
type Bucket string

// The buckets.
const (
	Minute Bucket = "minute"
	Hour   Bucket = "hour"
	Day    Bucket = "day"
)

// Repo reads for the caller's tenant. Every method is errs.Unauthenticated without a caller in the context.
type Repo struct{ db db.Handle }

// New returns a Repo on the database.
func New(h db.Handle) *Repo { return &Repo{db: h} }

// Stats returns the counts of the last refresh, or with fresh those of now, which reads an index entry per document.
//
// Index: tenant_document_stats_tenant_id_key; fresh: ix_documents_created.
func (r *Repo) Stats(ctx context.Context, fresh bool) (Stats, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Stats{}, err
	}
	if fresh {
		return db.Get[Stats](ctx, db.Read(r.db), "tenant", `
			-- name: dashboard.FreshStats
			SELECT tenant_id, document_count, newest_document_at, updated_at
			FROM get_tenant_stats_fresh(@tenant)`,
			pgx.NamedArgs{"tenant": s.TenantID})
	}
	return db.Get[Stats](ctx, db.Read(r.db), "tenant", `
		-- name: dashboard.Stats
		SELECT tenant_id, document_count, newest_document_at, updated_at
		FROM get_tenant_stats(@tenant)`,
		pgx.NamedArgs{"tenant": s.TenantID})
}

// Pivot returns how many documents were created in each of the last months, ascending; those without any are left out unless
// fillGaps. It is errs.Validation on months unless 1 to 60.
//
// Index: ix_documents_created; of a large tenant tenant_document_months_key, too.
func (r *Repo) Pivot(ctx context.Context, months int, fillGaps, fresh bool) ([]MonthCount, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	list, err := db.List[MonthCount](ctx, db.Read(r.db), `
		-- name: dashboard.Pivot
		SELECT month, count
		FROM get_tenant_documents_pivot(@tenant, @months, @fresh)`,
		pgx.NamedArgs{"tenant": s.TenantID, "months": months, "fresh": fresh})
	if err != nil || !fillGaps {
		return list, err
	}
	return fill(list, months, time.Now()), nil
}

// fill adds the months without documents.
func fill(list []MonthCount, months int, now time.Time) []MonthCount {
	counts := make(map[string]int64, len(list))
	for _, m := range list {
		counts[m.Month] = m.Count
	}
	now = now.UTC()
	out := make([]MonthCount, months)
	for i := range out {
		name := time.Date(now.Year(), now.Month()-time.Month(months-1-i), 1, 0, 0, 0, 0, time.UTC).Format("2006-01")
		out[i] = MonthCount{Month: name, Count: counts[name]}
	}
	return out
}

// Breakdown returns how many jobs of each type there are by status, by type. fresh counts the done jobs of a large tenant, too.
//
// Index: ix_jobs_live_tenant, ix_jobs_finished_failed, ix_jobs_finished_ended.
func (r *Repo) Breakdown(ctx context.Context, fresh bool) ([]TypeCount, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	return db.List[TypeCount](ctx, db.Read(r.db), `
		-- name: dashboard.Breakdown
		SELECT type, pending, running, done, failed
		FROM get_tenant_jobs_breakdown(@tenant, @fresh)`,
		pgx.NamedArgs{"tenant": s.TenantID, "fresh": fresh})
}

// Series returns the last buckets, ascending, by type; empty ones are left out. jobType nil is all types. It is
// errs.Validation on bucket, last or type.
//
// Index: ix_jobs_finished_ended.
func (r *Repo) Series(ctx context.Context, bucket Bucket, last int, jobType *string) ([]SeriesPoint, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	return db.List[SeriesPoint](ctx, db.Read(r.db), `
		-- name: dashboard.Series
		SELECT at, type, done, failed, wait_p50, wait_p95, run_p50, run_p95
		FROM get_tenant_job_series(@tenant, @bucket, @last, @type)`,
		pgx.NamedArgs{"tenant": s.TenantID, "bucket": string(bucket), "last": last, "type": jobType})
}

// Errors returns the most frequent errors of the last days. It is errs.Validation on days (1 to 90) and first (1 to 100).
//
// Index: ix_jobs_finished_failed.
func (r *Repo) Errors(ctx context.Context, days, first int) ([]ErrorGroup, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	return db.List[ErrorGroup](ctx, db.Read(r.db), `
		-- name: dashboard.Errors
		SELECT type, pattern, count, last_at, last_job_id, example
		FROM get_tenant_job_errors(@tenant, @days, @first)`,
		pgx.NamedArgs{"tenant": s.TenantID, "days": days, "first": first})
}

// Storage returns what the tenant's data take, by kind.
func (r *Repo) Storage(ctx context.Context) ([]StorageUse, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	return db.List[StorageUse](ctx, db.Read(r.db), `
		-- name: dashboard.Storage
		SELECT kind, row_count, bytes, is_estimate
		FROM get_tenant_storage(@tenant)`,
		pgx.NamedArgs{"tenant": s.TenantID})
}
