// Package job is the product queue: what callers do with jobs (job.go, list.go), what a worker does (run.go) and what
// subscribers read of them (event.go). The rules are SQL functions; see docs/jobs.md for states and promises.
package job

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/tenant"
)

// MaxBatch is the largest number of jobs that one EnqueueMany takes.
const MaxBatch = 1000

// Status is where a job stands. A failed job's Reason says why.
type Status string

// The four states of a job.
const (
	Pending Status = "pending"
	Running Status = "running"
	Done    Status = "done"
	Failed  Status = "failed"
)

// Reasons of a failed job.
const (
	ReasonExhausted = "exhausted"  // it failed as often as it may
	ReasonPermanent = "permanent"  // its error cannot go away by trying again
	ReasonNoHandler = "no_handler" // no worker knows its type
	ReasonCancelled = "cancelled"  // somebody cancelled it
	ReasonCrashed   = "crashed"    // it brought down five workers
)

// Job is one row of jobs.
type Job struct {
	ID          int64           `db:"id"`
	TenantID    uuid.UUID       `db:"tenant_id"`
	Type        string          `db:"type"`
	Payload     json.RawMessage `db:"payload"`
	Status      Status          `db:"status"`
	Reason      *string         `db:"reason"`   // of a failed job
	Priority    int             `db:"priority"` // higher runs first
	Queue       string          `db:"queue"`
	UniqueKey   *string         `db:"unique_key"`   // at most one unfinished job of the tenant has it
	Attempts    int             `db:"attempts"`     // runs that were started, without those taken back
	MaxAttempts *int            `db:"max_attempts"` // nil: the worker's setting
	Progress    *int            `db:"progress"`     // percent, of the current or last run
	Result      json.RawMessage `db:"result"`       // nil until it is done with one
	LastError   *string         `db:"last_error"`   // at most 2,000 characters
	WorkerID    *uuid.UUID      `db:"worker_id"`
	LeaseID     *int64          `db:"lease_id"` // fencing token of the current or last run
	RunAt       time.Time       `db:"run_at"`   // not before
	StartedAt   *time.Time      `db:"started_at"`
	FinishedAt  *time.Time      `db:"finished_at"`
	CreatedAt   time.Time       `db:"created_at"`
	UpdatedAt   time.Time       `db:"updated_at"`
	Encrypted   bool            `db:"encrypted"` // there is an encrypted form of the payload

	PayloadEncrypted *string `db:"payload_encrypted"` // read by Claim and GetEncrypted only
}

// Redacted reports whether the payload is there encrypted only. It is for jobs of Claim and GetEncrypted.
func (j Job) Redacted() bool { return j.PayloadEncrypted != nil && string(j.Payload) == "{}" }

// Type is what is known of a job type. Types without a row may be enqueued with any payload.
type Type struct {
	Type          string          `db:"type"`
	Description   string          `db:"description"`
	PayloadSchema json.RawMessage `db:"payload_schema"` // JSON Schema
}

// EnqueueParams is one job to enqueue. Only Type is required.
type EnqueueParams struct {
	Type        string
	Payload     json.RawMessage // a JSON object of at most 256 KiB; default {}
	RunAt       *time.Time      // default now
	Priority    *int            // default 0
	Queue       *string         // default "default"
	UniqueKey   *string         // while an unfinished job of the tenant has it, that job is returned instead
	MaxAttempts *int            // 1 to 100; default the worker's setting

	Encrypt          bool    // the payload is stored encrypted only; app.Payloads does it
	ID               *int64  // of Reserve
	PayloadEncrypted *string // for ID, in place of Payload
}

// Outcome is what became of one job of EnqueueMany: a job, or an error.
type Outcome struct {
	Index     int
	Job       *Job
	Duplicate bool // Job was there already and has the same unique key
	Err       *errs.Error
}

// columns is every column of Job, in the order of its fields.
const columns = `id, tenant_id, type, payload, status, reason, priority, queue, unique_key, attempts, max_attempts, progress, result,
		       last_error, worker_id, lease_id, run_at, started_at, finished_at, created_at, updated_at,
		       payload_encrypted IS NOT NULL AS encrypted`

// Repo reads and changes jobs. All methods of this file act for the tenant of the context and are errs.Unauthenticated
// without one; jobs of other tenants do not exist for them.
type Repo struct{ db db.Handle }

// New returns a Repo on the database, or on one open transaction.
func New(h db.Handle) *Repo { return &Repo{db: h} }

// ByIDs returns those of the jobs that exist, ordered by id.
//
// Index: one probe of jobs_live_id_key and of each month's ix_jobs_finished_id for each id. With id = ANY a plan for the
// average tenant would read all jobs of a large one; see docs/queries/job.ByIDs.md.
func (r *Repo) ByIDs(ctx context.Context, ids []int64) ([]Job, error) {
	scope, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	return db.List[Job](ctx, db.Read(r.db), `
		-- name: job.ByIDs
		SELECT `+columns+`
		FROM (SELECT DISTINCT unnest(@ids::bigint[]) AS wanted) AS i
		CROSS JOIN LATERAL (SELECT * FROM jobs WHERE tenant_id = @tenant AND id = i.wanted OFFSET 0) AS j
		ORDER BY id`,
		pgx.NamedArgs{"tenant": scope.TenantID, "ids": ids})
}

