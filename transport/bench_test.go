package transport

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	stock "github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"

	"stackforge/transport/internal/fixture"
)

func schema(r *fixture.Resolver) graphql.ExecutableSchema { //nolint:ireturn // that is what gqlgen returns
	return fixture.NewExecutableSchema(fixture.Config{Resolvers: r})
}

func stockServer() http.Handler {
	s := handler.New(schema(fixture.New()))
	s.AddTransport(stock.Options{})
	s.AddTransport(stock.GET{})
	s.AddTransport(stock.POST{})
	s.SetQueryCache(lru.New[*ast.QueryDocument](1000))
	return s
}

const (
	oneBook = `{"query":"query Book($id: ID!) {\n  book(id: $id) {\n    id\n    title\n    pages\n    rating\n    tags\n` +
		`    author { id name }\n  }\n}","operationName":"Book","variables":{"id":"42"}}`
	pageOfBooks = `{"query":"query Page($first: Int) {\n  booksConnection(first: $first) {\n    nodes { id title pages tags }\n` +
		`    pageInfo { hasNextPage endCursor }\n  }\n}","variables":{"first":20}}`
	theVersion = `{"query":"{ version }"}`
)

// sink is a ResponseWriter that keeps nothing.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(status int)      { s.status = status }

// run measures a handler without a network.
func run(b *testing.B, h http.Handler, body string) float64 {
	b.Helper()
	b.ReportAllocs()
	r := httptest.NewRequest(http.MethodPost, "/graphql", http.NoBody)
	r.Header.Set("Content-Type", "application/json")
	r.ContentLength = int64(len(body))
	reader := bytes.NewReader([]byte(body))
	r.Body = io.NopCloser(reader)
	for b.Loop() {
		reader.Reset([]byte(body))
		w := &sink{header: make(http.Header, 4)}
		h.ServeHTTP(w, r)
		if w.status != http.StatusOK && w.status != 0 {
			b.Fatal(w.status)
		}
	}
	return float64(b.Elapsed().Nanoseconds()) / float64(b.N)
}

func BenchmarkHTTP(b *testing.B) {
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	})
	ours := New(Config{Schema: schema(fixture.New())})
	for name, body := range map[string]string{"version": theVersion, "book": oneBook, "page": pageOfBooks} {
		var stockTime, ourTime float64
		b.Run(name+"/bare", func(b *testing.B) { run(b, bare, body) })
		b.Run(name+"/stock", func(b *testing.B) { stockTime = run(b, stockServer(), body) })
		b.Run(name+"/ours", func(b *testing.B) {
			ourTime = run(b, ours, body)
			b.ReportMetric(stockTime/ourTime, "x-stock")
		})
	}
}

// BenchmarkLoopback measures the same through real connections.
func BenchmarkLoopback(b *testing.B) {
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})
	for name, h := range map[string]http.Handler{
		"bare": bare, "stock": stockServer(), "ours": New(Config{Schema: schema(fixture.New())}),
	} {
		b.Run(name, func(b *testing.B) {
			server := httptest.NewServer(h)
			defer server.Close()
			b.RunParallel(func(pb *testing.PB) {
				client := &http.Client{Transport: &http.Transport{}}
				defer client.CloseIdleConnections()
				for pb.Next() {
					answer, err := client.Post(server.URL, "application/json", bytes.NewReader([]byte(oneBook)))
					require.NoError(b, err)
					_, _ = io.Copy(io.Discard, answer.Body)
					_ = answer.Body.Close()
				}
			})
		})
	}
}
