package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"stackforge/app"
	"stackforge/auth"
	"stackforge/crypt"
	"stackforge/db/dbtest"
	"stackforge/httpd"
	"stackforge/realtime"
	"stackforge/repo/apikey"
	"stackforge/repo/dashboard"
	"stackforge/repo/document"
	"stackforge/repo/idempotency"
	"stackforge/repo/job"
	"stackforge/repo/message"
	"stackforge/repo/search"
	"stackforge/repo/webhook"
	"stackforge/resolvers"
	"stackforge/rest"
	"stackforge/storage"
	"stackforge/tenant"
	"stackforge/transport"
	hooks "stackforge/webhook"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// maxBody is the limit of JSON bodies in these tests.
const maxBody = 64 << 10

// door is REST with GraphQL beside it, put together as the program does, on a database of its own.
type door struct {
	*dbtest.DB
	api     *rest.API
	auth    *auth.Authenticator
	hub     *realtime.Hub[*job.Event]
	limiter *httpd.Limiter
	graphql *transport.Handler
	url     string
}

// options change what a door is made of.
type options struct {
	keys  *crypt.Source  // of payloads
	store *storage.Store // of files
	limit httpd.LimitConfig
	times rest.StreamTimes
	now   func() time.Time // of authentication
	conn  func(net.Conn)   // sees each connection of the server
}

func open(t testing.TB, o options) *door {
	t.Helper()
	d := &door{DB: dbtest.New(t), limiter: httpd.NewLimiter(o.limit)}
	var err error
	d.auth, err = auth.New(auth.Config{Issuer: "test", JWTSecret: bytes.Repeat([]byte("s"), 32), Keys: apikey.New(d.API), Now: o.now})
	require.NoError(t, err)
	d.hub = realtime.New(realtime.Config[*job.Event]{Source: job.NewReader(d.API), Poll: 10 * time.Millisecond, Buffer: 8})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { d.hub.Run(ctx) })
	running.Go(func() { d.auth.Run(ctx) })

	mux := http.NewServeMux()
	files := app.NewFiles(d.API, app.FilesConfig{
		Store: o.store, MaxBytes: maxFile, Secret: []byte("of the test"), BaseURL: func() string { return d.url },
	})
	d.api = rest.New(rest.Config{
		Dashboard: dashboard.New(d.API), Documents: document.New(d.API), Files: files, Idempotency: idempotency.New(d.API), Jobs: job.New(d.API),
		Messages: app.NewMessages(message.New(d.API), func(context.Context, string) {}, zerolog.Nop()),
		Payloads: app.NewPayloads(job.New(d.API), o.keys, nil), Search: search.New(d.API), Webhooks: hooks.NewEndpoints(webhook.New(d.API), hooks.EndpointsConfig{}),
		Admit: d.limiter.AdmitAddress, Authorize: d.authorize, Hold: d.auth.Hold, Subscribe: d.hub.Subscribe, Nudge: func(context.Context, string) { d.hub.Wake() },
		Token: d.auth.TokenHandler(httpd.WriteError), MaxBody: maxBody, MaxFile: maxFile, Times: o.times, Version: "test",
	}, mux)
	d.graphql = resolvers.NewHandler(resolvers.Deps{
		Documents: document.New(d.API), Jobs: job.New(d.API), Payloads: app.NewPayloads(job.New(d.API), o.keys, nil), Nudge: func(context.Context, string) {},
	},
		resolvers.HandlerConfig{MaxBody: maxBody, Log: zerolog.Nop()})
	mux.HandleFunc("/graphql", func(w http.ResponseWriter, r *http.Request) {
		if s, _, ok := d.authorize(w, r, auth.FromRequest(r)); ok {
			d.graphql.ServeHTTP(w, r.WithContext(tenant.With(r.Context(), s)))
		}
	})
	server := httptest.NewUnstartedServer(httpd.Middleware(httpd.Options{Log: zerolog.Nop()})(httpd.Routes(mux)))
	if o.conn != nil {
		server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context { o.conn(c); return ctx }
	}
	server.Start()
	d.url = server.URL
	t.Cleanup(func() {
		stop, done := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer done()
		d.api.Shutdown(stop)
		server.Close()
		cancel()
		running.Wait()
	})
	return d
}

