package resolvers_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestTenant(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	const ask = `{ tenant { id name usage { documents users apiKeys jobsPending jobsRunning jobsFinished jobsToday files storageBytes
		messageQueues messages webhookEndpoints } limits { documents users apiKeys jobsPerDay requestsPerMinute updatedAt } } }`
	usage := func() map[string]any {
		u, _ := at(t, c.get(ask, nil), "tenant", "usage").(map[string]any)
		return u
	}
	before := usage()
	require.EqualValues(t, 1, before["users"])
	c.documentID(nil)
	c.job(nil)
	after := usage()
	require.EqualValues(t, 1, after["documents"])
	require.EqualValues(t, 1, after["jobsPending"])
	require.EqualValues(t, 1, after["jobsToday"])
	require.Nil(t, at(t, c.get(ask, nil), "tenant", "limits", "updatedAt"))

	d.Exec(t, `SELECT set_tenant_limits($1, '{"documents": 2, "users": 2, "apiKeys": 1, "jobsPerDay": 2, "requestsPerMinute": 600}')`, c.scope.TenantID)
	limits := at(t, c.get(ask, nil), "tenant", "limits")
	require.EqualValues(t, 2, at(t, limits, "documents"))
	require.EqualValues(t, 600, at(t, limits, "requestsPerMinute"))
	require.NotNil(t, at(t, limits, "updatedAt"))
	for field, op := range map[string]string{
		"limits.documents":  fmt.Sprintf(`mutation { createDocument(input: {authorId: %q, title: "t", body: "b"}) { document { id } } }`, c.scope.UserID),
		"limits.users":      `mutation { createUser(input: {email: "%d@example.org"}) { user { id } } }`,
		"limits.jobsPerDay": `mutation { enqueueJob(input: {type: "x"}) { job { id } } }`,
		"limits.apiKeys":    `mutation { createApiKey(input: {name: "k"}) { apiKey { id } } }`,
	} {
		refused := false
		for i := range 3 {
			text := op
			if field == "limits.users" {
				text = fmt.Sprintf(op, i)
			}
			a := c.ask(text, nil)
			if len(a.Errors) > 0 {
				refused = true
				require.Equal(t, []string{"CONFLICT"}, a.codes(), a.raw)
				require.Equal(t, []string{field}, a.fields(), a.raw)
				require.Contains(t, a.Errors[0].Message, "is reached")
			}
		}
		require.True(t, refused, field)
	}
	require.EqualValues(t, 2, usage()["documents"])
	require.EqualValues(t, 2, usage()["users"])

	require.Equal(t, []string{"FORBIDDEN"}, c.with("users:read").ask(`{ tenant { id } }`, nil).codes())
	require.Equal(t, []string{"FORBIDDEN"}, c.with("users:read").ask(`{ viewer { tenant { usage { users } } } }`, nil).codes(), "whichever way leads there")
	require.EqualValues(t, 2, at(t, c.with("tenant:read").get(`{ viewer { tenant { usage { users } } } }`, nil), "viewer", "tenant", "usage", "users"))
}

