package resolvers

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"stackforge/errs"
	"stackforge/repo/pggraphql"
	"stackforge/transport"
)

// NewPgHandler returns the endpoint whose every operation is pg_graphql's.
func NewPgHandler(d Deps, c HandlerConfig) *transport.Handler {
	r := &Resolver{Deps: d}
	present := Present(c.Log)
	return transport.New(transport.Config{
		Foreign:       r.foreign(),
		Present:       present,
		Recover:       Recover(c.Log),
		Limits:        transport.Limits{Body: c.MaxBody, Cost: maxCost},
		Introspection: func(context.Context) bool { return c.Introspection },
		AroundMutation: func(ctx context.Context, op *graphql.OperationContext, run func(context.Context) *graphql.Response) *graphql.Response {
			return r.once(ctx, op, present, run)
		},
		Observe: c.Observe,
		Log:     c.Log,
	})
}

// foreign is the dialect of pg_graphql.
func (r *Resolver) foreign() *transport.Foreign {
	return &transport.Foreign{Name: "pg_graphql", Owns: isPgField, Rows: pggraphql.MaxRows, Execute: r.passThrough}
}

// isPgField knows the root fields of pg_graphql by their form.
func isPgField(kind ast.Operation, name string) bool {
	if kind == ast.Mutation {
		return strings.HasSuffix(name, "Collection") &&
			(strings.HasPrefix(name, "insertInto") || strings.HasPrefix(name, "update") || strings.HasPrefix(name, "deleteFrom"))
	}
	return strings.HasSuffix(name, "Collection") || strings.HasSuffix(name, "ByPk")
}

func (r *Resolver) passThrough(ctx context.Context, op *graphql.OperationContext) (*graphql.Response, error) {
	answer, err := r.PgGraphQL.Resolve(ctx, pggraphql.Request{
		Query: op.RawQuery, OperationName: op.OperationName, Variables: op.Variables, Mutation: op.Operation.Operation == ast.Mutation,
	})
	if err != nil {
		return nil, err
	}
	out := &graphql.Response{Data: answer.Data}
	for _, e := range answer.Errors {
		out.Errors = append(out.Errors, gqlerror.Wrap(e))
	}
	if op.Operation.Operation == ast.Mutation && len(out.Errors) == 0 {
		for _, channel := range []string{jobsReady, jobEvents, hooksDue} { // a job or an event may have been written
			r.Nudge(ctx, channel)
		}
	}
	return out, nil
}

func (r *queryRoot) PgGraphql(ctx context.Context, query string, variables json.RawMessage, operationName *string) (json.RawMessage, error) {
	var given map[string]any
	if len(variables) > 0 && json.Unmarshal(variables, &given) != nil {
		return nil, errs.Field("variables", "This must be an object.")
	}
	name := ""
	if operationName != nil {
		name = *operationName
	}
	answer := r.pg.Query(ctx, query, name, given)
	for _, e := range answer.Errors {
		own, ok := errors.AsType[*errs.Error](e)
		if !ok { // a refusal before the extension saw it
			own = errs.Field("query", e.Message)
		}
		graphql.AddError(ctx, own)
	}
	return answer.Data, nil
}
