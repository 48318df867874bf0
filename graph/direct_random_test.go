package graph_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"

	"stackforge/graph"
)

func infinity() float64 { return math.Inf(1) }

// chosen is one field of a selection with its fragments and directives worked out.
type chosen struct {
	key, name string
	on        string // only for objects of this type; "" is any
	sub       []chosen
}

// writer makes random documents.
type writer struct {
	schema    *ast.Schema
	rand      *rand.Rand
	fragments []string
	names     int
	seen      map[string]int // type.field
}

func (w *writer) name(prefix string) string {
	w.names++
	return fmt.Sprint(prefix, w.names)
}

// selection writes a selection of a type and says what it comes to.
func (w *writer) selection(kind string, depth int) (string, []chosen) {
	def := w.schema.Types[kind]
	possible := []string{kind}
	if def.Kind == ast.Interface {
		possible = nil
		for _, t := range w.schema.GetPossibleTypes(def) {
			possible = append(possible, t.Name)
		}
	}
	var texts []string
	var out []chosen
	for n := 1 + w.rand.IntN(6); n > 0; n-- {
		on := ""
		in := def
		if len(possible) > 1 {
			if w.rand.IntN(4) > 0 {
				on = possible[w.rand.IntN(len(possible))]
				in = w.schema.Types[on]
			}
		}
		text, field := w.field(in, possible, depth)
		if in != def {
			text = "... on " + on + " { " + text + " }"
		}
		texts, out = w.wrap(in, on, text, field, texts, out)
	}
	return "{ " + strings.Join(texts, " ") + " }", out
}

// clashes says whether one of the types has a field of that name and another type: a document cannot have both under one key.
func (w *writer) clashes(types []string, f *ast.FieldDefinition) bool {
	return slices.ContainsFunc(types, func(kind string) bool {
		other := w.schema.Types[kind].Fields.ForName(f.Name)
		return other != nil && other.Type.String() != f.Type.String()
	})
}

// field writes one field of def, more than one time now and then; within are the types that the selection around it is for.
func (w *writer) field(def *ast.Definition, within []string, depth int) (string, []chosen) {
	var f *ast.FieldDefinition
	for {
		f = def.Fields[w.rand.IntN(len(def.Fields))]
		leaf := w.schema.Types[f.Type.Name()].IsLeafType()
		if !strings.HasPrefix(f.Name, "__") && (leaf || depth > 0) {
			break
		}
		if !leaf && depth == 0 {
			return "__typename", []chosen{{key: "__typename", name: "__typename"}}
		}
	}
	w.seen[def.Name+"."+f.Name]++
	kind := w.schema.Types[f.Type.Name()]
	if kind.IsLeafType() {
		if w.clashes(within, f) {
			alias := w.name("a")
			return alias + ": " + f.Name, []chosen{{key: alias, name: f.Name}}
		}
		switch w.rand.IntN(6) {
		case 0:
			return "__typename " + f.Name + " " + f.Name, []chosen{{key: "__typename", name: "__typename"}, {key: f.Name, name: f.Name}}
		case 1:
			alias := w.name("a")
			return alias + ": " + f.Name + " " + f.Name, []chosen{{key: alias, name: f.Name}, {key: f.Name, name: f.Name}}
		case 2:
			alias := w.name("t")
			return alias + ": __typename", []chosen{{key: alias, name: "__typename"}}
		}
		return f.Name, []chosen{{key: f.Name, name: f.Name}}
	}
	// One alias each, so that whatever else is selected merges with nothing; two selections of it merge with each other.
	alias := w.name("o")
	text, sub := w.selection(kind.Name, depth-1)
	text = alias + ": " + f.Name + " " + text
	if w.rand.IntN(3) == 0 {
		more, moreSub := w.selection(kind.Name, depth-1)
		text += " " + alias + ": " + f.Name + " " + more
		sub = append(sub, moreSub...)
	}
	return text, []chosen{{key: alias, name: f.Name, sub: sub}}
}

// wrap puts fields into fragments and directives.
func (w *writer) wrap(in *ast.Definition, on, text string, fields []chosen, texts []string, out []chosen) ([]string, []chosen) {
	for i := range fields {
		if on != "" {
			fields[i].on = on
		}
	}
	in2 := in.Name
	switch w.rand.IntN(9) {
	case 0:
		text = "... { " + text + " }"
	case 1:
		if on == "" {
			text = "... on " + in2 + " { " + text + " }"
		}
	case 2:
		if on == "" {
			name := w.name("F")
			w.fragments = append(w.fragments, "fragment "+name+" on "+in2+" { "+text+" }")
			text = "..." + name
		}
	case 3:
		text = "... @include(if: $yes) { " + text + " }"
	case 4:
		text = "... @skip(if: $no) @include(if: true) { " + text + " }"
	case 5:
		text, fields = "... @include(if: $no) { "+text+" }", nil
	case 6:
		text, fields = "... @skip(if: $yes) { "+text+" }", nil
	case 7:
		if slices.Contains(in.Interfaces, "Node") && on == "" {
			texts = append(texts, "... on Node { nodeId }")
			out = append(out, chosen{key: "nodeId", name: "nodeId"})
		}
	}
	return append(texts, text), append(out, fields...)
}

