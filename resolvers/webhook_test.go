package resolvers_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"stackforge/repo/webhook"
	hooks "stackforge/webhook"
)

const (
	createEndpoint = `mutation ($in: CreateWebhookEndpointInput!) { createWebhookEndpoint(input: $in) { secret endpoint {
		id nodeId name url description events jobTypes ordering enabled disabledReason } } }`
	deliveries = `query ($f: WebhookDeliveryFilter, $o: WebhookDeliveryOrder, $first: Int, $after: String) {
		webhookDeliveriesConnection(filter: $f, orderBy: $o, first: $first, after: $after) { totalCount pageInfo { hasNextPage endCursor }
			nodes { id event eventId status isTest attempts requestBody nextAttemptAt endpointId endpoint { name } attemptLog { number responseStatus response error } } } }`
)

// deliver runs a dispatcher on the door's database and returns a receiver that answers with the status, and what it has got.
func (d *door) deliver(status int) (url string, bodies chan string) {
	d.t.Helper()

	bodies = make(chan string, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err == nil {
			bodies <- string(text)
		}
		w.WriteHeader(status)
	}))
	d.t.Cleanup(s.Close)
	p := hooks.NewDispatcher(hooks.Config{}, hooks.Deps{
		Queue: webhook.NewQueue(d.Worker), Sender: hooks.NewSender(hooks.SenderConfig{Guard: hooks.Guard{AllowPrivate: true}}), Log: zerolog.Nop(),
	})
	ctx, stop := context.WithCancel(context.WithoutCancel(d.t.Context()))
	var running sync.WaitGroup
	running.Go(func() { p.Run(ctx) })
	d.t.Cleanup(func() { stop(); running.Wait() })
	return s.URL, bodies
}

// attempted waits until so many attempts are recorded.
func (d *door) attempted(n int) {
	d.t.Helper()
	require.Eventually(d.t, func() bool { return d.count(`SELECT count(*) FROM webhook_attempts`) == n }, 20*time.Second, 10*time.Millisecond)
}

func TestWebhook(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	require.Nil(t, at(t, c.get(`{ webhook { id } }`, nil), "webhook"))
	require.Equal(t, []string{"NOT_FOUND"}, c.ask(`mutation { removeWebhook { webhook { id } } }`, nil).codes())
	require.Equal(t, []string{"NOT_FOUND"}, c.ask(`mutation { testWebhook(input: {}) { delivery { id } } }`, nil).codes())
	const set = `mutation ($u: String!) { setWebhook(input: {url: $u}) { secret webhook { id name url enabled events ordering } } }`
	made := at(t, c.get(set, vars{"u": "https://example.com/a"}), "setWebhook")
	require.Regexp(t, `^whsec_`, at(t, made, "secret"))
	require.Equal(t, "PARALLEL", at(t, made, "webhook", "ordering"))
	again := at(t, c.get(set, vars{"u": "https://example.com/b"}), "setWebhook")
	require.Nil(t, at(t, again, "secret"))
	require.Equal(t, at(t, made, "webhook", "id"), at(t, again, "webhook", "id"))
	for _, url := range []string{"ftp://x", "garbage", "https://u:p@example.com/", "http://127.0.0.1/", "http://[::1]/", "http://localhost:8080/"} {
		a := c.ask(set, vars{"u": url})
		require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes(), url)
		require.Equal(t, []string{"url"}, a.fields(), url)
	}
	require.Equal(t, "https://example.com/b", at(t, c.get(`mutation { removeWebhook { webhook { url } } }`, nil), "removeWebhook", "webhook", "url"))
	require.Nil(t, at(t, c.get(`{ webhook { id } }`, nil), "webhook"))
}

