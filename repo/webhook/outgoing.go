package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
)

// Queue is what a worker does with deliveries. Its handle must act as app_worker, which delivers for all tenants.
//
// Every end of an attempt carries the lease of its claim. An end whose lease was taken over by another worker changes
// nothing and is missing in the answer.
type Queue struct{ db db.Handle }

// NewQueue returns a Queue on a worker's database.
func NewQueue(h db.Handle) *Queue { return &Queue{db: h} }

// Limits say how deliveries are scheduled.
type Limits struct {
	PerEndpoint int           // sends to one endpoint at a time, over all processes
	Lease       time.Duration // a worker that says nothing for longer loses a delivery to another one
	Circuit     int           // after so many failures in a row an endpoint rests
	Cooldown    time.Duration // for that long, doubled with each further failure
	Longest     time.Duration // up to this
}

// Outgoing is a delivery that the caller is to send.
type Outgoing struct {
	ID         int64     `db:"id"`
	Lease      int64     `db:"lease_id"`
	TenantID   uuid.UUID `db:"tenant_id"`
	EndpointID uuid.UUID `db:"endpoint_id"`
	EventID    int64     `db:"event_id"`
	Event      string    `db:"event"`
	IsTest     bool      `db:"is_test"`
	Tries      int       `db:"tries"` // that failed since it was made, or made anew
	URL        string    `db:"url"`
	Body       string    `db:"body"`
	Secrets    []string  `db:"secrets"` // the current one first
}

// Outcome is what becomes of a delivery after an attempt.
type Outcome string

// The outcomes.
const (
	Success Outcome = "delivered"
	Retry   Outcome = "retry"
	GiveUp  Outcome = "dead"
)

// Result is how an attempt ended.
type Result struct {
	TenantID       uuid.UUID
	ID             int64
	Lease          int64
	EndpointID     uuid.UUID
	Outcome        Outcome
	Delay          time.Duration // of Retry, from now
	Duration       time.Duration
	ResponseStatus int           // 0: there was no answer
	Response       string        // how it began; "" for none
	Error          string        // "" for a success
	RetryAfter     time.Duration // the receiver wants nothing at all for so long; 0 when it did not say
	IsGone         bool          // the receiver never wants anything again
}

// Stats are what an operator wants to see of all webhooks.
type Stats struct {
	Lag          float64 `db:"lag_seconds"` // the most overdue endpoint or event has waited so long for a worker
	OpenCircuits int     `db:"open_circuits"`
	Dead         int     `db:"dead"` // deliveries that were given up and are kept
}

// Claim routes new events and returns up to n due deliveries, each with a new lease. Those of one endpoint are in the order
// in which they should be sent.
func (q *Queue) Claim(ctx context.Context, n int, l Limits) ([]Outgoing, error) {
	return db.List[Outgoing](ctx, q.db, `
		-- name: webhook.Claim
		SELECT id, lease_id, tenant_id, endpoint_id, event_id, event, is_test, tries, url, body, secrets
		FROM claim_webhook_deliveries(@n, @perEndpoint, make_interval(secs => @lease::float8), @circuit)
		ORDER BY id`,
		pgx.NamedArgs{"n": n, "perEndpoint": l.PerEndpoint, "lease": l.Lease.Seconds(), "circuit": l.Circuit})
}

// DropOld deletes events that were dispatched longer than keep ago, with their deliveries, and returns how many events.
func (q *Queue) DropOld(ctx context.Context, keep time.Duration) (int, error) {
	return q.repeat(ctx, `
		-- name: webhook.DropOld
		SELECT drop_old_webhooks(make_interval(secs => @keep::float8))`, keep)
}

// Expire gives up deliveries that have been pending for longer than keep, and those whose endpoint is gone; it returns how many.
func (q *Queue) Expire(ctx context.Context, keep time.Duration) (int, error) {
	return q.repeat(ctx, `
		-- name: webhook.Expire
		SELECT expire_webhook_deliveries(make_interval(secs => @keep::float8))`, keep)
}

// repeat runs a statement that does a bounded piece of work until a piece is empty.
func (q *Queue) repeat(ctx context.Context, sql string, keep time.Duration) (int, error) {
	total := 0
	for {
		n, err := db.Get[int](ctx, q.db, "count", sql, pgx.NamedArgs{"keep": keep.Seconds()})
		total += n
		if err != nil || n == 0 {
			return total, err
		}
	}
}

// Finish records how attempts ended and returns the ids of the deliveries whose lease was still held.
func (q *Queue) Finish(ctx context.Context, list []Result, l Limits) ([]int64, error) {
	type row struct {
		TenantID       uuid.UUID `json:"tenantId"`
		ID             int64     `json:"id"`
		Lease          int64     `json:"lease"`
		EndpointID     uuid.UUID `json:"endpointId"`
		Outcome        Outcome   `json:"outcome"`
		Delay          float64   `json:"delay"`
		DurationMs     int64     `json:"durationMs"`
		ResponseStatus *int      `json:"responseStatus"`
		Response       *string   `json:"response"`
		Error          *string   `json:"error"`
		RetryAfter     *float64  `json:"retryAfter"`
		IsGone         bool      `json:"gone"`
	}
	rows := make([]row, len(list))
	for i, r := range list {
		rows[i] = row{
			TenantID: r.TenantID, ID: r.ID, Lease: r.Lease, EndpointID: r.EndpointID, Outcome: r.Outcome, Delay: r.Delay.Seconds(),
			DurationMs: r.Duration.Milliseconds(), ResponseStatus: some(r.ResponseStatus), Response: some(r.Response), Error: some(r.Error), IsGone: r.IsGone,
			RetryAfter: some(r.RetryAfter.Seconds()),
		}
	}
	text, err := json.Marshal(rows)
	if err != nil {
		return nil, fmt.Errorf("write results as JSON: %w", err)
	}
	return db.List[int64](ctx, q.db, `
		-- name: webhook.Finish
		SELECT id
		FROM finish_webhook_deliveries(@results::jsonb, @circuit, make_interval(secs => @cooldown::float8), make_interval(secs => @longest::float8)) AS id
		ORDER BY id`,
		pgx.NamedArgs{"results": string(text), "circuit": l.Circuit, "cooldown": l.Cooldown.Seconds(), "longest": l.Longest.Seconds()})
}

// some is nil for the zero value.
func some[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// Release gives back deliveries that were claimed and whose attempt did not end; they are due at once.
func (q *Queue) Release(ctx context.Context, list []Outgoing) error {
	tenants, ids, leases := make([]uuid.UUID, len(list)), make([]int64, len(list)), make([]int64, len(list))
	for i, o := range list {
		tenants[i], ids[i], leases[i] = o.TenantID, o.ID, o.Lease
	}
	_, err := db.Exec(ctx, q.db, `
		-- name: webhook.Release
		SELECT release_webhook_deliveries(@tenants, @ids, @leases)`,
		pgx.NamedArgs{"tenants": tenants, "ids": ids, "leases": leases})
	return err
}

// Stats returns the numbers of all webhooks.
func (q *Queue) Stats(ctx context.Context, circuit int) (Stats, error) {
	return db.Get[Stats](ctx, db.Read(q.db), "number", `
		-- name: webhook.Stats
		SELECT lag_seconds, open_circuits, dead
		FROM webhook_stats(@circuit)`,
		pgx.NamedArgs{"circuit": circuit})
}
