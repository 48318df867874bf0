package migrations_test

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/query"
	"stackforge/repo/message"
	"stackforge/repo/webhook"
)

// flow is how much webhooks and messages lie about while the plans are made.
type flow struct {
	Events  int // of the large tenant that were delivered, and of all others together
	Waiting int // deliveries at an endpoint that rests
	Hidden  int // messages at the head of a queue
}

// fillFlow loads events that were delivered long ago, an endpoint that rests, and a queue whose first messages are hidden.
func fillFlow(t *testing.T, d *dbtest.DB, in data, n flow) {
	t.Helper()

	conn := d.Connect(t)
	_, err := conn.Exec(t.Context(), `SET session_replication_role = replica`)
	require.NoError(t, err)
	for _, sql := range []string{ // $1 the tenant, $2 events, $3 what waits, $4 what is hidden
		`INSERT INTO webhook_endpoints (tenant_id, name, url, events)
		 SELECT t.id, 'e' || i, 'https://example.org/', '{order.paid}' FROM tenants t, generate_series(1, CASE WHEN t.id = $1 THEN 4 ELSE 1 END) i`,
		`INSERT INTO webhook_secrets (tenant_id, endpoint_id, secret) SELECT tenant_id, id, 'whsec_AAAAAAAAAAAAAAAAAAAA' FROM webhook_endpoints`,
		`INSERT INTO webhook_lanes (tenant_id, endpoint_id, resume_at) SELECT tenant_id, id, CASE WHEN name = 'e4' THEN now() + interval '1 hour' END FROM webhook_endpoints`,
		`WITH ids AS MATERIALIZED (SELECT array_agg(id ORDER BY id) AS a FROM tenants)
		 INSERT INTO core.outbox (tenant_id, aggregate_type, aggregate_id, topic, payload, routed_at, dispatched_at)
		 SELECT CASE WHEN i % 2 = 0 THEN $1 ELSE ids.a[1 + i % array_length(ids.a, 1)] END, 'order', i::text, 'order.paid', '{}', now(), now()
		 FROM ids, generate_series(1, 2 * $2::int) i`,
		`INSERT INTO webhook_deliveries (tenant_id, endpoint_id, event_id, event, status, attempts, created_at, finished_at)
		 SELECT o.tenant_id, e.id, o.id, o.topic, 'delivered', 1, now() - o.id * interval '1 s', now()
		 FROM core.outbox o JOIN LATERAL (SELECT id FROM webhook_endpoints e WHERE e.tenant_id = o.tenant_id ORDER BY name LIMIT 1 OFFSET CASE WHEN o.tenant_id = $1 THEN o.id % 3 ELSE 0 END) e ON true`,
		`INSERT INTO webhook_attempts (tenant_id, delivery_id, attempt, endpoint_id, at, duration_ms, response_status)
		 SELECT tenant_id, id, 1, endpoint_id, created_at, 10, 200 FROM webhook_deliveries`,
		`INSERT INTO webhook_deliveries (tenant_id, endpoint_id, event_id, event)
		 SELECT $1, (SELECT id FROM webhook_endpoints WHERE tenant_id = $1 AND name = 'e4'), (SELECT id FROM core.outbox LIMIT 1), 'order.paid' FROM generate_series(1, $3::int)`,
		`SELECT create_message_queue($1, 'work')`,
		`SELECT count(*) FROM message_queues q, pgmq.send_batch(q.physical, array_fill('{}'::jsonb, ARRAY[$4::int]), 86400) WHERE q.tenant_id = $1`,
	} {
		_, err := conn.Exec(t.Context(), strings.NewReplacer("$1", "'"+in.scope.TenantID.String()+"'", "$2", strconv.Itoa(n.Events), "$3", strconv.Itoa(n.Waiting), "$4", strconv.Itoa(n.Hidden)).Replace(sql))
		require.NoError(t, err, sql)
	}
	_, err = conn.Exec(t.Context(), `VACUUM ANALYZE`)
	require.NoError(t, err)
}

