package resolvers_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"

	"stackforge/graph"
)

// position is one place in the schema where a client puts a value.
type position struct {
	op       string // query or mutation
	root     *ast.FieldDefinition
	argument *ast.ArgumentDefinition
	path     []string // below the argument; "[]" is the first element of a list
	typ      *ast.Type
	again    bool // its input type was met elsewhere: one value of each kind is enough
}

// name is what extensions.field must be for a mistake at the position.
func (p position) name() string {
	out := p.argument.Name
	for _, part := range p.path {
		if part == "[]" {
			out += "[0]"
		} else {
			out += "." + part
		}
	}
	return out
}

type walker struct {
	schema *ast.Schema
	out    []position
	met    map[string]int
}

// positions finds all there are; and, or and not are entered once.
func positions() (*ast.Schema, []position) {
	w := walker{schema: graph.NewExecutableSchema(graph.Config{}).Schema(), met: map[string]int{}}
	for _, op := range []string{"query", "mutation"} {
		root := w.schema.Query
		if op == "mutation" {
			root = w.schema.Mutation
		}
		for _, f := range root.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			for _, a := range f.Arguments {
				w.walk(position{op: op, root: f, argument: a, typ: a.Type})
			}
		}
	}
	slices.SortFunc(w.out, func(a, b position) int { return strings.Compare(a.root.Name+a.name(), b.root.Name+b.name()) })
	return w.schema, w.out
}

func (w *walker) walk(p position) {
	w.out = append(w.out, p)
	step := func(name string, t *ast.Type) position {
		next := p
		next.path, next.typ = append(slices.Clone(p.path), name), t
		return next
	}
	if p.typ.Elem != nil {
		w.walk(step("[]", p.typ.Elem))
		return
	}
	def := w.schema.Types[p.typ.NamedType]
	if def.Kind != ast.InputObject {
		return
	}
	for _, f := range def.Fields {
		if logical := f.Name == "and" || f.Name == "or" || f.Name == "not"; logical && len(p.path) > 0 {
			continue
		}
		next := step(f.Name, f.Type)
		w.met[def.Name+"."+f.Name]++
		next.again = w.met[def.Name+"."+f.Name] > 1
		w.walk(next)
	}
}

// valid returns the least value of a type.
func (w *walker) valid(t *ast.Type) any {
	if t.Elem != nil {
		return []any{w.valid(t.Elem)}
	}
	def := w.schema.Types[t.NamedType]
	switch def.Kind {
	case ast.InputObject:
		out := map[string]any{}
		for _, f := range def.Fields {
			if f.Type.NonNull && f.DefaultValue == nil {
				out[f.Name] = w.valid(f.Type)
			}
		}
		return out
	case ast.Enum:
		return enum(def.EnumValues[0].Name)
	}
	return map[string]any{
		"ID": "00000000-0000-7000-8000-000000000000", "String": "x", "Int": 1, "Int64": 1, "Float": 1.5, "Boolean": true, "Time": "2026-01-01T00:00:00Z",
		"Map": map[string]any{}, "JSON": map[string]any{},
	}[t.NamedType]
}

// put returns a value of the argument with v at the position.
func (w *walker) put(t *ast.Type, path []string, v any) any {
	if len(path) == 0 {
		return v
	}
	if path[0] == "[]" {
		return []any{w.put(t.Elem, path[1:], v)}
	}
	out, _ := w.valid(&ast.Type{NamedType: t.NamedType}).(map[string]any)
	out[path[0]] = w.put(w.schema.Types[t.NamedType].Fields.ForName(path[0]).Type, path[1:], v)
	return out
}

// enum and raw are written in a way of their own: a name in a document, and bytes as they are.
type (
	enum string
	raw  string
)

// asJSON writes a value as a variable; byAsLiteral as part of a document, false when a document cannot say it.
func asJSON(v any) string {
	switch v := v.(type) {
	case raw:
		return string(v)
	case map[string]any:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, asJSON(k)+":"+asJSON(v[k]))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, asJSON(e))
		}
		return "[" + strings.Join(parts, ",") + "]"
	default:
		text, _ := json.Marshal(v) // plain values
		return string(text)
	}
}

var fieldName = regexp.MustCompile(`^[A-Za-z]\w*$`)

func asLiteral(v any) (string, bool) {
	switch v := v.(type) {
	case enum:
		return string(v), true
	case map[string]any:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			text, ok := asLiteral(v[k])
			if !ok || !fieldName.MatchString(k) {
				return "", false
			}
			parts = append(parts, k+": "+text)
		}
		return "{" + strings.Join(parts, ", ") + "}", true
	case []any:
		var parts []string
		for _, e := range v {
			text, ok := asLiteral(e)
			if !ok {
				return "", false
			}
			parts = append(parts, text)
		}
		return "[" + strings.Join(parts, ", ") + "]", true
	case raw:
		text := string(v)
		return text, utf8.ValidString(text) && !strings.Contains(text, `\ud8`) && !strings.Contains(text, "{")
	default:
		return asJSON(v), true
	}
}

