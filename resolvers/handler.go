package resolvers

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/rs/zerolog"

	"stackforge/errs"
	"stackforge/graph"
	"stackforge/tenant"
	"stackforge/transport"
)

// HandlerConfig is what the GraphQL endpoint needs beside the resolvers.
type HandlerConfig struct {
	Origins       []string // that may open a WebSocket
	MaxBody       int      // bytes of a request body
	Introspection bool
	Suggest       bool // "did you mean" in validation errors
	// Authenticate reads the credential of a socket: connection_init's payload, else the upgrade request's headers.
	Authenticate func(ctx context.Context, r *http.Request, init map[string]any) (tenant.Scope, time.Time, error)
	// Admit counts an operation of a socket; its error refuses it. nil lets all through.
	Admit func(ctx context.Context) error
	// Hold returns the context of a socket that this scope opened: it ends with the scope's key. nil lets a socket go on.
	Hold    func(ctx context.Context, s tenant.Scope) context.Context
	Observe func(ctx context.Context, op transport.Operation)
	Log     zerolog.Logger
}

// NewHandler returns the GraphQL endpoint: HTTP and WebSocket.
func NewHandler(d Deps, c HandlerConfig) *transport.Handler {
	r := &Resolver{Deps: d, pg: NewPgHandler(d, c)}
	config := graph.Config{Resolvers: r}
	config.Directives.Auth = authorize
	present := Present(c.Log)
	return transport.New(transport.Config{
		Schema:          graph.NewExecutableSchema(config),
		Foreign:         r.foreign(),
		Present:         present,
		Recover:         Recover(c.Log),
		Limits:          transport.Limits{Body: c.MaxBody, Cost: maxCost},
		Origins:         c.Origins,
		Suggest:         c.Suggest,
		Introspection:   func(context.Context) bool { return c.Introspection },
		BeforeOperation: r.WithLoaders,
		AroundMutation: func(ctx context.Context, op *graphql.OperationContext, run func(context.Context) *graphql.Response) *graphql.Response {
			return r.once(ctx, op, present, run)
		},
		Admit:    c.Admit,
		Observe:  c.Observe,
		Log:      c.Log,
		ShareKey: shareKey,
		// Who gives a prefetch consumes: one message is for one subscriber, so those are never shared either.
		ReplayArguments: []string{"after", "prefetch"},
		Authenticate: func(ctx context.Context, req *http.Request, init map[string]any) (context.Context, time.Time, error) {
			s, expires, err := c.Authenticate(ctx, req, init)
			if err != nil {
				return ctx, time.Time{}, err
			}
			if c.Hold != nil {
				ctx = c.Hold(ctx, s)
			}
			return tenant.With(ctx, s), expires, nil
		},
	})
}

// maxCost bounds the objects one operation may return: a page of 100 with three relations each is far below.
const maxCost = 10_000

// shareKey lets callers of one tenant with the same permissions share an identical subscription.
func shareKey(ctx context.Context) string {
	s := tenant.Lookup(ctx)
	if s == nil {
		return ""
	}
	return s.TenantID.String() + " " + strings.Join(s.Scopes, ",")
}

// authorize is the directive @auth: it runs before the resolver. Several input errors of one resolver are all reported here.
func authorize(ctx context.Context, _ any, next graphql.Resolver, scope string) (any, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	if !s.Allows(scope) {
		return nil, errs.Newf(errs.Forbidden, "This needs the permission %s.", scope)
	}
	v, err := next(ctx)
	var list errs.List
	if errors.As(err, &list) && len(list) > 1 {
		for _, e := range list[:len(list)-1] {
			graphql.AddError(ctx, e)
		}
		return nil, list[len(list)-1]
	}
	return v, err
}
