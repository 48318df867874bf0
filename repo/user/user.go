// Package user reads and creates the people of a tenant, who can be authors.
package user

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/query"
	"stackforge/tenant"
)

// User is a person of one tenant.
type User struct {
	ID        uuid.UUID
	TenantID  uuid.UUID
	Email     string // as it was given; unique in the tenant in whatever case
	CreatedAt time.Time
}

// Repo reads and creates users of the caller's tenant. Every method is errs.Unauthenticated without a caller in the context.
type Repo struct{ db db.Handle }

// New returns a Repo on the database, or on one open transaction.
func New(h db.Handle) *Repo { return &Repo{db: h} }

// ByIDs returns the users with these ids in no special order; ids that the tenant does not have are left out.
//
// Index: one probe of app_users_pkey for each id. With id = ANY a plan for the average tenant would read all users of a
// large one; see docs/queries/user.ByIDs.md.
func (r *Repo) ByIDs(ctx context.Context, ids []uuid.UUID) ([]User, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	return db.List[User](ctx, db.Read(r.db), `
		-- name: user.ByIDs
		SELECT u.id,
		       u.tenant_id,
		       u.email::text AS email,
		       u.created_at
		FROM (SELECT DISTINCT unnest(@ids::uuid[]) AS id) AS i
		CROSS JOIN LATERAL (SELECT * FROM app_users WHERE tenant_id = @tenant AND id = i.id OFFSET 0) AS u
		ORDER BY u.id`,
		pgx.NamedArgs{"tenant": s.TenantID, "ids": ids})
}

// Count returns how many users the tenant has.
func (r *Repo) Count(ctx context.Context) (int, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return 0, err
	}
	return db.Get[int](ctx, db.Read(r.db), "count", `
		-- name: user.Count
		SELECT count(*)
		FROM app_users
		WHERE tenant_id = @tenant`,
		pgx.NamedArgs{"tenant": s.TenantID})
}

// Create creates a user. It is errs.Validation for what is not an e-mail address and errs.Conflict when the tenant has
// the address already, in whatever case; both name the field email.
func (r *Repo) Create(ctx context.Context, email string) (User, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return User{}, err
	}
	return db.Get[User](ctx, r.db, "user", `
		-- name: user.Create
		SELECT id,
		       tenant_id,
		       email::text AS email,
		       created_at
		FROM create_user(@tenant, @email)`,
		pgx.NamedArgs{"tenant": s.TenantID, "email": email})
}

// ByEmail returns the user with this address, in whatever case. It is errs.NotFound when the tenant has none.
//
// Index: app_users_email_key.
func (r *Repo) ByEmail(ctx context.Context, email string) (User, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return User{}, err
	}
	return db.Get[User](ctx, db.Read(r.db), "user", `
		-- name: user.ByEmail
		SELECT id,
		       tenant_id,
		       email::text AS email,
		       created_at
		FROM app_users
		WHERE tenant_id = @tenant AND email = @email::citext`,
		pgx.NamedArgs{"tenant": s.TenantID, "email": email})
}

// Deleted is what went to another user.
type Deleted struct {
	Documents int64
	Files     int64
}

// Delete deletes a user. It is errs.NotFound when the tenant has none with this id; errs.Conflict, naming reassignTo, for one
// with documents or files unless reassignTo is the user who gets them; errs.Validation, naming it, when that user is not there.
func (r *Repo) Delete(ctx context.Context, id uuid.UUID, reassignTo *uuid.UUID) (Deleted, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Deleted{}, err
	}
	return db.Get[Deleted](ctx, r.db, "user", `
		-- name: user.Delete
		SELECT coalesce(documents, 0) AS documents,
		       coalesce(files, 0) AS files
		FROM delete_user(@tenant, @id, @to)`,
		pgx.NamedArgs{"tenant": s.TenantID, "id": id, "to": reassignTo})
}

// Get returns one user. It is errs.NotFound when the tenant has none with this id.
func (r *Repo) Get(ctx context.Context, id uuid.UUID) (User, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return User{}, err
	}
	return db.Get[User](ctx, db.Read(r.db), "user", `
		-- name: user.Get
		SELECT id,
		       tenant_id,
		       email::text AS email,
		       created_at
		FROM app_users
		WHERE tenant_id = @tenant AND id = @id`,
		pgx.NamedArgs{"tenant": s.TenantID, "id": id})
}

// List returns a page of users, newest first. It is errs.Validation, naming the argument, for a page that cannot be.
func (r *Repo) List(ctx context.Context, p query.Page) ([]User, query.Info, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, query.Info{}, err
	}
	w := query.NewWhere(s.TenantID)
	return query.Fetch(w, p, newest(), func(win query.Window) ([]User, error) {
		return db.List[User](ctx, db.Read(r.db), `
			-- name: user.List
			SELECT id,
			       tenant_id,
			       email::text AS email,
			       created_at
			FROM app_users
			WHERE `+query.And("tenant_id = $1", win.Where)+`
			`+win.OrderBy, w.Args()...)
	})
}

// Update changes a user's address. It is errs.NotFound when the tenant has none with this id, and errs.Validation or
// errs.Conflict as Create is.
func (r *Repo) Update(ctx context.Context, id uuid.UUID, email string) (User, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return User{}, err
	}
	return db.Get[User](ctx, r.db, "user", `
		-- name: user.Update
		SELECT id,
		       tenant_id,
		       email::text AS email,
		       created_at
		FROM update_user(@tenant, @id, @email)`,
		pgx.NamedArgs{"tenant": s.TenantID, "id": id, "email": email})
}

// Cursor returns the place of a user in List, for Page.After and Page.Before.
func Cursor(u User) string {
	return newest().Cursor(u.CreatedAt.UTC().Format(time.RFC3339Nano), u.ID.String())
}

func newest() query.Order {
	return query.Order{Name: "users", Column: "created_at", Type: "timestamptz", ID: "id", IDType: "uuid", Desc: true}
}

// ScanRow reads id, tenant, email and time, in this order; db.List and db.Get use it.
func (u *User) ScanRow(row pgx.Rows) error {
	return row.Scan((*[16]byte)(&u.ID), (*[16]byte)(&u.TenantID), &u.Email, &u.CreatedAt)
}
