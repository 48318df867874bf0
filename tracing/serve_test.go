package tracing_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"stackforge/cli"
	"stackforge/db/dbtest"
)

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// output collects what the program writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// secret is the text that must not get into a trace, wherever it stood in a request.
const secret = "hunter2"

// client talks to the running program.
type client struct{ url, key string }

// ask runs an operation that must succeed.
func (c client) ask(t *testing.T, into any, query string, variables map[string]any) {
	t.Helper()

	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url+"/graphql?note="+secret, bytes.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Api-Key", c.key)
	r.Header.Set("Traceparent", "00-"+traceID+"-"+parentID+"-01")
	text := c.send(t, r, http.StatusOK)
	require.NotContains(t, text, `"errors"`)
	var answer struct {
		Data json.RawMessage `json:"data"`
	}
	require.NoError(t, json.Unmarshal([]byte(text), &answer), text)
	require.NoError(t, json.Unmarshal(answer.Data, into), text)
}

func (c client) send(t *testing.T, r *http.Request, status int) string {
	t.Helper()

	w, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	require.Equal(t, status, w.StatusCode, string(text))
	return string(text)
}

// get returns the body of a path.
func (c client) get(t *testing.T, path string, status int) string {
	t.Helper()

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+path, nil)
	require.NoError(t, err)
	return c.send(t, r, status)
}

// TestServe runs the whole program, API and worker, and reads what it told the collector.
func TestServe(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	scope := dbtest.Tenant(t, d)
	c := newCollector(t)
	env := []string{
		"DATABASE_URL=" + d.URL, "DATA_DIR=" + t.TempDir(), "HOST=127.0.0.1", "PORT=0", "LOG_FORMAT=json", "PGPOOL_MIN=1",
		"PGPOOL_MAX=4", "OTEL_EXPORTER_OTLP_ENDPOINT=" + c.url,
	}
	var key, stderr output
	require.Zero(t, cli.Run(t.Context(), []string{"key", "create", "--tenant", scope.TenantID.String(), "--name", "test"},
		cli.System{Environ: env, Stdout: &key, Stderr: &stderr}), stderr.String())

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Run(ctx, []string{"serve", "--worker"}, cli.System{Environ: env, Stdout: io.Discard, Stderr: &stderr})
	}()
	cl := client{url: announced(t, &stderr), key: strings.TrimSpace(key.String())}

	var created struct {
		CreateDocument struct{ Document struct{ ID string } }
	}
	cl.ask(t, &created, `mutation Make($in: CreateDocumentInput!) { createDocument(input: $in) { document { id } } }`,
		map[string]any{"in": map[string]any{"authorId": scope.UserID, "title": secret, "body": secret}})
	var read struct{ Document struct{ Title string } }
	cl.ask(t, &read, `query Read($id: ID!) { document(id: $id) { title } }`, map[string]any{"id": created.CreateDocument.Document.ID})
	require.Equal(t, secret, read.Document.Title)
	cl.watch(t, func() {
		var enqueued struct{}
		cl.ask(t, &enqueued, `mutation Enqueue($in: EnqueueJobInput!) { enqueueJob(input: $in) { job { id } } }`, map[string]any{"in": map[string]any{
			"type": "send_email", "payload": map[string]any{"to": secret + "@example.org", "subject": secret, "body": secret},
		}})
	})
	require.Contains(t, cl.get(t, "/nowhere", http.StatusNotFound), `"NOT_FOUND"`, "the form of errors stays")
	cl.get(t, "/health", http.StatusOK)
	numbers := cl.get(t, "/metrics", http.StatusOK)
	require.Contains(t, numbers, `method=POST,route=/graphql,status=200`, "the metrics still know the routes")
	stop()
	require.Zero(t, <-ended, stderr.String())

	require.Equal(t, map[string]bool{"stackforge": true}, c.services)
	get := c.one(t, "document.Get")
	var post *tracepb.Span // the request that read the document
	for _, s := range c.named("POST /graphql") {
		if attributes(s)["graphql.operation.name"] == "Read" {
			post = s
		}
	}
	require.NotNil(t, post, "%v", c.names())
	require.Equal(t, post.GetSpanId(), get.GetParentSpanId())
	require.Equal(t, traceID, hexOf(get.GetTraceId()))
	require.Equal(t, "/graphql", attributes(post)["http.route"])
	require.LessOrEqual(t, post.GetStartTimeUnixNano(), get.GetStartTimeUnixNano())
	require.GreaterOrEqual(t, post.GetEndTimeUnixNano(), get.GetEndTimeUnixNano())
	require.Equal(t, map[string]any{
		"db.system.name": "postgresql", "db.operation.name": "document.Get", "db.response.returned_rows": int64(1),
	}, attributes(get))
	require.NotEmpty(t, c.named("job send_email"))
	require.Equal(t, "Watch", attributes(c.one(t, "subscription"))["graphql.operation.name"])
	require.Empty(t, c.named("job.Claim"), "what nobody asked for has no span")
	require.NotContains(t, c.names(), "GET /health")
	require.NotContains(t, c.names(), "GET /metrics")

	sent := c.text()
	for _, none := range []string{secret, cl.key, "SELECT", "select ", "INSERT", "app.tenant_id", "createDocument(", "Bearer"} {
		require.NotContains(t, sent, none)
	}
}

// announced waits until the program says where it is.
func announced(t *testing.T, stderr *output) string {
	t.Helper()

	for end := time.Now().Add(patience); time.Now().Before(end); {
		_, rest, found := strings.Cut(stderr.String(), "  GraphQL      ")
		if address, _, whole := strings.Cut(rest, "/graphql"); found && whole {
			return address
		}
		<-time.After(10 * time.Millisecond)
	}
	require.Fail(t, "the program does not say where it is", stderr.String())
	return ""
}

// watch subscribes to jobs over a WebSocket and enqueues some until the first is done.
func (c client) watch(t *testing.T, enqueue func()) {
	t.Helper()

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(c.url, "http")+"/graphql", &websocket.DialOptions{
		Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: http.Header{"X-Api-Key": {c.key}},
	})
	require.NoError(t, err)
	require.NoError(t, wsjson.Write(ctx, conn, map[string]any{"type": "connection_init"}))
	require.NoError(t, wsjson.Write(ctx, conn, map[string]any{"id": "1", "type": "subscribe", "payload": map[string]any{
		"query": `subscription Watch { jobUpdates(statuses: [DONE]) { jobId } }`,
	}}))
	first := make(chan error, 1)
	go func() {
		for {
			var m struct{ Type string }
			if err := wsjson.Read(ctx, conn, &m); err != nil || m.Type == "next" {
				first <- err
				return
			}
		}
	}()
	for {
		enqueue()
		select {
		case err := <-first:
			require.NoError(t, err)
			require.NoError(t, conn.Close(websocket.StatusNormalClosure, ""))
			return
		case <-time.After(300 * time.Millisecond): // the subscription may not have begun
		}
	}
}
