package message_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/query"
	"stackforge/repo/message"
	"stackforge/tenant"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

type bundle struct {
	t        *testing.T
	d        *dbtest.DB
	q        *message.Repo
	me, them context.Context //nolint:containedctx // two callers
	scope    tenant.Scope
}

func setup(t *testing.T) bundle {
	t.Helper()

	d := dbtest.New(t)
	scope := dbtest.Tenant(t, d)
	return bundle{t: t, d: d, q: message.New(d.API), me: tenant.With(t.Context(), scope), them: tenant.With(t.Context(), dbtest.Tenant(t, d)), scope: scope}
}

func (b bundle) send(ctx context.Context, queue string, payloads ...string) []int64 {
	b.t.Helper()

	drafts := make([]message.Draft, len(payloads))
	for i, p := range payloads {
		drafts[i].Payload = json.RawMessage(p)
	}
	list, err := b.q.Send(ctx, queue, drafts, false)
	require.NoError(b.t, err)
	ids := make([]int64, len(list))
	for i, s := range list {
		ids[i] = s.ID
	}
	return ids
}

func (b bundle) read(ctx context.Context, queue string, seconds, limit int) []message.Message {
	b.t.Helper()

	list, err := b.q.Read(ctx, queue, seconds, limit)
	require.NoError(b.t, err)
	return list
}

func ids(list []message.Message) []int64 {
	out := make([]int64, len(list))
	for i, m := range list {
		out[i] = m.ID
	}
	return out
}

func refs(list ...int64) []message.Ref {
	out := make([]message.Ref, len(list))
	for i, id := range list {
		out[i].ID = id
	}
	return out
}

func failure(t *testing.T, err error, code errs.Code, field string) {
	t.Helper()

	require.Error(t, err)
	e := errs.From(err)
	require.Equal(t, [2]string{string(code), field}, [2]string{string(e.Code), e.Field}, e.Message)
}

