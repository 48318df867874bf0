package rest_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"stackforge/repo/job"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// finish runs a job from start to end and returns its number.
func (c caller) finish() int64 {
	c.t.Helper()
	id := c.enqueue()
	for _, status := range []job.Status{job.Running, job.Done} {
		c.d.Exec(c.t, fmt.Sprintf(`UPDATE jobs SET status = '%s', attempts = 1, finished_at = CASE WHEN '%[1]s' = 'done' THEN now() END WHERE id = %d`, status, id))
		c.d.hub.Wake()
	}
	return id
}

func (c caller) dial(o *websocket.DialOptions) (*websocket.Conn, *http.Response, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	return websocket.Dial(ctx, "ws"+strings.TrimPrefix(c.d.url, "http")+"/ws/jobs", o)
}

// frame reads one message.
func (c caller) frame(conn *websocket.Conn) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	kind, message, err := conn.Read(ctx)
	require.NoError(c.t, err)
	require.Equal(c.t, websocket.MessageText, kind)
	return string(message)
}

// closed returns the code with which the server closes.
func (c caller) closed(conn *websocket.Conn) websocket.StatusCode {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	for {
		if _, _, err := conn.Read(ctx); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

func TestSocket(t *testing.T) {
	t.Parallel()
	d := open(t, options{})
	c, other := d.tenant(t), d.tenant(t)
	token := text(t, c.ok(http.StatusOK, http.MethodPost, "/auth/token", "")["token"])
	var conns []*websocket.Conn
	for name, o := range map[string]*websocket.DialOptions{
		"key":         {HTTPHeader: http.Header{"X-Api-Key": {c.key}}},
		"token":       {HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}},
		"subprotocol": {Subprotocols: []string{"bearer", token}},
	} {
		conn, _, err := c.dial(o)
		require.NoError(t, err, name)
		defer func() { _ = conn.CloseNow() }()
		if name == "subprotocol" {
			require.Equal(t, "bearer", conn.Subprotocol())
		}
		require.NoError(t, conn.Write(t.Context(), websocket.MessageText, []byte("what a client says is ignored")))
		conns = append(conns, conn)
	}
	other.finish()
	id := c.finish()
	for _, conn := range conns {
		for _, status := range []string{"running", "done"} {
			got := c.frame(conn)
			want := fmt.Sprintf(`{"event":"job_update","jobId":%d,"status":"%s","type":"send_email"}`, id, status)
			require.Equal(t, want, got)
		}
	}
	for name, o := range map[string]*websocket.DialOptions{
		"nothing":           {},
		"a wrong token":     {Subprotocols: []string{"bearer", "a.b.c"}},
		"bearer only":       {Subprotocols: []string{"bearer"}},
		"a key of nobody's": {HTTPHeader: http.Header{"X-Api-Key": {"sk_live_x"}}},
	} {
		_, response, err := c.dial(o)
		require.Error(t, err, name)
		require.Equal(t, http.StatusUnauthorized, response.StatusCode, name)
	}
	upgrade := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}
	c.fails(403, "FORBIDDEN", http.MethodGet, "/ws/jobs", "", append(upgrade, "Origin", "https://evil.example")...)
	c.fails(400, "VALIDATION_FAILED", http.MethodGet, "/ws/jobs", "", append(upgrade, "Sec-WebSocket-Version", "12")...)
	c.fails(400, "VALIDATION_FAILED", http.MethodGet, "/ws/jobs", "", append(upgrade, "Sec-WebSocket-Key", "short")...)
	c.fails(400, "VALIDATION_FAILED", http.MethodGet, "/ws/jobs", "")

	stop, done := context.WithTimeout(t.Context(), patience)
	defer done()
	go d.api.Shutdown(stop)
	for _, conn := range conns {
		require.Equal(t, websocket.StatusGoingAway, c.closed(conn))
	}
	_, response, err := c.dial(&websocket.DialOptions{HTTPHeader: http.Header{"X-Api-Key": {c.key}}})
	require.Error(t, err)
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
}

func TestSocketEndsWithItsCredential(t *testing.T) {
	t.Parallel()
	d := open(t, options{now: func() time.Time { return time.Now().Add(-time.Hour + 2*time.Second) }})
	c := d.tenant(t)
	token := text(t, c.ok(http.StatusOK, http.MethodPost, "/auth/token", "")["token"])
	conn, _, err := c.dial(&websocket.DialOptions{Subprotocols: []string{"bearer", token}})
	require.NoError(t, err)
	defer func() { _ = conn.CloseNow() }()
	require.Equal(t, websocket.StatusPolicyViolation, c.closed(conn))
}

