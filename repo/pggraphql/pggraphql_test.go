package pggraphql_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/idempotency"
	"stackforge/repo/pggraphql"
	"stackforge/tenant"
)

// frame is how the transaction of an operation looks from within.
type frame struct {
	Role       string `json:"role"`
	SearchPath string `json:"search_path"`
	Timeout    string `json:"statement_timeout"`
	WorkMem    string `json:"work_mem"`
	ReadOnly   string `json:"transaction_read_only"`
	Messages   string `json:"lc_messages"`
	Tenant     string `json:"app.tenant_id"`
}

func TestResolveFrame(t *testing.T) {
	t.Parallel()

	d := fixture(t)
	standIn(t, d)
	language, err := db.Get[string](t.Context(), d.API, "setting", `SELECT current_setting('lc_messages')`)
	require.NoError(t, err)
	require.NotEqual(t, "C", language, "or the test could not see that it changes")
	r := pggraphql.New(d.API, 1500*time.Millisecond)
	look := func(ctx context.Context, mutation bool) (f frame) {
		a, err := r.Resolve(ctx, pggraphql.Request{Query: "{ frame }", Mutation: mutation})
		require.NoError(t, err)
		require.Empty(t, a.Errors)
		require.NoError(t, json.Unmarshal(a.Data, &f))
		return f
	}
	want := frame{Role: "app_graphql_write", SearchPath: "graphql_api", Timeout: "1500ms", WorkMem: "16MB", ReadOnly: "on", Messages: "C", Tenant: mine.String()}
	require.Equal(t, want, look(tenant.With(t.Context(), scope(mine, nil)), false), "a query")
	want.ReadOnly = "off"
	require.Equal(t, want, look(tenant.With(t.Context(), scope(mine, nil)), true), "a mutation")
	for _, scopes := range [][]string{{"users:write"}, {"documents:*"}, {"x:read", "jobs:write"}} {
		require.Equal(t, "app_graphql_write", look(tenant.With(t.Context(), scope(mine, scopes)), false).Role, scopes)
	}
	want.ReadOnly, want.Role = "on", "app_graphql"
	for _, scopes := range [][]string{{}, {"documents:read"}, {"files:*", "keys:*", "webhooks:write"}} {
		require.Equal(t, want, look(tenant.With(t.Context(), scope(mine, scopes)), false), scopes)
	}

	// Nothing of it outlives the transaction.
	after, err := db.Get[string](t.Context(), d.API, "setting", `SELECT concat_ws(' ', current_user, current_setting('search_path'), current_setting('work_mem'), current_setting('transaction_read_only'), current_setting('lc_messages'), current_setting('app.tenant_id'))`)
	require.NoError(t, err)
	require.Equal(t, "app_api public 4MB off "+language+" ", after)

	// Under an idempotency key it is within a transaction that goes on as app_api.
	ctx := tenant.With(t.Context(), scope(mine, nil))
	_, replayed, err := idempotency.New(d.API).Once(ctx, "k", idempotency.Hash(ctx), func(ctx context.Context) ([]byte, error) {
		require.Equal(t, "app_graphql_write", look(ctx, true).Role)
		who, err := db.Get[string](ctx, d.API, "setting", `SELECT concat_ws(' ', current_user, current_setting('search_path'), current_setting('statement_timeout'), current_setting('work_mem'), current_setting('lc_messages'))`)
		require.Equal(t, "app_api public 30s 4MB "+language, who)
		return []byte("{}"), err
	})
	require.NoError(t, err)
	require.False(t, replayed)
}

