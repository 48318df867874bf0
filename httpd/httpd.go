// Package httpd is the HTTP server around the doors: request ids, security headers, CORS, access log, panics, the one
// form of errors, body limits, probes, metrics, and a server that stops without dropping requests. It knows no route of
// the product, and of the database only what it can be asked about itself.
package httpd

import (
	"encoding/binary"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/rs/cors"
	"github.com/rs/zerolog"

	"stackforge/errs"
	"stackforge/tenant"
)

// Options is what Middleware needs. Every field may be left out.
type Options struct {
	Log     zerolog.Logger
	Metrics *Metrics
	Origins []string // that may call from a browser: exact, with one star, or "*" alone; none turns CORS off
	Quiet   []string // paths that are logged at debug unless they fail; default the probes and /metrics
}

// maxRequestID bounds an incoming request id, in bytes.
const maxRequestID = 128

// maxLoggedPath bounds the path in the access log, in bytes.
const maxLoggedPath = 512

// Middleware wraps all that the server answers. Each request gets an id (the caller's, if it is of 1 to 128 visible
// ASCII characters, or a new uuid v7), which the context, the answer's X-Request-Id, errors and logs carry; security
// headers, which a page may replace; one line in the log, without query string, headers and bodies; and numbers in the
// metrics by route pattern. A panic is answered 500. Unrouted 404 and 405 get the JSON form of errors. Streams and
// WebSocket upgrades pass through.
func Middleware(o Options) func(http.Handler) http.Handler {
	if o.Quiet == nil {
		o.Quiet = []string{"/health", "/ready", "/metrics"}
	}
	quiet := make(map[string]bool, len(o.Quiet))
	for _, path := range o.Quiet {
		quiet[path] = true
	}
	return func(next http.Handler) http.Handler {
		if len(o.Origins) > 0 {
			next = crossOrigin(o.Origins).Handler(next)
		}
		return &outer{next: next, log: o.Log, metrics: o.Metrics, quiet: quiet, headers: secure()}
	}
}

// crossOrigin allows what our clients send. Credentials (cookies of a proxy in front) go with listed origins only.
func crossOrigin(origins []string) *cors.Cors {
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: []string{
			http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		},
		AllowedHeaders: []string{
			"Accept", "Apollo-Require-Preflight", "Authorization", "Content-Type", "GraphQL-Require-Preflight",
			"Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-Id", "Traceparent", "Tracestate", "X-Api-Key",
			"X-Request-Id", "X-Requested-With",
		},
		ExposedHeaders: []string{
			"ETag", "Link", "Location", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After", "Www-Authenticate",
			"X-Request-Id",
		},
		AllowCredentials: len(origins) != 1 || origins[0] != "*",
		MaxAge:           600, // seconds; the longest that all browsers honour
	})
}

type outer struct {
	next    http.Handler
	log     zerolog.Logger
	metrics *Metrics
	quiet   map[string]bool
	headers []header
}

// ServeHTTP answers one request.
func (o *outer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	id := requestID(r)
	h := w.Header()
	h["X-Request-Id"] = []string{id}
	for _, s := range o.headers {
		h[s.name] = s.value
	}
	r = r.WithContext(tenant.WithRequestID(r.Context(), id))
	rec := &recorder{ResponseWriter: w, routed: r}
	o.metrics.begin()
	defer o.end(rec, r, start)
	o.next.ServeHTTP(rec, r)
}

// end runs last, also after a panic.
func (o *outer) end(rec *recorder, r *http.Request, start time.Time) {
	p := recover()
	abort := p == http.ErrAbortHandler //nolint:errorlint // this exact value is the signal
	if p != nil && !abort {
		abort = rec.sent && !rec.hijacked // the client must see that its answer is cut off
		o.panicked(rec, r, p)
	}
	elapsed := time.Since(start)
	o.metrics.request(rec, r, elapsed)
	o.access(rec, r, elapsed)
	if abort {
		panic(http.ErrAbortHandler)
	}
}

func (o *outer) panicked(rec *recorder, r *http.Request, p any) {
	o.log.Error().Str("requestId", tenant.RequestID(r.Context())).Str("panic", panicText(p)).
		Bytes("stack", debug.Stack()).Msg("panic")
	if rec.sent {
		rec.status = http.StatusInternalServerError // for the log: the header said something else
		return
	}
	for _, name := range []string{"Content-Encoding", "Content-Length", "Etag", "Last-Modified", "Cache-Control"} {
		rec.Header().Del(name)
	}
	WriteError(rec, r, errs.New(errs.Internal, "Something went wrong on our side."))
}

