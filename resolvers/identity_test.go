package resolvers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// byKey posts a document with a real key or token.
func (d *door) byKey(header, value, query string) answer {
	d.t.Helper()

	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.url, strings.NewReader(fmt.Sprintf(`{"query":%q}`, query)))
	require.NoError(d.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(header, value)
	res, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return answer{status: res.StatusCode}
	}
	req.Body, err = req.GetBody()
	require.NoError(d.t, err)
	return do(d.t, req)
}

const createKey = `mutation ($in: CreateApiKeyInput!) { createApiKey(input: $in) { plaintext apiKey { id prefix name scopes createdAt expiresAt revokedAt lastUsedAt } } }`

func TestAPIKeys(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	made := at(t, c.get(createKey, vars{"in": vars{"name": "reader", "scopes": []string{"documents:read", "keys:*"}}}), "createApiKey")
	plaintext, _ := at(t, made, "plaintext").(string)
	key := at(t, made, "apiKey")
	require.Equal(t, plaintext[:12], at(t, key, "prefix"))
	require.Equal(t, []any{"documents:read", "keys:*"}, at(t, key, "scopes"))
	require.Nil(t, at(t, key, "expiresAt"))
	require.Nil(t, at(t, key, "revokedAt"))

	t.Run("it may do what it was given", func(t *testing.T) { //nolint:paralleltest // follows what is above
		a := d.byKey("x-api-key", plaintext, `{ documents { id } viewer { keyId scopes tenant { id } } }`)
		require.Empty(t, a.Errors, a.raw)
		require.Equal(t, at(t, key, "id"), at(t, a.Data, "viewer", "keyId"))
		require.Equal(t, []any{"documents:read", "keys:*"}, at(t, a.Data, "viewer", "scopes"))
		require.Equal(t, c.scope.TenantID.String(), at(t, a.Data, "viewer", "tenant", "id"))
		a = d.byKey("x-api-key", plaintext, `{ jobs { id } }`)
		require.Equal(t, []string{"FORBIDDEN"}, a.codes())
	})
	t.Run("it gives no more than it has", func(t *testing.T) { //nolint:paralleltest // follows what is above
		reader := c.with("documents:read", "keys:*")
		for _, scopes := range [][]string{{"*"}, {"documents:*"}, {"documents:write"}, {"documents:read", "jobs:read"}, {"users:read"}} {
			before := d.count(`SELECT count(*) FROM api_keys`)
			a := reader.ask(createKey, vars{"in": vars{"name": "wide", "scopes": scopes}})
			require.Equal(t, []string{"FORBIDDEN"}, a.codes(), "%v", scopes)
			require.Equal(t, []string{"scopes"}, a.fields())
			require.Equal(t, before, d.count(`SELECT count(*) FROM api_keys`))
		}
		for _, in := range []vars{{"name": "same"}, {"name": "same", "scopes": nil}} {
			same := reader.get(createKey, vars{"in": in})
			require.Equal(t, []any{"documents:read", "keys:*"}, at(t, same, "createApiKey", "apiKey", "scopes"))
		}
		narrow := reader.get(createKey, vars{"in": vars{"name": "narrow", "scopes": []string{"keys:read"}}})
		require.Equal(t, []any{"keys:read"}, at(t, narrow, "createApiKey", "apiKey", "scopes"))
	})
	t.Run("what cannot be", func(t *testing.T) { //nolint:paralleltest // follows what is above
		for _, c2 := range []struct {
			field string
			in    vars
		}{
			{"name", vars{"name": ""}},
			{"name", vars{"name": "  "}},
			{"name", vars{"name": strings.Repeat("x", 201)}},
			{"scopes", vars{"name": "x", "scopes": []string{}}},
			{"scopes", vars{"name": "x", "scopes": []string{"Documents"}}},
			{"scopes", vars{"name": "x", "scopes": []string{"documents:read,users:read"}}},
			{"expiresAt", vars{"name": "x", "expiresAt": "2020-01-01T00:00:00Z"}},
			{"expiresAt", vars{"name": "x", "expiresAt": "tomorrow"}},
		} {
			a := c.ask(createKey, vars{"in": c2.in})
			require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes(), a.raw)
			require.Equal(t, []string{c2.field}, a.fields(), a.raw)
		}
	})
	t.Run("it is listed without its plaintext", func(t *testing.T) { //nolint:paralleltest // follows what is above
		a := c.ask(`{ apiKeys { id prefix name scopes createdAt expiresAt revokedAt lastUsedAt } }`, nil)
		require.Contains(t, texts(t, at(t, a.Data, "apiKeys"), "id"), at(t, key, "id"))
		require.NotContains(t, a.raw, plaintext)
		require.NotContains(t, a.raw, plaintext[12:])
		require.NotContains(t, d.log.String(), plaintext[12:])
	})
	t.Run("it ends when it is revoked", func(t *testing.T) { //nolint:paralleltest // follows what is above
		revoke := `mutation ($id: ID!) { revokeApiKey(input: {id: $id}) { id } }`
		require.Equal(t, at(t, key, "id"), at(t, c.get(revoke, vars{"id": at(t, key, "id")}), "revokeApiKey", "id"))
		require.Equal(t, http.StatusUnauthorized, d.byKey("x-api-key", plaintext, `{ viewer { keyId } }`).status)
		keys := at(t, c.get(`{ apiKeys { id revokedAt } }`, nil), "apiKeys")
		for i, id := range texts(t, keys, "id") {
			if id == at(t, key, "id") {
				require.NotNil(t, at(t, keys, i, "revokedAt"))
			}
		}
		require.Equal(t, []string{"NOT_FOUND"}, c.ask(revoke, vars{"id": uuid.NewString()}).codes())
		require.Equal(t, []string{"id"}, c.ask(revoke, vars{"id": "x"}).fields())
	})
}

