package file

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/tenant"
)

// CleanupPending forgets the uploads and deletions of the context's tenant that were begun that many hours ago and never ended. It
// is for servers without storage: nothing of them is stored.
func (r *Repo) CleanupPending(ctx context.Context, hours int) (int64, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return 0, err
	}
	return db.Get[int64](ctx, r.db, "file", `
		-- name: file.CleanupPending
		SELECT cleanup_files(@tenant, @hours)`,
		pgx.NamedArgs{"tenant": s.TenantID, "hours": hours})
}

// Unfinished returns up to limit uploads and deletions of the tenant that were begun before a moment and never ended, and uploads
// that have expired, oldest first.
//
// Index: ix_files_unfinished of each month. A plan for an average tenant would read all files of a large one.
func (r *Repo) Unfinished(ctx context.Context, before time.Time, limit int) ([]File, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	return db.List[File](ctx, db.Fresh(db.Read(r.db)), `
		-- name: file.Unfinished
		SELECT `+columns+`
		FROM files
		WHERE tenant_id = @tenant AND status <> 'ready' AND (created_at < @before OR expires_at < now())
		ORDER BY created_at, id
		LIMIT @limit`,
		pgx.NamedArgs{"tenant": s.TenantID, "before": before, "limit": limit})
}

// Keyed returns up to limit files of the tenant whose storage key comes after a key, in the order of the bytes of their keys.
//
// Index: the ix_files_key of each month, merged.
func (r *Repo) Keyed(ctx context.Context, after string, limit int) ([]File, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	return db.List[File](ctx, db.Read(r.db), `
		-- name: file.Keyed
		SELECT `+columns+`
		FROM files
		WHERE tenant_id = @tenant AND storage_key > @after
		ORDER BY storage_key
		LIMIT @limit`,
		pgx.NamedArgs{"tenant": s.TenantID, "after": after, "limit": limit})
}

// GiveUp marks a file as deleted if it still has the status it was seen with, and reports whether it had. Its object may be deleted
// then, and not before: somebody may be completing it.
func (r *Repo) GiveUp(ctx context.Context, f File) (bool, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return false, err
	}
	n, err := db.Exec(ctx, r.db, `
		-- name: file.GiveUp
		UPDATE files
		SET status = 'deleting'
		WHERE tenant_id = @tenant AND id = @id AND status = @status`,
		pgx.NamedArgs{"tenant": s.TenantID, "id": f.ID, "status": f.Status})
	return n > 0, err
}

// Maintenance is about the files of all tenants. Its handle acts as app_worker.
type Maintenance struct{ db db.Handle }

// NewMaintenance returns a Maintenance.
func NewMaintenance(h db.Handle) *Maintenance { return &Maintenance{db: h} }

// Detached is a file whose month is no longer part of the table.
type Detached struct {
	TenantID   uuid.UUID `db:"tenant_id"`
	ID         uuid.UUID `db:"id"`
	StorageKey string    `db:"storage_key"`
}

// Detached returns up to limit files of detached months.
func (m *Maintenance) Detached(ctx context.Context, limit int) ([]Detached, error) {
	return db.List[Detached](ctx, db.Read(m.db), `
		-- name: file.Detached
		SELECT tenant_id, id, storage_key
		FROM list_detached_files(@limit)
		ORDER BY tenant_id, id`,
		pgx.NamedArgs{"limit": limit})
}

// Forget removes files of detached months whose objects are gone, and the months that are empty then.
func (m *Maintenance) Forget(ctx context.Context, files []Detached) error {
	tenants, ids := make([]uuid.UUID, len(files)), make([]uuid.UUID, len(files))
	for i, f := range files {
		tenants[i], ids[i] = f.TenantID, f.ID
	}
	_, err := db.Get[int64](ctx, m.db, "file", `
		-- name: file.Forget
		SELECT forget_detached_files(@tenants, @ids)`,
		pgx.NamedArgs{"tenants": tenants, "ids": ids})
	return err
}

// EnqueueCleanup enqueues a cleanup_files job for each tenant with something unfinished that is older, and returns how many.
func (m *Maintenance) EnqueueCleanup(ctx context.Context, hours int) (int64, error) {
	return db.Get[int64](ctx, m.db, "job", `
		-- name: file.EnqueueCleanup
		SELECT enqueue_file_cleanup(@hours)`,
		pgx.NamedArgs{"hours": hours})
}