func panicText(p any) string {
	switch v := p.(type) {
	case error:
		return v.Error()
	case string:
		return v
	default:
		return "a value that is neither error nor text"
	}
}

// access writes the one line of a request.
func (o *outer) access(rec *recorder, r *http.Request, elapsed time.Duration) {
	path := r.URL.Path
	e := o.log.WithLevel(o.level(rec, r, path))
	if !e.Enabled() {
		return
	}
	if len(path) > maxLoggedPath {
		path = path[:maxLoggedPath]
	}
	e.Str("method", r.Method).Str("path", path).Int("status", rec.code()).Int64("bytes", rec.bytes).
		Dur("durationMs", elapsed).Str("requestId", tenant.RequestID(r.Context()))
	if rec.err != nil {
		failure := errs.From(rec.err)
		e.Str("code", string(failure.Code))
		// The cause of a client's mistake may quote its input; that of a fault of ours is what the log is for.
		if cause := failure.Unwrap(); cause != nil && rec.code() >= http.StatusInternalServerError {
			e.Str("cause", cause.Error())
		}
	}
	e.Msg("request")
}

func (o *outer) level(rec *recorder, r *http.Request, path string) zerolog.Level {
	status := rec.code()
	level := zerolog.InfoLevel
	switch {
	case status >= http.StatusInternalServerError && r.Context().Err() != nil:
		// The client went away; that is no fault of ours.
	case status == http.StatusInternalServerError:
		level = zerolog.ErrorLevel
	case status > http.StatusInternalServerError:
		level = zerolog.WarnLevel
	case o.quiet[path]:
		level = zerolog.DebugLevel
	}
	if level < o.log.GetLevel() || level < zerolog.GlobalLevel() {
		return zerolog.Disabled
	}
	return level
}

// requestID returns the caller's id when it is fit for a header and a log line, else a new one.
func requestID(r *http.Request) string {
	if ids := r.Header["X-Request-Id"]; len(ids) == 1 && isRequestID(ids[0]) {
		return ids[0]
	}
	return newID(time.Now()).String()
}

// newID returns a uuid v7: milliseconds, then random bits. They need not be secret, so the runtime's generator will do,
// which asks the kernel for nothing.
func newID(now time.Time) uuid.UUID {
	var id uuid.UUID
	high, low := rand.Uint64(), rand.Uint64() //nolint:gosec // see above
	binary.BigEndian.PutUint64(id[:8], uint64(now.UnixMilli())<<16|7<<12|high&0xfff)
	binary.BigEndian.PutUint64(id[8:], 2<<62|low>>2)
	return id
}

func isRequestID(s string) bool {
	if s == "" || len(s) > maxRequestID {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// header is one that every answer has. All answers share the value, which has no room to be appended to.
type header struct {
	name  string
	value []string
}

// secure returns the headers of API answers; a page sets its own Content-Security-Policy instead. Browsers honour
// Strict-Transport-Security over HTTPS only, that is, behind a proxy with a certificate.
func secure() []header {
	return []header{
		{"Content-Security-Policy", []string{"default-src 'none'; frame-ancestors 'none'"}},
		{"Referrer-Policy", []string{"no-referrer"}},
		{"Strict-Transport-Security", []string{"max-age=31536000"}},
		{"X-Content-Type-Options", []string{"nosniff"}},
		{"X-Frame-Options", []string{"DENY"}},
	}
}

// Routes wraps a ServeMux so that the access log, the metrics and the JSON 404 and 405 of Middleware learn its pattern
// when something between the two (such as authentication) passes on a copy of the request.
func Routes(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rec := recorderOf(w); rec != nil {
			rec.routed = r
		}
		mux.ServeHTTP(w, r)
	})
}

// route is the path of a ServeMux pattern, "unmatched" when there was none.
func route(r *http.Request) string {
	if r.Pattern == "" {
		return "unmatched"
	}
	if i := strings.IndexByte(r.Pattern, '/'); i > 0 {
		return r.Pattern[i:]
	}
	return r.Pattern
}
