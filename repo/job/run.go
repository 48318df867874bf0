package job

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/tenant"
)

// Runs is what a worker does with jobs. Its handle must act as app_worker, which sees the jobs of all tenants.
//
// Every end of a run carries the lease of its claim. An end whose lease was taken back (the job was cancelled, or rescued
// from a worker that seemed dead) changes nothing and is missing in the answer.
type Runs struct{ db db.Handle }

// NewRuns returns Runs on a worker's database.
func NewRuns(h db.Handle) *Runs { return &Runs{db: h} }

// Lease names one run of a job.
type Lease struct {
	ID    int64 `db:"id"`       // of the job
	Lease int64 `db:"lease_id"` // of the run
}

// Success is a run that ended well.
type Success struct {
	Lease
	Result json.RawMessage // nil for none
}

// Failure is a run that failed for good.
type Failure struct {
	Lease
	Error  string // kept as last_error, cut at 2,000 characters
	Reason string // ReasonPermanent or ReasonNoHandler
}

// Again is a run that failed and is worth another one.
type Again struct {
	Lease
	Error string        // kept as last_error, cut at 2,000 characters
	Delay time.Duration // from now to the next run
}

// Ended says where a job stands after a run that failed.
type Ended struct {
	ID     int64  `db:"id"`
	Status Status `db:"status"` // Pending, or Failed when its attempts are used up
}

// Beat is what a worker process tells of itself.
type Beat struct {
	WorkerID    uuid.UUID
	Name        string // for people
	Concurrency int
}

// Archive moves jobs that were done 90 days ago or earlier to the archive and returns how many. Each statement moves some
// 20,000, so that none is long.
func (r *Runs) Archive(ctx context.Context) (int, error) {
	return r.repeat(ctx, `
		-- name: job.Archive
		SELECT archive_jobs()`)
}

// Claim gives the worker up to n due jobs of the types (nil: of all types), each with a new lease, in the order in which
// they should start: higher priority first, then run_at, then id.
func (r *Runs) Claim(ctx context.Context, workerID uuid.UUID, types []string, n int) ([]Job, error) {
	return db.List[Job](ctx, r.db, `
		-- name: job.Claim
		SELECT `+columns+`, payload_encrypted
		FROM claim_jobs(@worker, @types, @n)
		ORDER BY priority DESC, run_at, id`,
		pgx.NamedArgs{"worker": workerID, "types": types, "n": n})
}

// Complete ends runs with success and returns the ids of the jobs that are done by it. One statement for all: when it
// fails for the data of one of them (errs.Validation), none has ended.
func (r *Runs) Complete(ctx context.Context, runs []Success) ([]int64, error) {
	ids, leases, results := make([]int64, len(runs)), make([]int64, len(runs)), make([]*string, len(runs))
	for i, d := range runs {
		ids[i], leases[i] = d.ID, d.Lease.Lease
		if len(d.Result) > 0 {
			text := string(d.Result)
			results[i] = &text
		}
	}
	return db.List[int64](ctx, r.db, `
		-- name: job.Complete
		SELECT complete_jobs(@ids, @leases, @results::text[]::jsonb[])`,
		pgx.NamedArgs{"ids": ids, "leases": leases, "results": results})
}

// CountFinished counts, for dashboards, the jobs that were done since the last call, or all of them anew.
func (r *Runs) CountFinished(ctx context.Context, all bool) (int, error) {
	return db.Get[int](ctx, r.db, "job", `
		-- name: job.CountFinished
		SELECT count_finished_jobs(@all)`,
		pgx.NamedArgs{"all": all})
}

// DeleteFailed deletes jobs that failed 30 days ago or earlier and returns how many.
func (r *Runs) DeleteFailed(ctx context.Context) (int, error) {
	return r.repeat(ctx, `
		-- name: job.DeleteFailed
		SELECT delete_failed_jobs()`)
}

// DocumentCount returns how many documents the context's tenant had at the last RefreshStats.
func (r *Runs) DocumentCount(ctx context.Context) (int64, error) {
	scope, err := tenant.From(ctx)
	if err != nil {
		return 0, err
	}
	return db.Get[int64](ctx, db.Read(r.db), "tenant", `
		-- name: job.DocumentCount
		SELECT document_count
		FROM get_tenant_stats(@tenant)`,
		pgx.NamedArgs{"tenant": scope.TenantID})
}

