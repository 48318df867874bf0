package transport

import (
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// guard refuses documents that would cost too much to validate or to execute. It runs on the parsed document before the
// validator does, so it must not trust names or types; each fragment is looked at once, so its time is linear.
type guard struct {
	schema        *ast.Schema
	limits        Limits
	sizes         introspectionSizes
	introspection int64 // ceiling of the cost of introspection
}

func newGuard(schema *ast.Schema, limits Limits) *guard {
	g := &guard{schema: schema, limits: limits, sizes: measureSchema(schema)}
	g.introspection = max(int64(limits.Cost), 2*g.fullIntrospection())
	return g
}

// check counts, measures and prices a parsed document.
func (g *guard) check(parsed *ast.QueryDocument) (*document, *refused) {
	if len(parsed.Operations) > g.limits.Operations {
		return nil, limitRefusal("operations", g.limits.Operations, "operations")
	}
	s := survey{guard: g, fragments: make(map[string]*ast.FragmentDefinition, len(parsed.Fragments))}
	for _, f := range parsed.Fragments {
		if s.fragments[f.Name] == nil {
			s.fragments[f.Name] = f
		}
		s.directives += len(f.Directives)
		s.count(f.SelectionSet)
	}
	for _, op := range parsed.Operations {
		s.directives += len(op.Directives)
		for _, v := range op.VariableDefinitions {
			s.directives += len(v.Directives)
		}
		s.count(op.SelectionSet)
	}
	if s.refused == nil {
		s.totals()
	}
	for _, f := range parsed.Fragments {
		s.seen = map[string]bool{}
		s.aliases(f.SelectionSet)
	}
	doc := &document{ast: parsed, ops: make(map[*ast.OperationDefinition]*plan, len(parsed.Operations))}
	for _, op := range parsed.Operations {
		if s.refused != nil {
			return nil, s.refused
		}
		doc.ops[op] = s.operation(op)
	}
	if s.visits > maxVisits {
		s.refuse("visits", maxVisits, "fields and fragments, counted for each operation and fragment that reaches them")
	}
	if s.refused != nil {
		return nil, s.refused
	}
	doc.size = 1024 + s.nodes*bytesPerNode
	return doc, nil
}

// bytesPerNode is what the parser keeps for a field, argument, value or directive, on average.
const bytesPerNode = 320

// survey is the state of one check.
type survey struct {
	*guard
	fragments  map[string]*ast.FragmentDefinition
	refused    *refused
	nodes      int
	directives int
	spreads    int

	depths map[string]int // of fragments, -1 while one is being measured
	seen   map[string]bool
	visits int
}

// maxVisits bounds the validator, which walks every operation, and then every fragment, with all fragments it reaches.
const maxVisits = 8000

func (s *survey) refuse(name string, limit int, what string) {
	if s.refused == nil {
		s.refused = limitRefusal(name, limit, what)
	}
}

// count adds up what one selection set contains as text; fragments are counted where they are defined.
func (s *survey) count(set ast.SelectionSet) {
	for _, sel := range set {
		s.nodes++
		switch sel := sel.(type) {
		case *ast.Field:
			s.annotations(sel.Directives)
			s.arguments(sel.Arguments)
			s.count(sel.SelectionSet)
		case *ast.InlineFragment:
			s.annotations(sel.Directives)
			s.count(sel.SelectionSet)
		case *ast.FragmentSpread:
			s.spreads++
			s.annotations(sel.Directives)
		}
	}
}

func (s *survey) annotations(list ast.DirectiveList) {
	s.directives += len(list)
	for _, d := range list {
		s.nodes++
		if d.Name == "defer" && s.refused == nil {
			s.refused = limitRefusal("defer", 0, "deferred fragments")
		}
		s.arguments(d.Arguments)
	}
}

func (s *survey) arguments(list ast.ArgumentList) {
	for _, a := range list {
		s.nodes += 2
		s.values(a.Value)
	}
}

func (s *survey) values(v *ast.Value) {
	for _, c := range v.Children {
		s.nodes += 2
		s.values(c.Value)
	}
}

func (s *survey) totals() {
	switch {
	case s.directives > s.limits.Directives:
		s.refuse("directives", s.limits.Directives, "directives")
	case s.spreads > s.limits.Spreads:
		s.refuse("spreads", s.limits.Spreads, "fragment spreads")
	}
}

// operation checks one operation with the fragments it reaches.
func (s *survey) operation(op *ast.OperationDefinition) *plan {
	s.seen = map[string]bool{}
	if s.aliases(op.SelectionSet) > s.limits.Aliases {
		s.refuse("aliases", s.limits.Aliases, "aliases")
	}
	s.seen = map[string]bool{}
	roots := s.flatten(op.SelectionSet, nil)
	p := &plan{}
	names := make(map[string]bool, len(roots))
	s.depths = map[string]int{}
	for _, f := range roots {
		names[f.Alias] = true
		limit, name := s.limits.Depth, "depth"
		if introspective(f.Name) {
			p.introspects = true
			limit, name = s.limits.IntrospectionDepth, "introspectionDepth"
		}
		if 1+s.depth(f.SelectionSet) > limit {
			s.refuse(name, limit, "levels of fields")
		}
	}
	if len(names) > s.limits.RootFields {
		s.refuse("rootFields", s.limits.RootFields, "fields at the root")
	}
	if s.refused != nil {
		return p
	}
	price := pricing{guard: s.guard, fragments: s.fragments}
	s.refused = price.operation(op)
	if price.sized {
		// Priced again when the variables are known; until then they counted as the default list size.
		p.sized, s.refused = true, nil
	}
	return p
}

func introspective(field string) bool { return field == "__schema" || field == "__type" }

// aliases counts them; a fragment counts once.
func (s *survey) aliases(set ast.SelectionSet) int {
	n := 0
	if s.visits += len(set); s.visits > maxVisits {
		return 0 // it will be refused
	}
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			if sel.Alias != sel.Name {
				n++
			}
			n += s.aliases(sel.SelectionSet)
		case *ast.InlineFragment:
			n += s.aliases(sel.SelectionSet)
		case *ast.FragmentSpread:
			if f := s.enter(sel.Name); f != nil {
				n += s.aliases(f.SelectionSet)
			}
		}
	}
	return n
}

