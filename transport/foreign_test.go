package transport

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"stackforge/errs"
)

// engine is another engine that tells what it was given.
type engine struct {
	calls atomic.Int64
	err   error
	list  gqlerror.List
}

func (e *engine) foreign() *Foreign {
	return &Foreign{
		Name: "the other", Rows: 100,
		Owns: func(_ ast.Operation, field string) bool { return strings.HasSuffix(field, "Collection") },
		Execute: func(_ context.Context, op *graphql.OperationContext) (*graphql.Response, error) {
			e.calls.Add(1)
			if e.err != nil {
				return nil, e.err
			}
			data, err := json.Marshal(map[string]any{"kind": op.Operation.Operation, "text": op.RawQuery, "variables": op.Variables})
			return &graphql.Response{Data: data, Errors: e.list}, err
		},
	}
}

func TestForeignIsToldFromOurs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{ version }":            "ours",
		"{ version nothing }":    "refused",
		"{ nothing }":            "refused",
		"{ __typename nothing }": "refused",
		"{ xCollection { edges { node { id } } } }":                                               "theirs",
		"{ a: xCollection { totalCount } __typename }":                                            "theirs",
		"{ ...F } fragment F on Query { xCollection { totalCount } }":                             "theirs",
		"{ ... on Query { ... { xCollection { totalCount } } } }":                                 "theirs",
		"{ xCollection { totalCount } nothing }":                                                  "theirs",
		"mutation { deleteFromXCollection { affectedCount } }":                                    "theirs",
		`{ node(nodeId: "x") { ... on X { id } } }`:                                               "theirs",
		`{ node(nodeId: "x") { nodeId ...F } } fragment F on X { id }`:                            "theirs",
		`{ node(nodeId: "x") { ... on Book { id } } }`:                                            "refused",
		`{ node(nodeId: "x") { nodeId } xCollection { totalCount } }`:                             "theirs",
		"{ version xCollection { totalCount } }":                                                  "both",
		"{ __schema { types { name } } xCollection { totalCount } }":                              "both",
		"{ ...F xCollection { totalCount } } fragment F on Query { version }":                     "both",
		`{ node(nodeId: "x") { ... on Book { id } } xCollection { totalCount } }`:                 "both",
		"query A { version } query B { xCollection { totalCount } }":                              "both",
		"query A { xCollection { totalCount } } query B { xCollection { totalCount } }":           "one operation",
		"subscription { xCollection { totalCount } }":                                             "no subscriptions",
		`mutation @idempotent(key: "k") { deleteFromXCollection { affectedCount } }`:              "Idempotency-Key",
		`mutation { deleteFromXCollection @idempotent(key: "k") { affectedCount } }`:              "Idempotency-Key",
		`{ xCollection(filter: {a: {eq: "\u0000"}}) { totalCount } }`:                             "without NUL",
		`query ($a: [T] = ["\u0000"]) { xCollection(filter: $a) { totalCount } }`:                 "without NUL",
		"{ xCollection { ...F } } fragment F on X { ...F }":                                       "spreads itself",
		"{ xCollection { " + strings.Repeat("a { ", 12) + "b" + strings.Repeat(" }", 12) + " } }": "levels",
		"{ " + aliases(1000) + " }":                                                               "too complex",
		"{ xCollection { totalCount @skip(if: true) ... @defer { totalCount } } }":                "deferred",
	} {
		t.Run(text[:min(len(text), 60)], func(t *testing.T) {
			t.Parallel()
			e := &engine{}
			h := New(Config{Schema: schema(newResolver()), Foreign: e.foreign()})
			for range 2 { // the second time from the cache
				a := do(t, h, postJSON(query(text)))
				switch want {
				case "ours":
					require.Nil(t, a.code(), a.text)
				case "theirs":
					require.Nil(t, a.code(), a.text)
					var got struct{ Text string }
					require.NoError(t, json.Unmarshal(a.body.Data, &got))
					require.Equal(t, text, got.Text, "as it came")
				case "refused":
					require.Equal(t, "GRAPHQL_VALIDATION_FAILED", a.code(), a.text)
				case "both":
					require.Contains(t, a.body.Errors[0].Message, "two operations")
				default:
					require.Contains(t, a.text, want)
				}
			}
			require.Equal(t, want == "theirs", e.calls.Load() == 2)
			require.Equal(t, want != "theirs", e.calls.Load() == 0)
		})
	}
}

func aliases(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a%d: xCollection { totalCount } ", i)
	}
	return b.String()
}

