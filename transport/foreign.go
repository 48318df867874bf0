package transport

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"stackforge/errs"
)

// Foreign is another engine with a dialect and a schema of its own. Its operations go through the same checks of form and size,
// and then to Execute, with their text as it came; an answer has the form of all others.
type Foreign struct {
	// Name says in errors whose dialect it is.
	Name string
	// Owns reports whether a root field that our schema lacks is of the dialect. It is asked only about documents that our schema refuses.
	Owns func(kind ast.Operation, field string) bool
	// Rows is how many objects a connection has at most, and when neither first nor last says it.
	Rows int
	// Execute answers a query or mutation. The variables of the operation are as they came. With an error nothing was done, and the
	// HTTP status is that of the error.
	Execute func(ctx context.Context, op *graphql.OperationContext) (*graphql.Response, error)
}

// takes decides whose a document is that our schema refuses. An operation is of one dialect.
func (f *Foreign) takes(schema *ast.Schema, doc *ast.QueryDocument) (bool, *refused) {
	if f == nil {
		return false, nil
	}
	var mine, theirs *ast.Field
	for _, op := range doc.Operations {
		root := schema.Query
		if op.Operation == ast.Mutation {
			root = schema.Mutation
		}
		for _, field := range rootFields(doc, op.SelectionSet, nil, map[string]bool{}) {
			switch known := root != nil && (root.Fields.ForName(field.Name) != nil || introspective(field.Name)); {
			case field.Name == "__typename":
			case field.Name == "node":
				if own, other := conditions(schema, doc, field.SelectionSet, map[string]bool{}); other && !own {
					theirs = field
				} else if own {
					mine = field
				}
			case known:
				mine = field
			case f.Owns(op.Operation, field.Name):
				theirs = field
			}
		}
	}
	if theirs != nil && mine != nil {
		e := gqlerror.ErrorPosf(theirs.Position, "%q is of %s and %q is not: send them as two operations", theirs.Name, f.Name, mine.Name)
		return false, documentRefusal(e)
	}
	return theirs != nil, nil
}

func rootFields(doc *ast.QueryDocument, set ast.SelectionSet, out []*ast.Field, seen map[string]bool) []*ast.Field {
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			out = append(out, sel)
		case *ast.InlineFragment:
			out = rootFields(doc, sel.SelectionSet, out, seen)
		case *ast.FragmentSpread:
			if d := doc.Fragments.ForName(sel.Name); d != nil && !seen[sel.Name] {
				seen[sel.Name] = true
				out = rootFields(doc, d.SelectionSet, out, seen)
			}
		}
	}
	return out
}

// conditions says whether the fragments directly in a set are on types of our schema, and on others.
func conditions(schema *ast.Schema, doc *ast.QueryDocument, set ast.SelectionSet, seen map[string]bool) (own, other bool) {
	on := func(name string, inner ast.SelectionSet) {
		if name != "" && name != "Node" { // both have it
			own, other = own || schema.Types[name] != nil, other || schema.Types[name] == nil
		}
		o, x := conditions(schema, doc, inner, seen)
		own, other = own || o, other || x
	}
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.InlineFragment:
			on(sel.TypeCondition, sel.SelectionSet)
		case *ast.FragmentSpread:
			if d := doc.Fragments.ForName(sel.Name); d != nil && !seen[sel.Name] {
				seen[sel.Name] = true
				on(d.TypeCondition, d.SelectionSet)
			}
		case *ast.Field:
		}
	}
	return own, other
}

