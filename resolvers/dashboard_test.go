package resolvers_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/apikey"
	"stackforge/tenant"
)

func TestDashboard(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	const all = `{ dashboard { stats { tenantId documentCount newestDocumentAt updatedAt } pivot(months: 2) { month count } breakdown { type pending running done failed }
		jobSeries(bucket: MINUTE, last: 5) { at type done failed waitP50 runP95 } jobErrors { type pattern count lastJobId example } storage { kind rows bytes isEstimate } searchLatency { count p50 p95 max } } }`
	empty := at(t, c.get(all, nil), "dashboard")
	require.Equal(t, map[string]any{
		"stats": map[string]any{"tenantId": c.scope.TenantID.String(), "documentCount": 0.0, "newestDocumentAt": nil, "updatedAt": nil},
		"pivot": []any{}, "breakdown": []any{}, "jobSeries": []any{}, "jobErrors": []any{}, "searchLatency": nil,
		"storage": at(t, empty, "storage"),
	}, empty)

	c.document(vars{"title": "one"})
	c.document(vars{"title": "two"})
	failed := c.job(vars{"type": "broken"})
	c.job(vars{"type": "send_email", "payload": vars{"to": "a@example.org"}})
	d.Exec(t, `UPDATE jobs SET status = 'failed', reason = 'permanent', last_error = 'host 17 is away', started_at = now() - interval '1 s', finished_at = now() WHERE id = $1`, failed)
	c.get(`{ searchDocuments(query: "one") { nodes { document { id } } } }`, nil)

	got := at(t, c.get(all, nil), "dashboard")
	require.Zero(t, at(t, got, "stats", "documentCount"), "as of the last refresh")
	require.Equal(t, []any{map[string]any{"month": time.Now().UTC().Format("2006-01"), "count": 2.0}}, at(t, got, "pivot"))
	require.Equal(t, []any{
		map[string]any{"type": "broken", "pending": 0.0, "running": 0.0, "done": 0.0, "failed": 1.0},
		map[string]any{"type": "send_email", "pending": 1.0, "running": 0.0, "done": 0.0, "failed": 0.0},
	}, at(t, got, "breakdown"))
	require.Equal(t, []any{map[string]any{"type": "broken", "pattern": "host <n> is away", "count": 1.0, "lastJobId": failed, "example": "host 17 is away"}}, at(t, got, "jobErrors"))
	require.InDelta(t, 1, at(t, got, "jobSeries", 0, "failed"), 0)
	require.InDelta(t, 1, at(t, got, "searchLatency", "count"), 0)
	require.InDelta(t, 2, at(t, c.get(`{ dashboard { stats(fresh: true) { documentCount } } }`, nil), "dashboard", "stats", "documentCount"), 0)
	require.InDelta(t, 2, at(t, c.get(`mutation { refreshDashboard { stats { documentCount updatedAt } } }`, nil), "refreshDashboard", "stats", "documentCount"), 0)
	require.InDelta(t, 2, at(t, c.get(all, nil), "dashboard", "stats", "documentCount"), 0)
	require.Len(t, at(t, c.get(`{ dashboard { pivot(months: 60, fillGaps: true) { month count } } }`, nil), "dashboard", "pivot"), 60)

	other := at(t, d.tenant().get(all, nil), "dashboard")
	require.Empty(t, at(t, other, "breakdown"))
	require.Empty(t, at(t, other, "jobErrors"))
	require.Nil(t, at(t, other, "searchLatency"))

	// One statement for each field that is asked for, and none for the others.
	d.statements.take()
	c.get(`{ dashboard { stats { documentCount } breakdown { type } } }`, nil)
	require.ElementsMatch(t, []string{"dashboard.Stats", "dashboard.Breakdown"}, d.statements.take())

	// A key that reads dashboards does not refresh them, or the other way round.
	require.Equal(t, []string{"FORBIDDEN"}, c.with("dashboard:read").ask(`mutation { refreshDashboard { stats { documentCount } } }`, nil).codes())
}

func TestDashboardOfBadInput(t *testing.T) {
	t.Parallel()

	c := open(t).tenant()
	for query, field := range map[string]string{
		`{ dashboard { pivot(months: 0) { count } } }`:                          "months",
		`{ dashboard { pivot(months: 61, fillGaps: true) { count } } }`:         "months",
		`{ dashboard { jobSeries(last: 0) { done } } }`:                         "last",
		`{ dashboard { jobSeries(bucket: HOUR, last: 169) { done } } }`:         "last",
		`{ dashboard { jobSeries(bucket: YEAR) { done } } }`:                    "",
		`{ dashboard { jobErrors(first: 0) { count } } }`:                       "first",
		`{ dashboard { jobErrors(days: 91) { count } } }`:                       "days",
		`{ dashboard { stats { documentCount } pivot(months: -1) { month } } }`: "months",
	} {
		a := c.ask(query, nil)
		require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes(), query)
		if field != "" {
			require.Equal(t, []string{field}, a.fields(), query)
		}
	}
}

