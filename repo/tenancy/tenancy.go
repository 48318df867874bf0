// Package tenancy creates and lists tenants. Operators' commands use it on a handle of the owner; the API's role sees its
// own tenant only and cannot create one.
package tenancy

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
)

// Tenant is one customer, whose rows nobody else sees.
type Tenant struct {
	ID        uuid.UUID
	Name      string
	CreatedAt time.Time
}

// Repo reads and creates tenants.
type Repo struct{ db db.Handle }

// New returns a Repo on the database, or on one open transaction.
func New(h db.Handle) *Repo { return &Repo{db: h} }

// Create creates a tenant. It is errs.Validation, naming name, unless the name has 1 to 200 characters, and
// errs.Forbidden for a role other than the owner.
func (r *Repo) Create(ctx context.Context, name string) (Tenant, error) {
	return db.Get[Tenant](ctx, r.db, "tenant", `
		-- name: tenancy.Create
		SELECT id,
		       name,
		       created_at
		FROM create_tenant(@name)`,
		pgx.NamedArgs{"name": name})
}

// Get returns one tenant. It is errs.NotFound when there is none with this id.
func (r *Repo) Get(ctx context.Context, id uuid.UUID) (Tenant, error) {
	return db.Get[Tenant](ctx, db.Read(r.db), "tenant", `
		-- name: tenancy.Get
		SELECT id,
		       name,
		       created_at
		FROM tenants
		WHERE id = @id`,
		pgx.NamedArgs{"id": id})
}

// List returns all tenants, oldest first.
func (r *Repo) List(ctx context.Context) ([]Tenant, error) {
	return db.List[Tenant](ctx, db.Read(r.db), `
		-- name: tenancy.List
		SELECT id,
		       name,
		       created_at
		FROM tenants
		ORDER BY created_at, id`)
}
