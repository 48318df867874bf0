// Package webhook is who is told of what happens: the endpoints of a tenant (webhook.go), the deliveries to them
// (delivery.go) and what a worker does to deliver (outgoing.go). The rules are SQL functions; docs/webhooks.md has the promises.
package webhook

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/nodeid"
	"stackforge/query"
	"stackforge/tenant"
)

// Default is the name of the endpoint that Set and GetDefault are about.
const Default = "default"

// Kind names endpoints in global ids.
const Kind = "WebhookEndpoint"

// Ordering says whether deliveries to an endpoint wait for each other.
type Ordering string

// The orderings. PerEndpoint holds up what is behind a delivery until that has ended, well or not.
const (
	Parallel    Ordering = "parallel"
	PerEndpoint Ordering = "per_endpoint"
)

// DisabledReason says why an endpoint is switched off.
type DisabledReason string

// The reasons.
const (
	ByCaller DisabledReason = "caller"
	Gone     DisabledReason = "gone" // it answered 410
)

// Endpoint is where events of a tenant go.
type Endpoint struct {
	ID             uuid.UUID       `db:"id"`
	TenantID       uuid.UUID       `db:"tenant_id"`
	Name           string          `db:"name"` // unique in the tenant
	URL            string          `db:"url"`
	Description    *string         `db:"description"`
	Events         []string        `db:"events"`    // none stands for all
	JobTypes       []string        `db:"job_types"` // of the events of jobs; none stands for all
	Ordering       Ordering        `db:"ordering"`
	IsEnabled      bool            `db:"is_enabled"`
	DisabledReason *DisabledReason `db:"disabled_reason"` // nil when it is enabled
	CreatedAt      time.Time       `db:"created_at"`
	UpdatedAt      time.Time       `db:"updated_at"`
}

// NodeID returns the opaque, global id.
func (e Endpoint) NodeID() string { return nodeid.Encode(Kind, e.ID.String()) }

// Params are what can be said of an endpoint; nil leaves it as it is, or takes the default.
type Params struct {
	Name        *string   `json:"name,omitempty"`
	URL         *string   `json:"url,omitempty"`
	Description **string  `json:"description,omitempty"` // a pointer to nil takes it away
	Events      *[]string `json:"events,omitempty"`
	JobTypes    *[]string `json:"jobTypes,omitempty"`
	Ordering    *Ordering `json:"ordering,omitempty"`
	Enabled     *bool     `json:"enabled,omitempty"`
}

func (p Params) json() (string, error) {
	for _, list := range []**[]string{&p.Events, &p.JobTypes} {
		if *list != nil && **list == nil {
			*list = &[]string{}
		}
	}
	text, err := json.Marshal(p)
	if err != nil {
		return "", errs.Wrap(errs.Validation, err, "The endpoint cannot be written as JSON.")
	}
	return string(text), nil
}

// Circuit says whether an endpoint is spared because it failed again and again.
type Circuit string

// The states of a circuit. Half open, the next send decides.
const (
	Closed   Circuit = "closed"
	Open     Circuit = "open"
	HalfOpen Circuit = "half_open"
)

// Health is how an endpoint does.
type Health struct {
	EndpointID      uuid.UUID  `db:"endpoint_id"`
	Name            string     `db:"name"`
	IsEnabled       bool       `db:"is_enabled"`
	Circuit         Circuit    `db:"circuit"`
	Failures        int        `db:"failures"`  // in a row
	ResumeAt        *time.Time `db:"resume_at"` // nothing is sent before
	Attempts        int        `db:"attempts"`  // within the window
	Successes       int        `db:"successes"`
	SuccessRate     *float64   `db:"success_rate"` // nil without attempts
	P50             *float64   `db:"p50_ms"`
	P95             *float64   `db:"p95_ms"`
	Pending         int        `db:"pending"`
	OldestPendingAt *time.Time `db:"oldest_pending_at"`
	Dead            int        `db:"dead"`
	LastSuccessAt   *time.Time `db:"last_success_at"`
	LastError       *string    `db:"last_error"`
}

const columns = `id, tenant_id, name, url, description, events, job_types, ordering, is_enabled, disabled_reason, created_at, updated_at`

// Repo reads and changes the endpoints and deliveries of the caller's tenant. Every method is errs.Unauthenticated without a
// caller in the context; what other tenants have does not exist for it.
type Repo struct{ db db.Handle }

// New returns a Repo on the database, or on one open transaction.
func New(h db.Handle) *Repo { return &Repo{db: h} }

// ByIDs returns those of the endpoints that exist, ordered by id.
func (r *Repo) ByIDs(ctx context.Context, ids []uuid.UUID) ([]Endpoint, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	return db.List[Endpoint](ctx, db.Read(r.db), `
		-- name: webhook.ByIDs
		SELECT `+columns+`
		FROM webhook_endpoints
		WHERE tenant_id = @tenant
		  AND id = ANY (@ids)
		ORDER BY id`,
		pgx.NamedArgs{"tenant": s.TenantID, "ids": ids})
}

// Count returns how many endpoints the tenant has; at most 50.
func (r *Repo) Count(ctx context.Context) (int, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return 0, err
	}
	return db.Get[int](ctx, db.Read(r.db), "count", `
		-- name: webhook.Count
		SELECT count(*)
		FROM webhook_endpoints
		WHERE tenant_id = @tenant`,
		pgx.NamedArgs{"tenant": s.TenantID})
}

