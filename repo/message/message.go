// Package message is the tenants' message queues: sending, reading with a visibility timeout, acknowledging (message.go), and
// the queues themselves (queue.go). The rules are SQL functions over pgmq, the extension or our own schema of that name; see
// docs/messages.md for the promises.
package message

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/tenant"
)

// Limits of one call.
const (
	MaxBatch = 1000 // messages of Send, ids of Archive, Delete and SetVisibility
	MaxRead  = 100  // messages of Read and Pop
)

// Message is one message as a read returned it.
type Message struct {
	ID         int64           `db:"message_id"`
	Queue      string          `db:"queue"`
	Payload    json.RawMessage `db:"payload"`
	Headers    json.RawMessage `db:"headers"`    // nil for none
	ReadCount  int             `db:"read_count"` // with this read
	EnqueuedAt time.Time       `db:"enqueued_at"`
	VisibleAt  time.Time       `db:"visible_at"` // until then no other read returns it
}

// Receipt names this read of the message: a later one has another.
func (m Message) Receipt() string { return strconv.Itoa(m.ReadCount) }

// Draft is a message to send.
type Draft struct {
	Payload   json.RawMessage
	Headers   json.RawMessage // an object; nil for none
	Delay     *int            // seconds
	DeliverAt *time.Time      // not with Delay
}

// Sent is what became of one message of Send: an id, or an error.
type Sent struct {
	Index int
	ID    int64
	Err   *errs.Error
}

// Ref names a message, and with a receipt one read of it.
type Ref struct {
	ID      int64
	Receipt string // "" is whatever read
}

// Visible is a message with the moment at which it can be read.
type Visible struct {
	ID        int64     `db:"message_id"`
	VisibleAt time.Time `db:"visible_at"`
}

// Repo reads and changes the queues of the tenant of the context; it is errs.Unauthenticated without one.
type Repo struct{ db db.Handle }

// New returns a Repo on the database, or on one open transaction.
func New(h db.Handle) *Repo { return &Repo{db: h} }

// Archive takes messages out of a queue, keeps them in its archive, and returns the ids of those that were there. A Ref whose
// receipt is that of an earlier read is not there. It is errs.NotFound when there is no such queue, and Validation.
func (r *Repo) Archive(ctx context.Context, queue string, refs []Ref) ([]int64, error) {
	return r.finish(ctx, queue, refs, `
		-- name: message.Archive
		SELECT id
		FROM archive_messages(@tenant, @queue, @ids, @receipts) AS m (id)
		ORDER BY id`)
}

// Delete is Archive without an archive.
func (r *Repo) Delete(ctx context.Context, queue string, refs []Ref) ([]int64, error) {
	return r.finish(ctx, queue, refs, `
		-- name: message.Delete
		SELECT id
		FROM delete_messages(@tenant, @queue, @ids, @receipts) AS m (id)
		ORDER BY id`)
}

// Held returns those of the reads whose messages are in the queue and have not been read again. It is errs.NotFound when there
// is no such queue.
func (r *Repo) Held(ctx context.Context, queue string, refs []Ref) ([]Visible, error) {
	return visible(ctx, db.Read(r.db), queue, refs, nil, `
		-- name: message.Held
		SELECT message_id,
		       visible_at
		FROM held_messages(@tenant, @queue, @ids, @receipts)
		ORDER BY message_id`)
}

// Pop reads up to limit messages, oldest first, and deletes them at once. A queue that is not there is empty.
func (r *Repo) Pop(ctx context.Context, queue string, limit int) ([]Message, error) {
	return r.read(ctx, `
		-- name: message.Pop
		SELECT message_id,
		       @queue AS queue,
		       payload,
		       headers,
		       read_count,
		       enqueued_at,
		       visible_at
		FROM pop_messages(@tenant, @queue, @limit)
		ORDER BY message_id`, pgx.NamedArgs{"queue": queue, "limit": limit})
}

// Read reads up to limit messages, oldest first, and hides them for a while. A queue that is not there is empty. It is
// Validation naming visibilitySeconds (0 to 43,200) or limit (1 to MaxRead).
func (r *Repo) Read(ctx context.Context, queue string, visibilitySeconds, limit int) ([]Message, error) {
	return r.read(ctx, `
		-- name: message.Read
		SELECT message_id,
		       @queue AS queue,
		       payload,
		       headers,
		       read_count,
		       enqueued_at,
		       visible_at
		FROM read_messages(@tenant, @queue, @vt, @limit)
		ORDER BY message_id`, pgx.NamedArgs{"queue": queue, "vt": visibilitySeconds, "limit": limit})
}

