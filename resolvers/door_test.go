package resolvers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"stackforge/app"
	"stackforge/auth"
	"stackforge/crypt"
	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/httpd"
	"stackforge/realtime"
	"stackforge/repo/apikey"
	"stackforge/repo/capability"
	"stackforge/repo/dashboard"
	"stackforge/repo/document"
	"stackforge/repo/file"
	"stackforge/repo/idempotency"
	"stackforge/repo/job"
	"stackforge/repo/message"
	"stackforge/repo/operator"
	"stackforge/repo/pggraphql"
	"stackforge/repo/search"
	"stackforge/repo/searchsettings"
	"stackforge/repo/tenancy"
	"stackforge/repo/user"
	"stackforge/repo/webhook"
	"stackforge/resolvers"
	"stackforge/storage"
	"stackforge/tenant"
	hooks "stackforge/webhook"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// door is the GraphQL endpoint, put together as the program does, on a database of its own.
type door struct {
	*dbtest.DB
	t          testing.TB
	auth       *auth.Authenticator
	files      *app.Files
	hub        *realtime.Hub[*job.Event]
	keys       *crypt.Source // of payloads
	url        string
	log        *logged
	statements names // that reached the database
	nudged     names // channels
	vectors    provider
	messages   *app.Messages
	subscribed atomic.Int64 // subscriptions that hear what is committed from then on

	mu     sync.Mutex
	scopes map[string]tenant.Scope // callers by the key they send instead of a real one
}

// names is what happened, by name.
type names struct {
	mu   sync.Mutex
	list []string
}

func (n *names) add(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, name)
}

func (n *names) hook(_ context.Context, q db.Query) { n.add(q.Name) }

// take returns the names since the last call.
func (n *names) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := n.list
	n.list = nil
	return out
}

type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// provider makes vectors in this process, unless it is told to fail.
type provider struct {
	app.Local
	failure atomic.Pointer[errs.Error]
	texts   atomic.Int64
}

// Embed makes the vectors.
func (p *provider) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	p.texts.Add(int64(len(texts)))
	if err := p.failure.Load(); err != nil {
		return nil, err
	}
	return p.Local.Embed(ctx, texts)
}

func open(t testing.TB) *door {
	t.Helper()

	d := &door{DB: dbtest.New(t), t: t, log: &logged{}, scopes: map[string]tenant.Scope{}}
	latency := dashboard.NewLatencies(nil)
	h := d.Open(t, db.Config{Role: db.RoleAPI, Hooks: []db.Hook{d.statements.hook, latency.Query}})
	log := zerolog.New(d.log)
	var err error
	d.auth, err = auth.New(auth.Config{Issuer: "stackforge", JWTSecret: []byte(strings.Repeat("s", 32)), Keys: apikey.New(h), Log: log})
	require.NoError(t, err)
	d.hub = realtime.New(realtime.Config[*job.Event]{Source: job.NewReader(d.API), Log: log, Poll: 20 * time.Millisecond})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { d.hub.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })

	store, err := storage.OpenDir(t.TempDir())
	require.NoError(t, err)
	d.files = app.NewFiles(h, app.FilesConfig{Store: store, MaxBytes: 1 << 20, Secret: []byte("s"), BaseURL: func() string { return "http://files.test" }})

	ring, err := crypt.New()
	require.NoError(t, err)
	d.keys = crypt.Fixed(ring)
	nudge := func(ctx context.Context, channel string) {
		h.AfterCommit(ctx, func() { d.nudged.add(channel); d.hub.Wake() })
	}
	d.messages = app.NewMessages(message.New(h), nudge, log)
	deps := resolvers.Deps{
		Capabilities: capability.New(h), Dashboard: dashboard.New(h), Documents: document.New(h), Jobs: job.New(h), Keys: apikey.New(h), Messages: d.messages, Operator: operator.New(h),
		FileRecords: file.New(h), Files: d.files,
		Search: app.NewSearcher(search.New(h), app.NewEmbedder(h, &d.vectors)), Similar: app.NewEmbedder(h, &d.vectors),
		SearchSettings: searchsettings.New(h), Tenants: tenancy.New(h), Users: user.New(h),
		Nudge:        nudge,
		RefreshStats: dashboard.NewRefresher(h).Refresh, SearchLatency: latency.Of,
		Idempotency: idempotency.New(h), Payloads: app.NewPayloads(job.New(h), d.keys, nil),
		PgGraphQL: pggraphql.New(h, 0),
		Updates:   d.updates,
		Webhooks: hooks.NewEndpoints(webhook.New(h), hooks.EndpointsConfig{
			Patience: 50 * time.Millisecond, Nudge: func(ctx context.Context) { nudge(ctx, hooks.Channel) },
		}),
		IssueToken: func(_ context.Context, s tenant.Scope) (string, time.Duration, error) {
			token, err := d.auth.IssueToken(s)
			return token, auth.TokenLifetime, err
		},
		Forget: d.auth.Forget,
		Left: func(s tenant.Scope) (limit, remaining int, reset time.Duration, limited bool) {
			return s.RequestsPerMinute, s.RequestsPerMinute - 1, time.Minute, s.RequestsPerMinute > 0
		},
	}
	config := resolvers.HandlerConfig{MaxBody: 4 << 20, Introspection: true, Suggest: true, Authenticate: d.socketScope, Log: log}
	mux := http.NewServeMux()
	mux.Handle("/", resolvers.NewHandler(deps, config))
	mux.Handle("POST /graphql/pg", resolvers.NewPgHandler(deps, config))
	server := httptest.NewServer(d.middleware(mux))
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

