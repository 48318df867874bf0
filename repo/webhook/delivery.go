package webhook

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/query"
	"stackforge/tenant"
)

// Status is where a delivery stands.
type Status string

// The states of a delivery.
const (
	Pending   Status = "pending"   // waits for its time
	Sending   Status = "sending"   // a worker is at it
	Delivered Status = "delivered" // the endpoint answered 2xx
	Dead      Status = "dead"      // given up
)

// Delivery is one event for one endpoint.
type Delivery struct {
	ID            int64           `db:"id"`
	EndpointID    uuid.UUID       `db:"endpoint_id"` // it may be gone
	EventID       int64           `db:"event_id"`    // webhook-id, of the outbox
	Event         string          `db:"event"`
	IsTest        bool            `db:"is_test"`
	Status        Status          `db:"status"`
	Attempts      int             `db:"attempts"` // that ended
	Body          json.RawMessage `db:"body"`     // of the request
	NextAttemptAt *time.Time      `db:"next_attempt_at"`
	CreatedAt     time.Time       `db:"created_at"`
	FinishedAt    *time.Time      `db:"finished_at"`
	Log           json.RawMessage `db:"log"` // []Attempt
}

// Attempt is what came of sending once.
type Attempt struct {
	Number         int       `json:"attempt"`
	At             time.Time `json:"at"`
	DurationMs     int       `json:"duration_ms"`
	ResponseStatus *int      `json:"response_status"` // nil: there was no answer
	Response       *string   `json:"response"`        // how it began
	Error          *string   `json:"error"`           // nil: a success
}

// AttemptLog returns the attempts, the first one first.
func (d Delivery) AttemptLog() ([]Attempt, error) {
	out := []Attempt{}
	err := json.Unmarshal(d.Log, &out)
	return out, err
}

// DeliveryFilter says which deliveries; all given conditions must hold.
type DeliveryFilter struct {
	EndpointID *query.ID
	Event      *query.String
	Statuses   []Status // one of these; nil is any
	CreatedAt  *query.Time
}

// DeliveryOrders are the orders of the list by their names in the API.
func DeliveryOrders() map[string]query.Order {
	of := func(name string, desc bool) query.Order {
		return query.Order{Name: "webhook_deliveries_" + name, Column: "d.created_at", Type: "timestamptz", ID: "d.id", IDType: "bigint", Desc: desc}
	}
	return map[string]query.Order{"created_at_desc": of("created_at_desc", true), "created_at_asc": of("created_at_asc", false)}
}

// DeliveryPage is one page of the list.
type DeliveryPage struct {
	Deliveries []Delivery
	Info       query.Info
	Order      query.Order
}

// Cursor returns the cursor of a delivery of the page.
func (p DeliveryPage) Cursor(d Delivery) string {
	return p.Order.Cursor(d.CreatedAt.UTC().Format(time.RFC3339Nano), strconv.FormatInt(d.ID, 10))
}

// status is a delivery's Status in SQL.
const status = `CASE WHEN d.status = 'pending' AND d.lease_id IS NOT NULL AND d.next_attempt_at > now() THEN 'sending' ELSE d.status END`

const deliveryColumns = `d.id, d.endpoint_id, d.event_id, d.event, d.is_test, ` + status + ` AS status, d.attempts, o.payload AS body,
		       CASE WHEN d.status = 'pending' AND NOT (d.lease_id IS NOT NULL AND d.next_attempt_at > now()) THEN d.next_attempt_at END AS next_attempt_at,
		       d.created_at, d.finished_at,
		       (SELECT coalesce(jsonb_agg(to_jsonb(a) ORDER BY a.attempt), '[]')
		        FROM (SELECT attempt, at, duration_ms, response_status, response, error
		              FROM webhook_attempts x WHERE x.tenant_id = d.tenant_id AND x.delivery_id = d.id) a) AS log`

// Deliveries returns a page of deliveries with the attempts of each. It is errs.Validation naming the argument or the field
// of the filter.
//
// Index: ix_webhook_deliveries_created, or ix_webhook_deliveries_endpoint, or ix_webhook_deliveries_dead.
func (r *Repo) Deliveries(ctx context.Context, p query.Page, f *DeliveryFilter, order query.Order) (DeliveryPage, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return DeliveryPage{}, err
	}
	w := query.NewWhere(s.TenantID)
	cond := f.where(w)
	page, info, err := query.Fetch(w, p, order, func(win query.Window) ([]Delivery, error) {
		return db.List[Delivery](ctx, db.Read(r.db), `
			-- name: webhook.Deliveries
			SELECT `+deliveryColumns+`
			FROM webhook_deliveries d
			JOIN core.outbox o ON o.id = d.event_id
			WHERE `+query.And("d.tenant_id = $1", cond, win.Where)+`
			`+win.OrderBy, w.Args()...)
	})
	return DeliveryPage{Deliveries: page, Info: info, Order: order}, err
}

