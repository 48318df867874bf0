package resolvers_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// passed is an answer of an operation that may have been passed on to pg_graphql.
type passed struct {
	status int
	raw    string
	Data   map[string]any
	Errors []struct {
		Message    string
		Extensions struct{ Code, Field, RequestID string }
	}
}

func (p passed) code() string {
	if len(p.Errors) == 0 {
		return ""
	}
	return p.Errors[0].Extensions.Code
}

// pass posts a body to a door, with a header.
func (c caller) pass(path, body string, header ...string) passed {
	t := c.d.t
	t.Helper()

	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.d.url+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Caller", c.d.name(c.scope))
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	p := passed{status: res.StatusCode, raw: string(text)}
	require.NoError(t, json.Unmarshal(text, &p), p.raw)
	for _, e := range p.Errors {
		require.NotRegexp(t, sql, e.Message)
		require.NotEmpty(t, e.Extensions.Code, p.raw)
		require.Equal(t, "request-of-the-test", e.Extensions.RequestID, p.raw)
	}
	return p
}

func body(query string, variables any) string {
	b, _ := json.Marshal(map[string]any{"query": query, "variables": variables})
	return string(b)
}

// withStandIn puts a function in the place of the extension's, which runs the statement of `{ sqlCollection }`.
func withStandIn(t *testing.T, d *door) {
	t.Helper()

	d.Exec(t, `DROP EXTENSION IF EXISTS pg_graphql CASCADE`)
	text, err := os.ReadFile("../repo/pggraphql/testdata/stand_in.sql")
	require.NoError(t, err)
	d.Exec(t, strings.NewReplacer("'{ sql }'", "'mutation { updateSqlCollection }'", "'{ frame }'", "'{ frameCollection }'").Replace(string(text)))
}

const pgDocuments = `{ documentsCollection(first: 2) { edges { node { id title createdAt } } } }`

func TestPgGraphQLWithoutTheExtension(t *testing.T) {
	t.Parallel()

	d := open(t)
	d.Exec(t, `DROP EXTENSION IF EXISTS pg_graphql CASCADE`)
	c := d.tenant()
	for _, path := range []string{"/", "/graphql/pg"} {
		for _, text := range []string{pgDocuments, `mutation { deleteFromDocumentsCollection { affectedCount } }`} {
			p := c.pass(path, body(text, nil))
			require.Equal(t, http.StatusNotImplemented, p.status, p.raw)
			require.Equal(t, "NOT_IMPLEMENTED", p.code())
			require.Contains(t, p.Errors[0].Message, "pg_graphql")
		}
	}
	p := c.pass("/", body(`query ($q: String!) { pgGraphql(query: $q) viewer { keyId } }`, vars{"q": pgDocuments}))
	require.Equal(t, http.StatusOK, p.status)
	require.Equal(t, "NOT_IMPLEMENTED", p.code())
	require.NotNil(t, p.Data["viewer"])
	require.Empty(t, c.pass("/", body(`{ documents { id title } capabilities { name } }`, nil)).Errors, "ours are not touched")
}