func TestReading(t *testing.T) {
	t.Parallel()

	t.Run("what is read is hidden, oldest first, and comes back with a higher count", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		sent := b.send(b.me, "notifications", `{"n":1}`, `"two"`, `3`)
		require.Equal(t, []int64{1, 2, 3}, sent)
		first := b.read(b.me, "notifications", 300, 2)
		require.Equal(t, []int64{1, 2}, ids(first))
		require.JSONEq(t, `{"n":1}`, string(first[0].Payload))
		require.Equal(t, 1, first[0].ReadCount)
		require.WithinDuration(t, time.Now().Add(300*time.Second), first[0].VisibleAt, 30*time.Second)
		require.Equal(t, []int64{3}, ids(b.read(b.me, "notifications", 300, 10)))
		require.Empty(t, b.read(b.me, "notifications", 300, 10))

		back, err := b.q.SetVisibility(b.me, "notifications", refs(2), 0)
		require.NoError(t, err)
		require.Len(t, back, 1)
		again := b.read(b.me, "notifications", 300, 10)
		require.Equal(t, []int64{2}, ids(again))
		require.Equal(t, 2, again[0].ReadCount)
	})

	t.Run("delays", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		hour, soon, past := 3600, time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
		list, err := b.q.Send(b.me, "later", []message.Draft{
			{Payload: json.RawMessage(`1`), Delay: &hour},
			{Payload: json.RawMessage(`2`), DeliverAt: &soon},
			{Payload: json.RawMessage(`3`), DeliverAt: &past, Headers: json.RawMessage(`{"trace":"x"}`)},
			{Payload: json.RawMessage(`4`)},
		}, false)
		require.NoError(t, err)
		require.Len(t, list, 4)
		got := b.read(b.me, "later", 60, 10)
		require.Equal(t, []int64{3, 4}, ids(got))
		require.JSONEq(t, `{"trace":"x"}`, string(got[0].Headers))
		require.Nil(t, got[1].Headers)
	})

	t.Run("behind a hidden head, whether few or many wait there", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.send(b.me, "deep", `0`)
		table := b.table("deep")
		b.d.Exec(t, fmt.Sprintf(`INSERT INTO %s (vt, message) SELECT now() + interval '1 day', '0' FROM generate_series(1, 40000)`, table))
		b.d.Exec(t, `UPDATE `+table+` SET vt = now() - interval '1 minute' WHERE msg_id IN (20000, 39000, 700)`)
		got := b.read(b.me, "deep", 0, 10)
		require.Equal(t, []int64{1, 700, 20000, 39000}, ids(got), "each once, although it is visible again at once")
		require.Equal(t, []int64{1, 700}, ids(b.read(b.me, "deep", 60, 2)))
		require.Equal(t, []int64{20000, 39000}, ids(b.read(b.me, "deep", 60, 10)))
		b.d.Exec(t, `UPDATE `+table+` SET vt = now() - interval '1 minute' WHERE msg_id > 30000`)
		require.Equal(t, []int64{30001, 30002, 30003}, ids(b.read(b.me, "deep", 60, 3)), "the lowest ones of a block with many")
		popped, err := b.q.Pop(b.me, "deep", 2)
		require.NoError(t, err)
		require.Equal(t, []int64{30004, 30005}, ids(popped))
	})

	t.Run("parallel consumers never share a message", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		const n = 600
		for range n / 100 {
			b.send(b.me, "work", slices.Repeat([]string{`{}`}, 100)...)
		}
		var mu sync.Mutex
		var seen []int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for {
					list, err := b.q.Read(b.me, "work", 600, 7)
					if err != nil || len(list) == 0 {
						return
					}
					mu.Lock()
					seen = append(seen, ids(list)...)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		seen = append(seen, ids(b.read(b.me, "work", 600, 100))...) // whoever was last may have met locks only
		slices.Sort(seen)
		require.Len(t, seen, n)
		require.Len(t, slices.Compact(seen), n)
	})

	t.Run("pop delivers at most once", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.send(b.me, "work", `1`, `2`)
		list, err := b.q.Pop(b.me, "work", 1)
		require.NoError(t, err)
		require.Equal(t, []int64{1}, ids(list))
		m, err := b.q.QueueMetrics(b.me, []string{"work"})
		require.NoError(t, err)
		require.Equal(t, int64(1), m[0].Length)
	})
}

// table is the name of a queue's table.
func (b bundle) table(queue string) string {
	b.t.Helper()

	name, err := db.Get[string](b.t.Context(), b.d.Owner, "queue", `SELECT 'pgmq.q_' || physical FROM message_queues WHERE tenant_id = $1 AND name = $2`, b.scope.TenantID, queue)
	require.NoError(b.t, err)
	return name
}