// DropOldEvents drops the days of job events that are wholly older than keep and returns how many days went.
func (r *Runs) DropOldEvents(ctx context.Context, keep time.Duration) (int, error) {
	return db.Get[int](ctx, r.db, "event", `
		-- name: job.DropOldEvents
		SELECT drop_old_events(make_interval(secs => @keep::float8))`,
		pgx.NamedArgs{"keep": keep.Seconds()})
}

// DropOldPartitions ends the partitions that are older than their table's retention and returns their names. archive is that
// of the archive of jobs where none is configured in the database, 0 for ever.
func (r *Runs) DropOldPartitions(ctx context.Context, archive time.Duration) ([]string, error) {
	return db.Get[[]string](ctx, r.db, "partition", `
		-- name: job.DropOldPartitions
		SELECT drop_old_partitions(make_interval(secs => nullif(@archive::float8, 0)))`,
		pgx.NamedArgs{"archive": archive.Seconds()})
}

// DropOldIdempotencyKeys forgets the idempotency keys that are older than 7 days and returns how many there were.
func (r *Runs) DropOldIdempotencyKeys(ctx context.Context) (int64, error) {
	return db.Get[int64](ctx, r.db, "key", `
		-- name: job.DropOldIdempotencyKeys
		SELECT drop_old_idempotency_keys()`)
}

// EnsurePartitions makes the partitions of the coming months and days and returns how many are new.
func (r *Runs) EnsurePartitions(ctx context.Context) (int, error) {
	return db.Get[int](ctx, r.db, "partition", `
		-- name: job.EnsurePartitions
		SELECT ensure_partitions()`)
}

// Fail ends runs for good and returns the ids of the jobs that have failed by it.
func (r *Runs) Fail(ctx context.Context, runs []Failure) ([]int64, error) {
	ids, leases := make([]int64, len(runs)), make([]int64, len(runs))
	texts, reasons := make([]string, len(runs)), make([]string, len(runs))
	for i, f := range runs {
		ids[i], leases[i], texts[i], reasons[i] = f.ID, f.Lease.Lease, f.Error, f.Reason
	}
	return db.List[int64](ctx, r.db, `
		-- name: job.Fail
		SELECT e.id
		FROM (
		    SELECT r.id, fail_job(r.id, r.error, r.lease_id, r.reason) AS failed
		    FROM (
		        SELECT *
		        FROM unnest(@ids::bigint[], @leases::bigint[], @errors::text[], @reasons::text[]) AS u (id, lease_id, error, reason)
		        ORDER BY id) r
		    OFFSET 0) e
		WHERE e.failed`,
		pgx.NamedArgs{"ids": ids, "leases": leases, "errors": texts, "reasons": reasons})
}

// FinishMaintenance records how a tick of a task ended. Outcomes are cut at 500 characters.
func (r *Runs) FinishMaintenance(ctx context.Context, task string, tick time.Time, outcome string) error {
	_, err := db.Exec(ctx, r.db, `
		-- name: job.FinishMaintenance
		SELECT finish_maintenance(@task, @tick, @outcome)`,
		pgx.NamedArgs{"task": task, "tick": tick, "outcome": outcome})
	return err
}

// Heartbeat says that the worker process lives. Runs of a process that says nothing are rescued.
func (r *Runs) Heartbeat(ctx context.Context, b Beat) error {
	_, err := db.Exec(ctx, r.db, `
		-- name: job.Heartbeat
		SELECT worker_heartbeat(@worker, @name, @concurrency)`,
		pgx.NamedArgs{"worker": b.WorkerID, "name": b.Name, "concurrency": b.Concurrency})
	return err
}

// Held returns the runs that are the worker's according to the database.
func (r *Runs) Held(ctx context.Context, workerID uuid.UUID) ([]Lease, error) {
	return db.List[Lease](ctx, db.Read(r.db), `
		-- name: job.Held
		SELECT id, lease_id
		FROM jobs
		WHERE status = 'running'
		  AND worker_id = @worker
		ORDER BY id`,
		pgx.NamedArgs{"worker": workerID})
}

// Leave forgets a worker process that has stopped. Runs it still had can be rescued at once.
func (r *Runs) Leave(ctx context.Context, workerID uuid.UUID) error {
	_, err := db.Exec(ctx, r.db, `
		-- name: job.Leave
		DELETE FROM job_workers
		WHERE id = @worker`,
		pgx.NamedArgs{"worker": workerID})
	return err
}

