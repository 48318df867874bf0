package transport

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql/introspection"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// pricing estimates how many objects an operation may return: an object field is 1, a list is its length times what it
// contains, leaves are free. The length is that of first or last, or what the directive @listSize says, else
// Limits.ListSize. When those arguments stand on a connection (an object), they give the length of the lists directly
// below it. It stops as soon as the ceiling is
// passed, and prices each fragment once per list length, so doubling fragments cost nothing.
type pricing struct {
	*guard
	fragments map[string]*ast.FragmentDefinition
	variables map[string]any
	sized     bool // a variable decides about a list length

	ceiling int64
	memo    map[fragmentSize]int64
	inside  map[string]bool
}

type fragmentSize struct {
	name string
	size int64
}

// checkCost prices an operation of a checked document with its variables.
func (g *guard) checkCost(doc *ast.QueryDocument, op *ast.OperationDefinition, variables map[string]any) *refused {
	p := pricing{guard: g, fragments: make(map[string]*ast.FragmentDefinition, len(doc.Fragments)), variables: variables}
	for _, f := range doc.Fragments {
		p.fragments[f.Name] = f
	}
	return p.operation(op)
}

func (p *pricing) operation(op *ast.OperationDefinition) *refused {
	p.memo = map[fragmentSize]int64{}
	p.inside = map[string]bool{}
	var root *ast.Definition
	switch op.Operation {
	case ast.Mutation:
		root = p.schema.Mutation
	case ast.Subscription:
		root = p.schema.Subscription
	default:
		root = p.schema.Query
	}
	p.ceiling = max(int64(p.limits.Cost), p.introspection)
	total := p.set(op.SelectionSet, root, 0)
	if total <= int64(p.limits.Cost) {
		return nil
	}
	// Introspection has its own ceiling, so the two are told apart only when it matters.
	data, meta := p.split(op.SelectionSet, root, map[string]bool{})
	switch {
	case data > int64(p.limits.Cost):
		return limitRefusal("cost", p.limits.Cost, "objects in an answer")
	case meta > p.introspection:
		return limitRefusal("introspectionCost", int(p.introspection), "objects in an introspection answer")
	}
	return nil
}

// split prices the root fields of data and of introspection apart; a fragment at the root counts once.
func (p *pricing) split(set ast.SelectionSet, root *ast.Definition, seen map[string]bool) (data, meta int64) {
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			if introspective(sel.Name) {
				meta += p.field(sel, root, 0)
			} else {
				data += p.field(sel, root, 0)
			}
		case *ast.InlineFragment:
			d, m := p.split(sel.SelectionSet, root, seen)
			data, meta = data+d, meta+m
		case *ast.FragmentSpread:
			if f := p.fragments[sel.Name]; f != nil && !seen[sel.Name] {
				seen[sel.Name] = true
				d, m := p.split(f.SelectionSet, root, seen)
				data, meta = data+d, meta+m
			}
		}
		if data > p.ceiling || meta > p.ceiling {
			break
		}
	}
	return data, meta
}

// set prices a selection set on a type; size is the length that a connection above gives to the lists in it, 0 for none.
func (p *pricing) set(set ast.SelectionSet, on *ast.Definition, size int64) int64 {
	var total int64
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			total += p.field(sel, on, size)
		case *ast.InlineFragment:
			inner := on
			if sel.TypeCondition != "" {
				inner = p.schema.Types[sel.TypeCondition]
			}
			total += p.set(sel.SelectionSet, inner, size)
		case *ast.FragmentSpread:
			total += p.fragment(sel.Name, size)
		}
		if total > p.ceiling {
			return p.ceiling + 1
		}
	}
	return total
}

func (p *pricing) fragment(name string, size int64) int64 {
	key := fragmentSize{name, size}
	if total, ok := p.memo[key]; ok {
		return total
	}
	f := p.fragments[name]
	if f == nil || p.inside[name] {
		return 0
	}
	p.inside[name] = true
	total := p.set(f.SelectionSet, p.schema.Types[f.TypeCondition], size)
	p.inside[name] = false
	p.memo[key] = total
	return total
}

func (p *pricing) field(f *ast.Field, on *ast.Definition, size int64) int64 {
	if len(f.SelectionSet) == 0 {
		return 0
	}
	def := p.definition(f.Name, on)
	if def == nil {
		return 1 + p.set(f.SelectionSet, nil, 0) // the validator names it
	}
	own, given := p.slice(f, def)
	list := isList(def.Type)
	length := int64(1)
	below := int64(0)
	switch {
	case list && strings.HasPrefix(on.Name, "__"):
		length = p.sizes.of(f.Name)
	case list && given:
		length = own
	case list && size > 0:
		length = size
	case list:
		length = int64(p.limits.ListSize)
	case given:
		below = own
	}
	each := 1 + p.set(f.SelectionSet, p.schema.Types[def.Type.Name()], below)
	if each > p.ceiling/length {
		return p.ceiling + 1
	}
	return each * length
}