// Cancel ends a job that has not finished. A run under way is told to stop and its outcome no longer counts. It is
// errs.NotFound when there is no such job and errs.Conflict when it has finished.
func (r *Repo) Cancel(ctx context.Context, id int64) (Job, error) {
	scope, err := tenant.From(ctx)
	if err != nil {
		return Job{}, err
	}
	return db.Get[Job](ctx, r.db, "job", `
		-- name: job.Cancel
		SELECT `+columns+`
		FROM cancel_job(@tenant, @id)`,
		pgx.NamedArgs{"tenant": scope.TenantID, "id": id})
}

// Get returns one job. It is errs.NotFound when there is none.
func (r *Repo) Get(ctx context.Context, id int64) (Job, error) {
	scope, err := tenant.From(ctx)
	if err != nil {
		return Job{}, err
	}
	return db.Get[Job](ctx, db.Read(r.db), "job", `
		-- name: job.Get
		SELECT `+columns+`
		FROM jobs
		WHERE tenant_id = @tenant
		  AND id = @id`,
		pgx.NamedArgs{"tenant": scope.TenantID, "id": id})
}

// GetByHashid returns the job of a short public id. It is errs.NotFound when there is none, and for any text that is no
// such id.
func (r *Repo) GetByHashid(ctx context.Context, hashid string) (Job, error) {
	scope, err := tenant.From(ctx)
	if err != nil {
		return Job{}, err
	}
	if !utf8.ValidString(hashid) || strings.ContainsRune(hashid, 0) { // PostgreSQL takes no such text
		return Job{}, errs.New(errs.NotFound, "There is no such job.")
	}
	return db.Get[Job](ctx, db.Read(r.db), "job", `
		-- name: job.GetByHashid
		SELECT `+columns+`
		FROM jobs
		WHERE tenant_id = @tenant
		  AND id = decode_job_id(@hashid)`,
		pgx.NamedArgs{"tenant": scope.TenantID, "hashid": hashid})
}

// Enqueue stores one job and returns it; duplicate says that an unfinished job with the same unique key was there and is
// returned. It is errs.InvalidPayload for a payload that breaks its type's schema, errs.Forbidden for a foreign tenant_id
// in it, errs.TooLarge, or errs.Validation; the error's field is "payload", "type" and so on.
//
// Workers learn of the job by their next poll; to have it run at once, notify `jobs_ready` after the commit.
func (r *Repo) Enqueue(ctx context.Context, p EnqueueParams) (_ Job, duplicate bool, err error) {
	for range 3 {
		rows, err := r.enqueue(ctx, []EnqueueParams{p}, false)
		if err != nil {
			return Job{}, false, Single(err)
		}
		if len(rows) == 1 && rows[0].ID != 0 {
			return rows[0].Job, rows[0].Duplicate, nil
		}
		// The job with the same unique key finished between the insert and the look at it: now there is room.
	}
	return Job{}, false, errs.New(errs.Unavailable, errBusyKey)
}

// EnqueueMany stores up to 1,000 jobs in one statement and returns one Outcome for each, in their order. With skip a bad
// job gets an Outcome with Err and the others are stored; without it the first bad job is the error, as Enqueue's with
// the field "jobs[2].payload", and nothing is stored.
func (r *Repo) EnqueueMany(ctx context.Context, jobs []EnqueueParams, skip bool) ([]Outcome, error) {
	if len(jobs) > MaxBatch {
		return nil, errs.Field("jobs", "At most 1,000 jobs can be enqueued at once.")
	}
	if len(jobs) == 0 {
		return []Outcome{}, nil
	}
	rows, err := r.enqueue(ctx, jobs, skip)
	if err != nil {
		return nil, err
	}
	out := make([]Outcome, len(rows))
	for i := range rows {
		out[i] = rows[i].outcome()
	}
	return out, nil
}

// Requeue gives a failed job a new life: pending now, attempts from zero. It is errs.NotFound when there is no such job
// and errs.Conflict when it has not failed or an unfinished job has its unique key.
func (r *Repo) Requeue(ctx context.Context, id int64) (Job, error) {
	scope, err := tenant.From(ctx)
	if err != nil {
		return Job{}, err
	}
	return db.Get[Job](ctx, r.db, "job", `
		-- name: job.Requeue
		SELECT `+columns+`
		FROM requeue_job(@tenant, @id)`,
		pgx.NamedArgs{"tenant": scope.TenantID, "id": id})
}