func TestPgGraphQLIsPassedOn(t *testing.T) {
	t.Parallel()

	d := open(t)
	withStandIn(t, d)
	c := d.tenant()
	for _, p := range []passed{c.pass("/", body("{ frameCollection }", nil)), c.pass("/graphql/pg", body("{ frameCollection }", nil))} {
		require.Equal(t, http.StatusOK, p.status, p.raw)
		require.Equal(t, c.scope.TenantID.String(), p.Data["app.tenant_id"])
		require.Equal(t, "on", p.Data["transaction_read_only"])
	}
	p := c.pass("/", body(`query ($q: String!) { pgGraphql(query: $q) }`, vars{"q": "{ frameCollection }"}))
	require.Empty(t, p.Errors, p.raw)
	require.Equal(t, c.scope.TenantID.String(), at(t, p.Data, "pgGraphql", "app.tenant_id"))
	p = c.pass("/", body(`{ pgGraphql(query: "mutation { updateSqlCollection }") }`, nil))
	require.Equal(t, "VALIDATION_FAILED", p.code(), p.raw)
	p = c.pass("/", body(`{ pgGraphql(query: "{ frameCollection }", variables: [1]) }`, nil))
	require.Equal(t, "VALIDATION_FAILED", p.code(), p.raw)

	write := func(sql string) string { return body("mutation { updateSqlCollection }", vars{"sql": sql}) }
	insert := write(fmt.Sprintf(`INSERT INTO documents (author_id, title, body) VALUES ('%s', 'passed on', 'b') RETURNING jsonb_build_object('title', title)`, c.scope.UserID))
	for range 2 { // the second time it is the kept answer
		p = c.pass("/graphql/pg", insert, "Idempotency-Key", "k")
		require.Empty(t, p.Errors, p.raw)
		require.Equal(t, "passed on", p.Data["title"])
	}
	require.Len(t, at(t, c.get(`{ documents { title } }`, nil), "documents"), 1)
	p = c.pass("/", insert, "Idempotency-Key", "k")
	require.Equal(t, "passed on", p.Data["title"], "both doors know the key")
	p = c.pass("/", write(`UPDATE documents SET title = ' ' RETURNING to_jsonb(id)`), "Idempotency-Key", "other")
	require.Equal(t, "VALIDATION_FAILED", p.code(), p.raw)
	require.Equal(t, "title", p.Errors[0].Extensions.Field)
	p = c.pass("/", write(`UPDATE documents SET title = 'now' RETURNING jsonb_build_object('title', title)`), "Idempotency-Key", "other")
	require.Equal(t, "now", p.Data["title"], "an error left the key free")

	p = c.with("documents:read").pass("/graphql/pg", insert)
	require.Equal(t, http.StatusForbidden, p.status)
	require.Equal(t, "FORBIDDEN", p.code())
	other := d.tenant()
	p = other.pass("/graphql/pg", write(`UPDATE documents SET title = 'taken over' RETURNING jsonb_build_object('title', title)`))
	require.Empty(t, p.Errors)
	require.Nil(t, p.Data)
	p = other.pass("/graphql/pg", write(fmt.Sprintf(`INSERT INTO documents (tenant_id, author_id, title, body) VALUES ('%s', '%s', 't', 'b') RETURNING to_jsonb(id)`, c.scope.TenantID, c.scope.UserID)))
	require.Equal(t, "FORBIDDEN", p.code(), p.raw)
}