// flatten lists the fields of a selection set and of its fragments, each fragment once.
func (s *survey) flatten(set ast.SelectionSet, out []*ast.Field) []*ast.Field {
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			out = append(out, sel)
		case *ast.InlineFragment:
			out = s.flatten(sel.SelectionSet, out)
		case *ast.FragmentSpread:
			if f := s.enter(sel.Name); f != nil {
				out = s.flatten(f.SelectionSet, out)
			}
		}
	}
	return out
}

// enter returns a fragment at its first visit, then nil.
func (s *survey) enter(name string) *ast.FragmentDefinition {
	if s.seen[name] {
		return nil
	}
	s.seen[name] = true
	return s.fragments[name]
}

// depth is the number of nested fields; a fragment is measured once.
func (s *survey) depth(set ast.SelectionSet) int {
	deepest := 0
	for _, sel := range set {
		d := 0
		switch sel := sel.(type) {
		case *ast.Field:
			d = 1 + s.depth(sel.SelectionSet)
		case *ast.InlineFragment:
			d = s.depth(sel.SelectionSet)
		case *ast.FragmentSpread:
			d = s.fragmentDepth(sel.Name)
		}
		deepest = max(deepest, d)
	}
	return deepest
}

func (s *survey) fragmentDepth(name string) int {
	if d, ok := s.depths[name]; ok {
		if d < 0 && s.refused == nil {
			s.refused = documentRefusal(gqlerror.Errorf("a fragment spreads itself, directly or through others"))
		}
		return max(d, 0)
	}
	f := s.fragments[name]
	if f == nil {
		return 0 // the validator names it
	}
	s.depths[name] = -1
	d := s.depth(f.SelectionSet)
	s.depths[name] = d
	return d
}
