// Package transport serves a gqlgen ExecutableSchema over HTTP (POST, and GET for queries) and over WebSocket
// (subprotocols graphql-transport-ws and the older graphql-ws).
//
// It knows no schema, table or tenant: all that is specific comes in by Config. Documents are parsed, guarded and
// validated once and then cached; answers are assembled by hand; identical subscriptions share one execution.
package transport

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/rs/zerolog"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator"
)

// Config is what a Handler needs. Only Schema or Foreign is required.
type Config struct {
	// Schema executes the operations. Its scalars get the strings of variables as they came, broken UTF-8 and NUL included,
	// and must refuse what they cannot take.
	Schema graphql.ExecutableSchema
	// Foreign executes the operations of another dialect; without a Schema all.
	Foreign *Foreign

	// Present turns an error into what the client reads. It sees every error: those of resolvers, and ours, which are
	// *gqlerror.Error with extensions.code set. The default passes ours on and hides the text of all others.
	Present func(ctx context.Context, err error) *gqlerror.Error
	// Recover turns a panic into an error, which Present then sees. The default logs it.
	Recover func(ctx context.Context, p any) error

	// Limits of requests, sockets and queues; zero fields take their defaults.
	Limits Limits
	// Origins are the values of Origin that may open a WebSocket, as in the CORS list: exact ("https://app.example"),
	// with one star ("https://*.example"), or "*". The same origin always may, and so may clients that send none.
	Origins []string
	// Draft2026 answers with the statuses of the GraphQL-over-HTTP draft of 2026 (422, 294) instead of those that
	// today's clients and the graphql-http audit suite expect.
	Draft2026 bool
	// Suggest adds "Did you mean …" to validation errors. It lets a client explore the schema without introspection.
	Suggest bool

	// Authenticate is called once per WebSocket, with the payload of connection_init (nil when there was none) and the
	// upgrade request. It returns the context of all operations of the socket, and when the credential expires (zero is
	// never); then the socket is closed with 4403, and also when that context ends before the socket does. An error closes it with 4403, or 4500 when Present calls it INTERNAL,
	// UNAVAILABLE or TIMEOUT. The default accepts everybody.
	Authenticate func(ctx context.Context, r *http.Request, initPayload map[string]any) (context.Context, time.Time, error)
	// Admit is asked before each operation of a socket is read; its error is the answer, and the socket goes on. The default
	// lets all through. Requests are counted before they come here.
	Admit func(ctx context.Context) error
	// ShareKey names who may share one execution of an identical subscription; "" is never. It must differ between
	// callers who may see different data: the execution runs in the context of the one who came first, even after that
	// one has left or its credential has expired (which closes its own socket only).
	ShareKey func(ctx context.Context) string
	// ReplayArguments are the arguments (or fields of input objects, or variables) by which a subscription asks for past
	// events. With a value in one of them it is never shared. The default is "after".
	ReplayArguments []string
	// Introspection says whether the caller may read __schema and __type. The default is nobody.
	Introspection func(ctx context.Context) bool
	// BeforeOperation returns the context of one execution: an HTTP request, an operation on a socket, the start of a
	// subscription, and then each of its events. It is the place for fresh data loaders.
	BeforeOperation func(ctx context.Context) context.Context
	// AroundMutation runs a mutation: it calls run at most once and returns its answer, or one of its own. The default calls run.
	AroundMutation func(ctx context.Context, op *graphql.OperationContext, run func(context.Context) *graphql.Response) *graphql.Response
	// AroundFields and AroundRootFields wrap resolvers; they cost on every field. The default is none.
	AroundFields     graphql.FieldMiddleware
	AroundRootFields graphql.RootFieldMiddleware
	// Observe is told about every operation that ended, refused ones included.
	Observe func(ctx context.Context, op Operation)
	// Log takes what no client is told, such as panics. The default drops it.
	Log zerolog.Logger
}