func (d *door) updates(ctx context.Context, f job.EventFilter, after string) (<-chan *job.Event, func() error, error) {
	keep, err := f.Func()
	if err != nil {
		return nil, nil, err
	}
	s, err := d.hub.Subscribe(ctx, keep, after)
	if err != nil {
		return nil, nil, err
	}
	d.subscribed.Add(1)
	return s.Events(), s.Err, nil
}

// middleware puts the caller into the context: one of the test's, or whoever a real key or token belongs to.
func (d *door) middleware(next http.Handler) http.Handler {
	byCredential := d.auth.Middleware(next, httpd.WriteError)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(tenant.WithRequestID(r.Context(), "request-of-the-test"))
		if s, ok := d.caller(r.Header.Get("X-Caller")); ok {
			next.ServeHTTP(w, r.WithContext(tenant.With(r.Context(), s)))
			return
		}
		if r.Header.Get("Upgrade") != "" {
			next.ServeHTTP(w, r)
			return
		}
		byCredential.ServeHTTP(w, r)
	})
}

func (d *door) socketScope(ctx context.Context, r *http.Request, init map[string]any) (tenant.Scope, time.Time, error) {
	name, _ := init["caller"].(string)
	if s, ok := d.caller(name); ok {
		return s, time.Time{}, nil
	}
	c := auth.FromInit(init)
	if c.Empty() {
		c = auth.FromRequest(r)
	}
	return d.auth.Authenticate(ctx, c)
}

func (d *door) caller(name string) (tenant.Scope, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.scopes[name]
	return s, ok
}

// name makes a scope a caller and returns the name to call by.
func (d *door) name(s tenant.Scope) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := s.TenantID.String() + s.KeyID.String() + strings.Join(s.Scopes, ",")
	d.scopes[name] = s
	return name
}

// tenant makes one with a user; the caller may do everything in it.
func (d *door) tenant() caller {
	s := dbtest.Tenant(d.t, d.DB)
	s.KeyID = uuid.New()
	return caller{d: d, scope: s}
}

// caller is somebody who sends requests.
type caller struct {
	d     *door
	scope tenant.Scope
}

// with is the same caller with other permissions.
func (c caller) with(scopes ...string) caller {
	c.scope.Scopes = scopes
	return c
}

func (c caller) ctx() context.Context { return tenant.With(c.d.t.Context(), c.scope) }

// answer is a response as a client reads it.
type answer struct {
	status int
	raw    string
	Data   map[string]any
	Errors []struct {
		Message    string
		Path       []any
		Extensions struct {
			Code, Field, RequestID string
		}
	}
}

func (a answer) codes() []string {
	var out []string
	for _, e := range a.Errors {
		out = append(out, e.Extensions.Code)
	}
	return out
}

func (a answer) fields() []string {
	var out []string
	for _, e := range a.Errors {
		out = append(out, e.Extensions.Field)
	}
	return out
}

type vars map[string]any

// send posts a body as it is.
func (c caller) send(body string) answer {
	t := c.d.t
	t.Helper()

	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.d.url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Caller", c.d.name(c.scope))
	a := do(t, req)
	require.NotContains(t, a.codes(), "INTERNAL", "%.2000s\n%s", body, c.d.log)
	return a
}

func do(t testing.TB, req *http.Request) answer {
	t.Helper()

	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	a := answer{status: res.StatusCode, raw: string(text)}
	require.NoError(t, json.Unmarshal(text, &a), "%s", text)
	sane(t, a)
	return a
}

