package transport

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"stackforge/transport/internal/fixture"
)

// world is a handler behind a real listener.
type world struct {
	*Handler
	url      string
	resolver *fixture.Resolver
	seen     *observed
}

// observed collects what Observe was told.
type observed struct {
	mu  sync.Mutex
	ops []Operation
}

func (o *observed) add(op Operation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ops = append(o.ops, op)
}

func (o *observed) all() []Operation {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]Operation(nil), o.ops...)
}

func start(tb testing.TB, change func(*Config)) *world {
	tb.Helper()
	w := &world{resolver: fixture.New(), seen: &observed{}}
	w.resolver.Fail = Fail
	cfg := Config{
		Schema:        schema(w.resolver),
		Introspection: func(context.Context) bool { return true },
		Observe:       func(_ context.Context, op Operation) { w.seen.add(op) },
	}
	if change != nil {
		change(&cfg)
	}
	w.Handler = New(cfg)
	server := httptest.NewServer(w.Handler)
	w.url = server.URL
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), 3*time.Second)
		defer cancel()
		w.Shutdown(ctx)
		server.Close()
	})
	return w
}

// peer is a client that speaks the protocols by hand.
type peer struct {
	t    testing.TB
	conn *websocket.Conn
}

func (w *world) dial(tb testing.TB, header http.Header, protocols ...string) *peer {
	tb.Helper()
	conn, answer, err := websocket.Dial(tb.Context(), w.url, &websocket.DialOptions{Subprotocols: protocols, HTTPHeader: header})
	require.NoError(tb, err)
	if answer.Body != nil {
		_ = answer.Body.Close()
	}
	conn.SetReadLimit(64 << 20)
	tb.Cleanup(func() { _ = conn.CloseNow() })
	return &peer{tb, conn}
}

// modern dials and waits for the acknowledgement.
func (w *world) modern(tb testing.TB) *peer {
	tb.Helper()
	p := w.dial(tb, nil, subprotocolNew)
	p.send(`{"type":"connection_init"}`)
	p.expect(`{"type":"connection_ack"}`)
	return p
}

func (w *world) legacy(tb testing.TB) *peer {
	tb.Helper()
	p := w.dial(tb, nil, subprotocolOld)
	p.send(`{"type":"connection_init","payload":{}}`)
	p.expect(`{"type":"connection_ack"}`)
	p.expect(`{"type":"ka"}`)
	return p
}

func (p *peer) send(text string) {
	p.t.Helper()
	require.NoError(p.t, p.conn.Write(p.t.Context(), websocket.MessageText, []byte(text)))
}

func (p *peer) read() (string, error) {
	ctx, cancel := context.WithTimeout(p.t.Context(), 5*time.Second)
	defer cancel()
	_, b, err := p.conn.Read(ctx)
	return string(b), err
}

func (p *peer) receive() string {
	p.t.Helper()
	text, err := p.read()
	require.NoError(p.t, err)
	return text
}

func (p *peer) expect(json string) {
	p.t.Helper()
	require.JSONEq(p.t, json, p.receive())
}

// expectError reads an error message and returns its first code.
func (p *peer) expectError(id string) string {
	p.t.Helper()
	var m struct {
		ID      string `json:"id"`
		Type    string `json:"type"`
		Payload []struct {
			Extensions struct {
				Code string `json:"code"`
			} `json:"extensions"`
		} `json:"payload"`
	}
	text := p.receive()
	require.NoError(p.t, json.Unmarshal([]byte(text), &m), text)
	require.Equal(p.t, id, m.ID)
	require.Equal(p.t, "error", m.Type)
	require.NotEmpty(p.t, m.Payload)
	require.NotContains(p.t, text, "secret")
	return m.Payload[0].Extensions.Code
}

// expectClose reads until the socket is closed.
func (p *peer) expectClose(code int) string {
	p.t.Helper()
	for {
		_, err := p.read()
		if err == nil {
			continue
		}
		require.Equal(p.t, code, int(websocket.CloseStatus(err)), err.Error())
		var closed websocket.CloseError
		require.ErrorAs(p.t, err, &closed)
		return closed.Reason
	}
}

