package job

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/realtime/cursor"
	"stackforge/tenant"
)

// Stream names the stream of job events in cursors and in core.stream_horizon.
const Stream = "jobs"

// EventChannel carries the nudge that there are new events.
const EventChannel = "job_events"

// Event is one change of a job's status, attempts or progress. Subscribers share it: nobody changes it.
type Event struct {
	ID        int64 // grows with the changes of one job; events of several jobs may come in another order
	TenantID  uuid.UUID
	JobID     int64
	Type      string
	Status    Status
	Reason    *string // of a failed job
	Attempts  int
	Progress  *int    // percent
	LastError *string // at most 2,000 characters
	At        time.Time
	Cursor    string // a subscriber that gives it back gets what came after this event
	Reset     bool   // no event: what came before was lost to this subscriber, who should read the jobs again
}

// Position returns whose event it is and its cursor.
func (e *Event) Position() (uuid.UUID, string) { return e.TenantID, e.Cursor }

// State returns the job's state after the change.
func (e *Event) State() State { return StateOf(e.Status, e.Reason) }

// EventFilter says which events; all given conditions must hold, and an empty list is no condition.
type EventFilter struct {
	IDs    []int64
	States []State
	Types  []string
}

// maxFilter bounds each list of an EventFilter, which is searched for every event of the tenant.
const maxFilter = 100

// Func returns the filter as a function, nil when everything passes. A reset always passes. It is Validation naming ids,
// statuses or types when a list has more than 100 entries.
func (f EventFilter) Func() (func(*Event) bool, error) {
	var bad errs.List
	for field, n := range map[string]int{"ids": len(f.IDs), "statuses": len(f.States), "types": len(f.Types)} {
		if n > maxFilter {
			bad.Add(field, "At most 100 values can be given.")
		}
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	if len(f.IDs)+len(f.States)+len(f.Types) == 0 {
		return nil, nil //nolint:nilnil // no condition
	}
	return func(e *Event) bool {
		return e.Reset || in(f.IDs, e.JobID) && in(f.Types, e.Type) && in(f.States, e.State())
	}, nil
}

func in[T comparable](list []T, v T) bool { return len(list) == 0 || slices.Contains(list, v) }

// Reader reads events in the order in which they became visible. It needs the primary server.
type Reader struct{ db db.Handle }

// NewReader returns a Reader on the database. It must not be a transaction that writes.
func NewReader(h db.Handle) *Reader { return &Reader{db: h} }

// Stream returns the stream's name.
func (*Reader) Stream() string { return Stream }

// Reset returns the event that tells a subscriber to start anew from a position.
func (*Reader) Reset(tenantID uuid.UUID, at cursor.Position) *Event {
	return &Event{TenantID: tenantID, Reset: true, At: time.Now().UTC(), Cursor: at.Encode(Stream)}
}

// Read returns the next events of all tenants after a position, at most limit. From the zero position there are none and
// Next is the present. It is Forbidden in the scope of a tenant.
//
// Index: ix_job_events_xid; see docs/queries/realtime.read_events.md.
func (r *Reader) Read(ctx context.Context, p cursor.Position, limit int) (cursor.Page[*Event], error) {
	return r.page(ctx, p, limit, `
		-- name: job.Read
		SELECT `+eventColumns+`
		FROM read_job_events_all(@epoch, @seen::text::pg_snapshot, @until::text::pg_snapshot, @after, @limit)
		ORDER BY id`, nil)
}

// Replay is Read for the tenant of the context. It is Unauthenticated without one.
//
// Index: ix_job_events_tenant; see docs/queries/realtime.read_events.md.
func (r *Reader) Replay(ctx context.Context, p cursor.Position, limit int) (cursor.Page[*Event], error) {
	scope, err := tenant.From(ctx)
	if err != nil {
		return cursor.Page[*Event]{}, err
	}
	return r.page(ctx, p, limit, `
		-- name: job.Replay
		SELECT `+eventColumns+`
		FROM read_job_events(@tenant, @epoch, @seen::text::pg_snapshot, @until::text::pg_snapshot, @after, @limit)
		ORDER BY id`, &scope.TenantID)
}

const eventColumns = `epoch, lost, snapshot, id, tenant_id, job_id, type, status, reason, attempts, progress, last_error, at`

// eventRow is an event; the first row of a page has the id 0 and tells what the page is.
type eventRow struct {
	Epoch     int32     `db:"epoch"`
	Lost      bool      `db:"lost"`
	Snapshot  string    `db:"snapshot"`
	ID        int64     `db:"id"`
	TenantID  uuid.UUID `db:"tenant_id"`
	JobID     int64     `db:"job_id"`
	Type      string    `db:"type"`
	Status    Status    `db:"status"`
	Reason    *string   `db:"reason"`
	Attempts  int       `db:"attempts"`
	Progress  *int      `db:"progress"`
	LastError *string   `db:"last_error"`
	At        time.Time `db:"at"`
}

func (r *Reader) page(ctx context.Context, p cursor.Position, limit int, sql string, tenantID *uuid.UUID) (cursor.Page[*Event], error) {
	args := pgx.NamedArgs{"epoch": p.Epoch, "seen": text(p.Seen), "until": text(p.Until), "after": p.ID, "limit": limit}
	if tenantID != nil {
		args["tenant"] = *tenantID
	}
	rows, err := db.List[eventRow](ctx, db.Read(r.db), sql, args)
	if err != nil {
		return cursor.Page[*Event]{}, err
	}
	if len(rows) == 0 || rows[0].ID != 0 {
		return cursor.Page[*Event]{}, errs.New(errs.Internal, "A page of events has no head.")
	}
	head, rows := rows[0], rows[1:]
	now, err := cursor.ParseSnapshot(head.Snapshot)
	if err != nil {
		return cursor.Page[*Event]{}, errs.Wrap(errs.Internal, err, "The server's snapshot cannot be read.")
	}
	if head.Lost || p.Seen.IsZero() {
		return cursor.Page[*Event]{Lost: head.Lost, Next: cursor.Position{Epoch: head.Epoch, Seen: now}}, nil
	}
	if p.Until.IsZero() {
		p.Until = now
	}
	return eventPage(p, rows, len(rows) == limit), nil
}

// eventPage turns the rows that follow p in its batch into events with cursors.
func eventPage(p cursor.Position, rows []eventRow, more bool) cursor.Page[*Event] {
	inside := cursor.NewEncoder(Stream, p)
	out := cursor.Page[*Event]{Events: make([]*Event, len(rows)), Next: p.Done(), More: more}
	for i, row := range rows {
		e := &Event{ // each on its own: one event in a slow subscriber's buffer must not keep the page
			ID: row.ID, TenantID: row.TenantID, JobID: row.JobID, Type: row.Type, Status: row.Status, Reason: row.Reason,
			Attempts: row.Attempts, Progress: row.Progress, LastError: row.LastError, At: row.At,
		}
		if i == len(rows)-1 && !more {
			e.Cursor = out.Next.Encode(Stream)
		} else {
			e.Cursor = inside.Encode(row.ID)
		}
		out.Events[i] = e
	}
	if more {
		out.Next = p
		out.Next.ID = rows[len(rows)-1].ID
	}
	return out
}

func text(s cursor.Snapshot) *string {
	if s.IsZero() {
		return nil
	}
	t := s.String()
	return &t
}