func TestResolveRefusals(t *testing.T) {
	t.Parallel()

	d := fixture(t)
	standIn(t, d)
	r := pggraphql.New(d.API, 200*time.Millisecond)
	ctx := tenant.With(t.Context(), scope(mine, nil))

	_, err := r.Resolve(t.Context(), pggraphql.Request{Query: "{ frame }"})
	require.True(t, errs.Is(err, errs.Unauthenticated))
	_, err = r.Resolve(tenant.With(t.Context(), scope(mine, []string{"documents:read"})), pggraphql.Request{Query: "{ frame }", Mutation: true})
	require.True(t, errs.Is(err, errs.Forbidden), "a mutation of a reader does not begin")

	started := time.Now()
	_, err = r.Resolve(ctx, pggraphql.Request{Query: "{ sql }", Variables: vars{"sql": "SELECT to_jsonb(pg_sleep(60)::text)"}})
	require.True(t, errs.Is(err, errs.Timeout), "%v", err)
	require.Less(t, time.Since(started), 30*time.Second)

	// What SQL of an operation can do, whatever the extension makes of it: nothing but what the views allow.
	r = pggraphql.New(d.API, 0)
	for sql, code := range map[string]errs.Code{
		`SELECT to_jsonb(count(*)) FROM documents`:                                                              "",
		`SELECT to_jsonb(key_hash) FROM public.api_keys`:                                                        errs.Forbidden,
		`SELECT to_jsonb(search_tsv) FROM public.documents`:                                                     errs.Forbidden,
		`SELECT to_jsonb(count(*)) FROM public.documents`:                                                       "",
		`SELECT to_jsonb(count(*)) FROM core.outbox`:                                                            errs.Forbidden,
		`SELECT to_jsonb(count(*)) FROM public.webhook_secrets`:                                                 errs.Forbidden,
		`SELECT to_jsonb(public.create_user('00000000-0000-4000-8000-000000000001', 'x@example.org'))`:          errs.Forbidden,
		`DELETE FROM documents WHERE tenant_id = '00000000-0000-4000-8000-000000000001' RETURNING to_jsonb(id)`: errs.Forbidden,
		`CREATE TABLE x (y int)`:                                                                                errs.Forbidden,
		`SELECT to_jsonb(pg_read_file('/etc/passwd'))`:                                                          errs.Forbidden,
	} {
		a, err := r.Resolve(ctx, pggraphql.Request{Query: "{ sql }", Variables: vars{"sql": sql}})
		require.NoError(t, err, sql)
		if code == "" {
			require.Empty(t, a.Errors, sql)
			require.Equal(t, "3", string(a.Data), sql)
		} else {
			require.Len(t, a.Errors, 1, sql)
			require.Contains(t, []errs.Code{code, errs.Internal}, a.Errors[0].Code, sql)
			require.NotContains(t, a.Errors[0].Message, "permission denied for", sql)
		}
	}
}