// adopt checks what the guard does not know of: the engine takes one operation, and none of our directives.
func (f *Foreign) adopt(doc *document) *refused {
	if len(doc.ast.Operations) != 1 {
		return documentRefusal(gqlerror.Errorf("a document for %s has one operation", f.Name))
	}
	op := doc.ast.Operations[0]
	if op.Operation == ast.Subscription {
		return documentRefusal(gqlerror.ErrorPosf(op.Position, "%s has no subscriptions", f.Name))
	}
	if op.Directives.ForName("idempotent") != nil {
		return documentRefusal(gqlerror.ErrorPosf(op.Position, "send the idempotency key of an operation for %s in the header Idempotency-Key", f.Name))
	}
	for _, field := range rootFields(doc.ast, op.SelectionSet, nil, map[string]bool{}) {
		if field.Directives.ForName("idempotent") != nil {
			return documentRefusal(gqlerror.ErrorPosf(field.Position, "send the idempotency key of an operation for %s in the header Idempotency-Key", f.Name))
		}
	}
	var e *gqlerror.Error
	visit := func(path string, v *ast.Value, pos *ast.Position) bool {
		if v == nil || fit(v.Raw) {
			return true
		}
		e = gqlerror.ErrorPosf(pos, "a text must be UTF-8 without NUL")
		name(e, path)
		return false
	}
	eachArgument(doc.ast, visit)
	for _, v := range op.VariableDefinitions {
		within(v.Variable, v.DefaultValue, visit)
	}
	if e != nil {
		return documentRefusal(e)
	}
	doc.foreign = true
	return nil
}

func fit(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }

// checkVariables refuses what PostgreSQL cannot hold: the scalars of our schema, which do so otherwise, see none of it.
func checkVariables(path string, v any) *refused {
	switch v := v.(type) {
	case string:
		if !fit(v) {
			e := coded(string(errs.Validation), "A text must be UTF-8 without NUL.")
			e.Extensions["field"] = path
			return documentRefusal(e)
		}
	case map[string]any:
		for key, child := range v {
			inner := key
			if path != "" {
				inner = path + "." + key
			}
			if !fit(key) {
				return checkVariables(path, key)
			}
			if r := checkVariables(inner, child); r != nil {
				return r
			}
		}
	case []any:
		for i, child := range v {
			if r := checkVariables(fmt.Sprintf("%s[%d]", path, i), child); r != nil {
				return r
			}
		}
	}
	return nil
}

// rowsOf prices an operation by the rows it may read or write: a connection has as many edges as first, last or Foreign.Rows says, an
// insertion as many records as objects, an update or deletion as many as atMost says.
type rowsOf struct {
	rows      int64
	doc       *ast.QueryDocument
	variables map[string]any
	defaults  ast.VariableDefinitionList
	ceiling   int64
	memo      map[fragmentSize]int64
}

// checkRows refuses an operation that may touch more than Limits.Cost.
func (f *Foreign) checkRows(limit int, doc *ast.QueryDocument, op *ast.OperationDefinition, variables map[string]any) *refused {
	p := rowsOf{
		rows: int64(max(f.Rows, 1)), doc: doc, variables: variables, defaults: op.VariableDefinitions, ceiling: int64(limit),
		memo: map[fragmentSize]int64{},
	}
	if p.set(op.SelectionSet, 1) > p.ceiling {
		return limitRefusal("cost", limit, "objects in an answer")
	}
	return nil
}

// set prices a selection set of an object whose edges or records are size many.
func (p *rowsOf) set(set ast.SelectionSet, size int64) int64 {
	var total int64
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			total += p.field(sel, size)
		case *ast.InlineFragment:
			total += p.set(sel.SelectionSet, size)
		case *ast.FragmentSpread:
			total += p.fragment(sel.Name, size)
		}
		if total > p.ceiling {
			return p.ceiling + 1
		}
	}
	return total
}

func (p *rowsOf) fragment(name string, size int64) int64 {
	key := fragmentSize{name, size}
	total, ok := p.memo[key]
	if d := p.doc.Fragments.ForName(name); !ok && d != nil { // the guard has refused cycles
		total = p.set(d.SelectionSet, size)
		p.memo[key] = total
	}
	return total
}

func (p *rowsOf) field(f *ast.Field, size int64) int64 {
	own, writes := p.size(f)
	each := p.set(f.SelectionSet, own)
	switch {
	case f.Name == "edges" || f.Name == "records":
		if each++; each > p.ceiling/size {
			return p.ceiling + 1
		}
		return each * size
	case writes:
		return min(each+own, p.ceiling+1)
	case len(f.SelectionSet) > 0:
		return each + 1
	}
	return 0
}

