package transport

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"stackforge/transport/internal/fixture"
)

func newResolver() *fixture.Resolver { return fixture.New() }

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// fields repeats a name with numbers behind it.
func fields(n int, name string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s%d ", name, i)
	}
	return b.String()
}

func repeat(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// nest puts n levels of a field around a leaf.
func nest(n int, field, leaf string) string {
	return strings.Repeat(field+" { ", n) + leaf + strings.Repeat(" }", n)
}

// doubling is n fragments, each of which spreads the next one twice below different fields.
func doubling(n int) string {
	var b strings.Builder
	b.WriteString("{ book(id: 1) { ...F0 } }")
	for i := range n {
		fmt.Fprintf(&b, " fragment F%d on Book { x: sequel { ...F%d } y: sequel { ...F%d } }", i, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment F%d on Book { id }", n)
	return b.String()
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		within, beyond string
		limit          string
	}{
		"tokens":     {"{ version " + strings.Repeat("version ", 1900) + "}", "{ version " + strings.Repeat("version ", 2000) + "}", "tokens"},
		"depth":      {"{ book(id: 1) { " + nest(10, "sequel", "id") + " } }", "{ book(id: 1) { " + nest(11, "sequel", "id") + " } }", "depth"},
		"aliases":    {"{ book(id: 1) { " + repeat(30, "a%d: id ") + "} }", "{ book(id: 1) { " + repeat(31, "a%d: id ") + "} }", "aliases"},
		"root":       {"{ " + repeat(20, "a%d: version ") + "}", "{ " + repeat(21, "a%d: version ") + "}", "rootFields"},
		"directives": {"{ " + strings.Repeat("version @include(if: true) ", 50) + "}", "{ " + strings.Repeat("version @include(if: true) ", 51) + "}", "directives"},
		"spreads":    {"{ " + strings.Repeat("...F ", 100) + "} fragment F on Query { version }", "{ " + strings.Repeat("...F ", 101) + "} fragment F on Query { version }", "spreads"},
		"operations": {"query A0 { version } " + repeat(29, "query B%d { version } "), "query A0 { version } " + repeat(30, "query B%d { version } "), "operations"},
		"cost by arguments": {
			"{ books(first: 90) { author { books(first: 90) { id } } } }",
			"{ books(first: 100) { author { books(first: 100) { id } } } }", "cost",
		},
		"cost of a connection": {
			"{ booksConnection(first: 50) { nodes { author { books(first: 90) { id } } } } }",
			"{ booksConnection(first: 100) { nodes { author { books(first: 100) { id } } } } }", "cost",
		},
		"cost by default sizes": {
			"{ books { author { books { id } } } }",
			"{ books { author { books { author { books { author { books { id } } } } } } } }", "cost",
		},
		"a huge number": {"{ version }", "{ books(first: 99999999999999999999) { author { id } } }", "cost"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := New(Config{Schema: schema(newResolver())})
			for _, operation := range []string{"A0", ""} {
				if operation != "" && name != "operations" || operation == "" && name == "operations" {
					continue
				}
				a := do(t, h, postJSON(strings.TrimSuffix(query(tt.within), "}")+`,"operationName":"`+operation+`"}`))
				require.Equal(t, http.StatusOK, a.status)
				require.Empty(t, a.body.Errors)
				a = do(t, h, postJSON(query(tt.beyond)))
				require.Equal(t, http.StatusBadRequest, a.status, a.text)
				require.Equal(t, "VALIDATION_FAILED", a.code())
				require.Equal(t, tt.limit, a.body.Errors[0].Extensions["limit"])
			}
		})
	}
}

func TestCostOfVariables(t *testing.T) {
	t.Parallel()
	h := New(Config{Schema: schema(newResolver())})
	const text = `{"query":"query ($n: Int = 5) { books(first: $n) { author { books(first: $n) { id } } } }","variables":%s}`
	for variables, ok := range map[string]bool{`{"n":50}`: true, `{}`: true, `{"n":null}`: true, `{"n":100}`: false, `{"n":2000000000}`: false} {
		for range 2 { // from the cache as well
			a := do(t, h, postJSON(fmt.Sprintf(text, variables)))
			require.Equal(t, ok, a.status == http.StatusOK, "%s: %s", variables, a.text)
		}
	}
}

func TestCycles(t *testing.T) {
	t.Parallel()
	h := New(Config{Schema: schema(newResolver())})
	for _, text := range []string{
		"{ ...A } fragment A on Query { ...A }",
		"{ ...A } fragment A on Query { ...B } fragment B on Query { version ...A }",
		"{ version } fragment A on Query { ...B } fragment B on Query { version ...A }",
		"{ book(id: 1) { ...A } } fragment A on Book { sequel { ...A } }",
	} {
		require.Equal(t, "GRAPHQL_VALIDATION_FAILED", do(t, h, postJSON(query(text))).code(), text)
	}
}

// worst are documents within the limits that are as expensive as we could make them.
func worst() map[string]string {
	deep := "{ book(id: 1) { " + nest(10, "sequel", "id") + " } }"
	return map[string]string{
		"one field repeated":            "{" + strings.Repeat("version ", 1990) + "}",
		"repeated with selection":       "{" + strings.Repeat("booksConnection{totalCount}", 490) + "}",
		"repeated with spreads":         "{" + strings.Repeat("booksConnection{...F}", 99) + "} fragment F on BookConnection { " + strings.Repeat("totalCount ", 1000) + "}",
		"doubling fragments":            doubling(10),
		"long doubling":                 doubling(49),
		"wide":                          "{ book(id: 1) {" + strings.Repeat("sequel{author{id}}", 240) + "} }",
		"operations times fragment":     repeat(30, "query Q%d { ...F } ") + "fragment F on Query { " + strings.Repeat("version ", 1700) + "}",
		"few operations times fragment": repeat(4, "query Q%d { ...F } ") + "fragment F on Query { " + strings.Repeat("x ", 1500) + "}",
		"short chain of fragments":      "{ book(id: 1) { ...F0 } }" + repeatPairs(4, " fragment F%d on Book { ...F%d }") + " fragment F4 on Book { " + strings.Repeat("unknown ", 1300) + "}",
		"chain of fragments":            "{ book(id: 1) { ...F0 } }" + repeatPairs(70, " fragment F%d on Book { ...F%d }") + " fragment F70 on Book { " + strings.Repeat("id ", 1300) + "}",
		"flood of errors":               "{" + fields(1990, "x") + "}",
		"flood of errors by operations": repeat(30, "query Q%d { ...F } ") + "fragment F on Query { " +
			strings.Repeat("x ", 1700) + "}",
		"abstract and concrete": "{ search {" + strings.Repeat("...on Book{author{id}}...on Node{id}", 110) + "} }",
		"arguments":             "{ book(" + strings.Repeat("id: 1 ", 660) + ") { id } }",
		"list value":            `{ echo(text: [` + strings.Repeat("1 ", 1980) + `]) }`,
		"nested value":          `{ echo(text: ` + strings.Repeat("[", 900) + strings.Repeat("]", 900) + `) }`,
		"nested selections":     "{ " + nest(900, "a", "a") + " }",
		"variables":             "query (" + repeat(490, "$v%d: Int ") + ") { version }",
		"long comment":          "{ version } # " + strings.Repeat("x", 200<<10),
		"many comments":         "{ version " + strings.Repeat("#\n", 100<<10) + "}",
		"deep and repeated":     strings.TrimSuffix(deep, "}") + strings.Repeat(" book(id: 1) { "+nest(10, "sequel", "id")+" }", 35) + "}",
		"introspection":         "{ __schema { types { name fields { name args { name type { name } } type { name fields { name } } } } } }",
	}
}

func repeatPairs(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i, i+1)
	}
	return b.String()
}