// Nobody can make the server do more than its limits allow, whichever door.
func TestPgGraphQLHostile(t *testing.T) {
	t.Parallel()

	d := open(t)
	withStandIn(t, d)
	c := d.tenant()
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	doubling := ""
	for i := range 60 {
		doubling += fmt.Sprintf("fragment F%d on Query { ...F%d ...F%d } ", i, i+1, i+1)
	}
	const page = `edges { node { id } }`
	for name, text := range map[string]string{
		"deep":                  `{ documentsCollection { ` + strings.Repeat("edges { node { author { documentsCollection { ", 4) + "totalCount" + strings.Repeat(" } } } }", 4) + " } }",
		"very deep":             `{ documentsCollection ` + strings.Repeat("{ a ", 5000) + strings.Repeat(" }", 5000) + " }",
		"aliases":               "{ " + many(1000, "a%d: documentsCollection { totalCount } ") + " }",
		"the same field":        "{ " + strings.Repeat("documentsCollection { totalCount } ", 600) + " x: documentsCollection { " + many(700, "b%d: totalCount ") + " } }",
		"two operations":        "query A { documentsCollection { totalCount } } query B { documentsCollection { totalCount } }",
		"both dialects":         "{ documents { id } documentsCollection { totalCount } }",
		"subscription":          "subscription { documentsCollection { totalCount } }",
		"doubling fragments":    "{ ...F0 } " + doubling + "fragment F60 on Query { documentsCollection { totalCount } }",
		"a circle of fragments": "{ documentsCollection { ...A } } fragment A on C { ...B } fragment B on C { ...A }",
		"pages within pages":    "{ documentsCollection { edges { node { author { documentsCollection { " + page + " } } } } } }",
		"a large update":        "mutation { updateDocumentsCollection(set: {title: \"x\"}, atMost: 1000000) { affectedCount } }",
		"NUL":                   `{ documentsCollection(filter: {title: {eq: "\u0000"}}) { totalCount } }`,
		"directives":            "{ documentsCollection { totalCount " + strings.Repeat("@skip(if: false) ", 60) + " } }",
		"a number beyond all":   "{ documentsCollection(first: 1" + strings.Repeat("0", 400) + ") { totalCount } }",
		"syntax":                "{ documentsCollection(",
		"no operation":          "fragment F on Query { documentsCollection { totalCount } }",
		"our directive":         `mutation @idempotent(key: "k") { deleteFromDocumentsCollection { affectedCount } }`,
	} {
		for _, path := range []string{"/", "/graphql/pg"} {
			if name == "both dialects" && path != "/" {
				continue
			}
			p := c.pass(path, body(text, nil))
			require.Contains(t, []string{"VALIDATION_FAILED"}, p.code(), "%s %s: %.300s", name, path, p.raw)
			require.Less(t, p.status, 500, name)
			require.Less(t, len(p.raw), 16<<10, name)
		}
	}
	for name, raw := range map[string]string{
		"broken":            `{"query": "{ documentsCollection`,
		"a list":            `[{"query": "{ a }"}]`,
		"a number":          `{"query": 1}`,
		"variables":         `{"query": "{ documentsCollection { totalCount } }", "variables": "x"}`,
		"a list as such":    `{"query": "{ documentsCollection { totalCount } }", "variables": [1]}`,
		"deep variables":    `{"query": "{ documentsCollection { totalCount } }", "variables": {"a": ` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}}`,
		"NUL in variables":  `{"query": "query ($a: String) { documentsCollection { totalCount } }", "variables": {"a": "\u0000"}}`,
		"NUL in a key":      `{"query": "query ($a: String) { documentsCollection { totalCount } }", "variables": {"a": {"\u0000": 1}}}`,
		"half a surrogate":  `{"query": "query ($a: String) { documentsCollection { totalCount } }", "variables": {"a": "\ud800"}}`,
		"unknown operation": `{"query": "query A { documentsCollection { totalCount } }", "operationName": "B"}`,
	} {
		for _, path := range []string{"/", "/graphql/pg"} {
			p := c.pass(path, raw)
			require.Equal(t, "VALIDATION_FAILED", p.code(), "%s %s: %.300s", name, path, p.raw)
		}
	}
	p := c.pass("/graphql/pg", body("{ documentsCollection }", vars{"a": strings.Repeat("x", 5<<20)}))
	require.Equal(t, http.StatusRequestEntityTooLarge, p.status)
	require.Equal(t, "PAYLOAD_TOO_LARGE", p.code())
}

// What the extension itself makes of it, where the server has it.
func TestPgGraphQLReal(t *testing.T) {
	t.Parallel()

	d := open(t)
	var has bool
	require.NoError(t, d.Connect(t).QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_graphql')`).Scan(&has))
	if !has {
		t.Skip("the server does not have pg_graphql")
	}
	c, other := d.tenant(), d.tenant()
	insert := `mutation ($o: [DocumentsInsertInput!]!) { insertIntoDocumentsCollection(objects: $o) { affectedCount records { id title } } }`
	for _, x := range []caller{c, other} {
		p := x.pass("/", body(insert, vars{"o": []any{vars{"authorId": x.scope.UserID, "title": "of " + x.scope.TenantID.String(), "body": "b"}}}))
		require.Empty(t, p.Errors, p.raw)
	}
	for _, path := range []string{"/", "/graphql/pg"} {
		p := c.pass(path, body(pgDocuments, nil))
		require.Empty(t, p.Errors, p.raw)
		require.Len(t, at(t, p.Data, "documentsCollection", "edges"), 1)
		require.Equal(t, "of "+c.scope.TenantID.String(), at(t, p.Data, "documentsCollection", "edges", 0, "node", "title"))
	}
	require.Equal(t, []string{"of " + c.scope.TenantID.String()}, texts(t, at(t, c.get(`{ documents { title } }`, nil), "documents"), "title"), "written at one door, read at the other")
	p := c.pass("/", body(`{ pgGraphql(query: "{ documentsCollection { totalCount } }") }`, nil))
	require.Empty(t, p.Errors, p.raw)

	for _, text := range []string{
		`{ documentsCollection { totalCount edges { node { nodeId tenantId author { email } } } } jobsCollection { edges { node { tenantId } } } filesCollection { edges { node { tenantId } } } appUsersCollection { edges { node { tenantId } } } apiKeysCollection { edges { node { tenantId } } } }`,
		`mutation { updateDocumentsCollection(set: {title: "x"}, filter: {tenantId: {neq: "` + c.scope.TenantID.String() + `"}}, atMost: 100) { affectedCount records { tenantId } } }`,
		`mutation { deleteFromDocumentsCollection(filter: {tenantId: {eq: "` + other.scope.TenantID.String() + `"}}, atMost: 100) { affectedCount records { tenantId } } deleteFromAppUsersCollection(filter: {tenantId: {eq: "` + other.scope.TenantID.String() + `"}}, atMost: 100) { affectedCount records { tenantId } } }`,
		`mutation { insertIntoDocumentsCollection(objects: [{tenantId: "` + other.scope.TenantID.String() + `", authorId: "` + other.scope.UserID.String() + `", title: "t", body: "b"}]) { affectedCount } }`,
	} {
		p := c.pass("/graphql/pg", body(text, nil))
		require.NotContains(t, p.raw, other.scope.TenantID.String(), text)
		require.NotContains(t, p.raw, `"affectedCount": 1`)
		require.NotContains(t, p.raw, `"affectedCount":1`)
	}
	require.Len(t, at(t, other.get(`{ documents { title } }`, nil), "documents"), 1)
	p = c.pass("/graphql/pg", body(`{ __schema { mutationType { name } } }`, nil))
	require.Empty(t, p.Errors, p.raw)
}