// The mutations of the contract, as the SQL that they become: they go through our functions, under the role, in the tenant.
func TestViewsWriteThroughFunctions(t *testing.T) {
	t.Parallel()

	d := fixture(t)
	standIn(t, d)
	r := pggraphql.New(d.API, 0)
	do := func(scopes []string, sql string) pggraphql.Answer {
		a, err := r.Resolve(tenant.With(t.Context(), scope(mine, scopes)), pggraphql.Request{Query: "{ sql }", Variables: vars{"sql": sql}, Mutation: true})
		require.NoError(t, err, sql)
		return a
	}
	const author = `'00000000-0000-4000-8000-0000000000a1'`
	a := do(nil, `INSERT INTO documents (author_id, title, body, metadata, tag_ids) VALUES (`+author+`, 'new', 'b', '{"a": "b"}', '{3}')
		RETURNING jsonb_build_object('title', title, 'metadata', metadata, 'tagIds', tag_ids, 'tenant', tenant_id, 'version', version)`)
	require.Empty(t, a.Errors)
	require.JSONEq(t, `{"title": "new", "metadata": {"a": "b"}, "tagIds": [3], "tenant": "`+mine.String()+`", "version": 1}`, string(a.Data))
	a = do(nil, `UPDATE documents SET title = 'newer', metadata = NULL WHERE title = 'new' RETURNING jsonb_build_object('title', title, 'metadata', metadata, 'version', version, 'body', body)`)
	require.JSONEq(t, `{"title": "newer", "metadata": {}, "version": 2, "body": "b"}`, string(a.Data))

	for sql, want := range map[string][2]string{
		`INSERT INTO documents (author_id, title, body, path) VALUES (` + author + `, ' ', 'b', 'a b') RETURNING to_jsonb(id)`:                          {"VALIDATION_FAILED", "title path"},
		`INSERT INTO documents (tenant_id, author_id, title, body) VALUES ('` + others.String() + `', ` + author + `, 't', 'b') RETURNING to_jsonb(id)`: {"FORBIDDEN", "tenantId"},
		`INSERT INTO documents (author_id, title, body) VALUES ('00000000-0000-4000-8000-0000000000b1', 't', 'b') RETURNING to_jsonb(id)`:               {"VALIDATION_FAILED", "authorId"},
		`INSERT INTO documents (author_id, title, body, external_id) VALUES (` + author + `, 't', 'b', 'one') RETURNING to_jsonb(id)`:                   {"CONFLICT", "externalId"},
		`INSERT INTO app_users (email) VALUES ('MINE@example.org') RETURNING to_jsonb(id)`:                                                              {"CONFLICT", "email"},
		`INSERT INTO app_users (email) VALUES ('x') RETURNING to_jsonb(id)`:                                                                             {"VALIDATION_FAILED", "email"},
		`DELETE FROM app_users RETURNING to_jsonb(id)`:                                                                                                  {"CONFLICT", "reassignTo"},
		`INSERT INTO jobs (type, payload) VALUES ('send_email', '{}') RETURNING to_jsonb(id)`:                                                           {"INVALID_JOB_PAYLOAD", "payload"},
		`INSERT INTO jobs (type) VALUES ('No Type') RETURNING to_jsonb(id)`:                                                                             {"VALIDATION_FAILED", "type"},
	} {
		a := do(nil, sql)
		require.NotEmpty(t, a.Errors, sql)
		require.Nil(t, a.Data, sql)
		require.Equal(t, want[0], string(a.Errors[0].Code), sql)
		fields := a.Errors[0].Field
		for _, e := range a.Errors[1:] {
			fields += " " + e.Field
		}
		require.Equal(t, want[1], fields, "%s %v", sql, a.Errors)
	}
	for sql, scope := range map[string]string{
		`INSERT INTO app_users (email) VALUES ('x@example.org') RETURNING to_jsonb(id)`: "users:write",
		`INSERT INTO jobs (type) VALUES ('x') RETURNING to_jsonb(id)`:                   "jobs:write",
		`UPDATE app_users SET email = 'x@example.org' RETURNING to_jsonb(id)`:           "users:write",
	} {
		a := do([]string{"documents:*", "users:read", "jobs:read"}, sql)
		require.Len(t, a.Errors, 1, sql)
		require.Equal(t, errs.Forbidden, a.Errors[0].Code)
		require.Equal(t, "This needs the permission "+scope+".", a.Errors[0].Message)
	}
	for _, sql := range []string{
		`UPDATE documents SET title = 'taken over' WHERE tenant_id = '` + others.String() + `' RETURNING to_jsonb(id)`,
		`DELETE FROM documents WHERE tenant_id = '` + others.String() + `' RETURNING to_jsonb(id)`,
		`DELETE FROM app_users WHERE email LIKE 'theirs%' RETURNING to_jsonb(id)`,
	} {
		a := do(nil, sql)
		require.Empty(t, a.Errors, sql)
		require.Equal(t, "null", string(a.Data), sql)
	}
	n, err := db.Get[int](t.Context(), d.Owner, "count", `SELECT count(*) FROM documents WHERE tenant_id = @t AND title LIKE 'theirs%'`, pgx.NamedArgs{"t": others})
	require.NoError(t, err)
	require.Equal(t, 1, n)

	a = do(nil, `INSERT INTO jobs (type, payload, priority) VALUES ('x', '{"a": 1}', 4) RETURNING jsonb_build_object('type', type, 'payload', payload, 'priority', priority, 'status', status)`)
	require.JSONEq(t, `{"type": "x", "payload": {"a": 1}, "priority": 4, "status": "pending"}`, string(a.Data))
	require.Empty(t, do(nil, `DELETE FROM documents WHERE title = 'newer' RETURNING to_jsonb(id)`).Errors)
}

func TestWithoutTheExtension(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	d.Exec(t, `DROP EXTENSION IF EXISTS pg_graphql CASCADE`)
	s := dbtest.Tenant(t, d)
	_, err := pggraphql.New(d.API, 0).Resolve(tenant.With(t.Context(), s), pggraphql.Request{Query: "{ a }"})
	require.True(t, errs.Is(err, errs.NotImplemented), "%v", err)
	require.Contains(t, errs.From(err).Message, "pg_graphql")

	// It is there, and migrate has not run since.
	d.Exec(t, `DROP SCHEMA IF EXISTS graphql CASCADE; CREATE SCHEMA graphql; CREATE FUNCTION graphql.resolve(text, jsonb, text) RETURNS jsonb LANGUAGE sql AS 'SELECT $2'`)
	_, err = pggraphql.New(d.API, 0).Resolve(tenant.With(t.Context(), s), pggraphql.Request{Query: "{ a }"})
	require.True(t, errs.Is(err, errs.NotImplemented), "%v", err)
	require.Contains(t, errs.From(err).Message, "stackforge migrate")
}

func TestResolveTenantDocuments(t *testing.T) {
	t.Parallel()

	d := fixture(t)
	schema := "graphql_api"
	if hasExtension(t, d) {
		schema = "graphql"
	}
	titles := func(ctx context.Context) []string {
		out, err := db.List[string](ctx, d.API, `SELECT title FROM `+schema+`.resolve_tenant_documents()`)
		require.NoError(t, err)
		return out
	}
	require.Equal(t, []string{"mine three", "mine two", "mine one"}, titles(tenant.With(t.Context(), scope(mine, nil))))
	require.Empty(t, titles(t.Context()), "without a tenant")
}