func TestUserIsChangedAndDeleted(t *testing.T) {
	t.Parallel()

	d := open(t)
	c, stranger := d.tenant(), d.tenant()
	other, _ := at(t, c.get(`mutation { createUser(input: {email: "Other@example.org"}) { user { id } } }`, nil), "createUser", "user", "id").(string)
	foreign := stranger.scope.UserID.String()

	require.Equal(t, other, at(t, c.get(`{ user(email: "OTHER@example.org") { id } }`, nil), "user", "id"))
	require.Nil(t, at(t, c.get(`{ user(email: "nobody@example.org") { id } }`, nil), "user"))
	for _, op := range []string{`{ user { id } }`, `{ user(id: "` + other + `", email: "a@example.org") { id } }`} {
		require.Equal(t, []string{"VALIDATION_FAILED"}, c.ask(op, nil).codes(), op)
	}

	const update = `mutation ($id: ID!, $e: String!) { updateUser(input: {id: $id, email: $e}) { user { id email } } }`
	require.Equal(t, "new@example.org", at(t, c.get(update, vars{"id": other, "e": "new@example.org"}), "updateUser", "user", "email"))
	for _, bad := range []struct {
		id, email, code, field string
	}{
		{other, "nothing", "VALIDATION_FAILED", "email"},
		{other, "USER@example.org", "CONFLICT", "email"},
		{"x", "a@example.org", "VALIDATION_FAILED", "id"},
		{foreign, "a@example.org", "NOT_FOUND", ""},
		{uuid.NewString(), "a@example.org", "NOT_FOUND", ""},
	} {
		a := c.ask(update, vars{"id": bad.id, "e": bad.email})
		require.Equal(t, []string{bad.code}, a.codes(), a.raw)
		if bad.field != "" {
			require.Equal(t, []string{bad.field}, a.fields(), a.raw)
		}
	}

	const remove = `mutation ($id: ID!, $to: ID) { deleteUser(input: {id: $id, reassignTo: $to}) { id reassignedDocuments reassignedFiles } }`
	me := c.scope.UserID.String()
	doc, second := c.documentID(nil), c.documentID(nil)
	a := c.ask(remove, vars{"id": me})
	require.Equal(t, []string{"CONFLICT"}, a.codes(), a.raw)
	require.Equal(t, []string{"reassignTo"}, a.fields())
	require.Contains(t, a.Errors[0].Message, "2 documents and 0 files")
	for _, to := range []string{me, foreign, uuid.NewString(), "x"} {
		a := c.ask(remove, vars{"id": me, "to": to})
		require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes(), a.raw)
		require.Equal(t, []string{"reassignTo"}, a.fields(), a.raw)
	}
	require.Equal(t, []string{"NOT_FOUND"}, c.ask(remove, vars{"id": foreign, "to": other}).codes())
	done := at(t, c.get(remove, vars{"id": me, "to": other}), "deleteUser")
	require.EqualValues(t, 2, at(t, done, "reassignedDocuments"))
	for _, id := range []string{doc, second} {
		got := at(t, c.get(`query ($id: ID!) { document(id: $id) { version author { id } } }`, vars{"id": id}), "document")
		require.Equal(t, other, at(t, got, "author", "id"))
		require.EqualValues(t, 2, at(t, got, "version"))
	}
	require.Equal(t, []string{"NOT_FOUND"}, c.ask(remove, vars{"id": me}).codes())
	require.Equal(t, 1, d.count(`SELECT count(*) FROM app_users WHERE tenant_id = $1`, c.scope.TenantID))
}