// sql is what no client may ever read: the words of statements and PostgreSQL's own errors and states.
var sql = regexp.MustCompile(`(?i)SQLSTATE|\bselect .* from\b|insert into|\bpgx\b|postgres(ql)?: |syntax error at or near|violates|relation "|function .* does not exist|invalid input syntax|out of range for type|cannot be cast|failed to encode|\b(ZE\d{3}|22P02|23505|42501|22003|42883)\b|goroutine|runtime error|reflect:`)

// sane checks what holds of every answer.
func sane(t testing.TB, a answer) {
	t.Helper()

	for _, e := range a.Errors {
		require.NotRegexp(t, sql, e.Message)
		require.NotRegexp(t, sql, e.Extensions.Field)
		require.NotEmpty(t, e.Message, a.raw)
		require.NotEmpty(t, e.Extensions.Code, a.raw)
		require.False(t, strings.HasPrefix(e.Extensions.Code, "GRAPHQL_"), a.raw)
		require.Equal(t, "request-of-the-test", e.Extensions.RequestID, a.raw)
	}
	require.Less(t, a.status, 500, a.raw)
}

// ask sends a document with variables.
func (c caller) ask(query string, v vars) answer {
	c.d.t.Helper()

	body, err := json.Marshal(map[string]any{"query": query, "variables": v})
	require.NoError(c.d.t, err)
	return c.send(string(body))
}

// get is ask for a document that must succeed; it returns the data.
func (c caller) get(query string, v vars) map[string]any {
	c.d.t.Helper()

	a := c.ask(query, v)
	require.Empty(c.d.t, a.Errors, "%s\n%s", query, a.raw)
	require.Equal(c.d.t, http.StatusOK, a.status)
	return a.Data
}

// at walks down a value: names of objects and indexes of lists.
func at(t testing.TB, v any, path ...any) any {
	t.Helper()

	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, ok := v.(map[string]any)
			require.True(t, ok, "%v has no %s", v, p)
			v, ok = m[p]
			require.True(t, ok, "%v has no %s", m, p)
		case int:
			list, ok := v.([]any)
			require.True(t, ok && p < len(list), "%v has no %d", v, p)
			v = list[p]
		}
	}
	return v
}

// all is at for each element of a list.
func all(t testing.TB, list any, path ...any) []any {
	t.Helper()

	elements, ok := list.([]any)
	require.True(t, ok, "%v is no list", list)
	out := make([]any, len(elements))
	for i, e := range elements {
		out[i] = at(t, e, path...)
	}
	return out
}

// texts is all for strings.
func texts(t testing.TB, list any, path ...any) []string {
	t.Helper()

	out := []string{}
	for _, v := range all(t, list, path...) {
		s, ok := v.(string)
		require.True(t, ok, "%v is no text", v)
		out = append(out, s)
	}
	return out
}

const createDocument = `mutation ($in: CreateDocumentInput!) { createDocument(input: $in) { document {
	id nodeId hashid tenantId authorId title body language metadata path tagIds longitude latitude externalId embeddingModel version createdAt updatedAt } } }`

// document creates one and returns it. Title and body are filled in when they are not given.
func (c caller) document(in vars) map[string]any {
	c.d.t.Helper()

	full := vars{"authorId": c.scope.UserID.String(), "title": "A title", "body": "A body"}
	maps.Copy(full, in)
	d, ok := at(c.d.t, c.get(createDocument, vars{"in": full}), "createDocument", "document").(map[string]any)
	require.True(c.d.t, ok)
	return d
}

func (c caller) documentID(in vars) string {
	c.d.t.Helper()

	id, _ := c.document(in)["id"].(string)
	return id
}

// job enqueues one and returns its id.
func (c caller) job(in vars) string {
	c.d.t.Helper()

	full := vars{"type": "test_job"}
	maps.Copy(full, in)
	data := c.get(`mutation ($in: EnqueueJobInput!) { enqueueJob(input: $in) { job { id } } }`, vars{"in": full})
	id, _ := at(c.d.t, data, "enqueueJob", "job", "id").(string)
	return id
}

// count returns the only number of a statement that the owner runs.
func (d *door) count(sql string, args ...any) int {
	d.t.Helper()

	n, err := db.Get[int](d.t.Context(), d.Owner, "count", sql, args...)
	require.NoError(d.t, err)
	return n
}

// sorted is for lists whose order does not matter.
func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}
