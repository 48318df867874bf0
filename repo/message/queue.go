package message

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/query"
	"stackforge/tenant"
)

// Kind is how a queue is stored.
type Kind string

// The kinds.
const (
	Standard    Kind = "standard"
	Unlogged    Kind = "unlogged"    // faster, and empty after a crash of the database
	Partitioned Kind = "partitioned" // old parts are dropped as a whole
)

// Queue is one queue of a tenant.
type Queue struct {
	TenantID        uuid.UUID `db:"tenant_id"`
	Name            string    `db:"name"`
	Kind            Kind      `db:"kind"`
	MaxReads        *int      `db:"max_reads"`         // reads after which a message goes to DeadLetterQueue; nil for no rule
	DeadLetterQueue *string   `db:"dead_letter_queue"` // nil for no rule
	CreatedAt       time.Time `db:"created_at"`
}

// Metrics is what a queue holds at this moment.
type Metrics struct {
	Name             string    `db:"name"`
	Length           int64     `db:"length"`
	Visible          int64     `db:"visible"`            // can be read now
	OldestAgeSeconds *int      `db:"oldest_age_seconds"` // nil when it is empty
	NewestAgeSeconds *int      `db:"newest_age_seconds"`
	Total            int64     `db:"total"` // ids given so far
	Archived         int64     `db:"archived"`
	At               time.Time `db:"at"`
}

// Hidden is how many messages cannot be read now: read by somebody, or delayed.
func (m Metrics) Hidden() int64 { return m.Length - m.Visible }

const queueColumns = `tenant_id, name, kind, max_reads, dead_letter_queue, created_at`

// CountQueues returns how many queues there are.
func (r *Repo) CountQueues(ctx context.Context) (int, error) {
	scope, err := tenant.From(ctx)
	if err != nil {
		return 0, err
	}
	return db.Get[int](ctx, db.Read(r.db), "count", `
		-- name: message.CountQueues
		SELECT count(*)
		FROM message_queues
		WHERE tenant_id = @tenant`,
		pgx.NamedArgs{"tenant": scope.TenantID})
}

// CreateQueue makes a queue; interval and retention are those of a partitioned one, nil for their defaults. It is Validation
// naming name or partitionInterval, errs.Conflict when there is such a queue or there are 100, errs.NotImplemented where the
// server cannot make one of this kind.
func (r *Repo) CreateQueue(ctx context.Context, name string, kind Kind, interval, retention *string) (Queue, error) {
	return r.queue(ctx, `
		-- name: message.CreateQueue
		SELECT `+queueColumns+`
		FROM create_message_queue(@tenant, @name, @kind, @interval, @retention)`,
		pgx.NamedArgs{"name": name, "kind": kind, "interval": interval, "retention": retention})
}

// DropQueue drops a queue with its messages and its archive. It is errs.NotFound when there is none and errs.Conflict when it
// is another one's dead letter queue.
func (r *Repo) DropQueue(ctx context.Context, name string) (Queue, error) {
	return r.queue(ctx, `
		-- name: message.DropQueue
		SELECT `+queueColumns+`
		FROM drop_message_queue(@tenant, @name)`, pgx.NamedArgs{"name": name})
}

// GetQueue returns a queue. It is errs.NotFound when there is none.
func (r *Repo) GetQueue(ctx context.Context, name string) (Queue, error) {
	return r.queue(ctx, `
		-- name: message.GetQueue
		SELECT `+queueColumns+`
		FROM message_queues
		WHERE tenant_id = @tenant
		  AND name = @name`, pgx.NamedArgs{"name": name})
}

// ListQueues returns a page of queues by name. It is Validation, naming the argument, for a page that cannot be.
//
// Index: message_queues_pkey.
func (r *Repo) ListQueues(ctx context.Context, p query.Page) ([]Queue, query.Info, error) {
	scope, err := tenant.From(ctx)
	if err != nil {
		return nil, query.Info{}, err
	}
	w := query.NewWhere(scope.TenantID)
	return query.Fetch(w, p, byName(), func(win query.Window) ([]Queue, error) {
		return db.List[Queue](ctx, db.Read(r.db), `
			-- name: message.ListQueues
			SELECT `+queueColumns+`
			FROM message_queues
			WHERE `+query.And("tenant_id = $1", win.Where)+`
			`+win.OrderBy, w.Args()...)
	})
}

// QueueMetrics counts what is in queues, one Metrics for each that is there. It reads all their messages.
func (r *Repo) QueueMetrics(ctx context.Context, names []string) ([]Metrics, error) {
	scope, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	return db.List[Metrics](ctx, db.Read(r.db), `
		-- name: message.QueueMetrics
		SELECT name,
		       length,
		       visible,
		       oldest_age_seconds,
		       newest_age_seconds,
		       total,
		       archived,
		       at
		FROM message_queue_metrics(@tenant, @names)
		ORDER BY name`,
		pgx.NamedArgs{"tenant": scope.TenantID, "names": names})
}

// PurgeQueue deletes all messages of a queue and returns how many; the archive stays. It is errs.NotFound when there is none.
func (r *Repo) PurgeQueue(ctx context.Context, name string) (int64, error) {
	scope, err := tenant.From(ctx)
	if err != nil {
		return 0, err
	}
	return db.Get[int64](ctx, r.db, "queue", `
		-- name: message.PurgeQueue
		SELECT purge_message_queue(@tenant, @name)`,
		pgx.NamedArgs{"tenant": scope.TenantID, "name": name})
}

// SetRedrive sets the rule by which messages that were read too often go to another queue; both nil for none. It is
// errs.NotFound when there is no such queue, and Validation.
func (r *Repo) SetRedrive(ctx context.Context, name string, maxReads *int, deadLetterQueue *string) (Queue, error) {
	return r.queue(ctx, `
		-- name: message.SetRedrive
		SELECT `+queueColumns+`
		FROM set_message_redrive(@tenant, @name, @reads, @dead)`,
		pgx.NamedArgs{"name": name, "reads": maxReads, "dead": deadLetterQueue})
}

// QueueCursor returns the place of a queue in ListQueues, for Page.After.
func QueueCursor(q Queue) string { return byName().Cursor(q.Name, q.Name) }

func byName() query.Order {
	return query.Order{Name: "message_queues", Column: "name", Type: "text", ID: "name", IDType: "text"}
}

func (r *Repo) queue(ctx context.Context, sql string, args pgx.NamedArgs) (Queue, error) {
	scope, err := tenant.From(ctx)
	if err != nil {
		return Queue{}, err
	}
	args["tenant"] = scope.TenantID
	return db.Get[Queue](ctx, r.db, "queue", sql, args)
}

// Maintain keeps the partitions of the partitioned queues of all tenants and returns how many were made and dropped. It is for
// the worker.
func (r *Repo) Maintain(ctx context.Context) (int, error) {
	return db.Get[int](ctx, r.db, "count", `
		-- name: message.Maintain
		SELECT maintain_message_queues()`)
}
