package webhook_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	repo "stackforge/repo/webhook"
	"stackforge/webhook"
)

func TestSet(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	_, err := w.hooks.GetDefault(w.ctx)
	require.True(t, errs.Is(err, errs.NotFound))
	_, err = w.hooks.Remove(w.ctx)
	require.True(t, errs.Is(err, errs.NotFound))
	first, secret, err := w.hooks.Set(w.ctx, "https://example.com/one")
	require.NoError(t, err)
	require.Regexp(t, `^whsec_[A-Za-z0-9+/]{43}=$`, secret)
	require.Equal(t, repo.Default, first.Name)
	_, err = w.hooks.Update(w.ctx, first.ID, repo.Params{Enabled: new(false)})
	require.NoError(t, err)
	second, none, err := w.hooks.Set(w.ctx, "https://example.com/two")
	require.NoError(t, err)
	require.Empty(t, none, "it keeps its secret")
	require.Equal(t, first.ID, second.ID)
	require.Equal(t, "https://example.com/two", second.URL)
	require.True(t, second.IsEnabled)
	_, _, err = webhook.NewEndpoints(repo.New(w.d.API), webhook.EndpointsConfig{}).Set(w.ctx, "http://127.0.0.1/")
	require.True(t, errs.Is(err, errs.Validation))
	gone, err := w.hooks.Remove(w.ctx)
	require.NoError(t, err)
	require.Equal(t, second.ID, gone.ID)
	require.Zero(t, w.count(t, `SELECT count(*) FROM webhook_secrets`)+w.count(t, `SELECT count(*) FROM webhook_lanes`))
}

func TestEndpointInput(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	ok := func() repo.Params { return repo.Params{Name: new("a"), URL: new("https://example.com/")} }
	e, _, err := w.hooks.Create(w.ctx, ok())
	require.NoError(t, err)
	for name, c := range map[string]struct {
		field  string
		change func(p *repo.Params)
	}{
		"no name":             {"name", func(p *repo.Params) { p.Name = new("") }},
		"blank name":          {"name", func(p *repo.Params) { p.Name = new(" ") }},
		"long name":           {"name", func(p *repo.Params) { p.Name = new(strings.Repeat("ä", 101)) }},
		"ftp":                 {"url", func(p *repo.Params) { p.URL = new("ftp://example.com/") }},
		"long description":    {"description", func(p *repo.Params) { p.Description = new(new(strings.Repeat("x", 501))) }},
		"bad event":           {"events[1]", func(p *repo.Params) { p.Events = &[]string{"job.done", "Job.Done"} }},
		"event without a dot": {"events[0]", func(p *repo.Params) { p.Events = &[]string{"job"} }},
		"51 events":           {"events", func(p *repo.Params) { p.Events = new(make([]string, 51)) }},
		"bad job type":        {"jobTypes[0]", func(p *repo.Params) { p.JobTypes = &[]string{"A B"} }},
		"101 job types":       {"jobTypes", func(p *repo.Params) { p.JobTypes = new(make([]string, 101)) }},
	} {
		p := ok()
		c.change(&p)
		_, _, err := w.hooks.Create(w.ctx, p)
		require.True(t, errs.Is(err, errs.Validation), name)
		require.Equal(t, c.field, errs.From(err).Field, name)
		_, err = w.hooks.Update(w.ctx, e.ID, p)
		require.True(t, errs.Is(err, errs.Validation), name)
		require.Equal(t, c.field, errs.From(err).Field, name)
	}
	_, _, err = w.hooks.Create(w.ctx, ok())
	require.True(t, errs.Is(err, errs.Conflict), "the name is taken")
	require.Equal(t, "name", errs.From(err).Field)

	p := ok()
	p.Name, p.Description, p.Events, p.JobTypes, p.Ordering = new("b"), new(new("for b")), &[]string{"job.failed", "job.done", "job.done"}, &[]string{"x"}, new(repo.PerEndpoint)
	b, _, err := w.hooks.Create(w.ctx, p)
	require.NoError(t, err)
	require.Equal(t, []string{"job.done", "job.failed"}, b.Events)
	require.Equal(t, []string{"x"}, b.JobTypes)
	_, err = w.hooks.Update(w.ctx, b.ID, repo.Params{Name: new("a")})
	require.True(t, errs.Is(err, errs.Conflict))
	b, err = w.hooks.Update(w.ctx, b.ID, repo.Params{Description: new((*string)(nil)), Events: new([]string(nil)), Enabled: new(false)})
	require.NoError(t, err)
	require.Nil(t, b.Description)
	require.Empty(t, b.Events)
	require.Equal(t, repo.ByCaller, *b.DisabledReason)
	require.Equal(t, repo.PerEndpoint, b.Ordering, "what is not given stays")
	require.Equal(t, []string{"x"}, b.JobTypes)
	_, err = w.hooks.Update(w.ctx, uuid.New(), repo.Params{Name: new("c")})
	require.True(t, errs.Is(err, errs.NotFound))

	for i := 2; i < 50; i++ {
		p := ok()
		p.Name = new(fmt.Sprint(i))
		_, _, err := w.hooks.Create(w.ctx, p)
		require.NoError(t, err)
	}
	_, _, err = w.hooks.Set(w.ctx, "https://example.com/")
	require.True(t, errs.Is(err, errs.Conflict), "there are 50")
	other := w.of(t, dbtest.Tenant(t, w.d))
	_, _, err = other.hooks.Set(other.ctx, "https://example.com/")
	require.NoError(t, err)
}