// Progress records how far a run is, in percent. It is errs.Conflict when the lease was taken back: the run should stop.
func (r *Runs) Progress(ctx context.Context, run Lease, percent int) error {
	if percent < 0 || percent > 100 {
		return errs.Field("percent", "This must be from 0 to 100.")
	}
	ok, err := db.Get[bool](ctx, r.db, "job", `
		-- name: job.Progress
		SELECT report_job_progress(@id, @lease, @percent)`,
		pgx.NamedArgs{"id": run.ID, "lease": run.Lease, "percent": percent})
	if err == nil && !ok {
		return errs.New(errs.Conflict, "This run of the job is over.")
	}
	return err
}

// RecoverStale takes back runs that are older than that many minutes and have no living worker, also those that were
// claimed outside of a worker process, and returns how many.
func (r *Runs) RecoverStale(ctx context.Context, minutes int) (int, error) {
	return db.Get[int](ctx, r.db, "job", `
		-- name: job.RecoverStale
		SELECT recover_stale_jobs(@minutes)`,
		pgx.NamedArgs{"minutes": minutes})
}

// RefreshStats brings the document statistics of all tenants up to date. Calls that wait for one another share the work.
func (r *Runs) RefreshStats(ctx context.Context) error {
	_, err := db.Exec(ctx, r.db, `
		-- name: job.RefreshStats
		SELECT refresh_tenant_document_stats()`)
	return err
}

// Release puts runs back as pending, due now, with their attempt given back, and returns how many were still theirs.
func (r *Runs) Release(ctx context.Context, runs []Lease) (int64, error) {
	ids, leases := make([]int64, len(runs)), make([]int64, len(runs))
	for i, l := range runs {
		ids[i], leases[i] = l.ID, l.Lease
	}
	return db.Get[int64](ctx, r.db, "job", `
		-- name: job.Release
		SELECT release_jobs(@ids, @leases)`,
		pgx.NamedArgs{"ids": ids, "leases": leases})
}

// Rescue takes back the runs of worker processes that have been silent for longer than deadAfter and returns how many.
// The attempt is given back; a job that brought down five workers fails with ReasonCrashed.
func (r *Runs) Rescue(ctx context.Context, deadAfter time.Duration) (int, error) {
	return db.Get[int](ctx, r.db, "job", `
		-- name: job.Rescue
		SELECT rescue_jobs(NULL, make_interval(secs => @dead::float8))`,
		pgx.NamedArgs{"dead": deadAfter.Seconds()})
}

// Retry puts jobs back for another run after their delay, or ends them as failed (ReasonExhausted) when their attempts
// are used up: maxAttempts, or the job's own number. It returns the jobs whose run ended by it.
func (r *Runs) Retry(ctx context.Context, runs []Again, maxAttempts int) ([]Ended, error) {
	ids, leases := make([]int64, len(runs)), make([]int64, len(runs))
	texts, delays := make([]string, len(runs)), make([]float64, len(runs))
	for i, a := range runs {
		ids[i], leases[i], texts[i], delays[i] = a.ID, a.Lease.Lease, a.Error, a.Delay.Seconds()
	}
	// The delay is added to the database's clock, so that a worker whose clock is wrong waits no longer than others.
	return db.List[Ended](ctx, r.db, `
		-- name: job.Retry
		SELECT e.id, e.status
		FROM (
		    SELECT r.id, retry_job(r.id, clock_timestamp() + make_interval(secs => r.delay), @max, r.error, r.lease_id) AS status
		    FROM (
		        SELECT *
		        FROM unnest(@ids::bigint[], @leases::bigint[], @errors::text[], @delays::float8[]) AS u (id, lease_id, error, delay)
		        ORDER BY id) r
		    OFFSET 0) e
		WHERE e.status IS NOT NULL`,
		pgx.NamedArgs{"ids": ids, "leases": leases, "errors": texts, "delays": delays, "max": maxAttempts})
}

// repeat runs a statement that does a bounded part of its work, and says how much, until it finds nothing.
func (r *Runs) repeat(ctx context.Context, sql string) (int, error) {
	sum := 0
	for {
		n, err := db.Get[int](ctx, r.db, "job", sql)
		sum += n
		if err != nil || n == 0 {
			return sum, err
		}
	}
}

// StartMaintenance reports whether the caller is the one to run this tick of a task: true for exactly one of all workers.
func (r *Runs) StartMaintenance(ctx context.Context, task string, tick time.Time) (bool, error) {
	return db.Get[bool](ctx, r.db, "task", `
		-- name: job.StartMaintenance
		SELECT start_maintenance(@task, @tick)`,
		pgx.NamedArgs{"task": task, "tick": tick})
}
