package transport

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// document is a parsed, guarded and validated document with what its operations need at run time. It is never changed.
type document struct {
	ast     *ast.QueryDocument
	ops     map[*ast.OperationDefinition]*plan
	size    int  // estimated bytes of memory
	foreign bool // it is for Config.Foreign
}

// plan is what is known of one operation before its variables are.
type plan struct {
	introspects bool
	sized       bool         // its cost depends on variables
	replays     bool         // it asks for past events, whatever the variables
	cursors     []*ast.Value // values that, when not null, ask for past events
}

// prepare returns the document of a text, from the cache or anew.
func (h *Handler) prepare(text string) (*document, *refused) {
	if doc := h.cache.get(text); doc != nil {
		return doc, nil
	}
	// The text may be part of a larger request; the document must not keep that alive.
	text = strings.Clone(text)
	parsed, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, h.limits.Tokens)
	if err != nil {
		return nil, parseRefusal(err, h.limits.Tokens)
	}
	if len(parsed.Operations) == 0 {
		return nil, documentRefusal(gqlerror.Errorf("the document contains no operation"))
	}
	doc, refusal := h.guard.check(parsed)
	if refusal != nil {
		return nil, refusal
	}
	if e := unreadable(parsed); e != nil {
		return nil, documentRefusal(e)
	}
	if refusal := h.decide(doc); refusal != nil {
		return nil, refusal
	}
	doc.size += len(text)
	if len(text) <= h.limits.CacheDocument {
		h.cache.add(text, doc)
	}
	return doc, nil
}

// decide validates a document, or gives it to the other engine when it is of its dialect. Ours comes first.
func (h *Handler) decide(doc *document) *refused {
	if h.cfg.Schema == nil {
		return h.cfg.Foreign.adopt(doc)
	}
	list := h.validate(doc.ast)
	if len(list) == 0 {
		h.findCursors(doc)
		return nil
	}
	if theirs, refusal := h.cfg.Foreign.takes(h.guard.schema, doc.ast); refusal != nil {
		return refusal
	} else if theirs {
		return h.cfg.Foreign.adopt(doc)
	}
	for _, e := range list {
		place(doc.ast, e)
	}
	return documentRefusal(list...)
}

// parseRefusal tells a breach of the token limit, which the parser reports without a place, from a syntax error.
func parseRefusal(err error, limit int) *refused {
	e := asGraphQL(err)
	if len(e.Locations) == 0 && strings.Contains(e.Message, "token limit") {
		return limitRefusal("tokens", limit, "tokens")
	}
	errcode.Set(e, errcode.ParseFailed)
	return &refused{status: http.StatusBadRequest, draft: http.StatusBadRequest, document: true, list: gqlerror.List{e}}
}

// chooseRules are gqlparser's, with our linear check of fields that share a name.
func chooseRules(suggest bool) []validator.Rule {
	r := rules.NewDefaultRules()
	r.ReplaceRule(rules.OverlappingFieldsCanBeMergedRule.Name, mergeRule)
	if !suggest {
		r.ReplaceRule(rules.FieldsOnCorrectTypeRule.Name, rules.FieldsOnCorrectTypeRuleWithoutSuggestions.RuleFunc)
		r.ReplaceRule(rules.ScalarLeafsRule.Name, rules.ScalarLeafsRuleWithoutSuggestions.RuleFunc)
		r.ReplaceRule(rules.KnownTypeNamesRule.Name, rules.KnownTypeNamesRuleWithoutSuggestions.RuleFunc)
		r.ReplaceRule(rules.KnownArgumentNamesRule.Name, rules.KnownArgumentNamesRuleWithoutSuggestions.RuleFunc)
		r.ReplaceRule(rules.ValuesOfCorrectTypeRule.Name, rules.ValuesOfCorrectTypeRuleWithoutSuggestions.RuleFunc)
	}
	inner := r.GetInner()
	out := make([]validator.Rule, 0, len(inner))
	for _, name := range slices.Sorted(maps.Keys(inner)) {
		out = append(out, validator.Rule{Name: name, RuleFunc: inner[name]})
	}
	return out
}

// validate applies the rules, and stops to describe errors once there are more than a client is shown.
func (h *Handler) validate(doc *ast.QueryDocument) gqlerror.List {
	found := 0
	bounded := rules.NewRules()
	for _, rule := range h.rules {
		bounded.AddRule(rule.Name, func(events *validator.Events, report validator.AddErrFunc) {
			rule.RuleFunc(events, func(options ...validator.ErrorOption) {
				if found++; found <= maxErrors {
					report(options...)
				}
			})
		})
	}
	return validator.ValidateWithRules(h.guard.schema, doc, bounded)
}

// operation is one operation that is ready to run.
type operation struct {
	*graphql.OperationContext
	plan    *plan
	foreign bool // Config.Foreign executes it
}

// kind is query, mutation or subscription.
func (o *operation) kind() string { return string(o.Operation.Operation) }