// Nobody reads the secrets but who signs with them.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	e, secret := w.endpoint(t, "https://example.com/", nil)
	for _, h := range []db.Handle{w.d.API, w.d.Worker, w.d.Open(t, db.Config{Role: "app_readonly"})} {
		_, err := db.List[string](w.ctx, h, `SELECT secret FROM webhook_secrets ORDER BY id`)
		require.True(t, errs.Is(err, errs.Forbidden))
	}
	_, err := db.List[string](w.ctx, w.d.API, `SELECT body FROM claim_webhook_deliveries(1, 1, '1 minute', 5) ORDER BY 1`)
	require.True(t, errs.Is(err, errs.Forbidden))
	for _, table := range []string{"core.outbox", "webhook_endpoints", "webhook_lanes", "webhook_deliveries", "webhook_attempts"} {
		rows, err := db.List[string](w.ctx, w.d.API, `SELECT t::text FROM `+table+` t ORDER BY 1`)
		require.NoError(t, err)
		require.NotContains(t, strings.Join(rows, "\n"), secret)
	}
	require.NotEmpty(t, e.ID)
}

func TestRedeliverMany(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	r := newReceiver(t, nil)
	a, _ := w.endpoint(t, r.URL, nil)
	b, _ := w.endpoint(t, r.URL, nil)
	p := w.start(t, webhook.Config{}, webhook.Deps{})
	w.publish(t, 10)
	for range 20 {
		p.next(t)
	}
	p.stop()
	w.d.Exec(t, `UPDATE webhook_deliveries SET status = 'dead' WHERE endpoint_id = $1 AND event_id % 2 = 0`, a.ID)
	dead := w.count(t, `SELECT count(*) FROM webhook_deliveries WHERE status = 'dead'`)
	require.NotZero(t, dead)
	again := func(p repo.RedeliverParams) int {
		t.Helper()
		n, err := w.hooks.RedeliverMany(w.ctx, p)
		require.NoError(t, err)
		return n
	}
	require.Zero(t, again(repo.RedeliverParams{Statuses: []repo.Status{repo.Dead}, EndpointID: &b.ID}))
	require.Zero(t, again(repo.RedeliverParams{Statuses: []repo.Status{repo.Dead}, Since: new(time.Now().Add(time.Hour))}))
	require.Zero(t, again(repo.RedeliverParams{Statuses: []repo.Status{repo.Dead}, Until: new(time.Now().Add(-time.Hour))}))
	other := w.of(t, dbtest.Tenant(t, w.d))
	n, err := other.hooks.RedeliverMany(other.ctx, repo.RedeliverParams{EndpointID: &a.ID})
	require.NoError(t, err)
	require.Zero(t, n, "of another tenant")
	require.Equal(t, dead, again(repo.RedeliverParams{Statuses: []repo.Status{repo.Dead}}))
	require.Zero(t, again(repo.RedeliverParams{Statuses: []repo.Status{repo.Dead}}), "they are pending now")
	require.NotZero(t, w.count(t, `SELECT count(*) FROM core.outbox WHERE dispatched_at IS NULL`))
	require.Equal(t, 10, again(repo.RedeliverParams{Statuses: []repo.Status{repo.Delivered}, EndpointID: &b.ID}))
	p = w.start(t, webhook.Config{}, webhook.Deps{})
	for range dead + 10 {
		require.Equal(t, repo.Success, p.next(t).Outcome)
	}
	require.Zero(t, w.count(t, `SELECT count(*) FROM core.outbox WHERE dispatched_at IS NULL`))
}