func TestWebhookEndpoints(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	made := at(t, c.get(createEndpoint, vars{"in": vars{
		"name": "a", "url": "https://example.com/", "description": "d", "events": []string{"job.failed"}, "jobTypes": []string{"x"}, "ordering": "PER_ENDPOINT",
	}}), "createWebhookEndpoint", "endpoint")
	id := at(t, made, "id")
	require.Equal(t, []any{"a", "d", []any{"job.failed"}, []any{"x"}, "PER_ENDPOINT", true, nil}, []any{
		at(t, made, "name"), at(t, made, "description"), at(t, made, "events"), at(t, made, "jobTypes"), at(t, made, "ordering"), at(t, made, "enabled"), at(t, made, "disabledReason"),
	})
	require.Equal(t, id, at(t, c.get(`query ($n: ID!) { node(nodeId: $n) { ... on WebhookEndpoint { id } } }`, vars{"n": at(t, made, "nodeId")}), "node", "id"))
	require.Nil(t, at(t, c.with("jobs:read").get(`query ($n: ID!) { node(nodeId: $n) { nodeId } }`, vars{"n": at(t, made, "nodeId")}), "node"))
	const update = `mutation ($in: UpdateWebhookEndpointInput!) { updateWebhookEndpoint(input: $in) { endpoint { name description events jobTypes enabled disabledReason } } }`
	got := at(t, c.get(update, vars{"in": vars{"id": id, "description": nil, "events": nil, "enabled": false}}), "updateWebhookEndpoint", "endpoint")
	require.Equal(t, map[string]any{"name": "a", "description": nil, "events": []any{}, "jobTypes": []any{"x"}, "enabled": false, "disabledReason": "CALLER"}, got)
	require.Equal(t, []string{"CONFLICT"}, c.ask(`mutation ($i: ID!) { testWebhook(input: {id: $i}) { delivery { id } } }`, vars{"i": id}).codes())
	first := at(t, c.get(`mutation ($i: ID!) { rotateWebhookSecret(input: {id: $i}) { secret endpoint { id } } }`, vars{"i": id}), "rotateWebhookSecret", "secret")
	second := at(t, c.get(`mutation ($i: ID!) { rotateWebhookSecret(input: {id: $i, overlapHours: 0}) { secret endpoint { id } } }`, vars{"i": id}), "rotateWebhookSecret", "secret")
	require.NotEqual(t, first, second)
	c.get(createEndpoint, vars{"in": vars{"name": "b", "url": "https://example.com/"}})
	page := at(t, c.get(`{ webhookEndpointsConnection(first: 1) { totalCount nodes { name } pageInfo { hasNextPage endCursor } } }`, nil), "webhookEndpointsConnection")
	require.Equal(t, []string{"b"}, texts(t, at(t, page, "nodes"), "name"))
	require.InDelta(t, 2, at(t, page, "totalCount"), 0)
	page = at(t, c.get(`query ($a: String) { webhookEndpointsConnection(after: $a) { nodes { name } pageInfo { hasNextPage } } }`, vars{"a": at(t, page, "pageInfo", "endCursor")}), "webhookEndpointsConnection")
	require.Equal(t, []string{"a"}, texts(t, at(t, page, "nodes"), "name"))
	c.get(`mutation ($i: ID!) { deleteWebhookEndpoint(input: {id: $i}) { endpoint { id } } }`, vars{"i": id})
	for _, q := range []string{
		`mutation ($i: ID!) { deleteWebhookEndpoint(input: {id: $i}) { endpoint { id } } }`, `mutation ($i: ID!) { updateWebhookEndpoint(input: {id: $i}) { endpoint { id } } }`,
		`mutation ($i: ID!) { rotateWebhookSecret(input: {id: $i}) { secret } }`, `mutation ($i: ID!) { testWebhook(input: {id: $i}) { delivery { id } } }`,
	} {
		require.Equal(t, []string{"NOT_FOUND"}, c.ask(q, vars{"i": id}).codes(), q)
		a := c.ask(q, vars{"i": "x"})
		require.Equal(t, []string{"id"}, a.fields(), q)
	}
	several := c.ask(createEndpoint, vars{"in": vars{"name": "", "url": "https://example.com/", "events": []string{"X"}, "jobTypes": []string{""}}})
	require.Equal(t, []string{"events[0]", "jobTypes[0]", "name"}, sorted(several.fields()), several.raw)
	require.Equal(t, []string{"overlapHours"}, c.ask(`mutation { rotateWebhookSecret(input: {id: "`+uuid.NewString()+`", overlapHours: 169}) { secret } }`, nil).fields())
}

