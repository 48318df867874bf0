package transport

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql/introspection"
	"github.com/stretchr/testify/require"
)

// answer is what came back.
type answer struct {
	status int
	header http.Header
	text   string
	body   struct {
		Data   json.RawMessage `json:"data"`
		Errors []struct {
			Message    string         `json:"message"`
			Extensions map[string]any `json:"extensions"`
		} `json:"errors"`
	}
}

func (a *answer) code() any {
	if len(a.body.Errors) == 0 {
		return nil
	}
	return a.body.Errors[0].Extensions["code"]
}

func do(t *testing.T, h http.Handler, r *http.Request) *answer {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	a := &answer{status: w.Code, header: w.Header(), text: w.Body.String()}
	if a.text != "" {
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &a.body), a.text)
	}
	return a
}

func postJSON(body string, header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		if header[i+1] == "" {
			r.Header.Del(header[i])
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func query(text string) string {
	b, _ := json.Marshal(map[string]string{"query": text})
	return string(b)
}

func TestPost(t *testing.T) {
	t.Parallel()
	const json, graphql = "application/json; charset=utf-8", "application/graphql-response+json; charset=utf-8"
	version := query("{ version }")
	tests := []struct {
		name        string
		body        string
		header      []string
		status      int
		code        any
		contentType string
	}{
		{"a query", version, nil, 200, nil, json},
		{"accept response+json", version, []string{"Accept", "application/graphql-response+json"}, 200, nil, graphql},
		{"accept both as browsers' clients do", version, []string{"Accept", "application/graphql-response+json,application/json;q=0.9"}, 200, nil, graphql},
		{"accept both alike", version, []string{"Accept", "application/json, application/graphql-response+json"}, 200, nil, graphql},
		{"q-values", version, []string{"Accept", "application/graphql-response+json;q=0.1, application/json"}, 200, nil, json},
		{"q of zero", version, []string{"Accept", "application/json;q=0, */*"}, 200, nil, graphql},
		{"wildcard", version, []string{"Accept", "*/*"}, 200, nil, json},
		{"subtype wildcard", version, []string{"Accept", "text/html, application/*;q=0.5"}, 200, nil, json},
		{"unknown accept", version, []string{"Accept", "text/html"}, 406, "VALIDATION_FAILED", json},
		{"accept of another charset", version, []string{"Accept", "application/json; charset=latin1"}, 406, "VALIDATION_FAILED", json},
		{"no content type", version, []string{"Content-Type", ""}, 415, "VALIDATION_FAILED", json},
		{"form", version, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "VALIDATION_FAILED", json},
		{"text", version, []string{"Content-Type", "text/plain"}, 415, "VALIDATION_FAILED", json},
		{"UTF-8 stated", version, []string{"Content-Type", `Application/JSON; charset="UTF-8"`}, 200, nil, json},
		{"other charset", version, []string{"Content-Type", "application/json; charset=utf-16"}, 415, "VALIDATION_FAILED", json},
		{"empty", "", nil, 400, "VALIDATION_FAILED", json},
		{"broken JSON", `{"query":`, nil, 400, "VALIDATION_FAILED", json},
		{"trailing bytes", version + "x", nil, 400, "VALIDATION_FAILED", json},
		{"trailing space", version + " \n", nil, 200, nil, json},
		{"batch", "[" + version + "]", nil, 400, "VALIDATION_FAILED", json},
		{"broken UTF-8", "{\"query\":\"{ echo(text: \\\"\xff\\\") }\"}", nil, 400, "VALIDATION_FAILED", json},
		{"NUL", "{\"query\":\"{ version }\x00\"}", nil, 400, "VALIDATION_FAILED", json},
		{"escaped NUL", `{"query":"{ echo(text: \"\u0000\") }"}`, nil, 400, "VALIDATION_FAILED", json},
		{"half a surrogate pair", `{"query":"query A { version }","operationName":"\ud800"}`, nil, 400, "VALIDATION_FAILED", json},
		{"no query", `{}`, nil, 400, "VALIDATION_FAILED", json},
		{"query not a string", `{"query":1}`, nil, 400, "VALIDATION_FAILED", json},
		{"variables not an object", `{"query":"{ version }","variables":[]}`, nil, 400, "VALIDATION_FAILED", json},
		{"unknown member", `{"query":"{ version }","more":[{"a":null}]}`, nil, 200, nil, json},
		{"nested too deeply", `{"query":"{ version }","variables":{"a":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}}`, nil, 400, "VALIDATION_FAILED", json},
		{"too large", query(strings.Repeat(" ", 300<<10)), nil, 413, "PAYLOAD_TOO_LARGE", json},
		{"parse error", query("{"), nil, 200, "GRAPHQL_PARSE_FAILED", json},
		{"parse error, response+json", query("{"), []string{"Accept", graphQLType}, 400, "GRAPHQL_PARSE_FAILED", graphql},
		{"validation error", query("{ nothing }"), nil, 200, "GRAPHQL_VALIDATION_FAILED", json},
		{"validation error, response+json", query("{ nothing }"), []string{"Accept", graphQLType}, 400, "GRAPHQL_VALIDATION_FAILED", graphql},
		{"variable of the wrong type", `{"query":"query ($n: Int) { books(first: $n) { id } }","variables":{"n":"x"}}`, nil, 200, "GRAPHQL_VALIDATION_FAILED", json},
		{"no operation", query("fragment F on Book { id }"), nil, 200, "GRAPHQL_VALIDATION_FAILED", json},
		{"unclear operation", query("query A { version } query B { version }"), nil, 200, "GRAPHQL_VALIDATION_FAILED", json},
		{"unknown operation", `{"query":"query A { version }","operationName":"C"}`, nil, 200, "GRAPHQL_VALIDATION_FAILED", json},
		{"subscription", query("subscription { counts(count: 1) { number } }"), nil, 400, "VALIDATION_FAILED", json},
		{"defer", query("{ book(id: 1) { ... @defer { id } } }"), nil, 400, "VALIDATION_FAILED", json},
		{"introspection of nobody", query("{ __schema { types { name } } }"), nil, 200, "GRAPHQL_VALIDATION_FAILED", json},
		{"type name", query("{ __typename }"), nil, 200, nil, json},
		{"persisted query", `{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"x"}}}`, nil, 200, "PERSISTED_QUERY_NOT_SUPPORTED", json},
		{"failing resolver", query("{ fails version }"), nil, 200, "INTERNAL", json},
		{"panicking resolver", query("{ panics version }"), nil, 200, "INTERNAL", json},
	}
	h := New(Config{Schema: schema(newResolver())})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := do(t, h, postJSON(tt.body, tt.header...))
			require.Equal(t, tt.status, a.status, a.text)
			require.Equal(t, tt.code, a.code(), a.text)
			require.Equal(t, tt.contentType, a.header.Get("Content-Type"))
			require.NotContains(t, a.text, "secret")
			require.Less(t, len(a.text), 16<<10)
			if tt.code != nil && tt.code != "INTERNAL" {
				require.NotContains(t, a.text, `"data"`)
			}
		})
	}
}

