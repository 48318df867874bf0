// Package tracing sends traces to an OpenTelemetry collector, by OTLP over HTTP. Without an endpoint there is no Tracer,
// and a nil *Tracer adds nothing: no hook, no wrapper, no allocation.
//
// # For operators
//
// Set OTEL_EXPORTER_OTLP_ENDPOINT to the collector's base URL, such as http://localhost:4318; TRACE_RATIO says which part
// of the traces that start here is recorded. A W3C traceparent header is followed: its trace goes on, and its sampled flag
// decides in place of the ratio. The OpenTelemetry library itself reads OTEL_EXPORTER_OTLP_HEADERS (for the collector's
// credential), OTEL_EXPORTER_OTLP_CERTIFICATE, OTEL_EXPORTER_OTLP_TIMEOUT, OTEL_BSP_* and OTEL_RESOURCE_ATTRIBUTES from
// the process's environment; a .env file does not reach it.
//
// There are four kinds of spans:
//
//   - "POST /graphql": an HTTP request by its route, with status, request.id (as in the log) and, for GraphQL, type and
//     name of the operation and the code of its first error. /health, /ready and /metrics have none.
//   - "document.Get": a statement by its name, with its rows and the SQLSTATE class of its error, below the request or the
//     job that ran it. Statements of no request and no job, such as the worker's polls, have none.
//   - "job send_email": a run of a job, with job.id and job.attempt. It is a trace of its own without a link to the request
//     that enqueued it: a job does not keep the trace it comes from.
//   - "subscription" (or query, mutation): an operation on a WebSocket when it has ended, a trace of its own without
//     statements.
//
// Spans hold no SQL, argument, document, variable, query string, body or text of an error, and of the headers only
// User-Agent, Host and the client's address in X-Forwarded-For; the path of the URL is there. Values are cut at 256
// characters. Spans wait in memory, 2,048 at most, and are sent every five seconds or 512 at once; when the collector does
// not take them they are lost, a warning says so once, and requests go on. A stop sends what waits, for at most 5 s.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/tenant"
)

// Config says where traces go.
type Config struct {
	Endpoint string  // base URL of the collector; "" is no tracing
	Service  string  // service.name
	Version  string  // service.version
	Ratio    float64 // of the traces that start here, 0 to 1, that are recorded
	Log      zerolog.Logger
}

// Tracer makes spans. A nil Tracer makes none, and all its methods work.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	close    func(grace time.Duration)
}

// maxText bounds each text of a span, in characters. Clients choose paths, user agents and names of operations.
const maxText = 256

// Start returns a Tracer, or nil when there is no endpoint. It connects to nothing yet; Close ends it. The error says
// that the endpoint is no http or https URL, or has a user, a query or a fragment, which would not be sent.
func Start(ctx context.Context, c Config) (*Tracer, error) {
	if c.Endpoint == "" {
		return nil, nil //nolint:nilnil // a nil Tracer is what traces nothing
	}
	to, err := target(c.Endpoint)
	if err != nil {
		return nil, err
	}
	sender, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(to), otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	from, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithAttributes(semconv.ServiceName(c.Service), semconv.ServiceVersion(c.Version)))
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	limits := sdktrace.NewSpanLimits()
	limits.AttributeValueLengthLimit = maxText
	limits.EventCountLimit = 0 // the library would put the text of a panic into one
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(&exporter{SpanExporter: sender, log: c.Log}),
		sdktrace.WithResource(from),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(c.Ratio))),
		sdktrace.WithRawSpanLimits(limits),
	)
	base := context.WithoutCancel(ctx) // what waits is sent after the end of ctx
	return &Tracer{
		provider: provider, tracer: provider.Tracer("stackforge/tracing"),
		close: func(grace time.Duration) {
			ctx, cancel := context.WithTimeout(base, grace)
			defer cancel()
			if err := provider.Shutdown(ctx); err != nil {
				c.Log.Warn().Err(err).Msg("tracing: not all traces were sent before the end")
			}
		},
	}, nil
}

// target is the address that traces are posted to.
func target(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("tracing: the endpoint must be an http:// or https:// URL without user, query and fragment")
	}
	return u.JoinPath("v1", "traces").String(), nil
}

// Close sends what waits, for at most the grace. Spans that end later are dropped.
func (t *Tracer) Close(grace time.Duration) {
	if t != nil {
		t.close(grace)
	}
}

// Hooks returns the hook that makes a span of each statement; none when t is nil.
func (t *Tracer) Hooks() []db.Hook {
	if t == nil {
		return nil
	}
	return []db.Hook{t.statement}
}