func TestWebhookDeliveries(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	url, bodies := d.deliver(http.StatusTeapot)
	id := at(t, c.get(createEndpoint, vars{"in": vars{"name": "a", "url": "https://example.com/"}}), "createWebhookEndpoint", "endpoint", "id")
	d.Exec(t, `UPDATE webhook_endpoints SET url = $1`, url) // the door's guard lets no such address in
	const test = `mutation ($i: ID) { testWebhook(input: {id: $i}) { delivery { id status isTest event attempts } } }`
	tried := at(t, c.get(test, vars{"i": id}), "testWebhook", "delivery")
	require.Equal(t, "webhook.test", at(t, tried, "event"))
	require.Contains(t, <-bodies, "webhook.test")
	// The door does not wait for long, so the outcome may not be there yet.
	d.attempted(1)
	require.Equal(t, []string{"idempotencyKey"}, c.ask(`mutation ($i: ID) @idempotent(key: "k") { testWebhook(input: {id: $i}) { delivery { id } } }`, vars{"i": id}).fields())

	job := c.job(vars{"type": "x"})
	c.get(`mutation ($i: ID!) { cancelJob(input: {id: $i}) { job { id } } }`, vars{"i": job})
	require.Contains(t, <-bodies, `"reason": "cancelled"`)
	d.attempted(2)
	page := at(t, c.get(deliveries, vars{"f": vars{"event": vars{"eq": "job.failed"}}}), "webhookDeliveriesConnection")
	require.InDelta(t, 1, at(t, page, "totalCount"), 0)
	got := at(t, page, "nodes", 0)
	require.Equal(t, "PENDING", at(t, got, "status"))
	require.Equal(t, "a", at(t, got, "endpoint", "name"))
	require.NotNil(t, at(t, got, "nextAttemptAt"))
	require.Equal(t, "job.failed", at(t, got, "requestBody", "event"))
	require.Equal(t, []any{map[string]any{"number": 1.0, "responseStatus": 418.0, "response": nil, "error": "The receiver answered 418."}}, at(t, got, "attemptLog"))

	for filter, want := range map[string]int{
		`{status: {eq: DEAD}}`: 1, `{status: {eq: PENDING}}`: 1, `{status: {in: [DEAD, PENDING, SENDING]}}`: 2, `{status: {in: []}}`: 0, `{status: {eq: DEAD, in: [PENDING]}}`: 0,
		`{event: {startsWith: "job."}}`: 1, `{createdAt: {gt: "2100-01-01T00:00:00Z"}}`: 0, `{endpointId: {neq: "` + uuid.NewString() + `"}}`: 2, `{status: {eq: DELIVERED}}`: 0,
	} {
		n := at(t, c.get(`{ webhookDeliveriesConnection(filter: `+filter+`) { totalCount nodes { id } } }`, nil), "webhookDeliveriesConnection")
		require.InDelta(t, want, at(t, n, "totalCount"), 0, filter)
		require.Len(t, at(t, n, "nodes"), want, filter)
	}
	page = at(t, c.get(deliveries, vars{"o": "created_at_asc", "first": 1}), "webhookDeliveriesConnection")
	require.Equal(t, "webhook.test", at(t, page, "nodes", 0, "event"))
	page = at(t, c.get(deliveries, vars{"o": "created_at_asc", "after": at(t, page, "pageInfo", "endCursor")}), "webhookDeliveriesConnection")
	require.Equal(t, []string{"job.failed"}, texts(t, at(t, page, "nodes"), "event"))
	require.Equal(t, at(t, got, "id"), at(t, c.get(`query ($i: ID!) { webhookDelivery(id: $i) { id } }`, vars{"i": at(t, got, "id")}), "webhookDelivery", "id"))

	again := at(t, c.get(`mutation ($i: ID!) { redeliverWebhook(input: {id: $i}) { delivery { eventId } } }`, vars{"i": at(t, got, "id")}), "redeliverWebhook", "delivery")
	require.Equal(t, at(t, got, "eventId"), at(t, again, "eventId"))
	<-bodies
	d.attempted(3)
	require.Equal(t, []string{"CONFLICT"}, c.ask(`mutation ($i: ID!) { redeliverWebhook(input: {id: $i}) { delivery { id } } }`, vars{"i": at(t, tried, "id")}).codes(), "a test")
	n := c.get(`mutation ($i: ID) { redeliverWebhooks(input: {endpointId: $i, status: [PENDING], since: "2020-01-01T00:00:00Z"}) { count } }`, vars{"i": id})
	require.InDelta(t, 1, at(t, n, "redeliverWebhooks", "count"), 0)
	<-bodies
	for q, field := range map[string]string{
		`mutation { redeliverWebhooks(input: {status: []}) { count } }`: "status", `mutation { redeliverWebhooks(input: {status: [SENDING]}) { count } }`: "status",
		`mutation { redeliverWebhooks(input: {endpointId: "x"}) { count } }`: "endpointId", `mutation { redeliverWebhook(input: {id: "x"}) { delivery { id } } }`: "id",
		`{ webhookDelivery(id: "x") { id } }`: "id", `{ webhookHealth(hours: 0) { name } }`: "hours", `{ webhookHealth(hours: 169) { name } }`: "hours",
		`{ webhookDeliveriesConnection(filter: {endpointId: {eq: "x"}}) { totalCount } }`: "filter.endpointId.eq", `{ webhookDeliveriesConnection(first: 0) { nodes { id } } }`: "first",
	} {
		a := c.ask(q, nil)
		require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes(), q)
		require.Equal(t, []string{field}, a.fields(), q)
	}

	d.attempted(4)
	health := at(t, c.get(`{ webhookHealth { endpointId name enabled circuit failures attempts successes successRate p50Ms p95Ms pending dead lastError } }`, nil), "webhookHealth", 0)
	require.Equal(t, id, at(t, health, "endpointId"))
	require.Equal(t, []any{"CLOSED", 3.0, 4.0, 0.0, 0.0, 1.0, 1.0, "The receiver answered 418."}, []any{
		at(t, health, "circuit"), at(t, health, "failures"), at(t, health, "attempts"), at(t, health, "successes"), at(t, health, "successRate"), at(t, health, "pending"),
		at(t, health, "dead"), at(t, health, "lastError"),
	})
	c.get(`mutation ($i: ID!) { deleteWebhookEndpoint(input: {id: $i}) { endpoint { id } } }`, vars{"i": id})
	page = at(t, c.get(deliveries, nil), "webhookDeliveriesConnection")
	require.Nil(t, at(t, page, "nodes", 0, "endpoint"), "it is gone, its log is not")
	require.Equal(t, []string{"DEAD", "DEAD"}, texts(t, at(t, page, "nodes"), "status"))
}