// definition finds a field, the two of introspection at the root included.
func (p *pricing) definition(name string, on *ast.Definition) *ast.FieldDefinition {
	if on == nil {
		return nil
	}
	return on.Fields.ForName(name)
}

func isList(t *ast.Type) bool { return t.Elem != nil }

// slice is the length asked for by first, last or an argument that @listSize names, where the field has such arguments,
// else the one that it assumes.
func (p *pricing) slice(f *ast.Field, def *ast.FieldDefinition) (int64, bool) {
	var size int64
	found := false
	names := []string{"first", "last"}
	if d := def.Directives.ForName("listSize"); d != nil {
		if a := d.Arguments.ForName("assumedSize"); a != nil {
			size, found = p.number(a.Value)
		}
		if a := d.Arguments.ForName("slicingArguments"); a != nil {
			for _, child := range a.Value.Children {
				names = append(names, child.Value.Raw)
			}
		}
	}
	for _, a := range def.Arguments {
		if !slices.Contains(names, a.Name) {
			continue
		}
		value := a.DefaultValue
		if given := f.Arguments.ForName(a.Name); given != nil {
			value = given.Value
		}
		if n, ok := p.number(value); ok {
			size, found = max(size, n), true
		}
	}
	return max(size, 1), found
}

func (p *pricing) number(v *ast.Value) (int64, bool) {
	switch {
	case v == nil:
		return 0, false
	case v.Kind == ast.Variable:
		p.sized = true
		return toInt(p.variables[v.Raw])
	case v.Kind == ast.IntValue:
		n, err := strconv.ParseInt(v.Raw, 10, 64)
		if err != nil {
			return math.MaxInt32, true // too large to read is too large
		}
		return min(n, math.MaxInt32), true
	}
	return 0, false
}

// toInt reads a coerced variable.
func toInt(v any) (int64, bool) {
	var n int64
	switch v := v.(type) {
	case int64:
		n = v
	case int:
		n = int64(v)
	case float64:
		n = int64(min(v, math.MaxInt32))
	case json.Number:
		parsed, err := v.Int64()
		if err != nil {
			return math.MaxInt32, true
		}
		n = parsed
	default:
		return 0, false
	}
	return min(n, math.MaxInt32), true
}

// introspectionSizes are the average lengths of the lists of a schema's description.
type introspectionSizes struct {
	types, directives, fields, arguments, inputFields, enumValues, interfaces, possibleTypes int64
}

func measureSchema(schema *ast.Schema) introspectionSizes {
	var withFields, fields, arguments, inputs, inputFields, enums, enumValues, members, abstract int
	for _, t := range schema.Types {
		switch t.Kind {
		case ast.Object, ast.Interface:
			withFields++
			fields += len(t.Fields)
			for _, f := range t.Fields {
				arguments += len(f.Arguments)
			}
		case ast.InputObject:
			inputs++
			inputFields += len(t.Fields)
		case ast.Enum:
			enums++
			enumValues += len(t.EnumValues)
		case ast.Scalar, ast.Union:
		}
		if t.IsAbstractType() {
			abstract++
			members += len(schema.PossibleTypes[t.Name])
		}
	}
	mean := func(total, n int) int64 { return int64((total + max(n, 1) - 1) / max(n, 1)) }
	atLeast1 := func(n int64) int64 { return max(n, 1) }
	return introspectionSizes{
		types:         atLeast1(int64(len(schema.Types))),
		directives:    atLeast1(int64(len(schema.Directives))),
		fields:        atLeast1(mean(fields, withFields)),
		arguments:     atLeast1(mean(arguments, fields)),
		inputFields:   atLeast1(mean(inputFields, inputs)),
		enumValues:    atLeast1(mean(enumValues, enums)),
		interfaces:    1,
		possibleTypes: atLeast1(mean(members, abstract)),
	}
}

func (s introspectionSizes) of(field string) int64 {
	switch field {
	case "types":
		return s.types
	case "directives":
		return s.directives
	case "fields":
		return s.fields
	case "args":
		return s.arguments
	case "inputFields":
		return s.inputFields
	case "enumValues":
		return s.enumValues
	case "possibleTypes":
		return s.possibleTypes
	}
	return s.interfaces
}

// fullIntrospection prices the introspection query that tools send, so that the ceiling grows with the schema.
func (g *guard) fullIntrospection() int64 {
	doc, err := parser.ParseQuery(&ast.Source{Input: introspection.Query})
	if err != nil {
		return 0
	}
	p := pricing{guard: g, fragments: map[string]*ast.FragmentDefinition{}, ceiling: math.MaxInt32}
	p.memo = map[fragmentSize]int64{}
	p.inside = map[string]bool{}
	for _, f := range doc.Fragments {
		p.fragments[f.Name] = f
	}
	return p.set(doc.Operations[0].SelectionSet, g.schema.Query, 0)
}