func TestFinishing(t *testing.T) {
	t.Parallel()

	t.Run("archived and deleted messages are never delivered again", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.send(b.me, "work", `1`, `2`, `3`)
		done, err := b.q.Archive(b.me, "work", refs(1, 7))
		require.NoError(t, err)
		require.Equal(t, []int64{1}, done)
		done, err = b.q.Delete(b.me, "work", refs(2))
		require.NoError(t, err)
		require.Equal(t, []int64{2}, done)
		again, err := b.q.Archive(b.me, "work", refs(1, 2))
		require.NoError(t, err)
		require.Empty(t, again)
		require.Equal(t, []int64{3}, ids(b.read(b.me, "work", 60, 10)))
		m, err := b.q.QueueMetrics(b.me, []string{"work", "nothing"})
		require.NoError(t, err)
		require.Len(t, m, 1)
		require.Equal(t, [4]int64{1, 0, 3, 1}, [4]int64{m[0].Length, m[0].Visible, m[0].Total, m[0].Archived})
	})

	t.Run("a receipt of an earlier read is worth nothing", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.send(b.me, "work", `1`)
		first := b.read(b.me, "work", 0, 1)[0]
		second := b.read(b.me, "work", 60, 1)[0]
		old, now := []message.Ref{{ID: 1, Receipt: first.Receipt()}}, []message.Ref{{ID: 1, Receipt: second.Receipt()}}
		for _, finish := range []func(context.Context, string, []message.Ref) ([]int64, error){b.q.Delete, b.q.Archive} {
			done, err := finish(b.me, "work", old)
			require.NoError(t, err)
			require.Empty(t, done)
		}
		moved, err := b.q.SetVisibility(b.me, "work", old, 0)
		require.NoError(t, err)
		require.Empty(t, moved)
		held, err := b.q.Held(b.me, "work", append(old, now...))
		require.NoError(t, err)
		require.Len(t, held, 1)
		done, err := b.q.Delete(b.me, "work", now)
		require.NoError(t, err)
		require.Equal(t, []int64{1}, done)
	})

	t.Run("what was read too often goes to the dead letter queue", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.send(b.me, "work", `{"bad":true}`, `{"good":true}`)
		reads, dead := 2, "dead"
		q, err := b.q.SetRedrive(b.me, "work", &reads, &dead)
		require.NoError(t, err)
		require.Equal(t, "dead", *q.DeadLetterQueue)
		for range 2 {
			require.Equal(t, int64(1), b.read(b.me, "work", 60, 1)[0].ID)
			_, err := b.q.SetVisibility(b.me, "work", refs(1), 0)
			require.NoError(t, err)
		}
		require.Equal(t, []int64{2}, ids(b.read(b.me, "work", 60, 1)), "the third read passes over it")
		got := b.read(b.me, "dead", 60, 10)
		require.Len(t, got, 1)
		require.JSONEq(t, `{"bad":true}`, string(got[0].Payload))
		var h map[string]any
		require.NoError(t, json.Unmarshal(got[0].Headers, &h))
		require.Equal(t, []any{"work", 1.0, 2.0}, []any{h["x-source-queue"], h["x-source-id"], h["x-source-reads"]})
		_, err = b.q.DropQueue(b.me, "dead")
		failure(t, err, errs.Conflict, "name")
		_, err = b.q.SetRedrive(b.me, "work", nil, nil)
		require.NoError(t, err)
		_, err = b.q.DropQueue(b.me, "dead")
		require.NoError(t, err)
	})
}

func TestTenantsAreApart(t *testing.T) {
	t.Parallel()

	b := setup(t)
	b.send(b.me, "notifications", `"mine"`)
	b.send(b.them, "notifications", `"theirs"`, `"theirs"`)
	_, err := b.q.Delete(b.them, "notifications", refs(1))
	require.NoError(t, err)
	got := b.read(b.me, "notifications", 60, 10)
	require.Len(t, got, 1)
	require.JSONEq(t, `"mine"`, string(got[0].Payload))
	b.send(b.me, "private", `1`)
	require.Empty(t, b.read(b.them, "private", 60, 10), "to others it is a queue that is not there")
	_, err = b.q.Archive(b.them, "private", refs(1))
	failure(t, err, errs.NotFound, "queue")
	_, err = b.q.PurgeQueue(b.them, "private")
	failure(t, err, errs.NotFound, "name")
	m, err := b.q.QueueMetrics(b.them, []string{"private"})
	require.NoError(t, err)
	require.Empty(t, m)
	queues, _, err := b.q.ListQueues(b.them, query.Page{})
	require.NoError(t, err)
	require.Len(t, queues, 1)

	for _, sql := range []string{
		`SELECT * FROM ` + b.table("notifications"), `SELECT * FROM pgmq.meta`, `SELECT pgmq.send('job_queue', '{}')`, `SELECT bury_messages(NULL, NULL)`,
		`SELECT lock_messages(NULL, NULL, NULL)`, `SELECT ensure_message_queue(current_tenant(), 'x')`,
		fmt.Sprintf(`SELECT * FROM read_messages('%s', 'notifications')`, b.scope.TenantID),
		fmt.Sprintf(`SELECT delete_messages('%s', 'notifications', '{1}')`, b.scope.TenantID),
		fmt.Sprintf(`SELECT * FROM send_messages('%s', 'notifications', '[{"payload":1}]')`, b.scope.TenantID),
	} {
		_, err := db.Exec(b.them, b.d.API, sql)
		failure(t, err, errs.Forbidden, "")
	}
	_, err = b.q.Read(t.Context(), "notifications", 1, 1)
	failure(t, err, errs.Unauthenticated, "")
}