// Create makes an endpoint with this id and secret. It is errs.Validation, naming the field, and errs.Conflict for a name
// that is taken or one endpoint too many.
func (r *Repo) Create(ctx context.Context, id uuid.UUID, p Params, secret string) (Endpoint, error) {
	text, err := p.json()
	if err != nil {
		return Endpoint{}, err
	}
	return r.one(ctx, r.db, `
		-- name: webhook.Create
		SELECT `+columns+`
		FROM create_webhook_endpoint(@tenant, @id, @input::jsonb, @secret)`,
		pgx.NamedArgs{"id": id, "input": text, "secret": secret})
}

// Delete removes an endpoint and returns it; what waited for it is given up. It is errs.NotFound when there is none.
func (r *Repo) Delete(ctx context.Context, id uuid.UUID) (Endpoint, error) {
	return r.one(ctx, r.db, `
		-- name: webhook.Delete
		SELECT `+columns+`
		FROM delete_webhook_endpoint(@tenant, @id)`,
		pgx.NamedArgs{"id": id})
}

// Get returns one endpoint. It is errs.NotFound when there is none.
func (r *Repo) Get(ctx context.Context, id uuid.UUID) (Endpoint, error) {
	return r.one(ctx, db.Read(r.db), `
		-- name: webhook.Get
		SELECT `+columns+`
		FROM webhook_endpoints
		WHERE tenant_id = @tenant
		  AND id = @id`,
		pgx.NamedArgs{"id": id})
}

// GetDefault returns the endpoint named default. It is errs.NotFound when there is none.
func (r *Repo) GetDefault(ctx context.Context) (Endpoint, error) {
	return r.one(ctx, db.Read(r.db), `
		-- name: webhook.GetDefault
		SELECT `+columns+`
		FROM webhook_endpoints
		WHERE tenant_id = @tenant
		  AND name = @name`,
		pgx.NamedArgs{"name": Default})
}

// Health returns how each endpoint did within the window, by name. circuit is after how many failures in a row one is spared.
func (r *Repo) Health(ctx context.Context, window time.Duration, circuit int) ([]Health, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	return db.List[Health](ctx, db.Read(r.db), `
		-- name: webhook.Health
		SELECT endpoint_id, name, is_enabled, circuit, failures, resume_at, attempts, successes, success_rate, p50_ms, p95_ms, pending,
		       oldest_pending_at, dead, last_success_at, last_error
		FROM webhook_health(@tenant, make_interval(secs => @window::float8), @circuit)
		ORDER BY name`,
		pgx.NamedArgs{"tenant": s.TenantID, "window": window.Seconds(), "circuit": circuit})
}

// List returns a page of endpoints, the newest first. It is errs.Validation, naming the argument, for a page that cannot be.
//
// Index: ix_webhook_endpoints_created.
func (r *Repo) List(ctx context.Context, p query.Page) ([]Endpoint, query.Info, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, query.Info{}, err
	}
	w := query.NewWhere(s.TenantID)
	return query.Fetch(w, p, newestFirst(), func(win query.Window) ([]Endpoint, error) {
		return db.List[Endpoint](ctx, db.Read(r.db), `
			-- name: webhook.List
			SELECT `+columns+`
			FROM webhook_endpoints
			WHERE `+query.And("tenant_id = $1", win.Where)+`
			`+win.OrderBy, w.Args()...)
	})
}

// Cursor returns the place of an endpoint in List, for Page.After.
func Cursor(e Endpoint) string {
	return newestFirst().Cursor(e.CreatedAt.UTC().Format(time.RFC3339Nano), e.ID.String())
}

func newestFirst() query.Order {
	return query.Order{Name: "webhooks", Column: "created_at", Type: "timestamptz", ID: "id", IDType: "uuid", Desc: true}
}

// Rotate makes secret the endpoint's; former ones go on signing beside it for overlap. It is errs.NotFound when there is no
// such endpoint.
func (r *Repo) Rotate(ctx context.Context, id uuid.UUID, secret string, overlap time.Duration) (Endpoint, error) {
	return r.one(ctx, r.db, `
		-- name: webhook.Rotate
		SELECT `+columns+`
		FROM rotate_webhook_secret(@tenant, @id, @secret, make_interval(secs => @overlap::float8))`,
		pgx.NamedArgs{"id": id, "secret": secret, "overlap": overlap.Seconds()})
}

// Set gives the endpoint named default this URL and switches it on, or makes it with that id and secret. It is
// errs.Validation naming url.
func (r *Repo) Set(ctx context.Context, url string, newID uuid.UUID, newSecret string) (Endpoint, error) {
	return r.one(ctx, r.db, `
		-- name: webhook.Set
		SELECT `+columns+`
		FROM set_webhook(@tenant, @url, @id, @secret)`,
		pgx.NamedArgs{"url": url, "id": newID, "secret": newSecret})
}

// Update changes what p says. It is errs.NotFound when there is no such endpoint, errs.Validation naming the field, and
// errs.Conflict for a name that is taken.
func (r *Repo) Update(ctx context.Context, id uuid.UUID, p Params) (Endpoint, error) {
	text, err := p.json()
	if err != nil {
		return Endpoint{}, err
	}
	return r.one(ctx, r.db, `
		-- name: webhook.Update
		SELECT `+columns+`
		FROM update_webhook_endpoint(@tenant, @id, @input::jsonb)`,
		pgx.NamedArgs{"id": id, "input": text})
}

// one runs a statement about one endpoint of the caller's tenant.
func (r *Repo) one(ctx context.Context, h db.Handle, sql string, args pgx.NamedArgs) (Endpoint, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Endpoint{}, err
	}
	args["tenant"] = s.TenantID
	return db.Get[Endpoint](ctx, h, "endpoint", sql, args)
}