func TestCloseCodes(t *testing.T) {
	t.Parallel()
	const ack = `{"type":"connection_init"}`
	tests := []struct {
		name      string
		protocols []string
		messages  []string
		code      int
	}{
		{"no subprotocol", nil, nil, 4406},
		{"unknown subprotocol", []string{"mqtt"}, nil, 4406},
		{"second init", []string{subprotocolNew}, []string{ack, ack}, 4429},
		{"init timeout", []string{subprotocolNew}, nil, 4408},
		{"init timeout, legacy", []string{subprotocolOld}, nil, 4408},
		{"subscribe before ack", []string{subprotocolNew}, []string{`{"id":"1","type":"subscribe","payload":{"query":"{version}"}}`}, 4401},
		{"start before ack, legacy", []string{subprotocolOld}, []string{`{"id":"1","type":"start","payload":{"query":"{version}"}}`}, 4401},
		{"bad JSON", []string{subprotocolNew}, []string{`{"type":`}, 4400},
		{"not an object", []string{subprotocolNew}, []string{`[]`}, 4400},
		{"trailing bytes", []string{subprotocolNew}, []string{ack + `{}`}, 4400},
		{"no type", []string{subprotocolNew}, []string{`{"id":"1"}`}, 4400},
		{"unknown type", []string{subprotocolNew}, []string{ack, `{"type":"nonsense"}`}, 4400},
		{"server-only type", []string{subprotocolNew}, []string{ack, `{"id":"1","type":"next","payload":{}}`}, 4400},
		{"legacy type in the new protocol", []string{subprotocolNew}, []string{ack, `{"id":"1","type":"start","payload":{"query":"{version}"}}`}, 4400},
		{"subscribe without id", []string{subprotocolNew}, []string{ack, `{"type":"subscribe","payload":{"query":"{version}"}}`}, 4400},
		{"subscribe with an empty id", []string{subprotocolNew}, []string{ack, `{"id":"","type":"subscribe","payload":{"query":"{version}"}}`}, 4400},
		{"long id", []string{subprotocolNew}, []string{ack, `{"id":"` + strings.Repeat("x", 300) + `","type":"subscribe","payload":{"query":"{version}"}}`}, 4400},
		{"subscribe without payload", []string{subprotocolNew}, []string{ack, `{"id":"1","type":"subscribe"}`}, 4400},
		{"subscribe without query", []string{subprotocolNew}, []string{ack, `{"id":"1","type":"subscribe","payload":{}}`}, 4400},
		{"variables not an object", []string{subprotocolNew}, []string{ack, `{"id":"1","type":"subscribe","payload":{"query":"{version}","variables":[]}}`}, 4400},
		{"init payload not an object", []string{subprotocolNew}, []string{`{"type":"connection_init","payload":"x"}`}, 4400},
		{"ping payload not an object", []string{subprotocolNew}, []string{`{"type":"ping","payload":1}`}, 4400},
		{"complete without id", []string{subprotocolNew}, []string{ack, `{"type":"complete"}`}, 4400},
		{"id in use", []string{subprotocolNew}, []string{
			ack, `{"id":"1","type":"subscribe","payload":{"query":"subscription{events(topic:\"a\"){number}}"}}`,
			`{"id":"1","type":"subscribe","payload":{"query":"{version}"}}`,
		}, 4409},
		{"credentials refused", []string{subprotocolNew}, []string{`{"type":"connection_init","payload":{"apiKey":"wrong"}}`}, 4403},
		{"credentials refused, legacy", []string{subprotocolOld}, []string{`{"type":"connection_init","payload":{"apiKey":"wrong"}}`}, 4403},
		{"credentials not checked", []string{subprotocolNew}, []string{`{"type":"connection_init","payload":{"apiKey":"broken"}}`}, 4500},
		{"panic", []string{subprotocolNew}, []string{`{"type":"connection_init","payload":{"apiKey":"panic"}}`}, 4500},
		{"credential expires", []string{subprotocolNew}, []string{`{"type":"connection_init","payload":{"apiKey":"short"}}`}, 4403},
		{"message too big", []string{subprotocolNew}, []string{ack, `{"id":"1","type":"subscribe","payload":{"query":"` + strings.Repeat(" ", 2<<20) + `"}}`}, 1009},
		{"broken UTF-8", []string{subprotocolNew}, []string{"{\"type\":\"\xff\"}"}, 4400},
		{"NUL", []string{subprotocolNew}, []string{ack, `{"id":"1","type":"subscribe","payload":{"query":"{version}\u0000"}}`}, 4400},
		{"terminate, legacy", []string{subprotocolOld}, []string{ack, `{"type":"connection_terminate"}`}, 1000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := start(t, func(c *Config) {
				c.Limits.InitTimeout = 300 * time.Millisecond
				c.Authenticate = authenticate
			})
			p := w.dial(t, nil, tt.protocols...)
			for _, m := range tt.messages {
				// The server may close while a long message is still being sent.
				_ = p.conn.Write(t.Context(), websocket.MessageText, []byte(m))
			}
			require.NotEmpty(t, p.expectClose(tt.code))
		})
	}
}