// open makes an operation of a request: it picks the operation, coerces the variables, and checks what depends on both.
func (h *Handler) open(ctx context.Context, req *request, start time.Time) (*operation, *refused) {
	if req.query == "" {
		return nil, missingQuery(req)
	}
	doc, refusal := h.prepare(req.query)
	if refusal != nil {
		return nil, refusal
	}
	if doc.foreign {
		return h.openForeign(ctx, req, doc, start)
	}
	def := doc.ast.Operations.ForName(req.operationName)
	if def == nil {
		return nil, unknownOperation(req.operationName, doc)
	}
	variables := map[string]any{}
	if len(def.VariableDefinitions) > 0 {
		var err error
		if variables, err = validator.VariableValues(h.guard.schema, def, req.variables); err != nil {
			e := asGraphQL(err)
			placeVariable(doc.ast, e)
			return nil, documentRefusal(e)
		}
	}
	op := &operation{plan: doc.ops[def]}
	if op.plan.sized {
		if refusal := h.guard.checkCost(doc.ast, def, variables); refusal != nil {
			return nil, refusal
		}
	}
	if op.plan.introspects && !h.cfg.Introspection(ctx) {
		return nil, notIntrospected()
	}
	op.OperationContext = &graphql.OperationContext{
		RawQuery:               req.query,
		Variables:              variables,
		OperationName:          req.operationName,
		Doc:                    doc.ast,
		Extensions:             req.extensions,
		Operation:              def,
		DisableIntrospection:   !op.plan.introspects,
		RecoverFunc:            h.cfg.Recover,
		ResolverMiddleware:     h.cfg.AroundFields,
		RootResolverMiddleware: h.cfg.AroundRootFields,
		Stats:                  graphql.Stats{OperationStart: start},
	}
	return op, nil
}

func notIntrospected() *refused {
	return documentRefusal(gqlerror.Errorf("introspection is not available to you"))
}

// missingQuery answers a request without a document; clients that offer a hash instead are told to send the text.
func missingQuery(req *request) *refused {
	if _, ok := req.extensions["persistedQuery"]; ok {
		e := gqlerror.Errorf("PersistedQueryNotSupported")
		errcode.Set(e, "PERSISTED_QUERY_NOT_SUPPORTED")
		return &refused{status: http.StatusBadRequest, draft: http.StatusUnprocessableEntity, document: true, list: gqlerror.List{e}}
	}
	r := refusal(http.StatusBadRequest, "The member query is missing: it must be a string with the GraphQL document.")
	r.draft = http.StatusUnprocessableEntity
	return r
}

func unknownOperation(name string, doc *document) *refused {
	if name == "" {
		return documentRefusal(gqlerror.Errorf("the document has %d operations: operationName must name one", len(doc.ast.Operations)))
	}
	return documentRefusal(gqlerror.Errorf("the document has no operation of the name given in operationName"))
}

// findCursors notes the values by which each operation may ask for past events. It runs after validation, which
// resolves the definitions.
func (h *Handler) findCursors(doc *document) {
	for op, p := range doc.ops {
		if op.Operation != ast.Subscription {
			continue
		}
		f := cursorFinder{names: h.cfg.ReplayArguments, plan: p, seen: map[string]bool{}}
		f.selections(op.SelectionSet)
		for _, v := range op.VariableDefinitions {
			if f.named(v.Variable) {
				f.plan.cursors = append(f.plan.cursors, &ast.Value{Kind: ast.Variable, Raw: v.Variable})
			}
			f.value(v.DefaultValue)
		}
	}
}

type cursorFinder struct {
	names []string
	plan  *plan
	seen  map[string]bool
}

func (f *cursorFinder) named(name string) bool { return slices.Contains(f.names, name) }

func (f *cursorFinder) selections(set ast.SelectionSet) {
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			f.field(sel)
			f.selections(sel.SelectionSet)
		case *ast.InlineFragment:
			f.selections(sel.SelectionSet)
		case *ast.FragmentSpread:
			if !f.seen[sel.Name] && sel.Definition != nil {
				f.seen[sel.Name] = true
				f.selections(sel.Definition.SelectionSet)
			}
		}
	}
}

func (f *cursorFinder) field(field *ast.Field) {
	for _, a := range field.Arguments {
		if f.named(a.Name) {
			f.plan.cursors = append(f.plan.cursors, a.Value)
		}
		f.value(a.Value)
	}
	if field.Definition == nil {
		return
	}
	for _, a := range field.Definition.Arguments {
		byDefault := a.DefaultValue != nil && a.DefaultValue.Kind != ast.NullValue
		if byDefault && f.named(a.Name) && field.Arguments.ForName(a.Name) == nil {
			f.plan.replays = true
		}
	}
}

// value looks for fields of input objects with such a name.
func (f *cursorFinder) value(v *ast.Value) {
	if v == nil {
		return
	}
	for _, c := range v.Children {
		if f.named(c.Name) {
			f.plan.cursors = append(f.plan.cursors, c.Value)
		}
		f.value(c.Value)
	}
}

// replays says whether a subscription asks for past events, so that nobody may join it half-way.
func (h *Handler) replays(op *operation) bool {
	if op.plan.replays {
		return true
	}
	for _, v := range op.plan.cursors {
		if given, err := v.Value(op.Variables); err != nil || given != nil {
			return true
		}
	}
	return h.hasCursor(op.Variables)
}

// hasCursor looks for such names within variables that are input objects.
func (h *Handler) hasCursor(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range h.cfg.ReplayArguments {
			if v[name] != nil {
				return true
			}
		}
		for _, child := range v {
			if h.hasCursor(child) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, h.hasCursor)
	}
	return false
}