func TestQueues(t *testing.T) {
	t.Parallel()

	t.Run("kinds", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		interval := "1 day"
		for name, kind := range map[string]message.Kind{"a": message.Standard, "b": message.Unlogged} {
			q, err := b.q.CreateQueue(b.me, name, kind, nil, nil)
			require.NoError(t, err)
			require.Equal(t, kind, q.Kind)
		}
		_, err := b.q.CreateQueue(b.me, "c", message.Partitioned, &interval, &interval)
		require.NoError(t, err)
		page, info, err := b.q.ListQueues(b.me, query.Page{First: new(2)})
		require.NoError(t, err)
		require.True(t, info.HasNext)
		require.Equal(t, "a b", page[0].Name+" "+page[1].Name)
		cursor := message.QueueCursor(page[1])
		page, _, err = b.q.ListQueues(b.me, query.Page{First: new(2), After: &cursor})
		require.NoError(t, err)
		require.Len(t, page, 1)
		b.send(b.me, "c", `1`, `2`)
		require.Equal(t, []int64{1, 2}, ids(b.read(b.me, "c", 60, 10)))
		done, err := b.q.Archive(b.me, "c", refs(1))
		require.NoError(t, err)
		require.Equal(t, []int64{1}, done)
		purged, err := b.q.PurgeQueue(b.me, "c")
		require.NoError(t, err)
		require.Equal(t, int64(1), purged)
		_, err = b.q.DropQueue(b.me, "c")
		require.NoError(t, err)
		_, err = b.q.GetQueue(b.me, "c")
		failure(t, err, errs.NotFound, "")
		n, err := b.q.CountQueues(b.me)
		require.NoError(t, err)
		require.Equal(t, 2, n)
		_, err = message.New(b.d.Worker).Maintain(t.Context())
		require.NoError(t, err)
	})

	t.Run("what cannot be", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.send(b.me, "work", `1`)
		create := func(name string, kind message.Kind, interval string) error {
			_, err := b.q.CreateQueue(b.me, name, kind, &interval, nil)
			return err
		}
		failure(t, create("Work", message.Standard, ""), errs.Validation, "name")
		failure(t, create("", message.Standard, ""), errs.Validation, "name")
		failure(t, create("a"+strings.Repeat("b", 31), message.Standard, ""), errs.Validation, "name")
		failure(t, create("work", message.Standard, ""), errs.Conflict, "name")
		failure(t, create("parts", message.Partitioned, "soon"), errs.Validation, "partitionInterval")
		failure(t, create("parts", message.Partitioned, "0"), errs.Validation, "partitionInterval")
		_, err := b.q.Send(b.me, "no; queue", []message.Draft{{Payload: json.RawMessage(`1`)}}, false)
		failure(t, err, errs.Validation, "queue")
		_, err = b.q.Send(b.me, "work", nil, false)
		failure(t, err, errs.Validation, "messages")
		_, err = b.q.Read(b.me, "work", -1, 1)
		failure(t, err, errs.Validation, "visibilitySeconds")
		_, err = b.q.Read(b.me, "work", 1, 101)
		failure(t, err, errs.Validation, "limit")
		_, err = b.q.SetVisibility(b.me, "work", refs(1), 50_000)
		failure(t, err, errs.Validation, "visibilitySeconds")
		_, err = b.q.Delete(b.me, "work", []message.Ref{{ID: 1, Receipt: "x"}})
		failure(t, err, errs.Validation, "receipt")
		_, err = b.q.SetRedrive(b.me, "work", new(3), nil)
		failure(t, err, errs.Validation, "maxReads")
		_, err = b.q.SetRedrive(b.me, "work", new(3), new("work"))
		failure(t, err, errs.Validation, "deadLetterQueue")
		_, err = b.q.SetRedrive(b.me, "nothing", nil, nil)
		failure(t, err, errs.NotFound, "queue")
	})

	t.Run("at most 100 for a tenant", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.d.Exec(t, `INSERT INTO message_queues (tenant_id, name, physical) SELECT $1::uuid, 'q' || i, 'q' || i FROM generate_series(1, 99) i`, b.scope.TenantID)
		b.send(b.me, "last", `1`)
		_, err := b.q.Send(b.me, "more", []message.Draft{{Payload: json.RawMessage(`1`)}}, false)
		failure(t, err, errs.Conflict, "queue")
	})

	t.Run("many first senders make one queue", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				_, err := b.q.Send(b.me, "fresh", []message.Draft{{Payload: json.RawMessage(`1`)}}, false)
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.Len(t, b.read(b.me, "fresh", 60, 10), 6)
	})
}

