package transport

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"stackforge/transport/internal/fixture"
)

func sharing(c *Config) {
	c.Authenticate = authenticate
	c.ShareKey = who
}

// as dials with a key that names the caller.
func (w *world) as(tb testing.TB, key string) *peer {
	tb.Helper()
	p := w.dial(tb, http.Header{"X-Api-Key": {key}}, subprotocolNew)
	p.send(`{"type":"connection_init"}`)
	p.expect(`{"type":"connection_ack"}`)
	return p
}

func (p *peer) follow(id, topic, arguments string) {
	p.t.Helper()
	p.send(fmt.Sprintf(`{"id":%q,"type":"subscribe","payload":{"query":"subscription { events(topic: \"%s\"%s) { number } }"}}`,
		id, topic, arguments))
	// The answer to a ping comes after the subscription was taken in.
	p.send(`{"type":"ping"}`)
	p.expect(`{"type":"pong"}`)
}

func next(id string, number int) string {
	return fmt.Sprintf(`{"id":%q,"type":"next","payload":{"data":{"events":{"number":%d}}}}`, id, number)
}

// publish sends an event of the topic x once there are so many executions.
func (w *world) publish(tb testing.TB, number, executions int) {
	tb.Helper()
	require.Eventually(tb, func() bool { return w.resolver.Running() == executions }, 5*time.Second, time.Millisecond)
	w.resolver.Publish(tb.Context(), &fixture.Event{Topic: "x", Number: number})
}

func TestIdenticalSubscriptionsShareOneExecution(t *testing.T) {
	t.Parallel()
	w := start(t, sharing)
	a, b := w.as(t, "one"), w.as(t, "one")
	a.follow("a", "x", "")
	w.publish(t, 1, 1)
	a.expect(next("a", 1))

	b.follow("b1", "x", "")
	b.follow("b2", "x", "")
	w.publish(t, 2, 1)
	a.expect(next("a", 2))
	b.expect(next("b1", 2)) // not the event from before it joined
	b.expect(next("b2", 2))
	require.Equal(t, 1, w.resolver.Started("x"))

	// The one who began it leaves; the others go on.
	require.NoError(t, a.conn.CloseNow())
	b.send(`{"id":"b1","type":"complete"}`)
	b.send(`{"type":"ping"}`)
	b.expect(`{"type":"pong"}`)
	w.publish(t, 3, 1)
	b.expect(next("b2", 3))

	// The last one leaving ends it; the next one begins anew.
	b.send(`{"id":"b2","type":"complete"}`)
	require.Eventually(t, func() bool { return w.resolver.Running() == 0 }, 5*time.Second, time.Millisecond)
	b.follow("b3", "x", "")
	w.publish(t, 4, 1)
	b.expect(next("b3", 4))
	require.Equal(t, 2, w.resolver.Started("x"))
}

func TestWhatIsNotShared(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		keys      [2]string
		arguments [2]string
		shared    bool
	}{
		"the same":            {[2]string{"one", "one"}, [2]string{"", ""}, true},
		"other callers":       {[2]string{"one", "two"}, [2]string{"", ""}, false},
		"callers without key": {[2]string{"", ""}, [2]string{"", ""}, false},
		"a cursor":            {[2]string{"one", "one"}, [2]string{`, after: \"c\"`, `, after: \"c\"`}, false},
		"no cursor":           {[2]string{"one", "one"}, [2]string{`, after: null`, `, after: null`}, true},
		"other documents":     {[2]string{"one", "one"}, [2]string{``, `, after: null`}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, sharing)
			a, b := w.as(t, tt.keys[0]), w.as(t, tt.keys[1])
			a.follow("a", "x", tt.arguments[0])
			b.follow("b", "x", tt.arguments[1])
			executions := 2
			if tt.shared {
				executions = 1
			}
			w.publish(t, 1, executions)
			a.expect(next("a", 1))
			b.expect(next("b", 1))
			require.Equal(t, executions, w.resolver.Started("x"))
		})
	}
}

func TestCursorInVariablesIsNotShared(t *testing.T) {
	t.Parallel()
	w := start(t, sharing)
	const query = `{"id":"%s","type":"subscribe","payload":{"query":"subscription ($c: String%s) { events(topic: \"x\", after: $c) { number } }","variables":%s}}`
	for i, tt := range []struct {
		standard, variables string
		executions          int
	}{
		{"", `{}`, 1},
		{"", `{}`, 1}, // joins
		{"", `{"c":"1"}`, 2},
		{"", `{"c":"1"}`, 3},
		{" = \\\"0\\\"", `{}`, 4},
		{" = \\\"0\\\"", `{}`, 5},
	} {
		p := w.as(t, "one")
		p.send(fmt.Sprintf(query, strconv.Itoa(i), tt.standard, tt.variables))
		p.send(`{"type":"ping"}`)
		p.expect(`{"type":"pong"}`)
		require.Eventually(t, func() bool { return w.resolver.Started("x") == tt.executions }, 5*time.Second, time.Millisecond, "case %d", i)
	}
}