// BenchmarkWorst accepts or refuses each of them, without a cache. None should take more than 50 ms.
func BenchmarkWorst(b *testing.B) {
	h := New(Config{Schema: schema(newResolver()), Limits: Limits{CacheDocument: 1}})
	for name, text := range worst() {
		body := query(text)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				req, err := parseRequest(body)
				require.NoError(b, err)
				if _, refused := h.open(b.Context(), &req, time.Time{}); refused != nil {
					_ = appendRefusal(nil, h.present(b.Context(), refused.list))
				}
			}
		})
	}
}

func TestWorstDocumentsAreAnswered(t *testing.T) {
	t.Parallel()
	h := New(Config{Schema: schema(newResolver())})
	for name, text := range worst() {
		require.Less(t, len(do(t, h, postJSON(query(text))).text), 64<<10, name)
	}
}

// TestMergeRuleAgreesWithGqlparser compares verdicts on random documents.
func TestMergeRuleAgreesWithGqlparser(t *testing.T) {
	t.Parallel()
	s := schema(newResolver()).Schema()
	conflicts := 0
	for seed := range uint64(2000) {
		g := generator{rand.New(rand.NewPCG(seed, 1))}
		text := g.document()
		theirs := verdict(t, s, text, rules.OverlappingFieldsCanBeMergedRule.RuleFunc)
		ours := verdict(t, s, text, mergeRule)
		require.Equal(t, theirs == nil, ours == nil, "seed %d\n%s\ntheirs: %v\nours: %v", seed, text, theirs, ours)
		if ours != nil {
			conflicts++
		}
	}
	require.Greater(t, conflicts, 200)
	require.Less(t, conflicts, 1800)
}