func (d *door) authorize(w http.ResponseWriter, r *http.Request, c auth.Credentials) (tenant.Scope, time.Time, bool) {
	s, until, err := d.auth.Authenticate(r.Context(), c)
	switch {
	case err == nil:
		return s, until, d.limiter.AdmitKey(w, r, s.KeyID, 0)
	case d.limiter.AdmitAddress(w, r):
		httpd.WriteError(w, r, err)
	}
	return s, until, false
}

// caller is somebody with a key.
type caller struct {
	t     testing.TB
	d     *door
	scope tenant.Scope
	key   string
}

// tenant returns a caller of a new tenant who may do all.
func (d *door) tenant(t testing.TB) caller {
	t.Helper()
	return d.caller(t, dbtest.Tenant(t, d.DB))
}

// caller returns a caller with a new key of a tenant, with these permissions or all.
func (d *door) caller(t testing.TB, s tenant.Scope, scopes ...string) caller {
	t.Helper()
	if scopes == nil {
		scopes = []string{"*"}
	}
	_, key, err := apikey.New(d.API).Create(tenant.With(t.Context(), s), "test", scopes, nil)
	require.NoError(t, err)
	return caller{t: t, d: d, scope: s, key: key}
}

// answer is an answer.
type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any // of JSON
}

// fields are those that an error names.
func (a answer) fields() []string {
	out := []string{}
	list, _ := a.body["fields"].([]any)
	for _, f := range list {
		m, _ := f.(map[string]any)
		name, _ := m["field"].(string)
		out = append(out, name)
	}
	return out
}

// do sends a request: pairs are names and values of headers.
func (c caller) do(method, path, body string, pairs ...string) answer {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.d.url+path, strings.NewReader(body))
	require.NoError(c.t, err)
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	} else {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		r.Header.Set("X-Api-Key", c.key)
	}
	for i := 0; i < len(pairs); i += 2 {
		r.Header.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			r.Header.Del(pairs[i])
		}
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(c.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(c.t, err)
	a := answer{status: response.StatusCode, header: response.Header, text: string(text)}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") && response.Header.Get("Content-Encoding") == "" && len(text) > 0 {
		require.NoError(c.t, json.Unmarshal(text, &a.body), a.text)
	}
	c.sane(a)
	return a
}

// sane requires what holds for every answer.
func (c caller) sane(a answer) {
	c.t.Helper()
	require.NotEmpty(c.t, a.header.Get("X-Request-Id"))
	require.Less(c.t, a.status, 500, a.text)
	if a.body != nil && a.header.Get("ETag") == "" { // the client has unpacked the others
		require.Equal(c.t, strconv.Itoa(len(a.text)), a.header.Get("Content-Length"))
	}
	if a.status < 400 {
		return
	}
	require.Equal(c.t, "application/json; charset=utf-8", a.header.Get("Content-Type"))
	require.InDelta(c.t, a.status, a.body["statusCode"], 0, a.text)
	require.Equal(c.t, http.StatusText(a.status), a.body["error"])
	require.Equal(c.t, a.header.Get("X-Request-Id"), a.body["requestId"])
	require.NotEmpty(c.t, a.body["code"])
	for _, leak := range []string{"SELECT", "pq:", "pgx", "SQLSTATE", "goroutine", ".go:", "json:", "reflect"} {
		require.NotContains(c.t, a.text, leak)
	}
}

// fails sends a request that must be refused.
func (c caller) fails(status int, code, method, path, body string, pairs ...string) answer {
	c.t.Helper()
	a := c.do(method, path, body, pairs...)
	require.Equal(c.t, status, a.status, a.text)
	require.Equal(c.t, code, a.body["code"], a.text)
	return a
}

// ok sends a request that must succeed.
func (c caller) ok(status int, method, path, body string) map[string]any {
	c.t.Helper()
	a := c.do(method, path, body)
	require.Equal(c.t, status, a.status, a.text)
	return a.body
}

// asJSON is a value as JSON.
func asJSON(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

type vars = map[string]any

// document creates a document.
func (c caller) document(more vars) map[string]any {
	c.t.Helper()
	in := vars{"authorId": c.scope.UserID, "title": "Introduction to PostgreSQL", "body": "PostgreSQL is a database."}
	maps.Copy(in, more)
	return c.ok(http.StatusCreated, http.MethodPost, "/documents", asJSON(c.t, in))
}
