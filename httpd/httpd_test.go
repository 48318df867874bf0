package httpd_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"stackforge/errs"
	"stackforge/httpd"
	"stackforge/tenant"
)

// logs collects log lines from several goroutines.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logs) lines(t *testing.T) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(l.String()) {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &m))
		out = append(out, m)
	}
	return out
}

// bundle is a handler behind the middleware with what it writes.
type bundle struct {
	handler http.Handler
	logs    *logs
	metrics *httpd.Metrics
}

func setup(t *testing.T, mux *http.ServeMux, origins ...string) bundle {
	t.Helper()
	b := bundle{logs: &logs{}, metrics: httpd.NewMetrics(200 * time.Millisecond)}
	b.handler = httpd.Middleware(httpd.Options{
		Log: zerolog.New(b.logs).Level(zerolog.DebugLevel), Metrics: b.metrics, Origins: origins,
	})(mux)
	return b
}

// do answers one request without a network. Headers are pairs of name and value.
func (b bundle) do(t *testing.T, method, target string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return w
}

func body(t *testing.T, w *httptest.ResponseRecorder) httpd.Body {
	t.Helper()
	require.Equal(t, "application/json; charset=utf-8", w.Header().Get("Content-Type"))
	var b httpd.Body
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &b))
	return b
}

func TestRequestID(t *testing.T) {
	t.Parallel()

	mux := http.NewServeMux()
	mux.HandleFunc("GET /id", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, tenant.RequestID(r.Context()))
	})
	b := setup(t, mux)

	t.Run("the caller's id is kept", func(t *testing.T) {
		t.Parallel()

		for _, id := range []string{"a", "trace/42:~!", strings.Repeat("x", 128)} {
			w := b.do(t, "GET", "/id", "X-Request-Id", id)
			require.Equal(t, id, w.Body.String())
			require.Equal(t, id, w.Header().Get("X-Request-Id"))
		}
	})
	t.Run("an unfit id is replaced", func(t *testing.T) {
		t.Parallel()

		for _, id := range []string{"", strings.Repeat("x", 129), "a b", "a\x7f", "é", "a\tb"} {
			w := b.do(t, "GET", "/id", "X-Request-Id", id)
			made, err := uuid.Parse(w.Body.String())
			require.NoError(t, err, "%q", id)
			require.Equal(t, uuid.Version(7), made.Version())
			require.Equal(t, w.Body.String(), w.Header().Get("X-Request-Id"))
		}
		w := b.do(t, "GET", "/id", "X-Request-Id", "a", "X-Request-Id", "b")
		require.Len(t, w.Body.String(), 36, "two ids are none")
	})
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()

	mux := http.NewServeMux()
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		w.Header().Add("X-Frame-Options", "SAMEORIGIN")
	})
	b := setup(t, mux)
	want := map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		"Strict-Transport-Security": "max-age=31536000",
		"Content-Security-Policy":   "default-src 'none'; frame-ancestors 'none'",
	}
	require.Equal(t, "default-src 'self'", b.do(t, "GET", "/page").Header().Get("Content-Security-Policy"))
	w := b.do(t, "GET", "/nope")
	for name, value := range want {
		require.Equal(t, []string{value}, w.Header()[name])
	}
}

func TestUnrouted(t *testing.T) {
	t.Parallel()

	mux := http.NewServeMux()
	mux.HandleFunc("GET /things/{id}", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "our own text", http.StatusNotFound)
	})
	check := func(t *testing.T, b bundle) {
		t.Helper()
		w := b.do(t, "GET", "/nope?x=1", "X-Request-Id", "r1")
		require.Equal(t, http.StatusNotFound, w.Code)
		require.Equal(t, httpd.Body{
			StatusCode: 404, Error: "Not Found", Message: "There is nothing at this path.", Code: "NOT_FOUND", RequestID: "r1",
		}, body(t, w))

		w = b.do(t, "POST", "/things/1")
		require.Equal(t, http.StatusMethodNotAllowed, w.Code)
		require.Equal(t, "METHOD_NOT_ALLOWED", body(t, w).Code)
		require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))

		w = b.do(t, "GET", "/things/1")
		require.Equal(t, "our own text\n", w.Body.String(), "what a route answers is left alone")
	}
	check(t, setup(t, mux))

	t.Run("a copy of the request in between needs Routes", func(t *testing.T) {
		t.Parallel()

		outer := http.NewServeMux()
		routes := httpd.Routes(mux)
		b := setup(t, outer)
		b.handler = httpd.Middleware(httpd.Options{Metrics: b.metrics})(http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				routes.ServeHTTP(w, r.WithContext(tenant.With(r.Context(), tenant.Scope{})))
			}))
		check(t, b)
		require.Contains(t, b.prometheus(t), `http_requests_total{method="GET",route="/things/{id}",status="404"} 1`)
	})
}