// Limits bounds what one client can ask for. A field that is zero takes the default named beside it.
type Limits struct {
	Body int // bytes of a POST body: 256 KiB; more is 413
	URL  int // bytes of the query string of a GET: 16 KiB; more is 414

	Tokens             int // of a document: 2,000
	Operations         int // in a document: 30
	Depth              int // of nested fields: 12
	IntrospectionDepth int // of nested fields below __schema and __type: 15
	Aliases            int // in an operation: 30
	RootFields         int // of an operation: 20
	Directives         int // in a document: 50
	Spreads            int // of fragments, in a document: 100
	Cost               int // of an operation, in objects it may return: 10,000 (introspection has a ceiling of its own)
	ListSize           int // objects a list is taken for when no first or last says otherwise: 20

	CacheEntries  int // documents kept parsed and validated: 1,000
	CacheBytes    int // memory of those documents, estimated: 64 MiB
	CacheDocument int // bytes of the longest document that is kept: 64 KiB

	Message      int           // bytes of a message received by a socket: 64 KiB; more closes it with 1009
	Streams      int           // operations at one time on a socket: 50
	Queue        int           // messages that wait to be sent on a socket: 256; more closes it with 1013
	QueueBytes   int           // bytes of those messages: 4 MiB (one message alone may be longer)
	InitTimeout  time.Duration // until connection_init must be accepted: 5 s; later closes with 4408
	PingInterval time.Duration // between pings to a socket: 27 s
	PongTimeout  time.Duration // for the answer, shorter than PingInterval: 10 s; then the socket is dropped
	WriteTimeout time.Duration // for one write to a socket: 10 s; then the socket is dropped
}

func (l Limits) withDefaults() Limits {
	set := func(field *int, value int) {
		if *field <= 0 {
			*field = value
		}
	}
	set(&l.Body, 256<<10)
	set(&l.URL, 16<<10)
	set(&l.Tokens, 2000)
	set(&l.Operations, 30)
	set(&l.Depth, 12)
	set(&l.IntrospectionDepth, 15)
	set(&l.Aliases, 30)
	set(&l.RootFields, 20)
	set(&l.Directives, 50)
	set(&l.Spreads, 100)
	set(&l.Cost, 10_000)
	set(&l.ListSize, 20)
	set(&l.CacheEntries, 1000)
	set(&l.CacheBytes, 64<<20)
	set(&l.CacheDocument, 64<<10)
	set(&l.Message, 64<<10)
	set(&l.Streams, 50)
	set(&l.Queue, 256)
	set(&l.QueueBytes, 4<<20)
	wait := func(field *time.Duration, value time.Duration) {
		if *field <= 0 {
			*field = value
		}
	}
	wait(&l.InitTimeout, 5*time.Second)
	wait(&l.PingInterval, 27*time.Second)
	wait(&l.PongTimeout, 10*time.Second)
	wait(&l.WriteTimeout, 10*time.Second)
	return l
}

// Operation is what Observe is told about one operation.
type Operation struct {
	Name      string        // as the document names it; "" when it has no name or could not be read
	Kind      string        // query, mutation or subscription; "" when the document was refused
	Transport string        // post, get or websocket
	Duration  time.Duration // from the request to the last byte handed over; of a subscription, its whole life
	Events    int           // answers sent: 1, or the events of a subscription
	Shared    bool          // this subscription joined an execution that was already running
	Errors    gqlerror.List // as presented; of a subscription, those that ended it
}

// Handler serves GraphQL. It is safe for concurrent use.
type Handler struct {
	cfg    Config
	limits Limits
	exec   *executor.Executor
	guard  *guard
	rules  []validator.Rule
	cache  *cache

	shares  shares
	sockets registry
	work    sync.WaitGroup // sockets and executions of subscriptions
	closing atomic.Bool
}

// New returns a Handler. It panics without a Schema and a Foreign.
func New(cfg Config) *Handler {
	if cfg.Schema == nil && cfg.Foreign == nil {
		panic("transport: Config.Schema or Config.Foreign is required")
	}
	h := &Handler{cfg: cfg, limits: cfg.Limits.withDefaults()}
	h.fill()
	schema := &ast.Schema{}
	if cfg.Schema != nil {
		schema = cfg.Schema.Schema()
		h.exec = executor.New(cfg.Schema)
		h.exec.SetErrorPresenter(h.cfg.Present)
		h.exec.SetRecoverFunc(h.cfg.Recover)
	}
	h.guard = newGuard(schema, h.limits)
	h.rules = chooseRules(cfg.Suggest)
	h.cache = newCache(h.limits.CacheEntries, h.limits.CacheBytes)
	h.sockets.init(h)
	return h
}

