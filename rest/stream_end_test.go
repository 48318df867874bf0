package rest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"stackforge/auth"
	"stackforge/repo/apikey"
	"stackforge/rest"
	"stackforge/tenant"
)

// subscribers waits until so many follow jobs.
func (d *door) subscribers(t testing.TB, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return d.hub.Stats().Subscribers == n }, patience, 5*time.Millisecond)
}

// raw opens a connection and sends a request by hand. What comes back is the caller's to read.
func (c caller) raw(path string, pairs ...string) *net.TCPConn {
	c.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(c.t.Context(), "tcp", strings.TrimPrefix(c.d.url, "http://"))
	require.NoError(c.t, err)
	c.t.Cleanup(func() { _ = conn.Close() })
	tcp, ok := conn.(*net.TCPConn)
	require.True(c.t, ok)
	require.NoError(c.t, tcp.SetReadBuffer(4<<10))
	_, err = fmt.Fprintf(tcp, "GET %s HTTP/1.1\r\nHost: test\r\nX-Api-Key: %s\r\n%s\r\n", path, c.key, strings.Join(pairs, ""))
	require.NoError(c.t, err)
	return tcp
}

// A client that is gone without a word answers no ping, and is dropped; one that lives stays.
func TestDeadSocketIsDropped(t *testing.T) {
	t.Parallel()
	d := open(t, options{times: rest.StreamTimes{Ping: 20 * time.Millisecond, Answer: 2 * time.Second}})
	c := d.tenant(t)
	living, _, err := c.dial(&websocket.DialOptions{HTTPHeader: http.Header{"X-Api-Key": {c.key}}})
	require.NoError(t, err)
	defer func() { _ = living.CloseNow() }()
	heard := make(chan string, 1)
	go func() { // a library answers pings while it reads
		_, message, _ := living.Read(t.Context())
		heard <- string(message)
	}()

	dead := c.raw("/ws/jobs", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
	response, err := http.ReadResponse(bufio.NewReader(dead), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, response.StatusCode)
	d.subscribers(t, 1)
	require.NoError(t, dead.SetReadDeadline(time.Now().Add(patience)))
	_, err = io.Copy(io.Discard, dead)
	require.NoError(t, err, "the server has closed the connection")

	id := c.finish()
	select {
	case got := <-heard:
		require.JSONEq(t, fmt.Sprintf(`{"event":"job_update","jobId":%d,"status":"running","type":"send_email"}`, id), got)
	case <-time.After(patience):
		require.Fail(t, "the living client hears nothing")
	}
}

// A client that takes nothing any more is dropped as soon as the buffers between are full, by events or by heartbeats.
func TestDeadEventStreamIsDropped(t *testing.T) {
	t.Parallel()
	d := open(t, options{
		times: rest.StreamTimes{Heartbeat: time.Millisecond, Answer: 2 * time.Second},
		conn: func(c net.Conn) {
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.SetWriteBuffer(4 << 10)
			}
		},
	})
	c := d.tenant(t)
	living := c.listen("/jobs/events", "")
	_, ok := living.next()
	require.True(t, ok)
	done := make(chan event, 1)
	go func() {
		e, _ := living.next()
		done <- e
	}()
	c.raw("/jobs/events")
	d.subscribers(t, 2)
	d.subscribers(t, 1)
	c.finish()
	select {
	case e := <-done:
		require.Equal(t, "job_update", e.name)
	case <-time.After(patience):
		require.Fail(t, "the living client hears nothing")
	}
}

// Streams end with the key that opened them, also those of a token of it, and nobody else's.
func TestStreamsEndWithTheirKey(t *testing.T) {
	t.Parallel()
	d := open(t, options{})
	stays := d.tenant(t)
	goes := d.caller(t, stays.scope)
	token := text(t, goes.ok(http.StatusOK, http.MethodPost, "/auth/token", "")["token"])
	dial := func(c caller, o *websocket.DialOptions) *websocket.Conn {
		conn, _, err := c.dial(o)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.CloseNow() })
		return conn
	}
	header := func(c caller) *websocket.DialOptions {
		return &websocket.DialOptions{HTTPHeader: http.Header{"X-Api-Key": {c.key}}}
	}
	ending := []*websocket.Conn{dial(goes, header(goes)), dial(goes, &websocket.DialOptions{Subprotocols: []string{"bearer", token}})}
	staying := dial(stays, header(stays))
	l := goes.listen("/jobs/events", "")
	_, ok := l.next()
	require.True(t, ok)

	ctx := tenant.With(t.Context(), stays.scope)
	s, _, err := d.auth.Authenticate(t.Context(), auth.Credentials{APIKey: goes.key})
	require.NoError(t, err)
	require.NoError(t, apikey.New(d.API).Revoke(ctx, s.KeyID, false))
	d.auth.Changed()
	for _, conn := range ending {
		require.Equal(t, websocket.StatusPolicyViolation, goes.closed(conn))
	}
	_, ok = l.next()
	require.False(t, ok, "the event stream has ended")
	d.subscribers(t, 1)
	stays.finish()
	require.Contains(t, stays.frame(staying), `"status":"running"`)
}