// Without a schema all is the other engine's, and the same limits hold.
func TestForeignAlone(t *testing.T) {
	t.Parallel()
	e := &engine{}
	h := New(Config{Foreign: e.foreign(), Introspection: func(context.Context) bool { return false }})
	for body, want := range map[string]string{
		query("{ anything }"): "",
		`{"query":"query A($x: Int) { anything(x: $x) }","operationName":"A","variables":{"x":1.50}}`: `"variables":{"x":1.50}`,
		query("query A { a } query B { b }"):     "one operation",
		query("subscription { a }"):              "no subscriptions",
		query("{ __schema { types { name } } }"): "introspection",
		query("{"):                               "Expected Name",
		query(""):                                "query is missing",
		`{"query":"{ a }","operationName":"B"}`:  "no operation of the name",
		`{"query":"{ a }","variables":[1]}`:      "variables must be an object",
		`{"query":"{ a }"`:                       "not valid",
		"{\"query\":\"{ a }\",\"variables\":{\"x\":{\"y\":[\"\\u0000\"]}}}": `"field":"x.y[0]"`,
		"{\"query\":\"{ a }\",\"variables\":{\"x\":{\"y\\u0000\":1}}}":      `"field":"x"`,
		"{\"query\":\"{ a }\",\"variables\":{\"x\":\"\\ud800\"}}":           `"field":"x"`,
		query("{ a(x: \"" + strings.Repeat("y", 300<<10) + "\") }"):         "at most",
		query("{ " + strings.Repeat("a ", 3000) + "}"):                      "tokens",
	} {
		a := do(t, h, postJSON(body))
		if want == "" || want[0] == '"' && !strings.HasPrefix(want, `"field"`) {
			require.Nil(t, a.code(), a.text)
		} else {
			require.NotNil(t, a.code(), "%.200s", body)
		}
		require.Contains(t, a.text, want, "%.200s", body)
	}
	r := httptest.NewRequest(http.MethodGet, "/graphql/pg", http.NoBody)
	r.URL.RawQuery = "query=" + url.QueryEscape("mutation { a }")
	require.Equal(t, http.StatusMethodNotAllowed, do(t, h, r).status)
}

// What an operation may touch is counted in rows before it runs.
func TestForeignRows(t *testing.T) {
	t.Parallel()
	const page = "edges { node { id } }"
	for text, ok := range map[string]bool{
		"{ xCollection { edges { node { yCollection(first: 20) { " + page + " } } } } }":                                                 true,
		"{ xCollection { edges { node { yCollection { " + page + " } } } } }":                                                            false,
		"{ xCollection(first: 1000000) { " + page + " } }":                                                                               true, // the engine cuts it
		"query ($n: Int = 10) { xCollection(first: $n) { edges { node { yCollection { " + page + " } } } } }":                            true,
		"query ($n: Int = 100) { xCollection(first: $n) { edges { node { yCollection { " + page + " } } } } }":                           false,
		"{ xCollection(last: 5) { ...F } } fragment F on C { edges { ...G } } fragment G on E { node { yCollection { " + page + " } } }": true,
		"{ xCollection { ...F } } fragment F on C { edges { ...G } } fragment G on E { node { yCollection { " + page + " } } }":          false,
		"mutation { updateXCollection(set: {a: 1}) { affectedCount } }":                                                                  true,
		"mutation { updateXCollection(set: {a: 1}, atMost: 10000) { affectedCount } }":                                                   true,
		"mutation { updateXCollection(set: {a: 1}, atMost: 10001) { affectedCount } }":                                                   false,
		"mutation { deleteFromXCollection(atMost: 99999999999) { affectedCount } }":                                                      false,
		"mutation { deleteFromXCollection(atMost: 200) { records { yCollection { " + page + " } } } }":                                   false,
		"mutation { insertIntoXCollection(objects: [" + strings.Repeat("{a: 1}, ", 300) + "]) { affectedCount } }":                       true,
	} {
		h := New(Config{Foreign: (&engine{}).foreign()})
		a := do(t, h, postJSON(query(text)))
		if ok {
			require.Nil(t, a.code(), "%s: %s", text, a.text)
			continue
		}
		require.Equal(t, 400, a.status, text)
		require.Equal(t, "cost", a.body.Errors[0].Extensions["limit"], text)
	}
	h := New(Config{Foreign: (&engine{}).foreign()})
	text := "query ($n: Int, $o: [X!]!) { xCollection(first: $n) { edges { node { yCollection { " + page + " } } } } insertIntoXCollection(objects: $o) { affectedCount } }"
	send := func(variables map[string]any) *answer {
		b, err := json.Marshal(map[string]any{"query": text, "variables": variables})
		require.NoError(t, err)
		return do(t, h, postJSON(string(b)))
	}
	require.Nil(t, send(map[string]any{"n": 5, "o": []any{1}}).code())
	require.NotNil(t, send(map[string]any{"n": 100, "o": []any{1}}).code())
	require.NotNil(t, send(map[string]any{"n": 5, "o": make([]any, 12000)}).code())
}