// fill sets the functions that were left out, so that no caller needs to ask for nil.
func (h *Handler) fill() {
	c := &h.cfg
	if c.Present == nil {
		c.Present = presentSafely
	}
	if c.Recover == nil {
		c.Recover = h.logPanic
	}
	if c.Authenticate == nil {
		c.Authenticate = func(ctx context.Context, _ *http.Request, _ map[string]any) (context.Context, time.Time, error) {
			return ctx, time.Time{}, nil
		}
	}
	if c.Admit == nil {
		c.Admit = func(context.Context) error { return nil }
	}
	if c.ShareKey == nil {
		c.ShareKey = func(context.Context) string { return "" }
	}
	if c.ReplayArguments == nil {
		c.ReplayArguments = []string{"after"}
	}
	if c.Introspection == nil {
		c.Introspection = func(context.Context) bool { return false }
	}
	if c.BeforeOperation == nil {
		c.BeforeOperation = func(ctx context.Context) context.Context { return ctx }
	}
	if c.AroundMutation == nil {
		c.AroundMutation = func(ctx context.Context, _ *graphql.OperationContext, run func(context.Context) *graphql.Response) *graphql.Response {
			return run(ctx)
		}
	}
	if c.AroundFields == nil {
		c.AroundFields = func(ctx context.Context, next graphql.Resolver) (any, error) { return next(ctx) }
	}
	if c.AroundRootFields == nil {
		c.AroundRootFields = func(ctx context.Context, next graphql.RootResolver) graphql.Marshaler { return next(ctx) }
	}
	if c.Observe == nil {
		c.Observe = func(context.Context, Operation) {}
	}
}

// execute runs a query or mutation. The answer is nil when the request was cancelled before; it counts for nothing when there is a
// refusal, which only the other engine gives here.
func (h *Handler) execute(ctx context.Context, op *operation) (answer *graphql.Response, refusal *refused) {
	run := func(ctx context.Context) *graphql.Response {
		if op.foreign {
			var own *graphql.Response
			own, refusal = h.executeForeign(ctx, op)
			return own
		}
		next, ctx := h.exec.DispatchOperation(ctx, op.OperationContext)
		return next(ctx)
	}
	if op.Operation.Operation == ast.Mutation {
		answer = h.cfg.AroundMutation(ctx, op.OperationContext, run)
	} else {
		answer = run(ctx)
	}
	return answer, refusal
}

// ServeHTTP answers one request, or takes its connection over for a WebSocket; then it returns at once.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer h.recoverHTTP(w, r)
	switch r.Method {
	case http.MethodPost:
		h.post(w, r)
	case http.MethodGet:
		if isUpgrade(r) {
			h.upgrade(w, r)
			return
		}
		h.get(w, r)
	case http.MethodOptions:
		w.Header().Set("Allow", allowed)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", allowed)
		_ = h.refuse(w, r, typeJSON, refusal(http.StatusMethodNotAllowed, "The method must be POST, or GET for queries."))
	}
}

const allowed = "GET, POST, OPTIONS"

func isUpgrade(r *http.Request) bool {
	for _, v := range r.Header["Upgrade"] {
		if strings.Contains(strings.ToLower(v), "websocket") {
			return true
		}
	}
	return false
}

// Shutdown refuses new sockets, ends all subscriptions, and closes each socket with 1001 after what is queued for it.
// It returns when all are gone; when ctx ends first it drops the rest.
func (h *Handler) Shutdown(ctx context.Context) {
	h.closing.Store(true)
	for _, s := range h.sockets.close() {
		s.shut(closeGoingAway, "The server is shutting down")
	}
	done := make(chan struct{})
	go func() {
		h.work.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		for _, s := range h.sockets.all() {
			s.drop()
		}
	}
}