// wrong returns values that a type cannot take, with what the path to the mistake has beyond the value itself.
func (w *walker) wrong(t *ast.Type) map[string][]any {
	if t.Elem != nil {
		return map[string][]any{}
	}
	texts := []any{raw(`"a\u0000b"`), raw(`"\u0000"`), raw(`"\ud800"`), raw("\"\xff\""), raw("\"a\xc3\"")}
	object := map[string]any{"a": "b"}
	def := w.schema.Types[t.NamedType]
	switch def.Kind {
	case ast.InputObject:
		extra, _ := w.valid(&ast.Type{NamedType: t.NamedType}).(map[string]any)
		extra["nope"] = 1
		return map[string][]any{"": {"x", 5, true}, ".nope": {extra}}
	case ast.Enum:
		return map[string][]any{"": {enum("NOPE"), 5, true, object, enum(strings.ToUpper(def.EnumValues[0].Name) + "x"), raw(`"\u0000"`), raw("\"\xff\"")}}
	}
	return map[string][]any{"": map[string][]any{
		"String":  append(texts, 5, 1.5, true, object, []any{"x", "y"}),
		"ID":      append(texts, true, object),
		"Int":     {"1", "x", 1.5, raw("1e400"), raw("1e3"), raw("2147483648"), raw("-2147483649"), raw("99999999999999999999999999"), true, object},
		"Int64":   {"1", "x", 1.5, raw("1e400"), raw("9223372036854775808"), true, object},
		"Float":   {"1", "x", raw("1e400"), raw("-1e400"), true, object},
		"Boolean": {"true", 1, 0, object},
		"Time": append(texts, "x", "", 5, true, object, "2026-13-01T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00", "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z",
			"9999-12-31T23:00:00-02:00", "infinity", "now"),
		"Map":  append(texts, "x", 5, true, []any{}, raw(`{"a":1}`), raw(`{"a":null}`), raw(`{"a":{"b":"c"}}`), raw(`{"a":["b"]}`), raw(`{"a\u0000":"b"}`), raw(`{"a":"\u0000"}`), raw("{\"a\":\"\xff\"}"), raw(`{"\ud800":"b"}`)),
		"JSON": append(texts, raw(`{"a":"\u0000"}`), raw(`{"\u0000":1}`), raw(`{"a":[{"b":["\ud800"]}]}`), raw("{\"a\":\"\xff\"}")),
	}[t.NamedType]}
}

// Whatever stands wherever in the schema: a value of the wrong kind is refused before anything runs, by variable and by
// literal, and the answer names the field.
func TestEveryPositionOfTheSchema(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	d.statements.take()
	schema, list := positions()
	w := &walker{schema: schema}
	require.Greater(t, len(list), 150)
	requests := 0
	for _, p := range list {
		cases := w.wrong(p.typ)
		if p.typ.NonNull {
			cases[""] = append(slices.Clone(cases[""]), nil)
		}
		for beyond, values := range cases {
			if p.again {
				values = values[:1]
			}
			for _, v := range values {
				whole := w.put(p.argument.Type, p.path, v)
				selection := ""
				if def := schema.Types[p.root.Type.Name()]; def.Kind != ast.Scalar && def.Kind != ast.Enum {
					selection = " { __typename }"
				}
				// Other arguments that must be there.
				more := ""
				for _, a := range p.root.Arguments {
					if a != p.argument && a.Type.NonNull && a.DefaultValue == nil {
						text, _ := asLiteral(w.valid(a.Type))
						more += ", " + a.Name + ": " + text
					}
				}
				doc := fmt.Sprintf("%s ($some_name: %s) { %s(%s: $some_name%s)%s }", p.op, p.argument.Type, p.root.Name, p.argument.Name, more, selection)
				bodies := []string{fmt.Sprintf(`{"query":%q,"variables":{"some_name":%s}}`, doc, asJSON(whole))}
				if text, ok := asLiteral(whole); ok {
					doc := fmt.Sprintf("%s { alias: %s(%s: %s%s)%s }", p.op, p.root.Name, p.argument.Name, text, more, selection)
					body, err := json.Marshal(map[string]string{"query": doc})
					require.NoError(t, err)
					bodies = append(bodies, string(body))
				}
				for _, body := range bodies {
					requests++
					a := c.send(body)
					require.NotEmpty(t, a.Errors, "%s was taken: %s", body, a.raw)
					if (p.name() == "first" || p.name() == "last") && strings.Contains(a.raw, `"limit":"cost"`) {
						continue // so large a page is refused before it is looked at
					}
					want := strings.TrimPrefix(p.name()+beyond, "input.")
					require.True(t, slices.Contains(a.fields(), want) || slices.Contains(a.fields(), want+".a"), "%s is not named for %s: %s", want, body, a.raw)
					for _, e := range a.Errors {
						require.Equal(t, "VALIDATION_FAILED", e.Extensions.Code, "%s: %s", body, a.raw)
						// The library also complains about what the mistake is within.
						require.True(t, strings.HasPrefix(p.name()+beyond+".a", e.Extensions.Field) || strings.HasPrefix(want+".a", e.Extensions.Field), "%s: %s", body, a.raw)
					}
					require.True(t, a.status == 200 || a.status == 400, "%d for %s", a.status, body)
				}
			}
		}
	}
	require.Empty(t, d.statements.take(), "a refused request reached the database")
	t.Logf("%d positions, %d requests", len(list), requests)
}