func TestBatches(t *testing.T) {
	t.Parallel()

	b := setup(t)
	tooLong, both := json.RawMessage(`"`+strings.Repeat("x", 262_144)+`"`), time.Now()
	drafts := []message.Draft{
		{Payload: json.RawMessage(`1`)},
		{Payload: tooLong},
		{Payload: json.RawMessage(`3`), Headers: json.RawMessage(`[]`)},
		{Payload: json.RawMessage(`4`), Delay: new(-1)},
		{Payload: json.RawMessage(`5`), Delay: new(1), DeliverAt: &both},
		{Payload: json.RawMessage(`6`)},
	}
	list, err := b.q.Send(b.me, "work", drafts, true)
	require.NoError(t, err)
	require.Len(t, list, 6)
	got := make([]string, len(list))
	for i, s := range list {
		got[i] = fmt.Sprint(s.ID)
		if s.Err != nil {
			got[i] = string(s.Err.Code) + " " + s.Err.Field
		}
	}
	require.Equal(t, []string{"1", "PAYLOAD_TOO_LARGE payload", "VALIDATION_FAILED headers", "VALIDATION_FAILED delaySeconds", "VALIDATION_FAILED deliverAt", "2"}, got)
	_, err = b.q.Send(b.me, "work", drafts, false)
	failure(t, err, errs.TooLarge, "messages[1].payload")
	_, err = b.q.Send(b.me, "work", drafts[1:2], false)
	failure(t, err, errs.TooLarge, "payload")
	require.Len(t, b.read(b.me, "work", 60, 10), 2)
}

// The functions that the documentation names, with the tenant of the setting.
func TestDocumentedFunctions(t *testing.T) {
	t.Parallel()

	b := setup(t)
	id, err := db.Get[int64](b.me, b.d.API, "id", `SELECT pgmq_enqueue('notifications', '{"a":1}')`)
	require.NoError(t, err)
	require.Equal(t, int64(1), id)
	require.Equal(t, []string{"1 1 300 {\"a\": 1}"}, must(db.List[string](b.me, b.d.API,
		`SELECT concat_ws(' ', msg_id, read_ct, round(extract(epoch FROM vt - now())), message) FROM pgmq_dequeue('notifications', 10)`)))
	require.Empty(t, must(db.List[int64](b.me, b.d.API, `SELECT msg_id FROM pgmq_dequeue('notifications')`)))
	require.True(t, must(db.Get[bool](b.me, b.d.API, "answer", `SELECT pgmq_archive_message('notifications', 1)`)))
	require.False(t, must(db.Get[bool](b.me, b.d.API, "answer", `SELECT pgmq_archive_message('notifications', 1)`)))
	_, err = db.Exec(t.Context(), b.d.API, `SELECT pgmq_enqueue('notifications', '{}')`)
	failure(t, err, errs.Forbidden, "")
	require.Equal(t, []string{"job_queue"}, must(db.List[string](t.Context(), b.d.Owner, `SELECT queue_name::text FROM pgmq.list_queues() WHERE queue_name = 'job_queue'`)))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
