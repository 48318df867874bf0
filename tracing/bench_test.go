package tracing_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/tracing"
)

// BenchmarkRequest is what tracing adds to a request with one statement: off, on for one trace in a thousand, and on for
// each, with a collector that takes them all in this process.
func BenchmarkRequest(b *testing.B) {
	c := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer c.Close()
	for name, cfg := range map[string]tracing.Config{
		"off": {}, "rare": {Endpoint: c.URL, Ratio: 0.001}, "all": {Endpoint: c.URL, Ratio: 1},
	} {
		b.Run(name, func(b *testing.B) {
			cfg.Log = zerolog.Nop()
			tracer, err := tracing.Start(b.Context(), cfg)
			require.NoError(b, err)
			defer tracer.Close(time.Second)
			mux := http.NewServeMux()
			mux.HandleFunc("/graphql", func(_ http.ResponseWriter, r *http.Request) {
				for _, hook := range tracer.Hooks() {
					hook(r.Context(), db.Query{Name: "document.Get", Start: time.Now(), Rows: 1})
				}
				tracer.Operation(r.Context(), tracing.Operation{Kind: "query", Name: "Read"})
			})
			h := tracer.Middleware(mux)
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/graphql", nil)
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
}
