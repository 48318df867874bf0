package tenancy

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

// Limits are what a tenant may have; nil is no limit.
type Limits struct {
	APIKeys           *int64 `json:"apiKeys" db:"api_keys"` // that neither ended nor were revoked
	Documents         *int64 `json:"documents"`
	Files             *int64 `json:"files"`
	JobsPerDay        *int64 `json:"jobsPerDay"` // enqueued since midnight UTC
	MessageQueues     *int64 `json:"messageQueues"`
	RequestsPerMinute *int   `json:"requestsPerMinute"`
	StorageBytes      *int64 `json:"storageBytes"`
	Users             *int64 `json:"users"`
	WebhookEndpoints  *int64 `json:"webhookEndpoints"`

	UpdatedAt *time.Time `json:"updatedAt"` // nil when none was ever set
}

// Usage is what a tenant has, as Limits count it.
type Usage struct {
	APIKeys          int64 `json:"apiKeys" db:"api_keys"`
	Documents        int64 `json:"documents"`
	Files            int64 `json:"files"`
	JobsFinished     int64 `json:"jobsFinished"`
	JobsPending      int64 `json:"jobsPending"`
	JobsRunning      int64 `json:"jobsRunning"`
	JobsToday        int64 `json:"jobsToday"`
	MessageQueues    int64 `json:"messageQueues"`
	Messages         int64 `json:"messages"`
	StorageBytes     int64 `json:"storageBytes"`
	Users            int64 `json:"users"`
	WebhookEndpoints int64 `json:"webhookEndpoints"`
}

// Limits returns the limits of the caller's tenant.
func (r *Repo) Limits(ctx context.Context) (Limits, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Limits{}, err
	}
	return db.Get[Limits](ctx, db.Read(r.db), "tenant", `
		-- name: tenancy.Limits
		SELECT api_keys,
		       documents,
		       files,
		       jobs_per_day,
		       queues AS message_queues,
		       requests_per_minute,
		       storage_bytes,
		       users,
		       webhook_endpoints,
		       updated_at
		FROM get_tenant_limits(@tenant)`, pgx.NamedArgs{"tenant": s.TenantID})
}

// Usage counts what the caller's tenant has. It takes some 60 ms for each million of documents, jobs or messages.
func (r *Repo) Usage(ctx context.Context) (Usage, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Usage{}, err
	}
	return db.Get[Usage](ctx, db.Read(r.db), "tenant", `
		-- name: tenancy.Usage
		SELECT api_keys,
		       documents,
		       files,
		       jobs_finished,
		       jobs_pending,
		       jobs_running,
		       jobs_today,
		       queues AS message_queues,
		       messages,
		       storage_bytes,
		       users,
		       webhook_endpoints
		FROM tenant_usage(@tenant)`, pgx.NamedArgs{"tenant": s.TenantID})
}

// SetLimits sets limits by their names in JSON; nil lifts one, and those that are not named stay. It is errs.NotFound without
// such a tenant and errs.Validation for a limit that is not there. The handle must act as the owner. It waits for the tenant's
// writers, who wait while it counts.
func (r *Repo) SetLimits(ctx context.Context, id uuid.UUID, limits map[string]*int64) error {
	text, err := json.Marshal(limits)
	if err != nil {
		return errs.From(err)
	}
	_, err = db.Exec(ctx, r.db, `
		-- name: tenancy.SetLimits
		SELECT set_tenant_limits(@tenant, @limits::jsonb)`, pgx.NamedArgs{"tenant": id, "limits": string(text)})
	return err
}
