package tracing_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"stackforge/tracing"
)

// patience is how long a test waits for what must come.
const patience = 45 * time.Second

// collector takes traces as an OpenTelemetry collector does.
type collector struct {
	url string

	mu       sync.Mutex
	raw      bytes.Buffer // every request, uncompressed: protobuf keeps text as it is
	spans    []*tracepb.Span
	services map[string]bool
	paths    map[string]bool
	keys     map[string]bool // values of Authorization
}

func newCollector(t *testing.T) *collector {
	t.Helper()

	c := &collector{services: map[string]bool{}, paths: map[string]bool{}, keys: map[string]bool{}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := c.take(r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}))
	t.Cleanup(s.Close)
	c.url = s.URL
	return c
}

func (c *collector) take(r *http.Request) error {
	body, err := gzip.NewReader(r.Body)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	var request collectorpb.ExportTraceServiceRequest
	if err := proto.Unmarshal(text, &request); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.Write(text)
	c.paths[r.URL.Path] = true
	c.keys[r.Header.Get("Authorization")] = true
	for _, from := range request.GetResourceSpans() {
		for _, a := range from.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				c.services[a.GetValue().GetStringValue()] = true
			}
		}
		for _, scope := range from.GetScopeSpans() {
			c.spans = append(c.spans, scope.GetSpans()...)
		}
	}
	return nil
}

// named returns the spans of a name.
func (c *collector) named(name string) []*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*tracepb.Span
	for _, s := range c.spans {
		if s.GetName() == name {
			out = append(out, s)
		}
	}
	return out
}

// names are those of all spans, in the order in which they ended.
func (c *collector) names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]string, 0, len(c.spans))
	for _, s := range c.spans {
		out = append(out, s.GetName())
	}
	return out
}

// one returns the only span of a name.
func (c *collector) one(t *testing.T, name string) *tracepb.Span {
	t.Helper()

	list := c.named(name)
	require.Len(t, list, 1, "%s among %v", name, c.names())
	return list[0]
}

// text is all that was sent.
func (c *collector) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.raw.String()
}

// attributes are those of a span, numbers as int64.
func attributes(s *tracepb.Span) map[string]any {
	out := map[string]any{}
	for _, a := range s.GetAttributes() {
		switch v := a.GetValue().GetValue().(type) {
		case *commonpb.AnyValue_IntValue:
			out[a.GetKey()] = v.IntValue
		default:
			out[a.GetKey()] = a.GetValue().GetStringValue()
		}
	}
	return out
}

// isError reports whether a span has failed.
func isError(s *tracepb.Span) bool {
	return s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR
}

// newTracer returns a Tracer that traces everything.
func newTracer(t *testing.T, c *collector) *tracing.Tracer {
	t.Helper()

	return start(t, tracing.Config{Endpoint: c.url, Service: "test", Version: "1", Ratio: 1, Log: zerolog.Nop()})
}

func start(t *testing.T, c tracing.Config) *tracing.Tracer {
	t.Helper()

	tracer, err := tracing.Start(t.Context(), c)
	require.NoError(t, err)
	require.NotNil(t, tracer)
	t.Cleanup(func() { tracer.Close(time.Second) })
	return tracer
}