func TestEveryMemberIsTold(t *testing.T) {
	t.Parallel()
	w := start(t, sharing)
	a, b := w.as(t, "one"), w.as(t, "one")
	for _, p := range []*peer{a, b} {
		p.send(`{"id":"1","type":"subscribe","payload":{"query":"subscription { panicsAtOnce { number } }"}}`)
	}
	require.Equal(t, "INTERNAL", a.expectError("1"))
	require.Equal(t, "INTERNAL", b.expectError("1"))
}

func TestSlowConsumerIsClosedAndHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) {
		c.ShareKey = func(context.Context) string { return "all" }
		c.Limits.WriteTimeout = time.Hour // on a busy machine the events take longer than a peer has to take a frame
	})
	slow, quick := w.modern(t), w.modern(t)
	const query = `{"id":"1","type":"subscribe","payload":{"query":"subscription { events(topic: \"x\") { number body } }"}}`
	slow.send(query)
	quick.send(query)
	for _, p := range []*peer{slow, quick} {
		p.send(`{"type":"ping"}`)
		p.expect(`{"type":"pong"}`)
	}
	const events = 600
	body := strings.Repeat("x", 32<<10) // 600 of them are far more than what the kernel and the queue take
	for i := range events {
		w.resolver.Publish(t.Context(), &fixture.Event{Topic: "x", Number: i, Body: body})
		require.Contains(t, quick.receive(), fmt.Sprintf(`"number":%d,`, i))
	}
	slow.expectClose(1013)
}

func TestPeerThatNeverReadsIsDropped(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) { c.Limits.WriteTimeout = 100 * time.Millisecond })
	p := w.modern(t)
	p.send(`{"id":"1","type":"subscribe","payload":{"query":"subscription { events(topic: \"x\") { body } }"}}`)
	require.Eventually(t, func() bool { return w.resolver.Running() == 1 }, 5*time.Second, time.Millisecond)
	body := strings.Repeat("x", 1<<20)
	for range 40 {
		w.resolver.Publish(t.Context(), &fixture.Event{Topic: "x", Body: body})
	}
	require.Eventually(t, func() bool { return w.resolver.Running() == 0 }, 5*time.Second, time.Millisecond)
}

func TestDeadPeerIsDropped(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) {
		c.Limits.PingInterval = 108 * time.Millisecond
		c.Limits.PongTimeout = 60 * time.Millisecond
	})
	dead := w.modern(t) // its library answers pings only while it reads
	dead.follow("1", "x", "")
	living := w.modern(t)
	living.follow("1", "y", "")
	go func() {
		for {
			if _, _, err := living.conn.Read(t.Context()); err != nil {
				return
			}
		}
	}()
	require.Eventually(t, func() bool { return w.resolver.Running() == 1 }, 5*time.Second, time.Millisecond)
	require.Never(t, func() bool { return w.resolver.Running() == 0 }, 400*time.Millisecond, 20*time.Millisecond)
}

func TestLegacyKeepAlive(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) { c.Limits.PingInterval = 54 * time.Millisecond })
	w.legacy(t).expect(`{"type":"ka"}`)
}

func TestNothingIsLeftBehindAfterChurn(t *testing.T) { //nolint:paralleltest // counts goroutines
	w := start(t, sharing)
	before := runtime.NumGoroutine()
	for round := range 20 {
		for i := range 10 {
			conn, _, err := websocket.Dial(t.Context(), w.url, &websocket.DialOptions{
				Subprotocols: []string{subprotocolNew}, HTTPHeader: http.Header{"X-Api-Key": {"one"}},
			})
			require.NoError(t, err)
			p := &peer{t, conn}
			p.send(`{"type":"connection_init"}`)
			p.expect(`{"type":"connection_ack"}`)
			p.send(`{"id":"1","type":"subscribe","payload":{"query":"subscription { events(topic: \"x\") { number } }"}}`)
			p.send(`{"id":"2","type":"subscribe","payload":{"query":"subscription { events(topic: \"` + strconv.Itoa(i) + `\") { number } }"}}`)
			p.send(`{"id":"3","type":"subscribe","payload":{"query":"{ waits }"}}`)
			if (round+i)%2 == 0 {
				_ = conn.Close(websocket.StatusNormalClosure, "")
			} else {
				_ = conn.CloseNow()
			}
		}
	}
	require.Eventually(t, func() bool { return w.resolver.Running() == 0 && len(w.sockets.all()) == 0 }, 10*time.Second, 5*time.Millisecond)
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+2 }, 10*time.Second, 10*time.Millisecond)
	require.Empty(t, w.shares.byKey)
}