func TestPanic(t *testing.T) {
	t.Parallel()

	mux := http.NewServeMux()
	mux.HandleFunc("GET /panic", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "7")
		w.Header().Set("Content-Encoding", "gzip")
		panic(errors.New("the inside"))
	})
	mux.HandleFunc("GET /late", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
		panic("half way")
	})
	mux.HandleFunc("GET /abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	b := setup(t, mux)
	srv := httptest.NewServer(b.handler)
	defer srv.Close()
	get := func(path string) (http.Header, string, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+path, nil)
		require.NoError(t, err)
		res, err := srv.Client().Do(req)
		if err != nil {
			return nil, "", err
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		return res.Header, string(text), err
	}

	header, text, err := get("/panic")
	require.NoError(t, err)
	require.Contains(t, text, `"statusCode":500`)
	require.Contains(t, text, `"code":"INTERNAL"`)
	require.NotContains(t, text, "inside")
	require.NotContains(t, text, ".go")
	require.Empty(t, header.Get("Content-Encoding"))
	_, _, err = get("/late")
	require.ErrorIs(t, err, io.ErrUnexpectedEOF, "a cut answer must not look whole")
	_, _, err = get("/abort")
	require.Error(t, err)

	lines := b.logs.lines(t)
	require.Len(t, lines, 5, "two panics with stacks, and one line for each request")
	require.Equal(t, "panic", lines[0]["message"])
	require.Equal(t, "the inside", lines[0]["panic"])
	require.Contains(t, lines[0]["stack"], "httpd_test.go")
	require.Equal(t, header.Get("X-Request-Id"), lines[0]["requestId"])
	require.Equal(t, "error", lines[1]["level"])
	require.InDelta(t, 500, lines[3]["status"], 0)
}

func TestAccessLog(t *testing.T) {
	t.Parallel()

	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, r *http.Request) {
		httpd.WriteError(w, r, errs.New(errs.Unavailable, "Not now."))
	})
	mux.HandleFunc("GET /bad", func(w http.ResponseWriter, r *http.Request) {
		httpd.WriteError(w, r, errs.Wrap(errs.Validation, errors.New("the input was 4711"), "No."))
	})
	mux.HandleFunc("GET /fault", func(w http.ResponseWriter, r *http.Request) {
		httpd.WriteError(w, r, errors.New("relation does not exist"))
	})
	mux.HandleFunc("GET /noted", func(w http.ResponseWriter, _ *http.Request) {
		httpd.Note(w, errs.Wrap(errs.Timeout, errors.New("57014"), "Too slow."))
		w.WriteHeader(http.StatusGatewayTimeout)
		_, _ = io.WriteString(w, "12345")
	})

	for name, tc := range map[string]struct {
		path string
		want map[string]any
		none []string
	}{
		"probes are quiet": {"/health", map[string]any{"level": "debug", "status": 200.0, "path": "/health", "method": "GET"}, []string{"code"}},
		"a probe that fails is not": {
			"/ready",
			map[string]any{"level": "warn", "status": 503.0, "code": "UNAVAILABLE"},
			[]string{"cause"},
		},
		"a mistake of the client is information, without its input": {
			"/bad?secret=1",
			map[string]any{"level": "info", "status": 400.0, "code": "VALIDATION_FAILED", "path": "/bad"},
			[]string{"cause"},
		},
		"a fault shows its cause":          {"/fault", map[string]any{"level": "error", "status": 500.0, "cause": "relation does not exist"}, nil},
		"an error in another form is told": {"/noted", map[string]any{"level": "warn", "bytes": 5.0, "code": "TIMEOUT", "cause": "57014"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := setup(t, mux)
			b.do(t, "GET", tc.path, "X-Request-Id", "r1")
			lines := b.logs.lines(t)
			require.Len(t, lines, 1)
			require.Equal(t, "r1", lines[0]["requestId"])
			require.Contains(t, lines[0], "durationMs")
			for k, v := range tc.want {
				require.Equal(t, v, lines[0][k], k)
			}
			for _, k := range tc.none {
				require.NotContains(t, lines[0], k)
			}
		})
	}
	t.Run("the level of the logger holds", func(t *testing.T) {
		t.Parallel()

		var out logs
		h := httpd.Middleware(httpd.Options{Log: zerolog.New(&out).Level(zerolog.WarnLevel)})(mux)
		for _, path := range []string{"/health", "/bad", "/fault"} {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
		}
		require.Len(t, out.lines(t), 1)
	})
	t.Run("a client that left is no fault", func(t *testing.T) {
		t.Parallel()

		b := setup(t, mux)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		b.handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/fault", nil))
		require.Equal(t, "info", b.logs.lines(t)[0]["level"])
	})
}