func TestRetention(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	r := newReceiver(t, nil)
	e, _ := w.endpoint(t, r.URL, nil)
	p := w.start(t, webhook.Config{}, webhook.Deps{})
	w.publish(t, 3)
	for range 3 {
		p.next(t)
	}
	p.stop()
	q := repo.NewQueue(w.d.Worker)
	n, err := q.DropOld(t.Context(), time.Hour)
	require.NoError(t, err)
	require.Zero(t, n)
	w.publish(t, 2)
	off, _ := w.endpoint(t, r.URL, func(p *repo.Params) { p.Enabled = new(false) })
	_, err = q.Claim(t.Context(), 0, repo.Limits{}) // only routes
	require.NoError(t, err)
	w.d.Exec(t, `UPDATE core.outbox SET dispatched_at = now() - interval '2 hours' WHERE dispatched_at IS NOT NULL`)
	n, err = q.DropOld(t.Context(), time.Hour)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.Equal(t, 2, w.count(t, `SELECT count(*) FROM webhook_deliveries`), "with their deliveries")
	require.Zero(t, w.count(t, `SELECT count(*) FROM webhook_attempts`), "and the log")

	n, err = q.Expire(t.Context(), time.Hour)
	require.NoError(t, err)
	require.Zero(t, n)
	w.d.Exec(t, `UPDATE webhook_deliveries SET created_at = now() - interval '2 hours', next_attempt_at = now() - interval '2 hours' WHERE id = (SELECT min(id) FROM webhook_deliveries)`)
	n, err = q.Expire(t.Context(), time.Hour)
	require.NoError(t, err)
	require.Equal(t, 1, n, "it waited for too long")
	_, err = w.hooks.Delete(w.ctx, e.ID)
	require.NoError(t, err)
	require.Equal(t, 2, w.count(t, `SELECT count(*) FROM webhook_deliveries WHERE status = 'dead' AND finished_at IS NOT NULL`), "what waited for an endpoint that is gone")
	require.Zero(t, w.count(t, `SELECT count(*) FROM core.outbox WHERE dispatched_at IS NULL`))
	require.Len(t, w.deliveries(t), 2, "the log stays")
	_, err = w.hooks.Delete(w.ctx, off.ID)
	require.NoError(t, err)
}