// An error instead of an answer has its status, over HTTP; errors in an answer are presented.
func TestForeignErrors(t *testing.T) {
	t.Parallel()
	e := &engine{err: errs.New(errs.NotImplemented, "it is not here")}
	h := New(Config{Schema: schema(newResolver()), Foreign: e.foreign(), Present: func(_ context.Context, err error) *gqlerror.Error {
		return coded(string(errs.From(err).Code), errs.From(err).Message)
	}})
	const text = "{ xCollection { totalCount } }"
	for _, accept := range []string{jsonType, graphQLType} {
		a := do(t, h, postJSON(query(text), "Accept", accept))
		require.Equal(t, 501, a.status)
		require.Equal(t, "NOT_IMPLEMENTED", a.code())
		require.NotContains(t, a.text, `"data"`)
	}
	a := do(t, h, postJSON(query("{ version }")))
	require.Equal(t, 200, a.status)
	require.Nil(t, a.code(), "ours go on")

	e = &engine{list: gqlerror.List{gqlerror.Wrap(errs.New(errs.Conflict, "it is there"))}}
	h = New(Config{Foreign: e.foreign(), Present: func(_ context.Context, err error) *gqlerror.Error {
		return coded(string(errs.From(err).Code), errs.From(err).Message)
	}})
	a = do(t, h, postJSON(query(text)))
	require.Equal(t, 200, a.status)
	require.Equal(t, "CONFLICT", a.code())
	require.NotNil(t, a.body.Data)
}

func TestForeignMutationsGoThroughAroundMutation(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]*engine{"an answer": {}, "an error": {err: errs.New(errs.Timeout, "too long")}} {
		around := 0
		h := New(Config{Foreign: e.foreign(), AroundMutation: func(ctx context.Context, op *graphql.OperationContext, run func(context.Context) *graphql.Response) *graphql.Response {
			around++
			require.Equal(t, "k", op.Headers.Get("Idempotency-Key"))
			answer := run(ctx)
			require.Equal(t, e.err != nil, len(answer.Errors) > 0, name)
			return answer
		}})
		a := do(t, h, postJSON(query("mutation { insertIntoXCollection(objects: []) { affectedCount } }"), "Idempotency-Key", "k"))
		require.Equal(t, 1, around)
		require.Equal(t, e.err != nil, a.status == 504, name)
	}
}

func TestQueryOfAnotherRequest(t *testing.T) {
	t.Parallel()
	e := &engine{}
	h := New(Config{Foreign: e.foreign()})
	require.Empty(t, h.Query(t.Context(), "{ a }", "", nil).Errors)
	require.NotEmpty(t, h.Query(t.Context(), "mutation { a }", "", nil).Errors)
	require.NotEmpty(t, h.Query(t.Context(), "{", "", nil).Errors)
	require.NotEmpty(t, h.Query(t.Context(), "{ a }", "", map[string]any{"x": "\x00"}).Errors)
	require.EqualValues(t, 1, e.calls.Load())
	e.err = errs.New(errs.Timeout, "too long")
	require.Len(t, h.Query(t.Context(), "{ a }", "", nil).Errors, 1)
}

func TestForeignOverWebSocket(t *testing.T) {
	t.Parallel()
	e := &engine{}
	p := start(t, func(c *Config) { c.Foreign = e.foreign() }).modern(t)
	p.send(`{"id":"1","type":"subscribe","payload":{"query":"{ xCollection { totalCount } }"}}`)
	require.Contains(t, p.receive(), `"kind":"query"`)
	p.expect(`{"id":"1","type":"complete"}`)
	p.send(`{"id":"2","type":"subscribe","payload":{"query":"subscription { xCollection { totalCount } }"}}`)
	require.NotEmpty(t, p.expectError("2"))

	e.err = coded(string(errs.NotImplemented), "it is not here")
	p.send(`{"id":"3","type":"subscribe","payload":{"query":"mutation { deleteFromXCollection { affectedCount } }"}}`)
	require.Equal(t, "NOT_IMPLEMENTED", p.expectError("3"))
}