func TestChunkedBodyThatIsTooLarge(t *testing.T) {
	t.Parallel()
	r := postJSON("")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(query(strings.Repeat(" ", 300<<10)))), -1
	require.Equal(t, 413, do(t, New(Config{Schema: schema(newResolver())}), r).status)
}

func TestDraft2026(t *testing.T) {
	t.Parallel()
	h := New(Config{Schema: schema(newResolver()), Draft2026: true})
	for _, tt := range []struct {
		body   string
		accept string
		status int
	}{
		{query("{ version }"), graphQLType, 200},
		{query("{ fails }"), graphQLType, 294},
		{query("{ fails }"), jsonType, 200},
		{query("{"), jsonType, 400},
		{query("{ nothing }"), jsonType, 422},
		{query("{ nothing }"), graphQLType, 422},
		{`{}`, graphQLType, 422},
		{`{"query":1}`, graphQLType, 422},
		{`{"query"`, graphQLType, 400},
	} {
		require.Equal(t, tt.status, do(t, h, postJSON(tt.body, "Accept", tt.accept)).status, "%s %s", tt.body, tt.accept)
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	h := New(Config{Schema: schema(newResolver())})
	for name, tt := range map[string]struct {
		query  string
		status int
		allow  string
	}{
		"a query":          {"query=" + url.QueryEscape("{ version }"), 200, ""},
		"with variables":   {"query=" + url.QueryEscape("query A($t: String!) { echo(text: $t) }") + "&operationName=A&variables=" + url.QueryEscape(`{"t":"ü"}`), 200, ""},
		"mutation":         {"query=" + url.QueryEscape("mutation { rename(id: 1, title: \"x\") { id } }"), 405, "POST"},
		"subscription":     {"query=" + url.QueryEscape("subscription { counts(count: 1) { number } }"), 400, ""},
		"no query":         {"", 400, ""},
		"two queries":      {"query={a}&query={b}", 400, ""},
		"bad variables":    {"query={version}&variables=1", 400, ""},
		"trailing bytes":   {"query={version}&variables={}x", 400, ""},
		"bad escape":       {"query=%zz", 400, ""},
		"broken UTF-8":     {"query=%ff", 400, ""},
		"NUL":              {"query=%00", 400, ""},
		"URL is too long":  {"query=" + strings.Repeat("+", 20<<10), 414, ""},
		"persisted, plain": {"extensions=" + url.QueryEscape(`{"persistedQuery":{}}`), 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/graphql", http.NoBody)
			r.URL.RawQuery = tt.query
			a := do(t, h, r)
			require.Equal(t, tt.status, a.status, a.text)
			require.Equal(t, tt.allow, a.header.Get("Allow"))
			require.Equal(t, "private, no-store", a.header.Get("Cache-Control"))
		})
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	h := New(Config{Schema: schema(newResolver())})
	for method, status := range map[string]int{"PUT": 405, "DELETE": 405, "PATCH": 405, "HEAD": 405, "BREW": 405, "OPTIONS": 204} {
		a := do(t, h, httptest.NewRequest(method, "/graphql", http.NoBody))
		require.Equal(t, status, a.status, method)
		require.Equal(t, "GET, POST, OPTIONS", a.header.Get("Allow"))
	}
}

func TestAnswerIsExact(t *testing.T) {
	t.Parallel()
	a := do(t, New(Config{Schema: schema(newResolver())}), postJSON(oneBook))
	//nolint:testifylint // the very bytes are meant
	require.Equal(t, `{"data":{"book":{"id":"42","title":"Book 42","pages":320,"rating":4.5,"tags":["go","graphql"],`+
		`"author":{"id":"7","name":"Author 7"}}}}`, a.text)
	require.Equal(t, "Accept", a.header.Get("Vary"))
	require.Equal(t, len(a.text), atoi(a.header.Get("Content-Length")))
}

func TestIntrospectionOfTools(t *testing.T) {
	t.Parallel()
	h := New(Config{Schema: schema(newResolver()), Introspection: func(context.Context) bool { return true }})
	deep := strings.Repeat("ofType { kind name ", 9) + strings.Repeat("}", 9)
	for name, text := range map[string]string{
		"gqlgen": introspection.Query,
		"graphql-js 16, nine levels": `query { __schema { queryType { name } types { ...F } directives { name args { ...I } } } }
			fragment F on __Type { kind name fields(includeDeprecated: true) { name args { ...I } type { ...R } }
				inputFields { ...I } interfaces { ...R } enumValues(includeDeprecated: true) { name } possibleTypes { ...R } }
			fragment I on __InputValue { name type { ...R } defaultValue }
			fragment R on __Type { kind name ` + deep + ` }`,
		"one type": `{ __type(name: "Book") { fields { name type { name fields { name } } } } }`,
	} {
		a := do(t, h, postJSON(query(text)))
		require.Empty(t, a.body.Errors, "%s: %s", name, a.text)
		require.NotEmpty(t, a.body.Data)
	}
	refused := do(t, h, postJSON(query(`{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }`)))
	require.NotEmpty(t, refused.body.Errors)
}

func TestFloodOfErrorsGivesASmallAnswer(t *testing.T) {
	t.Parallel()
	h := New(Config{Schema: schema(newResolver()), Limits: Limits{RootFields: 5000}})
	for name, text := range map[string]string{
		"unknown fields": "{" + fields(1900, "unknown") + "}",
		"long names":     "{ " + strings.Repeat("x", 100<<10) + " }",
		"long arguments": "{ version(" + strings.Repeat("ü", 50<<10) + ": 1) }",
		"directives":     "{ version " + strings.Repeat("@unknown ", 45) + "}",
		"long value":     `{ books(first: "` + strings.Repeat("<", 100<<10) + `") { id } }`,
	} {
		a := do(t, h, postJSON(query(text)))
		require.NotEmpty(t, a.body.Errors, name)
		require.LessOrEqual(t, len(a.body.Errors), 20, name)
		require.Less(t, len(a.text), 16<<10, name)
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	seen := &observed{}
	h := New(Config{Schema: schema(newResolver()), Observe: func(_ context.Context, op Operation) { seen.add(op) }})
	do(t, h, postJSON(`{"query":"query Named { fails }"}`))
	do(t, h, postJSON(query("{")))
	ops := seen.all()
	require.Len(t, ops, 2)
	require.Equal(t, "Named", ops[0].Name)
	require.Equal(t, "query", ops[0].Kind)
	require.Equal(t, "post", ops[0].Transport)
	require.Len(t, ops[0].Errors, 1)
	require.Positive(t, ops[0].Duration)
	require.Empty(t, ops[1].Kind)
	require.Equal(t, "GRAPHQL_PARSE_FAILED", ops[1].Errors[0].Extensions["code"])
}

func TestBeforeOperationAndFieldHooks(t *testing.T) {
	t.Parallel()
	calls := 0
	h := New(Config{Schema: schema(newResolver()), BeforeOperation: func(ctx context.Context) context.Context {
		calls++
		return ctx
	}})
	do(t, h, postJSON(query("{ version }")))
	do(t, h, postJSON(query("{ nothing }")))
	require.Equal(t, 1, calls)
}
