// Package rest is the REST door, for callers that know the API from before GraphQL: it reads a request, makes one call to a
// repository or to app, and shapes the answer. It holds no rule; names, defaults and statuses are told in docs/rest.md.
//
// Each route is an operation of huma (rest.go registers them, document.go, job.go and so on declare them), from which the
// OpenAPI document at /documentation/json is made; streams (ws.go, events.go) are plain handlers that are described there too.
package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/rs/zerolog"

	"stackforge/app"
	"stackforge/auth"
	"stackforge/errs"
	"stackforge/httpd"
	"stackforge/realtime"
	"stackforge/repo/dashboard"
	"stackforge/repo/document"
	"stackforge/repo/idempotency"
	"stackforge/repo/job"
	"stackforge/repo/search"
	"stackforge/tenant"
	hooks "stackforge/webhook"
)

// Config is what New needs.
type Config struct {
	Dashboard   *dashboard.Repo
	Documents   *document.Repo
	Files       Files
	Idempotency *idempotency.Repo
	Jobs        *job.Repo
	Messages    *app.Messages
	Payloads    *app.Payloads
	Search      *search.Repo
	Webhooks    *hooks.Endpoints

	// Admit counts a request without a credential for its address. When it is false, the request was answered.
	Admit func(w http.ResponseWriter, r *http.Request) bool
	// Authorize checks credentials, counts the request for their owner, and tells until when they hold (the zero time for
	// ever). When ok is false, the request was answered.
	Authorize func(w http.ResponseWriter, r *http.Request, c auth.Credentials) (s tenant.Scope, until time.Time, ok bool)
	// Hold returns a context for a stream of this scope: it ends with the key that opened it. nil lets a stream go on.
	Hold func(ctx context.Context, s tenant.Scope) context.Context
	// Subscribe subscribes the context's tenant to the changes of its jobs; see realtime.Hub.
	Subscribe func(ctx context.Context, keep func(*job.Event) bool, after string) (*realtime.Subscription[*job.Event], error)
	// Nudge tells workers and subscribers that there is something new on a channel, once what was done with ctx is committed.
	Nudge func(ctx context.Context, channel string)
	// Token answers POST /auth/token.
	Token http.Handler

	Log     zerolog.Logger
	MaxBody int64    // of JSON, in bytes
	MaxFile int64    // of a file, in bytes
	Origins []string // that may open a WebSocket from a page, beside the server's own
	Times   StreamTimes
	Version string // of the program
}

// API is the REST API.
type API struct {
	Config
	mux     *http.ServeMux
	huma    huma.API
	streams *streams
}

// bodyWait is how long a body may take to arrive.
const bodyWait = 30 * time.Second

// New adds the routes of the REST API to a mux.
func New(c Config, mux *http.ServeMux) *API {
	c.Times = c.Times.withDefaults()
	a := &API{Config: c, mux: mux, streams: newStreams()}
	a.huma = huma.NewAPI(description(c.Version), a)
	a.auth()
	a.documents()
	a.search()
	a.jobs()
	a.encryption()
	a.dashboard()
	a.messages()
	a.webhook()
	a.events()
	a.files()
	a.sockets()
	a.others()
	a.documentation()
	return a
}

// Shutdown ends the open streams and waits until they have, or for ctx.
func (a *API) Shutdown(ctx context.Context) { a.streams.shutdown(ctx) }

// scopeKey is where an operation's metadata has the permission that it needs.
const scopeKey = "scope"

// handle registers an operation for callers with a permission.
func handle[I, O any](a *API, scope string, op huma.Operation, fn func(context.Context, *I) (*O, error)) {
	op.Metadata = map[string]any{scopeKey: scope}
	op.MaxBodyBytes, op.BodyReadTimeout = -1, bodyWait // ServeHTTP bounds bodies
	op.SkipValidateParams = true                       // parameters read themselves, see param.go
	secure(&op, scope)
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := once(ctx, a, op.OperationID, in, fn)
		if err != nil {
			return nil, &failure{err}
		}
		return out, nil
	})
}

// Handle adds a route to the mux; huma calls it. It makes API a huma.Adapter.
func (a *API) Handle(op *huma.Operation, next func(huma.Context)) {
	scope, _ := op.Metadata[scopeKey].(string)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := readable(op, r); err != nil {
			httpd.WriteError(w, r, err)
			return
		}
		x := newExchange(op, w, r)
		next(x)
		x.send() // what has no body
	})
	a.mux.Handle(op.Method+" "+op.Path, a.Protect(scope, httpd.LimitBody(h, a.MaxBody, 0)))
}

// ServeHTTP answers by the mux. It makes API a huma.Adapter.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// Protect lets callers through that have a permission: 401 without a valid credential, 403 without the permission.
func (a *API) Protect(scope string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _, ok := a.Authorize(w, r, auth.FromRequest(r))
		if !ok {
			return
		}
		if err := permitted(s, scope); err != nil {
			httpd.WriteError(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(tenant.With(r.Context(), s)))
	})
}

// public lets everybody through who does not send too much.
func (a *API) public(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.Admit(w, r) {
			next.ServeHTTP(w, r)
		}
	})
}

func permitted(s tenant.Scope, scope string) error {
	if !s.Allows(scope) {
		return errs.Newf(errs.Forbidden, "This needs the permission %s.", scope)
	}
	return nil
}
