// Package tenant carries the caller's identity in a context. It is the only thing that travels there.
package tenant

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"stackforge/errs"
)

// Scope is who calls and for which tenant.
type Scope struct {
	TenantID uuid.UUID
	KeyID    uuid.UUID // the API key, or the one a token was made from; zero for a worker
	UserID   uuid.UUID // zero for callers that are a key only
	Scopes   []string  // permissions such as "documents:write"; "*" is all that a tenant can have
	Token    bool      // the caller came with a token, not with the key itself

	RequestsPerMinute int // of each key of the tenant, when the operator has set it; 0 for the server's own limit
}

// operators begins the permissions that tell of all tenants: the "*" of a tenant does not include them.
const operators = "operator:"

// Allows reports whether the caller has a permission: exactly, by "*" unless it is an operator's, or by "<noun>:*".
func (s Scope) Allows(scope string) bool {
	for _, have := range s.Scopes {
		if have == scope || have == "*" && !strings.HasPrefix(scope, operators) {
			return true
		}
		if n := len(have); n > 2 && have[n-2:] == ":*" && len(scope) > n-1 && scope[:n-1] == have[:n-1] {
			return true
		}
	}
	return false
}

// Grantable are the permissions that the caller may give to others: its own, except an operator's, which only the owner of
// the database gives.
func (s Scope) Grantable() []string {
	return slices.DeleteFunc(slices.Clone(s.Scopes), func(scope string) bool { return strings.HasPrefix(scope, operators) })
}

type (
	contextKey   struct{}
	requestIDKey struct{}
)

// With returns a context that acts for the scope.
func With(ctx context.Context, s Scope) context.Context {
	return context.WithValue(ctx, contextKey{}, &s)
}

// From returns the scope of the context. It is Unauthenticated when there is none.
func From(ctx context.Context) (Scope, error) {
	if s, ok := ctx.Value(contextKey{}).(*Scope); ok {
		return *s, nil
	}
	return Scope{}, errs.New(errs.Unauthenticated, "A valid API key or token is required.")
}

// Lookup returns the scope of the context, or nil when there is none.
func Lookup(ctx context.Context) *Scope {
	s, _ := ctx.Value(contextKey{}).(*Scope)
	return s
}

// WithRequestID returns a context that carries the id of the request, which every log line and error shows.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the id of the request, "" when there is none.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