func authenticate(ctx context.Context, r *http.Request, payload map[string]any) (context.Context, time.Time, error) {
	who, _ := payload["apiKey"].(string)
	if who == "" {
		who = r.Header.Get("X-Api-Key")
	}
	switch who {
	case "wrong":
		return nil, time.Time{}, coded("UNAUTHENTICATED", "This key is not valid.")
	case "broken":
		return nil, time.Time{}, errors.New("secret: no database")
	case "panic":
		panic("secret: a panic")
	case "short":
		return ctx, time.Now().Add(50 * time.Millisecond), nil
	}
	return context.WithValue(ctx, whoKey{}, who), time.Time{}, nil
}

type whoKey struct{}

func who(ctx context.Context) string {
	name, _ := ctx.Value(whoKey{}).(string)
	return name
}

func TestSubprotocolPreference(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	p := w.dial(t, nil, subprotocolOld, subprotocolNew)
	require.Equal(t, subprotocolNew, p.conn.Subprotocol())
}

func TestCredentialsByHeaderOrPayload(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) { c.Authenticate = authenticate })

	p := w.dial(t, http.Header{"X-Api-Key": {"wrong"}}, subprotocolNew)
	p.send(`{"type":"connection_init"}`)
	require.Equal(t, "Forbidden", p.expectClose(4403))

	p = w.dial(t, nil, subprotocolNew) // none at all in the headers
	p.send(`{"type":"connection_init","payload":{"apiKey":"right"}}`)
	p.expect(`{"type":"connection_ack"}`)
}

func TestLegacyConnectionError(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) { c.Authenticate = authenticate })
	p := w.dial(t, nil, subprotocolOld)
	p.send(`{"type":"connection_init","payload":{"apiKey":"wrong"}}`)
	p.expect(`{"type":"connection_error","payload":{"message":"This key is not valid."}}`)
	p.expectClose(4403)
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) { c.Origins = []string{"https://app.example", "https://*.team.example"} })
	for origin, allowed := range map[string]bool{
		"https://app.example":         true,
		"https://a.team.example":      true,
		"http://app.example":          false,
		"https://evil.example":        false,
		"https://team.example":        false,
		"null":                        false,
		"https://app.example.evil.io": false,
		w.url:                         true,
	} {
		conn, answer, err := websocket.Dial(t.Context(), w.url, &websocket.DialOptions{
			Subprotocols: []string{subprotocolNew}, HTTPHeader: http.Header{"Origin": {origin}},
		})
		if allowed {
			require.NoError(t, err, origin)
			_ = conn.CloseNow()
			continue
		}
		require.Error(t, err, origin)
		require.Equal(t, http.StatusForbidden, answer.StatusCode, origin)
	}
}

func TestModernOperations(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	p := w.modern(t)

	p.send(`{"id":"q","type":"subscribe","payload":{"query":"query Q($t: String!) { echo(text: $t) }","variables":{"t":"a\"b"}}}`)
	p.expect(`{"id":"q","type":"next","payload":{"data":{"echo":"a\"b"}}}`)
	p.expect(`{"id":"q","type":"complete"}`)

	p.send(`{"id":"m","type":"subscribe","payload":{"query":"mutation { rename(id: 1, title: \"x\") { title } }"}}`)
	p.expect(`{"id":"m","type":"next","payload":{"data":{"rename":{"title":"x"}}}}`)
	p.expect(`{"id":"m","type":"complete"}`)

	p.send(`{"id":"odd \"id\" ü","type":"subscribe","payload":{"query":"subscription { counts(count: 2) { number } }"}}`)
	p.expect(`{"id":"odd \"id\" ü","type":"next","payload":{"data":{"counts":{"number":0}}}}`)
	p.expect(`{"id":"odd \"id\" ü","type":"next","payload":{"data":{"counts":{"number":1}}}}`)
	p.expect(`{"id":"odd \"id\" ü","type":"complete"}`)

	p.send(`{"type":"ping"}`)
	p.expect(`{"type":"pong"}`)
	p.send(`{"type":"ping","payload":{"n":1}}`)
	p.expect(`{"type":"pong","payload":{"n":1}}`)
	p.send(`{"type":"pong"}`)
	p.send(`{"id":"unknown","type":"complete"}`)

	p.send(`{"id":"e","type":"subscribe","payload":{"query":"{ fails }"}}`)
	text := p.receive()
	require.Contains(t, text, `"data":{"fails":null}`)
	require.NotContains(t, text, "secret")
	p.expect(`{"id":"e","type":"complete"}`)

	kinds := map[string]int{}
	for _, op := range w.seen.all() {
		kinds[op.Kind]++
		require.Equal(t, "websocket", op.Transport)
	}
	require.Equal(t, map[string]int{"query": 2, "mutation": 1, "subscription": 1}, kinds)
}

