package tenancy

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
)

// Deletion is the note of a tenant's deletion, which outlives the tenant.
type Deletion struct {
	TenantID       uuid.UUID        `json:"tenantId"`
	NameSHA256     string           `json:"nameSha256"`
	StartedAt      time.Time        `json:"startedAt"`
	StartedBy      string           `json:"startedBy"`
	RowsBefore     map[string]int64 `json:"rowsBefore"`
	ObjectsDeleted *int64           `json:"objectsDeleted"` // nil without an object store
	FinishedAt     *time.Time       `json:"finishedAt"`
	RowsAfter      map[string]int64 `json:"rowsAfter"` // nil until it is finished
}

const deletionColumns = `
		       tenant_id,
		       name_sha256,
		       started_at,
		       started_by,
		       rows_before,
		       objects_deleted,
		       finished_at,
		       rows_after`

// BeginDeletion ends all keys of a tenant, lets nothing new be written for it and notes how many rows it has. There is no way
// back; a second call returns the first note. It is errs.NotFound without such a tenant. The handle must act as the owner.
func (r *Repo) BeginDeletion(ctx context.Context, id uuid.UUID, by string) (Deletion, error) {
	return db.Get[Deletion](ctx, r.db, "tenant", `
		-- name: tenancy.BeginDeletion
		SELECT`+deletionColumns+`
		FROM begin_tenant_deletion(@tenant, @by)`, pgx.NamedArgs{"tenant": id, "by": by})
}

// DeleteRows deletes at most that many rows of a tenant whose deletion has begun, and returns how many; 0 at the end.
func (r *Repo) DeleteRows(ctx context.Context, id uuid.UUID, limit int) (int64, error) {
	return db.Get[int64](ctx, r.db, "count", `
		-- name: tenancy.DeleteRows
		SELECT delete_tenant(@tenant, @limit)`, pgx.NamedArgs{"tenant": id, "limit": limit})
}

// FinishDeletion deletes what is left, the tenant itself at last, and notes the proof. objects is how many objects the object
// store had, nil without one.
func (r *Repo) FinishDeletion(ctx context.Context, id uuid.UUID, objects *int64) (Deletion, error) {
	return db.Get[Deletion](ctx, r.db, "tenant", `
		-- name: tenancy.FinishDeletion
		SELECT`+deletionColumns+`
		FROM finish_tenant_deletion(@tenant, @objects)`, pgx.NamedArgs{"tenant": id, "objects": objects})
}

// RefreshStats takes a tenant that is gone out of the statistics.
func (r *Repo) RefreshStats(ctx context.Context) error {
	_, err := db.Exec(ctx, r.db, `
		-- name: tenancy.RefreshStats
		SELECT refresh_tenant_document_stats()`)
	return err
}

// Counts returns how many rows a tenant has, by table.
func (r *Repo) Counts(ctx context.Context, id uuid.UUID) (map[string]int64, error) {
	list, err := rowCounts(ctx, r.db, id)
	out := make(map[string]int64, len(list))
	for _, t := range list {
		out[t.Name] = t.Rows
	}
	return out, err
}