// What tells of all tenants is not among what "*" gives, and no tenant can grant it.
func TestOperatorsAreApart(t *testing.T) {
	t.Parallel()

	d := open(t)
	victim, thief := d.tenant(), d.tenant()
	victim.document(vars{"title": "victimword"})
	views := []string{
		`{ slowQueries { snippet } }`, `{ indexAdvice(query: "SELECT 1") { method } }`, `{ tableSizes { name } }`, `{ auditSettings { missing } }`, `{ partitions { parent } }`,
		`{ maintenanceRuns { task } }`,
	}
	for _, scopes := range [][]string{{"*"}, {"operator"}, {"operator:"}, {"operators:*"}, {"dashboard:*"}, {"*:*"}, {"*", "keys:*"}} {
		for _, view := range views {
			require.Equal(t, []string{"FORBIDDEN"}, thief.with(scopes...).ask(view, nil).codes(), "%v %s", scopes, view)
		}
	}
	operator := thief.with("operator:read")
	for _, view := range views {
		a := operator.ask(view, nil)
		require.Empty(t, a.Errors, a.raw)
		require.NotContains(t, a.raw, "victimword")
	}
	require.Equal(t, []string{"FORBIDDEN"}, operator.ask(`{ documents { id } }`, nil).codes(), "an operator's key is no tenant's")

	// Nobody makes such a key at this door, not even who has one; what a key gives on by default leaves it out.
	for _, scope := range []string{"operator:read", "operator:*"} {
		for _, c := range []caller{thief, thief.with("*", "operator:*")} {
			a := c.ask(`mutation ($s: [String!]) { createApiKey(input: {name: "k", scopes: $s}) { plaintext } }`, vars{"s": []string{scope}})
			require.Equal(t, []string{"FORBIDDEN"}, a.codes(), a.raw)
		}
	}
	made := at(t, thief.with("*", "operator:read").get(`mutation { createApiKey(input: {name: "k"}) { apiKey { scopes } } }`, nil), "createApiKey", "apiKey", "scopes")
	require.Equal(t, []any{"*"}, made)
	// The database refuses, too, should the layer above it forget.
	s := thief.scope
	s.Scopes = []string{"*", "operator:*"}
	_, _, err := apikey.New(d.API).Create(tenant.With(t.Context(), s), "k", []string{"operator:read"}, nil)
	require.True(t, errs.Is(err, errs.Forbidden))
	// The owner, as `stackforge key create --operator` does, makes one that works with its token, too.
	_, plaintext, err := apikey.New(d.Owner).Create(tenant.With(t.Context(), s), "k", []string{"operator:read"}, nil)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url, strings.NewReader(`{"query":"{ partitions { parent } }"}`))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-API-Key", plaintext)
	a := do(t, req)
	require.Empty(t, a.Errors, a.raw)
}

func TestSlowQueriesWithoutTheExtension(t *testing.T) {
	t.Parallel()

	d := open(t)
	d.Exec(t, `DROP EXTENSION pg_stat_statements`)
	a := d.tenant().with("operator:read").ask(`{ slowQueries { snippet } }`, nil)
	require.Equal(t, []string{"NOT_IMPLEMENTED"}, a.codes())
	require.Contains(t, a.Errors[0].Message, "pg_stat_statements")
	require.Less(t, a.status, 500)
}

func TestIndexAdvice(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant().with("operator:read")
	d.Exec(t, `INSERT INTO documents (tenant_id, author_id, title, body) SELECT $1, $2, 'title ' || i, 'body ' || i FROM generate_series(1, 3000) i`, c.scope.TenantID, c.scope.UserID)
	d.Exec(t, `ANALYZE documents`)
	const ask = `query ($q: String!) { indexAdvice(query: $q) { method costBefore costAfter suggestions { statement table estimatedBytes } notes } }`
	got := at(t, c.get(ask, vars{"q": "SELECT id FROM documents WHERE body = $1"}), "indexAdvice")
	require.Equal(t, "CREATE INDEX ON documents (tenant_id, body)", at(t, got, "suggestions", 0, "statement"))
	if dbtest.Lane() == dbtest.Bare {
		require.Equal(t, "plan", at(t, got, "method"))
		require.Nil(t, at(t, got, "costAfter"))
	}
	for _, q := range []string{"", "DROP TABLE documents", "SELECT 1; SELECT 2", "SELECT * FROM nosuch", "SELECT key_hash FROM api_keys"} {
		a := c.ask(ask, vars{"q": q})
		require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes(), q)
		require.Equal(t, []string{"query"}, a.fields(), q)
	}
}