func TestPingBeforeInit(t *testing.T) {
	t.Parallel()
	p := start(t, nil).dial(t, nil, subprotocolNew)
	p.send(`{"type":"ping"}`)
	p.expect(`{"type":"pong"}`)
}

func TestErrorsEndOperationsOnly(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	for name, tt := range map[string]struct{ query, code string }{
		"parse":            {"{", "GRAPHQL_PARSE_FAILED"},
		"validation":       {"{ nothing }", "GRAPHQL_VALIDATION_FAILED"},
		"limit":            {strings.Repeat("{ book(id: 1) { sequel ", 1) + strings.Repeat("{ sequel ", 15) + "{ id }" + strings.Repeat("}", 17), "VALIDATION_FAILED"},
		"cannot begin":     {"subscription { failsAtOnce { number } }", "INTERNAL"},
		"panics at once":   {"subscription { panicsAtOnce { number } }", "INTERNAL"},
		"unknown variable": {"query ($a: Int!) { books(first: $a) { id } }", "GRAPHQL_VALIDATION_FAILED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := w.modern(t)
			query, _ := json.Marshal(tt.query)
			p.send(`{"id":"1","type":"subscribe","payload":{"query":` + string(query) + `}}`)
			require.Equal(t, tt.code, p.expectError("1"))
			// No complete follows, and the id is free again.
			p.send(`{"id":"1","type":"subscribe","payload":{"query":"{ version }"}}`)
			p.expect(`{"id":"1","type":"next","payload":{"data":{"version":"1"}}}`)
		})
	}
}

func TestErrorInsideAndAtTheEnd(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	p := w.modern(t)
	p.send(`{"id":"1","type":"subscribe","payload":{"query":"subscription { failsInside { check } }"}}`)
	text := p.receive()
	require.Contains(t, text, `"type":"next"`)
	require.Contains(t, text, `"data":{"failsInside":null}`)
	require.Contains(t, text, `"errors":[`)
	require.NotContains(t, text, "secret")
	p.expect(`{"id":"1","type":"complete"}`)

	p.send(`{"id":"2","type":"subscribe","payload":{"query":"subscription { failsLater { number } }"}}`)
	p.expect(`{"id":"2","type":"next","payload":{"data":{"failsLater":{"number":1}}}}`)
	require.Equal(t, "INTERNAL", p.expectError("2"))
}

func TestClientCompletes(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	p := w.modern(t)
	p.send(`{"id":"1","type":"subscribe","payload":{"query":"subscription { events(topic: \"x\") { number } }"}}`)
	require.Eventually(t, func() bool { return w.resolver.Running() == 1 }, 5*time.Second, time.Millisecond)
	p.send(`{"id":"1","type":"complete"}`)
	require.Eventually(t, func() bool { return w.resolver.Running() == 0 }, 5*time.Second, time.Millisecond)
	p.send(`{"type":"ping"}`)
	p.expect(`{"type":"pong"}`) // nothing was echoed before it

	p.send(`{"id":"2","type":"subscribe","payload":{"query":"{ waits }"}}`)
	p.send(`{"id":"2","type":"complete"}`)
	p.send(`{"type":"ping"}`)
	p.expect(`{"type":"pong"}`)
}

func TestLegacyOperations(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	p := w.legacy(t)
	p.send(`{"id":"1","type":"start","payload":{"query":"{ version }"}}`)
	p.expect(`{"id":"1","type":"data","payload":{"data":{"version":"1"}}}`)
	p.expect(`{"id":"1","type":"complete"}`)
	p.send(`{"id":"2","type":"start","payload":{"query":"subscription { events(topic: \"x\") { number } }"}}`)
	require.Eventually(t, func() bool { return w.resolver.Running() == 1 }, 5*time.Second, time.Millisecond)
	w.resolver.Publish(t.Context(), &fixture.Event{Topic: "x", Number: 5})
	p.expect(`{"id":"2","type":"data","payload":{"data":{"events":{"number":5}}}}`)
	p.send(`{"id":"2","type":"stop"}`)
	require.Eventually(t, func() bool { return w.resolver.Running() == 0 }, 5*time.Second, time.Millisecond)
	p.send(`{"id":"3","type":"start","payload":{"query":"{ nothing }"}}`)
	text := p.receive()
	require.Contains(t, text, `{"id":"3","type":"error","payload":{"message":`)
	require.Contains(t, text, `"code":"GRAPHQL_VALIDATION_FAILED"`)
}