// event is one server-sent event.
type event struct{ id, name, data string }

// listener reads an event stream.
type listener struct {
	t        testing.TB
	response *http.Response
	lines    *bufio.Scanner
}

func (c caller) listen(path, last string) listener {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.d.url+path, http.NoBody)
	require.NoError(c.t, err)
	r.Header.Set("X-Api-Key", c.key)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(c.t, err)
	c.t.Cleanup(func() { _ = response.Body.Close() })
	require.Equal(c.t, http.StatusOK, response.StatusCode)
	require.Equal(c.t, "text/event-stream", response.Header.Get("Content-Type"))
	l := listener{t: c.t, response: response, lines: bufio.NewScanner(response.Body)}
	return l
}

// next returns the next event, also one without data; false at the end of the stream.
func (l listener) next() (event, bool) {
	l.t.Helper()
	var e event
	for l.lines.Scan() {
		name, value, _ := strings.Cut(l.lines.Text(), ": ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "retry":
			require.Equal(l.t, "3000", value)
		case "":
			if e != (event{}) {
				return e, true
			}
		}
	}
	return e, false
}

func TestEvents(t *testing.T) {
	t.Parallel()
	d := open(t, options{})
	c, other := d.tenant(t), d.tenant(t)
	l := c.listen("/jobs/events", "")
	begin, ok := l.next()
	require.True(t, ok)
	require.NotEmpty(t, begin.id)
	require.Empty(t, begin.data)
	other.finish()
	first, second := c.finish(), c.finish()
	var seen []event
	for _, want := range []string{
		fmt.Sprintf(`{"event":"job_update","jobId":%d,"status":"running","type":"send_email"}`, first),
		fmt.Sprintf(`{"event":"job_update","jobId":%d,"status":"done","type":"send_email"}`, first),
		fmt.Sprintf(`{"event":"job_update","jobId":%d,"status":"running","type":"send_email"}`, second),
		fmt.Sprintf(`{"event":"job_update","jobId":%d,"status":"done","type":"send_email"}`, second),
	} {
		e, ok := l.next()
		require.True(t, ok)
		require.Equal(t, "job_update", e.name)
		require.Equal(t, want, e.data)
		seen = append(seen, e)
	}
	// Whatever a client saw last, it gets the rest.
	for i, last := range append([]event{begin}, seen[:3]...) {
		again := c.listen("/jobs/events", last.id)
		_, _ = again.next()
		for _, want := range seen[i:] {
			e, ok := again.next()
			require.True(t, ok)
			require.Equal(t, want.data, e.data)
		}
		_ = again.response.Body.Close()
	}
	chosen := c.listen(fmt.Sprintf("/jobs/events?types=send_email&jobIds=%d", second), begin.id)
	_, _ = chosen.next()
	e, _ := chosen.next()
	require.Equal(t, seen[2].data, e.data)

	for path, field := range map[string]string{
		"?jobIds=x": "jobIds", "?types=" + strings.Repeat("a,", 101): "types", "?jobIds=" + strings.Repeat("1,", 100) + "1": "jobIds",
	} {
		require.Equal(t, []string{field}, c.fails(400, "VALIDATION_FAILED", http.MethodGet, "/jobs/events"+path, "").fields())
	}
	require.Equal(t, []string{"Last-Event-ID"}, c.fails(400, "VALIDATION_FAILED", http.MethodGet, "/jobs/events", "", "Last-Event-ID", "x").fields())

	stop, done := context.WithTimeout(t.Context(), patience)
	defer done()
	go d.api.Shutdown(stop)
	for ok := true; ok; {
		_, ok = l.next()
	}
}

// TestSlowSocket asks that a client that cannot keep up is closed, so that it knows that it has missed something.
func TestSlowSocket(t *testing.T) {
	t.Parallel()
	d := open(t, options{})
	c := d.tenant(t)
	c.enqueue()
	d.Exec(t, `INSERT INTO jobs (tenant_id, type) SELECT tenant_id, 'x' FROM jobs, generate_series(1, 1500)`)
	conn, _, err := c.dial(&websocket.DialOptions{HTTPHeader: http.Header{"X-Api-Key": {c.key}}})
	require.NoError(t, err)
	defer func() { _ = conn.CloseNow() }()
	d.Exec(t, `UPDATE jobs SET attempts = 1`) // many more events at once than a subscriber's buffer holds
	d.hub.Wake()
	require.Equal(t, websocket.StatusTryAgainLater, c.closed(conn))
}