// flowPages are the statements by which webhooks leave and messages come and go.
func flowPages(t *testing.T, in data, api, worker *db.DB) []page {
	t.Helper()

	const batch, first = 20, 20
	queue, hooks, messages := webhook.NewQueue(worker), webhook.New(api), message.New(api)
	limits := webhook.Limits{PerEndpoint: batch, Lease: time.Minute, Circuit: 5, Cooldown: time.Minute, Longest: time.Minute}
	var claimed []webhook.Outgoing
	finish := func(ctx context.Context) error {
		results := make([]webhook.Result, len(claimed))
		for i, o := range claimed {
			results[i] = webhook.Result{TenantID: o.TenantID, ID: o.ID, Lease: o.Lease, EndpointID: o.EndpointID, Outcome: webhook.Success, ResponseStatus: 200}
		}
		held, err := queue.Finish(ctx, results, limits)
		require.Len(t, held, len(claimed))
		claimed = nil
		return err
	}
	claim := func(ctx context.Context) (err error) {
		claimed, err = queue.Claim(ctx, batch, limits)
		require.Len(t, claimed, batch)
		return err
	}
	publish := func(ctx context.Context) error {
		if err := finish(ctx); err != nil {
			return err
		}
		_, err := db.Exec(ctx, api, `SELECT publish_event($1, 'order.paid', '{}') FROM generate_series(1, 10)`, in.scope.TenantID)
		return err
	}
	out := []page{
		{
			name: "webhook.Claim", nodes: "(webhook_deliveries|webhook_lanes|webhook_endpoints|outbox)",
			story: "New events are those of `ix_outbox_unrouted`. Endpoints that are due come from `ix_webhook_lanes_due`; for each, `ix_webhook_deliveries_due` " +
				"(tenant, endpoint, time, id) of pending deliveries only has the next ones. What was delivered is never met, nor what waits at an endpoint that is not due.",
			hot: []hot{{
				title: "twenty of ten events for several endpoints", index: []string{"ix_outbox_unrouted", "ix_webhook_lanes_due", "ix_webhook_deliveries_due"}, rows: 3 * batch,
				prepare: publish, run: claim,
			}},
		},
		{
			name: "webhook.Finish", nodes: "(webhook_deliveries|webhook_lanes|outbox)",
			story: "One probe of the primary key for each delivery, and of `ix_webhook_deliveries_event` to see whether it was the last of its event.",
			hot: []hot{{
				title: "twenty attempts", index: []string{"webhook_deliveries_pkey|webhook_deliveries_id_key", "ix_webhook_deliveries_event", "outbox_pkey"}, rows: 6 * batch,
				prepare: func(ctx context.Context) error {
					if err := publish(ctx); err != nil {
						return err
					}
					return claim(ctx)
				},
				run: finish,
			}},
		},
		{
			name: "webhook.Deliveries", nodes: "webhook_deliveries",
			story: "A page is a range of `ix_webhook_deliveries_created` (tenant, created_at, id), with its events and attempts by their primary keys.",
			hot: []hot{{
				title: "the newest page", index: []string{"ix_webhook_deliveries_created", "outbox_pkey", "webhook_attempts_pkey"}, rows: first + 1,
				run: func(ctx context.Context) error {
					_, err := hooks.Deliveries(ctx, query.Page{First: new(first)}, nil, webhook.DeliveryOrders()["created_at_desc"])
					return err
				},
			}},
		},
	}
	var drafts []message.Draft
	for range batch {
		drafts = append(drafts, message.Draft{Payload: json.RawMessage(`{"n": 1}`)})
	}
	send := func(ctx context.Context) error { _, err := messages.Send(ctx, "work", drafts, false); return err }
	return append(out, page{
		name: "message.Read", nodes: `[qa]_t\w+_work`,
		story: "First a walk along the primary key over at most 500 messages. Where those have too few visible ones, one scan of `q_…_vt_idx` ((id >> 14), vt) finds " +
			"up to 257 visible ones: of each block of 16,384 messages it reads those only, so that what is hidden is stepped over. A block with more of them " +
			"than that is walked along by the primary key.",
		hot: []hot{
			{title: "one message is sent", index: []string{"Insert on q_"}, rows: 1, run: send},
			{
				title: "twenty behind the hidden ones", index: []string{`_vt_idx`, `_pkey`}, rows: 501, prepare: send,
				run: func(ctx context.Context) error {
					list, err := messages.Read(ctx, "work", 300, batch)
					require.Len(t, list, batch)
					return err
				},
			},
		},
	})
}

// TestPlansOfShortOutbox fails when a worker that made its plans while little was pending reads all that is after a burst of
// events, before statistics know of it.
func TestPlansOfShortOutbox(t *testing.T) {
	t.Parallel()

	const burst, size, endpoints = 1_000, 64, 4
	d := dbtest.New(t)
	scope := dbtest.Tenant(t, d)
	publish := func(n int) {
		d.Exec(t, `SELECT set_config('app.tenant_id', $1::uuid::text, false), publish_event($1::uuid, 'order.paid', '{}') FROM generate_series(1, $2::int)`, scope.TenantID, n)
	}
	d.Exec(t, `ALTER TABLE webhook_deliveries SET (autovacuum_enabled = off); ALTER TABLE core.outbox SET (autovacuum_enabled = off)`)
	for _, ordering := range []string{"parallel", "parallel", "parallel", "per_endpoint"} {
		d.Exec(t, `SELECT create_webhook_endpoint($1, $2::uuid, jsonb_build_object('name', $2::uuid, 'url', 'https://example.org/', 'ordering', $3::text), 'whsec_AAAAAAAAAAAAAAAAAAAA')`,
			scope.TenantID, uuid.New(), ordering)
	}
	e := explain(t, d)
	queue := webhook.NewQueue(d.Open(t, db.Config{URL: e.dsn, MaxConns: 1, Role: db.RoleWorker}))
	limits := webhook.Limits{PerEndpoint: size / endpoints, Lease: time.Minute, Circuit: 5, Cooldown: time.Minute, Longest: time.Minute}
	work := func() int {
		got, err := queue.Claim(t.Context(), size, limits)
		require.NoError(t, err)
		results := make([]webhook.Result, len(got))
		for i, o := range got {
			results[i] = webhook.Result{TenantID: o.TenantID, ID: o.ID, Lease: o.Lease, EndpointID: o.EndpointID, Outcome: webhook.Success}
		}
		held, err := queue.Finish(t.Context(), results, limits)
		require.NoError(t, err)
		require.Len(t, held, len(got))
		return len(got)
	}
	for range executions {
		publish(1)
		require.Equal(t, endpoints, work())
	}
	publish(burst)
	work() // routes them, and so reads them all
	e.take()
	const all = (endpoints-1)*size/endpoints + 1
	require.Equal(t, all, work())
	check(t, hot{title: "after a burst", index: []string{"ix_webhook_deliveries_due", "ix_webhook_deliveries_head", "webhook_deliveries_id_key"}, rows: 4 * size}, e.take())
}