func TestIssueToken(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	made := at(t, c.get(createKey, vars{"in": vars{"name": "k", "scopes": []string{"documents:read"}}}), "createApiKey")
	plaintext, _ := at(t, made, "plaintext").(string)
	const issue = `mutation { issueToken { token expiresIn } }`
	a := d.byKey("x-api-key", plaintext, issue)
	require.Empty(t, a.Errors, a.raw)
	require.InDelta(t, time.Hour.Seconds(), at(t, a.Data, "issueToken", "expiresIn"), 0)
	token, _ := at(t, a.Data, "issueToken", "token").(string)
	require.Len(t, strings.Split(token, "."), 3)

	a = d.byKey("Authorization", "Bearer "+token, `{ viewer { keyId scopes } documents { id } }`)
	require.Equal(t, at(t, made, "apiKey", "id"), at(t, a.Data, "viewer", "keyId"), a.raw)
	require.Equal(t, []any{"documents:read"}, at(t, a.Data, "viewer", "scopes"))
	require.Equal(t, []string{"UNAUTHENTICATED"}, d.byKey("Authorization", "Bearer "+token, issue).codes(), "a token makes no token")
	require.Equal(t, []string{"FORBIDDEN"}, d.byKey("Authorization", "Bearer "+token, `{ users { id } }`).codes())
	require.Equal(t, http.StatusUnauthorized, d.byKey("Authorization", "Bearer "+token[:len(token)-2], `{ viewer { keyId } }`).status)
	require.Equal(t, http.StatusUnauthorized, d.byKey("X-Nothing", "x", `{ viewer { keyId } }`).status)
}

func TestUsers(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	const create = `mutation ($e: String!) { createUser(input: {email: $e}) { user { id nodeId email createdAt } } }`
	var ids []string
	for i := range 7 {
		u := at(t, c.get(create, vars{"e": fmt.Sprintf("User%d@Example.org", i)}), "createUser", "user")
		require.Equal(t, fmt.Sprintf("User%d@Example.org", i), at(t, u, "email"))
		id, _ := at(t, u, "id").(string)
		ids = append([]string{id}, ids...)
	}
	ids = append(ids, c.scope.UserID.String())
	require.Equal(t, ids, texts(t, at(t, c.get(`{ users { id } }`, nil), "users"), "id"))
	require.Equal(t, ids[:2], texts(t, at(t, c.get(`{ users(first: 2) { id } }`, nil), "users"), "id"))
	require.Equal(t, "User6@Example.org", at(t, c.get(`query ($id: ID!) { user(id: $id) { email } }`, vars{"id": ids[0]}), "user", "email"))
	require.Nil(t, at(t, c.get(`query ($id: ID!) { user(id: $id) { email } }`, vars{"id": uuid.NewString()}), "user"))

	var paged []string
	v := vars{"after": nil}
	for {
		p := at(t, c.get(`query ($after: String) { usersConnection(first: 3, after: $after) { totalCount nodes { id } edges { node { id } cursor } pageInfo { hasNextPage endCursor } } }`, v), "usersConnection")
		require.InDelta(t, 8, at(t, p, "totalCount"), 0)
		paged = append(paged, texts(t, at(t, p, "nodes"), "id")...)
		if at(t, p, "pageInfo", "hasNextPage") == false {
			break
		}
		v["after"] = at(t, p, "pageInfo", "endCursor")
	}
	require.Equal(t, ids, paged)

	a := c.ask(create, vars{"e": "uSER0@eXAMPLE.ORG"})
	require.Equal(t, []string{"CONFLICT"}, a.codes())
	require.Equal(t, []string{"email"}, a.fields())
	for _, e := range []string{"", "x", "a b@c", "@", strings.Repeat("x", 320) + "@x", "a@b\x00"} {
		a := c.ask(create, vars{"e": e})
		require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes(), "%q", e)
		require.Equal(t, []string{"email"}, a.fields(), "%q: %s", e, a.raw)
	}
	require.Equal(t, []string{"id"}, c.ask(`{ user(id: "x") { id } }`, nil).fields())
}

