package transport

import (
	"encoding/binary"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"
)

// mergeRule checks that fields which share a name in the answer can be merged (section 5.3.2 of the specification).
// The usual algorithm compares pairs, which is quadratic in repeated fields. Both conditions are equivalences, so here
// each group of equal names is compared with its first member only, and then all sub-selections of the group are
// checked as one set. Sets that were checked before are remembered; a budget bounds what is left.
func mergeRule(observers *core.Events, addError core.AddErrFunc) {
	observers.OnOperation(func(w *core.Walker, op *ast.OperationDefinition) {
		m := &merger{
			schema: w.Schema,
			report: addError,
			ids:    map[*ast.Field]uint32{},
			shaped: map[string]bool{},
			merged: map[string]bool{},
			budget: mergeBudget,
		}
		root := m.collect([]ast.SelectionSet{op.SelectionSet})
		m.shapes(root)
		m.fields(root)
	})
}

// mergeBudget is how many fields all sets may have together. Documents within the token limit stay far below it.
const mergeBudget = 200_000

type merger struct {
	schema *ast.Schema
	report core.AddErrFunc
	ids    map[*ast.Field]uint32
	shaped map[string]bool // sets whose shapes were checked
	merged map[string]bool // sets whose fields were checked
	budget int
	failed bool
}

// collect lists the fields of several selection sets as one, each fragment once.
func (m *merger) collect(sets []ast.SelectionSet) []*ast.Field {
	c := collector{seen: map[*ast.FragmentDefinition]bool{}}
	for _, set := range sets {
		c.add(set)
	}
	return c.out
}

type collector struct {
	out  []*ast.Field
	seen map[*ast.FragmentDefinition]bool
}

func (c *collector) add(set ast.SelectionSet) {
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			c.out = append(c.out, sel)
		case *ast.InlineFragment:
			c.add(sel.SelectionSet)
		case *ast.FragmentSpread:
			if d := sel.Definition; d != nil && !c.seen[d] {
				c.seen[d] = true
				c.add(d.SelectionSet)
			}
		}
	}
}

// first says whether a set comes up for the first time.
func (m *merger) first(known map[string]bool, set []*ast.Field) bool {
	if m.budget -= len(set); m.budget < 0 {
		m.fail(nil, "the document repeats fields in too many ways")
		return false
	}
	key := make([]byte, 0, 4*len(set))
	for _, f := range set {
		id, ok := m.ids[f]
		if !ok {
			id = uint32(len(m.ids)) //nolint:gosec // bounded by the token limit
			m.ids[f] = id
		}
		key = binary.BigEndian.AppendUint32(key, id)
	}
	if known[string(key)] {
		return false
	}
	known[string(key)] = true
	return true
}

func (m *merger) fail(f *ast.Field, message string, args ...any) {
	if m.failed {
		return // one conflict is enough, the rest often follows from it
	}
	m.failed = true
	options := []core.ErrorOption{core.Message(message, args...)}
	if f != nil {
		options = append(options, core.At(f.Position))
	}
	m.report(options...)
}

// byName groups the fields of a set by their name in the answer.
func byName(set []*ast.Field) [][]*ast.Field {
	index := make(map[string]int, len(set))
	var groups [][]*ast.Field
	for _, f := range set {
		i, ok := index[f.Alias]
		if !ok {
			i = len(groups)
			index[f.Alias] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], f)
	}
	return groups
}

// selections are those of a group; below fields that do not exist there is nothing to compare.
func selections(group []*ast.Field) []ast.SelectionSet {
	out := make([]ast.SelectionSet, 0, len(group))
	for _, f := range group {
		if len(f.SelectionSet) > 0 && f.Definition != nil {
			out = append(out, f.SelectionSet)
		}
	}
	return out
}