func TestStreamsPerSocket(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) { c.Limits.Streams = 3 })
	p := w.modern(t)
	for i := range 3 {
		p.send(`{"id":"` + strconv.Itoa(i) + `","type":"subscribe","payload":{"query":"subscription { events(topic: \"x\") { number } }"}}`)
	}
	p.send(`{"id":"over","type":"subscribe","payload":{"query":"{ version }"}}`)
	require.Equal(t, "RATE_LIMITED", p.expectError("over"))
	p.send(`{"id":"1","type":"complete"}`)
	require.Eventually(t, func() bool {
		p.send(`{"id":"again","type":"subscribe","payload":{"query":"{ version }"}}`)
		text := p.receive()
		if strings.Contains(text, "RATE_LIMITED") {
			return false // the resolver has not returned yet
		}
		p.expect(`{"id":"again","type":"complete"}`)
		return true
	}, 5*time.Second, 5*time.Millisecond)
}

// Who has had enough operations gets an error for each further one, in both protocols, and the socket goes on.
func TestOperationsAreAdmitted(t *testing.T) {
	t.Parallel()
	var left atomic.Int64
	w := start(t, func(c *Config) {
		c.Admit = func(context.Context) error {
			if left.Add(-1) >= 0 {
				return nil
			}
			return coded("RATE_LIMITED", "Enough.")
		}
	})
	left.Store(2)
	p, old := w.modern(t), w.legacy(t)
	p.follow("1", "x", "")
	require.Eventually(t, func() bool { return w.resolver.Running() == 1 }, 5*time.Second, time.Millisecond)
	old.send(`{"id":"2","type":"start","payload":{"query":"{ version }"}}`)
	old.expect(`{"id":"2","type":"data","payload":{"data":{"version":"1"}}}`)
	old.expect(`{"id":"2","type":"complete"}`)
	for _, query := range []string{"{ version }", "subscription { events(topic: \\\"y\\\") { number } }", "{"} {
		p.send(`{"id":"3","type":"subscribe","payload":{"query":"` + query + `"}}`)
		require.Equal(t, "RATE_LIMITED", p.expectError("3"))
	}
	old.send(`{"id":"4","type":"start","payload":{"query":"{ version }"}}`)
	require.Contains(t, old.receive(), `{"id":"4","type":"error","payload":{"message":"Enough."`)

	w.resolver.Publish(t.Context(), &fixture.Event{Topic: "x", Number: 5})
	p.expect(`{"id":"1","type":"next","payload":{"data":{"events":{"number":5}}}}`)
	left.Store(1)
	p.send(`{"id":"3","type":"subscribe","payload":{"query":"{ version }"}}`)
	p.expect(`{"id":"3","type":"next","payload":{"data":{"version":"1"}}}`)
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	p := w.modern(t)
	p.send(`{"id":"1","type":"subscribe","payload":{"query":"subscription { events(topic: \"x\") { number } }"}}`)
	require.Eventually(t, func() bool { return w.resolver.Running() == 1 }, 5*time.Second, time.Millisecond)
	go w.Shutdown(t.Context())
	p.expectClose(1001)
	require.Eventually(t, func() bool { return w.resolver.Running() == 0 }, 5*time.Second, time.Millisecond)
	_, answer, err := websocket.Dial(t.Context(), w.url, nil)
	require.Error(t, err)
	require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
}

func TestPresenterSeesEverything(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) {
		c.Present = func(_ context.Context, err error) *gqlerror.Error {
			e := presentSafely(t.Context(), err)
			e.Extensions["requestId"] = "r1"
			return e
		}
	})
	p := w.modern(t)
	for _, query := range []string{"{", "{ nothing }", "{ fails }", "subscription { failsAtOnce { number } }"} {
		p.send(`{"id":"1","type":"subscribe","payload":{"query":"` + query + `"}}`)
		require.Contains(t, p.receive(), `"requestId":"r1"`)
		if query == "{ fails }" {
			p.expect(`{"id":"1","type":"complete"}`)
		}
	}
}