func TestViewerAndCapabilities(t *testing.T) {
	t.Parallel()

	c := open(t).tenant().with("documents:read", "jobs:*")
	data := c.get(`{ viewer { tenant { id name createdAt } keyId scopes } capabilities { name available installed version fallback } }`, nil)
	require.Equal(t, c.scope.TenantID.String(), at(t, data, "viewer", "tenant", "id"))
	require.Equal(t, c.scope.KeyID.String(), at(t, data, "viewer", "keyId"))
	require.Equal(t, []any{"documents:read", "jobs:*"}, at(t, data, "viewer", "scopes"))
	names := texts(t, at(t, data, "capabilities"), "name")
	for i, name := range names {
		if name == "ltree" {
			require.Equal(t, true, at(t, data, "capabilities", i, "installed"))
			require.Empty(t, at(t, data, "capabilities", i, "fallback"))
		}
		if name == "postgis" {
			require.NotEmpty(t, at(t, data, "capabilities", i, "fallback"))
		}
	}
	require.Contains(t, names, "ltree")
	require.Contains(t, names, "postgis")
}

func TestRateLimit(t *testing.T) {
	t.Parallel()

	c := open(t).tenant()
	const query = `{ viewer { rateLimit { limit remaining resetsAt } } }`
	require.Equal(t, map[string]any{"rateLimit": nil}, at(t, c.get(query, nil), "viewer"), "nothing limits it")
	c.scope.RequestsPerMinute = 60
	data := c.get(query, nil)
	require.EqualValues(t, 60, at(t, data, "viewer", "rateLimit", "limit"))
	require.EqualValues(t, 59, at(t, data, "viewer", "rateLimit", "remaining"))
	resets, err := time.Parse(time.RFC3339Nano, fmt.Sprint(at(t, data, "viewer", "rateLimit", "resetsAt")))
	require.NoError(t, err)
	require.WithinRange(t, resets, time.Now(), time.Now().Add(time.Minute))
}

func TestNodes(t *testing.T) {
	t.Parallel()

	d := open(t)
	c, foreign := d.tenant(), d.tenant()
	doc := c.document(nil)
	job := at(t, c.get(`mutation { enqueueJob(input: {type: "x"}) { job { id nodeId } } }`, nil), "enqueueJob", "job")
	user := at(t, c.get(`{ users { id nodeId } }`, nil), "users", 0)
	theirs := foreign.document(nil)
	for _, x := range []any{doc, job, user} {
		data := c.get(`query ($id: ID!) { node(nodeId: $id) { __typename nodeId ... on Document { id title author { id } } ... on Job { id type } ... on User { id email } } }`, vars{"id": at(t, x, "nodeId")})
		require.Equal(t, at(t, x, "id"), at(t, data, "node", "id"))
		require.Equal(t, at(t, x, "nodeId"), at(t, data, "node", "nodeId"))
	}
	ids := []any{
		at(t, user, "nodeId"), theirs["nodeId"], doc["nodeId"], "", "x", doc["id"], at(t, job, "nodeId"), doc["nodeId"],
		"MTpKb2I6eA", "MTpKb2I6OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "MTpOb3RoaW5nOjE", strings.Repeat("A", 300),
	}
	list := at(t, c.get(`query ($ids: [ID!]!) { nodes(nodeIds: $ids) { __typename nodeId } }`, vars{"ids": ids}), "nodes")
	var kinds []any
	for _, n := range list.([]any) { //nolint:errcheck,forcetypeassert // a list, or the test fails
		if n == nil {
			kinds = append(kinds, nil)
			continue
		}
		kinds = append(kinds, at(t, n, "__typename"))
	}
	require.Equal(t, []any{"User", nil, "Document", nil, nil, nil, "Job", "Document", nil, nil, nil, nil}, kinds)
	require.Equal(t, []any{}, at(t, c.get(`{ nodes(nodeIds: []) { nodeId } }`, nil), "nodes"))
	require.Nil(t, at(t, c.get(`query ($id: ID!) { node(nodeId: $id) { nodeId } }`, vars{"id": theirs["nodeId"]}), "node"))

	t.Run("only kinds the caller may read", func(t *testing.T) { //nolint:paralleltest // follows what is above
		list := at(t, c.with("jobs:read").get(`query ($ids: [ID!]!) { nodes(nodeIds: $ids) { __typename } }`,
			vars{"ids": []any{doc["nodeId"], at(t, job, "nodeId"), at(t, user, "nodeId")}}), "nodes")
		require.Equal(t, []any{nil, map[string]any{"__typename": "Job"}, nil}, list)
	})
	t.Run("at most a hundred", func(t *testing.T) { //nolint:paralleltest // follows what is above
		ids := make([]string, 101)
		a := c.ask(`query ($ids: [ID!]!) { nodes(nodeIds: $ids) { nodeId } }`, vars{"ids": ids})
		require.Equal(t, []string{"nodeIds"}, a.fields(), a.raw)
		require.Len(t, at(t, c.get(`query ($ids: [ID!]!) { nodes(nodeIds: $ids) { nodeId } }`, vars{"ids": ids[:100]}), "nodes"), 100)
	})
}