// shapes checks that all fields of one name have answers of one shape, on whatever types they stand.
func (m *merger) shapes(set []*ast.Field) {
	if len(set) == 0 || m.failed || !m.first(m.shaped, set) {
		return
	}
	for _, group := range byName(set) {
		one := group[0]
		for _, other := range group[1:] {
			if one.Definition != nil && other.Definition != nil && !m.sameShape(one.Definition.Type, other.Definition.Type) {
				m.fail(other, `Fields "%s" conflict because they return conflicting types %s and %s. `+
					`Use different aliases on the fields to fetch both if this was intentional.`,
					one.Alias, one.Definition.Type.String(), other.Definition.Type.String())
				return
			}
		}
		m.shapes(m.collect(selections(group)))
	}
}

func (m *merger) sameShape(a, b *ast.Type) bool {
	if a.NonNull != b.NonNull || (a.Elem == nil) != (b.Elem == nil) {
		return false
	}
	if a.Elem != nil {
		return m.sameShape(a.Elem, b.Elem)
	}
	one, other := m.schema.Types[a.NamedType], m.schema.Types[b.NamedType]
	if one == nil || other == nil || one.IsCompositeType() && other.IsCompositeType() {
		return true
	}
	return a.NamedType == b.NamedType
}

// fields checks that fields of one name which can meet on one object are the same field with the same arguments.
func (m *merger) fields(set []*ast.Field) {
	if len(set) == 0 || m.failed || !m.first(m.merged, set) {
		return
	}
	for _, group := range byName(set) {
		for _, sub := range byParent(group) {
			one := sub[0]
			for _, other := range sub[1:] {
				if one.Name != other.Name {
					m.fail(other, `Fields "%s" conflict because "%s" and "%s" are different fields. `+
						`Use different aliases on the fields to fetch both if this was intentional.`,
						one.Alias, one.Name, other.Name)
					return
				}
				if !sameArguments(one.Arguments, other.Arguments) {
					m.fail(other, `Fields "%s" conflict because they have differing arguments. `+
						`Use different aliases on the fields to fetch both if this was intentional.`, one.Alias)
					return
				}
			}
			m.fields(m.collect(selections(sub)))
		}
	}
}

// byParent splits a group into those that can meet on one object: the fields on abstract types with those on each
// concrete type.
func byParent(group []*ast.Field) [][]*ast.Field {
	if len(group) == 1 {
		return [][]*ast.Field{group}
	}
	var abstract []*ast.Field
	concrete := map[string][]*ast.Field{}
	var order []string
	for _, f := range group {
		if f.ObjectDefinition == nil || f.ObjectDefinition.Kind != ast.Object {
			abstract = append(abstract, f)
			continue
		}
		name := f.ObjectDefinition.Name
		if concrete[name] == nil {
			order = append(order, name)
		}
		concrete[name] = append(concrete[name], f)
	}
	if len(order) == 0 {
		return [][]*ast.Field{abstract}
	}
	out := make([][]*ast.Field, len(order))
	for i, name := range order {
		out[i] = append(slices.Clip(abstract), concrete[name]...)
	}
	return out
}

func sameArguments(a, b ast.ArgumentList) bool {
	if len(a) != len(b) {
		return false
	}
	for i, x := range a {
		y := b[i]
		if x.Name != y.Name {
			if y = b.ForName(x.Name); y == nil {
				return false
			}
		}
		if !sameValue(x.Value, y.Value) {
			return false
		}
	}
	return true
}

func sameValue(a, b *ast.Value) bool {
	if a.Kind != b.Kind || a.Raw != b.Raw || len(a.Children) != len(b.Children) {
		return false
	}
	for i, x := range a.Children {
		y := b.Children[i]
		if x.Name != y.Name {
			y = child(b, x.Name)
		}
		if y == nil || !sameValue(x.Value, y.Value) {
			return false
		}
	}
	return true
}

// child finds a field of an input object whose fields stand in another order.
func child(v *ast.Value, name string) *ast.ChildValue {
	if v.Kind != ast.ObjectValue {
		return nil
	}
	for _, c := range v.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}