// size is how many rows a field is about, and whether it writes them.
func (p *rowsOf) size(f *ast.Field) (n int64, writes bool) {
	n = p.rows
	for _, a := range f.Arguments {
		switch a.Name {
		case "first", "last":
			if given, ok := p.number(a.Value); ok {
				n = min(max(given, 1), p.rows)
			}
		case "atMost":
			n, writes = 1, true
			if given, ok := p.number(a.Value); ok {
				n = max(given, 1)
			}
		case "objects":
			n, writes = p.length(a.Value), true
		}
	}
	if !writes && (strings.HasPrefix(f.Name, "update") || strings.HasPrefix(f.Name, "deleteFrom")) && strings.HasSuffix(f.Name, "Collection") {
		return 1, true // pg_graphql's default of atMost
	}
	return min(n, math.MaxInt32), writes
}

// value is what stands for a variable.
func (p *rowsOf) value(v *ast.Value) any {
	if v.Kind == ast.Variable {
		if given, ok := p.variables[v.Raw]; ok {
			return given
		}
		d := p.defaults.ForName(v.Raw)
		if d == nil || d.DefaultValue == nil {
			return nil
		}
		v = d.DefaultValue
	}
	out, err := v.Value(p.variables)
	if err != nil {
		return nil
	}
	return out
}

func (p *rowsOf) number(v *ast.Value) (int64, bool) {
	given := p.value(v)
	if given == nil {
		return 0, false
	}
	return toInt(given)
}

func (p *rowsOf) length(v *ast.Value) int64 {
	if list, ok := p.value(v).([]any); ok {
		return int64(len(list))
	}
	return 1 // an object stands for a list of one
}

// executeForeign runs an operation of the other engine. The refusal is for an error instead of an answer.
func (h *Handler) executeForeign(ctx context.Context, op *operation) (*graphql.Response, *refused) {
	answer, err := h.cfg.Foreign.Execute(ctx, op.OperationContext)
	if err != nil {
		status := errs.Status(errs.From(err).Code)
		list := gqlerror.List{asGraphQL(err)}
		return &graphql.Response{Errors: list}, &refused{status: status, draft: status, list: list}
	}
	answer.Errors = h.present(ctx, answer.Errors)
	return answer, nil
}

// openForeign is open for a document of the other dialect, whose engine coerces the variables itself.
func (h *Handler) openForeign(ctx context.Context, req *request, doc *document, start time.Time) (*operation, *refused) {
	def := doc.ast.Operations.ForName(req.operationName)
	if def == nil {
		return nil, unknownOperation(req.operationName, doc)
	}
	if refusal := checkVariables("", req.variables); refusal != nil {
		return nil, refusal
	}
	if refusal := h.cfg.Foreign.checkRows(h.limits.Cost, doc.ast, def, req.variables); refusal != nil {
		return nil, refusal
	}
	op := &operation{plan: doc.ops[def]}
	if op.plan.introspects && !h.cfg.Introspection(ctx) {
		return nil, notIntrospected()
	}
	op.OperationContext = &graphql.OperationContext{
		RawQuery:      req.query,
		Variables:     req.variables,
		OperationName: req.operationName,
		Doc:           doc.ast,
		Extensions:    req.extensions,
		Operation:     def,
		RecoverFunc:   h.cfg.Recover,
		Stats:         graphql.Stats{OperationStart: start},
	}
	op.foreign = true
	return op, nil
}

// Query runs a query of the other engine within another request, after the same checks as if a client had sent it. The errors are
// not presented yet; answer is null when there is none.
func (h *Handler) Query(ctx context.Context, query, operationName string, variables map[string]any) *graphql.Response {
	op, refusal := h.open(ctx, &request{query: query, operationName: operationName, variables: variables}, time.Now())
	if refusal == nil && op.Operation.Operation != ast.Query {
		refusal = documentRefusal(gqlerror.Errorf("this field runs queries; send a mutation as an operation of its own"))
	}
	if refusal != nil {
		return &graphql.Response{Errors: refusal.list}
	}
	answer, err := h.cfg.Foreign.Execute(ctx, op.OperationContext)
	if err != nil {
		return &graphql.Response{Errors: gqlerror.List{gqlerror.Wrap(err)}}
	}
	return answer
}