// statement makes the span of a statement that has ended, as a child of the caller's.
func (t *Tracer) statement(ctx context.Context, q db.Query) {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return
	}
	_, span := t.tracer.Start(ctx, q.Name, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(q.Start),
		trace.WithAttributes(semconv.DBSystemNamePostgreSQL, semconv.DBOperationName(q.Name), semconv.DBResponseReturnedRows(int(q.Rows))))
	if q.ErrorClass != "" {
		span.SetAttributes(semconv.ErrorTypeKey.String(q.ErrorClass))
		if q.ErrorClass != "ZE" { // an answer of one of our functions, such as NOT_FOUND
			span.SetStatus(codes.Error, "")
		}
	}
	span.End(trace.WithTimestamp(q.Start.Add(q.Duration)))
}

// Operation is a GraphQL operation that has ended.
type Operation struct {
	Kind     string // query, mutation or subscription; "" when the document was refused
	Name     string // as the document names it
	Code     string // of its first error
	Duration time.Duration
	Events   int // answers sent
}

// Operation notes an operation on the span of its request. On a WebSocket, which has none, it makes a span of its own.
func (t *Tracer) Operation(ctx context.Context, op Operation) {
	if t == nil {
		return
	}
	span := trace.SpanFromContext(ctx)
	if span.SpanContext().IsValid() {
		if span.IsRecording() {
			op.describe(span)
		}
		return
	}
	name := op.Kind
	if name == "" {
		name = "refused"
	}
	end := time.Now()
	_, span = t.tracer.Start(ctx, name, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(end.Add(-op.Duration)))
	op.describe(span)
	span.SetAttributes(attribute.Int("graphql.events", op.Events))
	span.SetAttributes(requestID(ctx)...)
	span.End(trace.WithTimestamp(end))
}

func (op Operation) describe(span trace.Span) {
	if op.Kind != "" {
		span.SetAttributes(semconv.GraphQLOperationTypeKey.String(op.Kind))
	}
	if op.Name != "" {
		span.SetAttributes(semconv.GraphQLOperationName(op.Name))
	}
	if op.Code != "" {
		failed(span, errs.Code(op.Code))
	}
}

// Job is a run of a job.
type Job struct {
	Type    string // one that has a handler
	ID      int64
	Attempt int
}

// Job runs a job inside a span, which is the root of a trace: what enqueued it has long ended.
func (t *Tracer) Job(ctx context.Context, j Job, run func(context.Context) error) error {
	if t == nil {
		return run(ctx)
	}
	ctx, span := t.tracer.Start(ctx, "job "+j.Type, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attribute.String("job.type", j.Type), attribute.Int64("job.id", j.ID), attribute.Int("job.attempt", j.Attempt)),
		trace.WithAttributes(requestID(ctx)...))
	err := errs.New(errs.Internal, "") // of a run that panics or ends its goroutine
	defer func() {
		if err != nil {
			failed(span, err.Code)
		}
		span.End()
	}()
	result := run(ctx)
	err = nil
	if result != nil {
		err = errs.From(result)
	}
	return result
}

// failed notes an error by its code. Only what is the server's fault fails the span.
func failed(span trace.Span, code errs.Code) {
	span.SetAttributes(semconv.ErrorTypeKey.String(string(code)))
	switch code {
	case errs.Internal, errs.Timeout, errs.Unavailable:
		span.SetStatus(codes.Error, "")
	default:
	}
}

// requestID is what leads from a span to the lines of the log.
func requestID(ctx context.Context) []attribute.KeyValue {
	if id := tenant.RequestID(ctx); id != "" {
		return []attribute.KeyValue{attribute.String("request.id", id)}
	}
	return nil
}

// exporter tells the log, not the library's global handler, when traces cannot be sent.
type exporter struct {
	sdktrace.SpanExporter

	log     zerolog.Logger
	failing bool // calls come one after the other
}

// ExportSpans sends spans. Its error is nil: a failure is in the log, the first of a row as a warning.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	switch {
	case err == nil && e.failing:
		e.log.Info().Msg("tracing: traces are sent again")
	case err != nil && e.failing:
		e.log.Debug().Err(err).Int("spans", len(spans)).Msg("tracing: traces could not be sent and are lost")
	case err != nil:
		e.log.Warn().Err(err).Int("spans", len(spans)).Msg("tracing: traces could not be sent and are lost")
	}
	e.failing = err != nil
	return nil
}