func TestCORS(t *testing.T) {
	t.Parallel()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /graphql", func(http.ResponseWriter, *http.Request) {})
	preflight := func(t *testing.T, b bundle, origin string) http.Header {
		t.Helper()
		return b.do(t, "OPTIONS", "/graphql", "Origin", origin, "Access-Control-Request-Method", "POST",
			"Access-Control-Request-Headers", "content-type,x-api-key").Header()
	}
	const allow = "Access-Control-Allow-Origin"

	t.Run("off without a list", func(t *testing.T) {
		t.Parallel()

		b := setup(t, mux)
		require.Empty(t, b.do(t, "POST", "/graphql", "Origin", "https://a.example").Header().Get(allow))
		require.Empty(t, preflight(t, b, "https://a.example").Get(allow))
	})
	t.Run("a listed origin is echoed, another is not", func(t *testing.T) {
		t.Parallel()

		b := setup(t, mux, "https://a.example", "https://*.b.example")
		for _, origin := range []string{"https://a.example", "https://x.b.example"} {
			h := b.do(t, "POST", "/graphql", "Origin", origin).Header()
			require.Equal(t, origin, h.Get(allow))
			require.Contains(t, h.Get("Access-Control-Expose-Headers"), "X-Request-Id")
			h = preflight(t, b, origin)
			require.Equal(t, origin, h.Get(allow))
			require.Equal(t, "true", h.Get("Access-Control-Allow-Credentials"))
			require.Equal(t, "content-type,x-api-key", h.Get("Access-Control-Allow-Headers"))
			require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
		}
		for _, origin := range []string{"https://evil.example", "http://a.example", "null", "https://a.example.evil.example"} {
			require.Empty(t, b.do(t, "POST", "/graphql", "Origin", origin).Header().Get(allow))
			require.Empty(t, preflight(t, b, origin).Get(allow))
		}
	})
	t.Run("a star has no credentials", func(t *testing.T) {
		t.Parallel()

		h := preflight(t, setup(t, mux, "*"), "https://a.example")
		require.Equal(t, "*", h.Get(allow))
		require.Empty(t, h.Get("Access-Control-Allow-Credentials"))
	})
}

func TestWebSocketPasses(t *testing.T) {
	t.Parallel()

	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow() //nolint:errcheck // closed below
		kind, text, err := c.Read(r.Context())
		if err == nil && c.Write(r.Context(), kind, text) == nil {
			_ = c.Close(websocket.StatusGoingAway, "")
		}
	})
	mux.HandleFunc("GET /ws/panic", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow() //nolint:errcheck // the test looks at the other side
		panic("after the upgrade")
	})
	b := setup(t, mux, "https://a.example")
	srv := httptest.NewServer(b.handler)
	defer srv.Close()

	c, res, err := websocket.Dial(t.Context(), srv.URL+"/ws", nil)
	require.NoError(t, err)
	defer c.CloseNow() //nolint:errcheck // closed by the server
	require.Len(t, res.Header.Get("X-Request-Id"), 36)
	require.NoError(t, c.Write(t.Context(), websocket.MessageText, []byte("hello")))
	_, text, err := c.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, "hello", string(text))
	_, _, err = c.Read(t.Context())
	require.Equal(t, websocket.StatusGoingAway, websocket.CloseStatus(err))

	c, _, err = websocket.Dial(t.Context(), srv.URL+"/ws/panic", nil)
	require.NoError(t, err)
	_, _, err = c.Read(t.Context())
	require.Error(t, err)
	require.Eventually(t, func() bool { return len(b.logs.lines(t)) == 3 }, 5*time.Second, time.Millisecond)
	statuses := map[any]any{}
	for _, line := range b.logs.lines(t) {
		if line["message"] == "request" {
			statuses[line["path"]] = line["status"]
		}
	}
	require.Equal(t, map[any]any{"/ws": 101.0, "/ws/panic": 500.0}, statuses)
	text2 := b.prometheus(t)
	require.Contains(t, text2, `http_requests_total{method="GET",route="/ws",status="101"} 1`)
	require.NotContains(t, text2, `http_request_duration_seconds_count{method="GET",route="/ws"} 1`)
}