// Send stores up to MaxBatch messages in one statement and returns one Sent for each, in their order; the queue is made on its
// first use. With skip a bad message gets a Sent with Err and the others are sent; without it the first bad message is the
// error (TooLarge, or Validation, naming "messages[2].payload") and nothing is sent.
func (r *Repo) Send(ctx context.Context, queue string, drafts []Draft, skip bool) ([]Sent, error) {
	if len(drafts) == 0 || len(drafts) > MaxBatch {
		return nil, errs.Field("messages", "Give 1 to 1,000 messages.")
	}
	scope, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	in := make([]draft, len(drafts))
	for i, d := range drafts {
		in[i] = draft(d)
	}
	text, err := json.Marshal(in)
	if err != nil {
		return nil, errs.Wrap(errs.Validation, err, "The messages cannot be written as JSON.")
	}
	rows, err := db.List[sent](ctx, r.db, `
		-- name: message.Send
		SELECT ord,
		       coalesce(message_id, 0) AS message_id,
		       coalesce(code, '') AS code,
		       coalesce(field, '') AS field,
		       coalesce(message, '') AS message
		FROM send_messages(@tenant, @queue, @messages::jsonb, @skip)
		ORDER BY ord`,
		pgx.NamedArgs{"tenant": scope.TenantID, "queue": queue, "messages": string(text), "skip": skip})
	if err != nil {
		return nil, err
	}
	out := make([]Sent, len(rows))
	for i, s := range rows {
		out[i] = Sent{Index: s.Ord, ID: s.ID}
		if s.Code != "" {
			out[i].Err = errs.FromSQL(s.Code, s.Message, s.Field, nil)
		}
	}
	return out, nil
}

// SetVisibility makes messages visible so many seconds from now, 0 for at once, and returns those that were there. It is
// errs.NotFound when there is no such queue, and Validation.
func (r *Repo) SetVisibility(ctx context.Context, queue string, refs []Ref, seconds int) ([]Visible, error) {
	return visible(ctx, r.db, queue, refs, &seconds, `
		-- name: message.SetVisibility
		SELECT message_id,
		       visible_at
		FROM set_message_visibility(@tenant, @queue, @ids, @vt, @receipts)
		ORDER BY message_id`)
}

// draft is a message as send_messages reads it.
type draft struct {
	Payload   json.RawMessage `json:"payload"`
	Headers   json.RawMessage `json:"headers,omitempty"`
	Delay     *int            `json:"delaySeconds,omitempty"`
	DeliverAt *time.Time      `json:"deliverAt,omitempty"`
}

type sent struct {
	Ord     int    `db:"ord"`
	ID      int64  `db:"message_id"`
	Code    string `db:"code"`
	Field   string `db:"field"`
	Message string `db:"message"`
}

func (r *Repo) read(ctx context.Context, sql string, args pgx.NamedArgs) ([]Message, error) {
	scope, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	args["tenant"] = scope.TenantID
	return db.List[Message](ctx, r.db, sql, args)
}

func (r *Repo) finish(ctx context.Context, queue string, refs []Ref, sql string) ([]int64, error) {
	args, err := refArgs(ctx, queue, refs)
	if err != nil {
		return nil, err
	}
	return db.List[int64](ctx, r.db, sql, args)
}

func visible(ctx context.Context, h db.Handle, queue string, refs []Ref, seconds *int, sql string) ([]Visible, error) {
	args, err := refArgs(ctx, queue, refs)
	if err != nil {
		return nil, err
	}
	if seconds != nil {
		args["vt"] = *seconds
	}
	return db.List[Visible](ctx, h, sql, args)
}

// refArgs are the arguments that name messages. Receipts are null when there are none at all.
func refArgs(ctx context.Context, queue string, refs []Ref) (pgx.NamedArgs, error) {
	if len(refs) == 0 || len(refs) > MaxBatch {
		return nil, errs.Field("messages", "Give 1 to 1,000 messages.")
	}
	scope, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	ids, receipts := make([]int64, len(refs)), make([]*int32, len(refs))
	some := false
	for i, ref := range refs {
		ids[i] = ref.ID
		if ref.Receipt == "" {
			continue
		}
		n, err := strconv.ParseInt(ref.Receipt, 10, 32)
		if err != nil {
			return nil, errs.Field("receipt", "This is not a receipt.")
		}
		count := int32(n)
		receipts[i], some = &count, true
	}
	if !some {
		receipts = nil
	}
	return pgx.NamedArgs{"tenant": scope.TenantID, "queue": queue, "ids": ids, "receipts": receipts}, nil
}