// write is the interpreter: a value, as the selection asks for it.
func write(b *strings.Builder, v any, fields []chosen) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case text:
		b.WriteString(string(v))
	case []any:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			write(b, e, fields)
		}
		b.WriteByte(']')
	case thing:
		var merged []chosen
		for _, f := range fields {
			if f.on != "" && f.on != v.kind {
				continue
			}
			if i := slices.IndexFunc(merged, func(m chosen) bool { return m.key == f.key }); i >= 0 {
				merged[i].sub = append(slices.Clone(merged[i].sub), f.sub...)
				continue
			}
			merged = append(merged, f)
		}
		b.WriteByte('{')
		for i, f := range merged {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(b, "%q:", f.key)
			value, ok := v.fields[f.name]
			switch {
			case f.name == "__typename":
				fmt.Fprintf(b, "%q", v.kind)
			case !ok:
				panic(v.kind + "." + f.name + " is not in the table")
			default:
				write(b, value, f.sub)
			}
		}
		b.WriteByte('}')
	}
}

// run executes a document and returns the data of each answer.
func run(t *testing.T, resolvers graph.ResolverRoot, doc string) []*graphql.Response {
	t.Helper()

	c := graph.Config{Resolvers: resolvers}
	c.Directives.Auth = func(ctx context.Context, _ any, next graphql.Resolver, _ string) (any, error) { return next(ctx) }
	e := executor.New(graph.NewExecutableSchema(c))
	ctx := graphql.StartOperationTrace(t.Context())
	op, list := e.CreateOperationContext(ctx, &graphql.RawParams{Query: doc, Variables: map[string]any{"yes": true, "no": false}})
	require.Empty(t, list, doc)
	next, ctx := e.DispatchOperation(ctx, op)
	var out []*graphql.Response
	for {
		r := next(ctx)
		if r == nil {
			return out
		}
		r.Data = slices.Clone(r.Data) // the next answer is written over it
		out = append(out, r)
		if op.Operation.Operation != ast.Subscription {
			return out
		}
	}
}

const header = " ($yes: Boolean! = true, $no: Boolean! = false) "

func TestObjectsAreWrittenAsTheSpecificationSays(t *testing.T) {
	t.Parallel()

	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	schema := parsed()
	w := &writer{schema: schema, rand: rand.New(rand.NewPCG(seed, 0)), seen: map[string]int{}}
	kinds := map[string]bool{}
	document := func(op, field string, kind string, depth int) (string, []chosen) {
		w.fragments = nil
		selection, fields := w.selection(kind, depth)
		// The variables must be used somewhere.
		return op + header + "{ yes: __typename @include(if: $yes) no: __typename @include(if: $no) r: " + field + " " + selection + " } " + strings.Join(w.fragments, " "), fields
	}
	for round := range 60 {
		for _, r := range roots() {
			name, _, _ := strings.Cut(r.field, "(")
			def := map[string]*ast.Definition{"query": schema.Query, "mutation": schema.Mutation}[r.op]
			kind := def.Fields.ForName(name).Type.Name()
			kinds[kind] = true
			doc, fields := document(r.op, r.field, kind, round%5)
			var want strings.Builder
			write(&want, r.want, fields)
			got := run(t, &fake{}, doc)
			require.Empty(t, got[0].Errors, doc)
			require.Equal(t, `{"yes":"`+def.Name+`","r":`+want.String()+`}`, string(got[0].Data), doc)
		}
		w.fragments = nil
		selection, fields := w.selection("JobUpdate", round%3)
		selection = "{ yes: __typename @include(if: $yes) no: __typename @include(if: $no) " + selection[1:]
		fields = append([]chosen{{key: "yes", name: "__typename"}}, fields...)
		got := run(t, &fake{}, "subscription"+header+"{ jobUpdates "+selection+" } "+strings.Join(w.fragments, " "))
		require.Len(t, got, 2)
		for i, u := range updates() {
			var want strings.Builder
			write(&want, u, fields)
			require.Equal(t, `{"jobUpdates":`+want.String()+`}`, string(got[i].Data))
		}
	}
	// Every field of every object was there.
	for _, def := range ours(schema) {
		if def.Kind != ast.Object || def == schema.Query || def == schema.Mutation || def == schema.Subscription {
			continue
		}
		for _, f := range def.Fields {
			require.NotZero(t, w.seen[def.Name+"."+f.Name], "%s.%s was never selected", def.Name, f.Name)
		}
	}
}

// A number that JSON cannot hold is null and is reported once; the path is that of the list, which was written in one go.
// An error of a root field that cannot be null leaves no data.
func TestValuesThatCannotBeWritten(t *testing.T) {
	t.Parallel()

	got := run(t, &broken{}, `{ documents { id longitude } }`)[0]
	require.JSONEq(t, `{"documents":[{"id":"00000000-0000-0000-0000-000000000002","longitude":8.5},{"id":"00000000-0000-0000-0000-000000000003","longitude":null}]}`, string(got.Data))
	require.Len(t, got.Errors, 1)
	require.Equal(t, "documents", got.Errors[0].Path.String())
	got = run(t, &broken{}, `{ users { id } }`)[0]
	require.Equal(t, "null", string(got.Data))
	require.Len(t, got.Errors, 1)
}