// Types returns the known job types by name. They are the same for all tenants.
func (r *Repo) Types(ctx context.Context) ([]Type, error) {
	return db.List[Type](ctx, db.Read(r.db), `
		-- name: job.Types
		SELECT type, description, payload_schema
		FROM job_types
		ORDER BY type`)
}

const errBusyKey = "A job with this unique key has just finished; try again."

// enqueued is one row of enqueue_jobs. The job is blank when there is none.
type enqueued struct {
	Job
	Ord       int    `db:"ord"`
	Duplicate bool   `db:"duplicate"`
	Code      string `db:"code"`
	Field     string `db:"field"`
	Message   string `db:"message"`
}

func (e *enqueued) outcome() Outcome {
	o := Outcome{Index: e.Ord}
	switch {
	case e.Code != "":
		o.Err = errs.FromSQL(e.Code, e.Message, bulkField(e.Ord, e.Field), nil)
	case e.ID == 0:
		o.Err = errs.New(errs.Unavailable, errBusyKey)
		o.Err.Field = bulkField(e.Ord, "uniqueKey")
	default:
		o.Job, o.Duplicate = &e.Job, e.Duplicate
	}
	return o
}

// input is one job as enqueue_jobs reads it.
type input struct {
	Type        string          `json:"type"`
	Payload     json.RawMessage `json:"payload,omitempty"`
	RunAt       *time.Time      `json:"runAt,omitempty"`
	Priority    *int            `json:"priority,omitempty"`
	Queue       *string         `json:"queue,omitempty"`
	UniqueKey   *string         `json:"uniqueKey,omitempty"`
	MaxAttempts *int            `json:"maxAttempts,omitempty"`

	Encrypt          bool    `json:"-"`
	ID               *int64  `json:"id,omitempty"`
	PayloadEncrypted *string `json:"payloadEncrypted,omitempty"`
}

// inputText is a list of jobs as enqueue_jobs reads it.
func inputText(jobs []EnqueueParams) (string, error) {
	inputs := make([]input, len(jobs))
	for i, p := range jobs {
		if err := p.check(i); err != nil {
			return "", err
		}
		inputs[i] = input(p)
	}
	text, err := json.Marshal(inputs)
	if err != nil {
		return "", errs.Wrap(errs.Validation, err, "The jobs cannot be written as JSON.")
	}
	return string(text), nil
}

func (r *Repo) enqueue(ctx context.Context, jobs []EnqueueParams, skip bool) ([]enqueued, error) {
	scope, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	for i := range jobs {
		if jobs[i].Encrypt && jobs[i].PayloadEncrypted == nil {
			return nil, errs.New(errs.NotImplemented, "A payload cannot be encrypted here.")
		}
	}
	text, err := inputText(jobs)
	if err != nil {
		return nil, err
	}
	rows, err := db.List[enqueued](ctx, r.db, `
		-- name: job.Enqueue
		SELECT e.ord, e.duplicate,
		       coalesce(e.code, '') AS code,
		       coalesce(e.field, '') AS field,
		       coalesce(e.message, '') AS message,
		       `+columns+`
		FROM enqueue_jobs(@tenant, @jobs::jsonb, @skip) e,
		     -- A row that was refused has no job: a blank one stands in for it.
		     LATERAL (SELECT (CASE WHEN (e.job).id IS NOT NULL THEN e.job ELSE jsonb_populate_record(NULL::jobs, jsonb_build_object(
		         'id', 0, 'tenant_id', @tenant::uuid, 'type', '', 'payload', 'null'::jsonb, 'status', '', 'priority', 0, 'queue', '',
		         'attempts', 0, 'run_at', now(), 'created_at', now(), 'updated_at', now())) END).*) j
		ORDER BY e.ord`,
		pgx.NamedArgs{"tenant": scope.TenantID, "jobs": text, "skip": skip})
	if err != nil && len(jobs) == 1 {
		// For a list of one the function names the field alone.
		if e := errs.From(err); e.Field != "" {
			e.Field = bulkField(0, e.Field)
		}
	}
	return rows, err
}

// check refuses what cannot be sent to the database as JSON. Everything else is the database's to judge.
func (p *EnqueueParams) check(index int) error {
	if len(p.Payload) > 0 && !json.Valid(p.Payload) {
		return errs.Field(bulkField(index, "payload"), "A payload is a JSON object.")
	}
	if p.RunAt != nil && (p.RunAt.Year() < 1 || p.RunAt.Year() > 9999) {
		return errs.Field(bulkField(index, "runAt"), "This must be in the years 1 to 9999.")
	}
	return nil
}

func bulkField(index int, field string) string { return fmt.Sprintf("jobs[%d].%s", index, field) }

// Single names the field of an error of a single job without its place in the list.
func Single(err error) error {
	if e := errs.From(err); e.Field != "" {
		e.Field = strings.TrimPrefix(e.Field, bulkField(0, ""))
	}
	return err
}
