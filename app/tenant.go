package app

import (
	"context"

	"github.com/google/uuid"

	"stackforge/repo/tenancy"
)

// deleteBatch is how many rows go in one transaction: a second of work at most, and a lock on nobody else's.
const deleteBatch = 5000

// tenantObjects are the bytes of files in the object store.
type tenantObjects interface {
	DeleteAll(ctx context.Context, tenantID uuid.UUID) (objects int, err error)
}

// TenantDeleter deletes tenants with all that they have.
type TenantDeleter struct {
	Tenants *tenancy.Repo // as the owner
	Objects tenantObjects // nil without an object store
}

// Delete deletes a tenant and returns the proof. It can be stopped, or killed, at any moment: the next call goes on. by is who
// asked for it; progress is told how many rows are gone so far. It is errs.NotFound without such a tenant.
func (d TenantDeleter) Delete(ctx context.Context, id uuid.UUID, by string, progress func(rows int64)) (tenancy.Deletion, error) {
	note, err := d.Tenants.BeginDeletion(ctx, id, by)
	if err != nil {
		return note, err
	}
	var objects *int64
	if d.Objects != nil { // before the rows that name them
		n, err := d.Objects.DeleteAll(ctx, id)
		if err != nil {
			return note, err
		}
		all := int64(n)
		objects = &all
	}
	var gone int64
	for {
		n, err := d.Tenants.DeleteRows(ctx, id, deleteBatch)
		if err != nil {
			return note, err
		}
		if n == 0 {
			break
		}
		gone += n
		progress(gone)
	}
	if d.Objects != nil { // once more: an upload that was under way at the first time
		n, err := d.Objects.DeleteAll(ctx, id)
		if err != nil {
			return note, err
		}
		*objects += int64(n)
	}
	if note, err = d.Tenants.FinishDeletion(ctx, id, objects); err != nil {
		return note, err
	}
	return note, d.Tenants.RefreshStats(ctx)
}