func verdict(t *testing.T, s *ast.Schema, text string, rule func(*validator.Events, validator.AddErrFunc)) gqlerror.List {
	t.Helper()
	doc, err := parser.ParseQuery(&ast.Source{Input: text})
	require.NoError(t, err, text)
	return validator.ValidateWithRules(s, doc, rules.NewRules(validator.Rule{Name: "x", RuleFunc: rule}))
}

// generator writes random documents in which fields often share a name.
type generator struct{ *rand.Rand }

func (g *generator) document() string {
	var b strings.Builder
	b.WriteString("{ " + g.alias() + "book(id: 1) " + g.selection("Book", 3, 0) + " search { ")
	for range 1 + g.IntN(4) {
		b.WriteString(g.inline(2, 0))
	}
	b.WriteString("} z0: search { ...F0 } z1: search { ...F1 } z2: search { ...F2 } }") // a fragment nobody spreads is refused anyway
	for i := range 3 {
		on := g.pick("Book", "Author", "Node")
		fmt.Fprintf(&b, " fragment F%d on %s %s", i, on, g.selection(on, 2, i+1))
	}
	return b.String()
}

func (g *generator) pick(list ...string) string { return list[g.IntN(len(list))] }

func (g *generator) alias() string {
	if g.IntN(6) == 0 {
		return g.pick("a", "id", "title") + ": "
	}
	return ""
}

func (g *generator) inline(depth, from int) string {
	on := g.pick("Book", "Author", "Node")
	return "... on " + on + " " + g.selection(on, depth, from)
}

// selection spreads only fragments from a number on, so there are no cycles.
func (g *generator) selection(on string, depth, from int) string {
	leaves := map[string][]string{"Book": {"id", "title", "pages", "rating", "tags"}, "Author": {"id", "name"}, "Node": {"id"}}[on]
	var b strings.Builder
	b.WriteString("{ id ")
	for range g.IntN(4) {
		switch n := g.IntN(8); {
		case n < 3:
			b.WriteString(g.alias() + g.pick(leaves...) + " ")
		case n < 5 && depth > 0 && on == "Book":
			field := g.pick("author", "sequel")
			b.WriteString(g.alias() + field + g.selection(map[string]string{"author": "Author", "sequel": "Book"}[field], depth-1, from))
		case n < 5 && depth > 0 && on == "Author":
			b.WriteString(g.alias() + g.pick("books", "books(first: 1)", "books(first: 2)") + g.selection("Book", depth-1, from))
		case n < 6 && depth > 0:
			b.WriteString(g.inline(depth-1, from))
		case from < 3:
			b.WriteString("...F" + strconv.Itoa(from+g.IntN(3-from)) + " ")
		}
	}
	return b.String() + "} "
}

func FuzzGuard(f *testing.F) {
	for _, text := range worst() {
		if len(text) < 8<<10 {
			f.Add(text)
		}
	}
	f.Add("query A($n: Int) { books(first: $n) { id } } mutation B { rename(id: 1, title: \"\") { id } }")
	f.Add("{ ...A } fragment A on Query { ...A }")
	h := New(Config{Schema: schema(newResolver())})
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, 2000)
		if err != nil {
			return
		}
		checked, refused := h.guard.check(doc)
		if (checked == nil) == (refused == nil) {
			t.Fatal("neither accepted nor refused")
		}
		if refused != nil && len(refused.list) == 0 {
			t.Fatal("refused without a reason")
		}
		_, _ = h.prepare(text)
	})
}