func TestPublish(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	other := dbtest.Tenant(t, w.d)
	for _, c := range []struct {
		code  errs.Code
		field string
		sql   string
	}{
		{errs.Validation, "topic", `SELECT publish_event($1, 'job.done', '{}')`},
		{errs.Validation, "topic", `SELECT publish_event($1, 'webhook.test', '{}')`},
		{errs.Validation, "topic", `SELECT publish_event($1, 'order', '{}')`},
		{errs.Validation, "topic", `SELECT publish_event($1, NULL, '{}')`},
		{errs.Validation, "payload", `SELECT publish_event($1, 'a.b', '[]')`},
		{errs.Validation, "payload", `SELECT publish_event($1, 'a.b', NULL)`},
		{errs.Validation, "payload", `SELECT publish_event($1, 'a.b', jsonb_build_object('x', repeat('x', 300000)))`},
		{errs.Validation, "aggregateId", `SELECT publish_event($1, 'a.b', '{}', 'x', repeat('x', 201))`},
		{errs.Forbidden, "", `SELECT publish_event('` + other.TenantID.String() + `', 'a.b', '{}') WHERE $1::uuid IS NOT NULL`},
	} {
		_, err := db.Exec(w.ctx, w.d.API, c.sql, w.scope.TenantID)
		require.True(t, errs.Is(err, c.code), c.sql)
		require.Equal(t, c.field, errs.From(err).Field, c.sql)
	}
	require.Zero(t, w.outbox(t))
}

// What waits at an endpoint that rests, and what was delivered, costs a claim nothing.
func TestClaimCost(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	resting, _ := w.endpoint(t, "https://example.com/", func(p *repo.Params) { p.Events = &[]string{"rest.ing"} })
	due, _ := w.endpoint(t, "https://example.com/", func(p *repo.Params) { p.Ordering = new(repo.PerEndpoint) })
	const many = 20_000
	w.d.Exec(t, `
		WITH o AS (INSERT INTO core.outbox (tenant_id, aggregate_type, aggregate_id, topic, payload, routed_at)
			SELECT $1, 'x', n::text, 'order.paid', '{}', now() FROM generate_series(1, $4::int) n RETURNING id)
		INSERT INTO webhook_deliveries (tenant_id, endpoint_id, event_id, event, status)
		SELECT $1, e.id, o.id, 'order.paid', CASE WHEN o.id % 2 = 0 AND e.id = $3 THEN 'delivered' ELSE 'pending' END FROM o, unnest(ARRAY[$2, $3]::uuid[]) e (id)`,
		w.scope.TenantID, resting.ID, due.ID, many)
	w.d.Exec(t, `UPDATE webhook_lanes SET due_at = CASE WHEN endpoint_id = $1 THEN now() + interval '1 hour' ELSE now() END`, resting.ID)
	conn := w.d.Connect(t)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	var got int
	require.NoError(t, tx.QueryRow(t.Context(), `SELECT count(*) FROM claim_webhook_deliveries(100, 16, '1 minute', 5)`).Scan(&got))
	require.Equal(t, 1, got, "strictly in order")
	rows, err := tx.Query(t.Context(), `
		SELECT format('%s: %s by seq, %s by index', relname, seq_tup_read, idx_tup_fetch) FROM pg_stat_xact_user_tables
		WHERE (relname LIKE 'webhook%' OR relname = 'outbox') AND (seq_tup_read > 0 OR idx_tup_fetch > 20)`)
	require.NoError(t, err)
	costly, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Empty(t, costly)
	require.NoError(t, tx.Rollback(t.Context()))
}

// A claim takes what came after its transaction began: whoever woke it will not do so again. And it looks again when a lease ends.
func TestClaimBegunBefore(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	e, _ := w.endpoint(t, "https://example.com/", func(p *repo.Params) { p.Events = &[]string{"rest.ing"} })
	tx, err := w.d.Connect(t).Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT now()`)
	require.NoError(t, err)
	_, err = w.hooks.Repo.Test(w.ctx, e.ID)
	require.NoError(t, err)
	var got int
	require.NoError(t, tx.QueryRow(t.Context(), `SELECT count(*) FROM claim_webhook_deliveries(100, 16, '1 minute', 5)`).Scan(&got))
	require.Equal(t, 1, got)
	require.NoError(t, tx.Commit(t.Context()))
	require.Equal(t, 1, w.count(t, `SELECT count(*) FROM webhook_lanes l JOIN webhook_deliveries d USING (endpoint_id) WHERE d.is_test AND l.due_at = d.next_attempt_at`))
}