func TestStreamPasses(t *testing.T) {
	t.Parallel()

	next := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sse", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		flusher, ok := w.(http.Flusher) // as older libraries ask
		if !ok {
			return
		}
		_, _ = io.WriteString(w, "data: 1\n\n")
		flusher.Flush()
		<-next
		_, _ = io.WriteString(w, "data: 2\n\n")
		_ = http.NewResponseController(w).Flush()
	})
	mux.HandleFunc("GET /file", func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "x.txt", time.Time{}, strings.NewReader("content"))
	})
	b := setup(t, mux)
	srv := httptest.NewServer(b.handler)
	defer srv.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/sse", nil)
	require.NoError(t, err)
	res, err := srv.Client().Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "data: 1\n", line, "it must arrive while the handler still runs")
	close(next)
	rest, err := io.ReadAll(lines)
	require.NoError(t, err)
	require.Equal(t, "\ndata: 2\n\n", string(rest))
	require.Eventually(t, func() bool { return b.logs.String() != "" }, 5*time.Second, time.Millisecond)
	require.NotContains(t, b.prometheus(t), `http_request_duration_seconds_count{method="GET",route="/sse"} 1`)

	w := b.do(t, "GET", "/file")
	require.Equal(t, "content", w.Body.String())
	require.InDelta(t, 7, b.logs.lines(t)[1]["bytes"], 0)
}

// TestNoSecrets sends canaries wherever clients put credentials.
func TestNoSecrets(t *testing.T) {
	t.Parallel()

	const canary = "canary-s3cr3t"
	mux := http.NewServeMux()
	b := setup(t, mux)
	probes := httpd.NewHealth(httpd.HealthConfig{Database: &fakeDatabase{err: errors.New("password=" + canary)}, Metrics: b.metrics})
	httpd.Probes(mux, probes, b.metrics)
	mux.HandleFunc("POST /graphql", func(w http.ResponseWriter, r *http.Request) {
		httpd.WriteError(w, r, errs.New(errs.Unauthenticated, "No."))
	})
	mux.HandleFunc("POST /panic", func(http.ResponseWriter, *http.Request) { panic("broken") })
	var answers strings.Builder
	for _, target := range []string{
		"POST /graphql", "POST /panic", "GET /health", "GET /ready", "GET /nope", "PUT /graphql",
		"GET /metrics", "GET /metrics?format=prometheus",
	} {
		method, path, _ := strings.Cut(target, " ")
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		w := b.do(t, method, path+sep+"apiKey="+canary+"&token="+canary, "X-Api-Key", canary, "Authorization", "Bearer "+canary,
			"Cookie", "session="+canary, "Referer", "https://x/"+canary, "User-Agent", canary, "X-Request-Id", "spaces are refused "+canary)
		answers.WriteString(w.Body.String())
	}
	require.NotContains(t, answers.String(), canary)
	require.NotContains(t, b.logs.String(), canary)
	require.Contains(t, b.logs.String(), "/graphql")
	require.Contains(t, answers.String(), "http_requests_total")
}

// discard is a ResponseWriter that costs next to nothing.
type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// BenchmarkMiddleware is what the middleware adds to a request: subtract "bare".
func BenchmarkMiddleware(b *testing.B) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /graphql", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) })
	wrapped := func(origins ...string) http.Handler {
		return httpd.Middleware(httpd.Options{
			Log: zerolog.New(io.Discard).With().Timestamp().Logger(), Metrics: httpd.NewMetrics(time.Second), Origins: origins,
		})(mux)
	}
	for name, h := range map[string]http.Handler{"bare": mux, "wrapped": wrapped(), "wrapped with CORS": wrapped("https://a.example")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r := httptest.NewRequestWithContext(b.Context(), "POST", "/graphql", nil)
			r.Header.Set("Origin", "https://a.example")
			for b.Loop() {
				h.ServeHTTP(&discard{h: http.Header{}}, r)
			}
		})
	}
}
