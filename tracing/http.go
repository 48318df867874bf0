package tracing

import (
	"net/http"
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Middleware makes a span of each request, named by the route it takes, in the trace of its traceparent header. It passes
// the request that next routes on to it, so next must be, or lead straight to, a ServeMux. Probes and WebSocket upgrades
// have no span: a socket would hold its trace open for hours. It is next itself when t is nil.
func (t *Tracer) Middleware(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return otelhttp.NewHandler(routed(next), "",
		otelhttp.WithTracerProvider(t.provider), otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithMeterProvider(noop.NewMeterProvider()), otelhttp.WithFilter(traced))
}

// traced reports whether a request has a span.
func traced(r *http.Request) bool {
	switch r.URL.Path {
	case "/health", "/ready", "/metrics":
		return false
	}
	return !strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// routed adds to the span what is known only when a request was routed, and that a handler panicked.
func routed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		span := trace.SpanFromContext(r.Context())
		if !span.IsRecording() {
			next.ServeHTTP(w, r)
			return
		}
		span.SetAttributes(requestID(r.Context())...)
		returned := false
		defer func() {
			if i := strings.IndexByte(r.Pattern, '/'); i >= 0 {
				span.SetAttributes(semconv.HTTPRoute(r.Pattern[i:]))
			}
			if !returned {
				span.SetStatus(codes.Error, "")
			}
		}()
		next.ServeHTTP(w, r)
		returned = true
	})
}