func TestKeyIsChangedAndRotated(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	works := func(plaintext string) int { return d.byKey("x-api-key", plaintext, `{ viewer { keyId } }`).status }
	create := func(name string, scopes ...string) (id, plaintext string) {
		p := at(t, c.get(createKey, vars{"in": vars{"name": name, "scopes": scopes}}), "createApiKey")
		id, _ = at(t, p, "apiKey", "id").(string)
		plaintext, _ = at(t, p, "plaintext").(string)
		return id, plaintext
	}
	id, first := create("reader", "documents:read", "keys:write")

	const rotate = `mutation ($id: ID!, $o: Int) { rotateApiKey(input: {id: $id, overlapSeconds: $o}) { plaintext apiKey { id prefix name scopes previousEndsAt } } }`
	turned := at(t, c.get(rotate, vars{"id": id, "o": 60}), "rotateApiKey")
	second, _ := at(t, turned, "plaintext").(string)
	require.Equal(t, id, at(t, turned, "apiKey", "id"))
	require.Equal(t, second[:12], at(t, turned, "apiKey", "prefix"))
	require.NotNil(t, at(t, turned, "apiKey", "previousEndsAt"))
	require.Equal(t, []int{http.StatusOK, http.StatusOK}, []int{works(first), works(second)})
	third, _ := at(t, c.get(rotate, vars{"id": id, "o": 0}), "rotateApiKey", "plaintext").(string)
	require.Equal(t, []int{http.StatusUnauthorized, http.StatusUnauthorized, http.StatusOK}, []int{works(first), works(second), works(third)})
	for _, o := range []int{-1, 2_592_001} {
		require.Equal(t, []string{"overlapSeconds"}, c.ask(rotate, vars{"id": id, "o": o}).fields())
	}
	require.Equal(t, []string{"NOT_FOUND"}, d.tenant().ask(rotate, vars{"id": id}).codes())

	const update = `mutation ($in: UpdateApiKeyInput!) { updateApiKey(input: $in) { apiKey { name scopes expiresAt } } }`
	changed := at(t, c.get(update, vars{"in": vars{"id": id, "name": "better", "scopes": []string{"documents:*"}, "expiresAt": "2099-01-01T00:00:00Z"}}), "updateApiKey", "apiKey")
	require.Equal(t, map[string]any{"name": "better", "scopes": []any{"documents:*"}, "expiresAt": "2099-01-01T00:00:00.000Z"}, changed)
	changed = at(t, c.get(update, vars{"in": vars{"id": id, "expiresAt": nil}}), "updateApiKey", "apiKey")
	require.Equal(t, map[string]any{"name": "better", "scopes": []any{"documents:*"}, "expiresAt": nil}, changed, "what is left out stays")
	for field, in := range map[string]vars{
		"name":      {"id": id, "name": " "},
		"scopes":    {"id": id, "scopes": []string{}},
		"expiresAt": {"id": id, "expiresAt": "2020-01-01T00:00:00Z"},
	} {
		a := c.ask(update, vars{"in": in})
		require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes(), a.raw)
		require.Equal(t, []string{field}, a.fields(), a.raw)
	}

	full, _ := create("full", "*")
	narrow := c.with("keys:write", "documents:read")
	for op, v := range map[string]vars{
		update: {"in": vars{"id": full, "name": "mine"}},
		rotate: {"id": full},
	} {
		a := narrow.ask(op, v)
		require.Equal(t, []string{"FORBIDDEN"}, a.codes(), "a key that may do more than the caller: %s", a.raw)
	}
	narrowID, _ := create("narrow", "documents:read")
	a := narrow.ask(update, vars{"in": vars{"id": narrowID, "scopes": []string{"documents:read", "jobs:read"}}})
	require.Equal(t, []string{"FORBIDDEN"}, a.codes(), a.raw)
	require.Equal(t, []string{"scopes"}, a.fields())

	const revoke = `mutation ($id: ID!, $f: Boolean) { revokeApiKey(input: {id: $id, force: $f}) { id } }`
	a = c.ask(revoke, vars{"id": full})
	require.Equal(t, []string{"CONFLICT"}, a.codes(), "the last with all permissions")
	require.Equal(t, []string{"force"}, a.fields())
	require.Equal(t, []string{"CONFLICT"}, c.ask(update, vars{"in": vars{"id": full, "scopes": []string{"documents:read"}}}).codes())
	another, _ := create("another", "*")
	c.get(revoke, vars{"id": full})
	c.get(revoke, vars{"id": another, "f": true})
	require.Equal(t, []string{"CONFLICT"}, c.ask(rotate, vars{"id": another}).codes(), "it has ended")

	page := at(t, c.get(`{ apiKeysConnection(first: 2) { totalCount nodes { name } pageInfo { hasNextPage endCursor } } }`, nil), "apiKeysConnection")
	require.Equal(t, true, at(t, page, "pageInfo", "hasNextPage"))
	rest := at(t, c.get(`query ($c: String) { apiKeysConnection(first: 100, after: $c) { nodes { name } } }`, vars{"c": at(t, page, "pageInfo", "endCursor")}), "apiKeysConnection")
	names := append(texts(t, at(t, page, "nodes"), "name"), texts(t, at(t, rest, "nodes"), "name")...)
	require.Equal(t, []string{"another", "narrow", "full", "better"}, names)
	require.EqualValues(t, 4, at(t, page, "totalCount"))
}