// CountDeliveries returns how many deliveries a filter lets through. It is errs.Validation naming a field of the filter.
func (r *Repo) CountDeliveries(ctx context.Context, f *DeliveryFilter) (int, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return 0, err
	}
	w := query.NewWhere(s.TenantID)
	cond := f.where(w)
	if err := w.Err(); err != nil {
		return 0, err
	}
	return db.Get[int](ctx, db.Read(r.db), "count", `
		-- name: webhook.CountDeliveries
		SELECT count(*)
		FROM webhook_deliveries d
		WHERE `+query.And("d.tenant_id = $1", cond), w.Args()...)
}

// Delivery returns one. It is errs.NotFound when there is none.
func (r *Repo) Delivery(ctx context.Context, id int64) (Delivery, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Delivery{}, err
	}
	return db.Get[Delivery](ctx, db.Read(r.db), "delivery", `
		-- name: webhook.Delivery
		SELECT `+deliveryColumns+`
		FROM webhook_deliveries d
		JOIN core.outbox o ON o.id = d.event_id
		WHERE d.tenant_id = @tenant
		  AND d.id = @id`,
		pgx.NamedArgs{"tenant": s.TenantID, "id": id})
}

// Redeliver has one delivery sent again. It is errs.NotFound, or errs.Conflict when it is being sent or its endpoint is gone
// or switched off.
func (r *Repo) Redeliver(ctx context.Context, id int64) error {
	s, err := tenant.From(ctx)
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, r.db, `
		-- name: webhook.Redeliver
		SELECT redeliver_webhook(@tenant, @id)`,
		pgx.NamedArgs{"tenant": s.TenantID, "id": id})
	return err
}

// MaxRedeliver is how many deliveries one RedeliverMany takes.
const MaxRedeliver = 10_000

// RedeliverParams says which deliveries; all given conditions must hold.
type RedeliverParams struct {
	EndpointID *uuid.UUID
	Statuses   []Status   // Pending, Delivered or Dead; nil is any of them
	Since      *time.Time // created at or after it
	Until      *time.Time // created before it
}

// RedeliverMany has the oldest 10,000 of those deliveries sent again and returns how many there were.
func (r *Repo) RedeliverMany(ctx context.Context, p RedeliverParams) (int, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return 0, err
	}
	return db.Get[int](ctx, r.db, "delivery", `
		-- name: webhook.RedeliverMany
		SELECT redeliver_webhooks(@tenant, NULL, @endpoint, @statuses, @since, @until, @limit)`,
		pgx.NamedArgs{
			"tenant": s.TenantID, "endpoint": p.EndpointID, "statuses": p.Statuses, "since": p.Since, "until": p.Until, "limit": MaxRedeliver,
		})
}

// Test puts an event webhook.test before an endpoint and returns the id of the delivery. It is errs.NotFound, or
// errs.Conflict when the endpoint is switched off or has 10 tests waiting.
func (r *Repo) Test(ctx context.Context, endpoint uuid.UUID) (int64, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return 0, err
	}
	return db.Get[int64](ctx, r.db, "endpoint", `
		-- name: webhook.Test
		SELECT test_webhook(@tenant, @id)`,
		pgx.NamedArgs{"tenant": s.TenantID, "id": endpoint})
}

func (f *DeliveryFilter) where(w *query.Where) string {
	if f == nil {
		return ""
	}
	conds := []string{
		query.IDs(w, "endpointId", "d.endpoint_id", "uuid", f.EndpointID, parseUUID),
		w.String("event", "d.event", f.Event),
		w.Time("d.created_at", f.CreatedAt),
	}
	if f.Statuses != nil {
		// The values are constants of ours, and as text they let the planner see that an index of such rows will do.
		list := []string{"false"}
		for _, s := range f.Statuses {
			switch s {
			case Pending, Sending:
				list = append(list, w.Cond("(d.status = 'pending' AND "+status+" = ?)", string(s)))
			case Delivered:
				list = append(list, w.Cond("(d.status = 'delivered')"))
			case Dead:
				list = append(list, w.Cond("(d.status = 'dead')"))
			}
		}
		conds = append(conds, query.Or(list...))
	}
	return query.And(conds...)
}

func parseUUID(s string) (uuid.UUID, bool) {
	id, err := uuid.Parse(s)
	return id, err == nil && len(s) == 36
}