// One statement is one round trip.
func TestRoundTrips(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	var authors []string
	for i := range 5 {
		id, _ := at(t, c.get(`mutation ($e: String!) { createUser(input: {email: $e}) { user { id } } }`, vars{"e": fmt.Sprintf("a%d@example.org", i)}), "createUser", "user", "id").(string)
		authors = append(authors, id)
	}
	rows := make([]vars, 50)
	for i := range rows {
		rows[i] = vars{"authorId": authors[i%5], "title": fmt.Sprint("Word ", i), "body": "b"}
	}
	d.statements.take()
	made := c.get(`mutation ($in: CreateDocumentsInput!) { createDocuments(input: $in) { results { document { id nodeId author { email } } } } }`, vars{"in": vars{"documents": rows}})
	require.Len(t, d.statements.take(), 2, "create, authors")
	results := at(t, made, "createDocuments", "results")
	for i := range rows {
		require.Equal(t, fmt.Sprintf("a%d@example.org", i%5), at(t, results, i, "document", "author", "email"))
	}
	jobs := []any{}
	for range 3 {
		jobs = append(jobs, at(t, c.get(`mutation { enqueueJob(input: {type: "x"}) { job { nodeId } } }`, nil), "enqueueJob", "job", "nodeId"))
	}
	users := all(t, at(t, c.get(`{ users { nodeId } }`, nil), "users"), "nodeId")
	d.statements.take()

	id := at(t, results, 0, "document", "id")
	nodeIDs := append(append(all(t, results, "document", "nodeId"), jobs...), users...)
	for _, test := range []struct {
		name  string
		most  int
		query string
		vars  vars
	}{
		{"document", 1, `query ($id: ID!) { document(id: $id) { title author { email } } }`, vars{"id": id}},
		{"documents", 2, `{ documents(first: 50) { title author { email } } }`, nil},
		{"documents without authors", 1, `{ documents(first: 50) { title authorId } }`, nil},
		{"connection, both ways", 2, `{ documentsConnection(first: 50) { nodes { author { id } } edges { node { who: author { email } } } pageInfo { endCursor } } }`, nil},
		{"connection and count", 3, `{ documentsConnection(first: 50) { nodes { author { id } } totalCount } }`, nil},
		{"search", 1, `{ searchDocuments(query: "word", first: 50) { nodes { document { title author { email } } } } }`, nil},
		{"search without authors", 1, `{ searchDocuments(query: "word", first: 50) { nodes { score document { title } } } }`, nil},
		{"nodes", 4, `query ($ids: [ID!]!) { nodes(nodeIds: $ids) { nodeId ... on Document { author { email } } ... on Job { status } ... on User { email } } }`, vars{"ids": nodeIDs}},
		{"jobs", 1, `{ jobs(first: 50) { id status payload } }`, nil},
		{"job", 1, `{ job(id: 1) { id } }`, nil},
		{"users", 1, `{ users { id email } }`, nil},
		{"viewer", 1, `{ viewer { tenant { name } scopes } }`, nil},
		{"update", 2, `mutation ($id: ID!) { updateDocument(input: {id: $id, title: "Other"}) { document { title author { email } } } }`, vars{"id": id}},
		{"enqueue", 1, `mutation { enqueueJob(input: {type: "x"}) { job { id status } duplicate } }`, nil},
		{"delete", 1, `mutation ($id: ID!) { deleteDocument(input: {id: $id}) { id } }`, vars{"id": id}},
	} {
		a := c.ask(test.query, test.vars)
		require.Empty(t, a.Errors, "%s: %s", test.name, a.raw)
		got := d.statements.take()
		require.LessOrEqual(t, len(got), test.most, "%s: %v", test.name, got)
		require.NotEmpty(t, got, test.name)
		if strings.Contains(test.query, "email") && test.name != "users" {
			require.NotContains(t, a.raw, `"email":""`, test.name)
		}
	}
}
