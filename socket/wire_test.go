package socket_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"stackforge/socket"
)

func TestAllowsOrigin(t *testing.T) {
	t.Parallel()

	origins := []string{"https://app.example.org", "https://*.example.com"}
	for origin, want := range map[string]bool{
		"": true, "http://here.example:3000": true, "https://HERE.example:3000": true, "http://here.example": false,
		"https://app.example.org": true, "https://App.Example.org": true, "http://app.example.org": false, "https://app.example.org.evil.example": false,
		"https://a.example.com": true, "https://a.b.example.com": true, "https://example.com": false, "https://.example.com.evil.example": false,
		"null": false, "://": false,
	} {
		r := httptest.NewRequest(http.MethodGet, "http://here.example:3000/ws", http.NoBody)
		r.Header.Set("Origin", origin)
		require.Equal(t, want, socket.AllowsOrigin(r, origins), origin)
	}
	r := httptest.NewRequest(http.MethodGet, "http://here.example/ws", http.NoBody)
	r.Header.Set("Origin", "https://anywhere.example")
	require.True(t, socket.AllowsOrigin(r, []string{"*"}))
	require.False(t, socket.AllowsOrigin(r, nil))
}

// What is no handshake is left to the caller to answer; nothing has been sent.
func TestAcceptRefuses(t *testing.T) {
	t.Parallel()

	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/ws", http.NoBody)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Sec-WebSocket-Version", "12")
	_, _, err := socket.Accept(w, r, websocket.AcceptOptions{}, time.Second)
	refused, ok := errors.AsType[*socket.RefusedError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, http.StatusBadRequest, refused.Status)
	require.Contains(t, refused.Message, "only 13 is supported")
	require.Empty(t, w.Body.String())
	require.Equal(t, "13", w.Header().Get("Sec-WebSocket-Version"))
}

// A socket works after its handler has returned, and takes frames that were written past the library.
func TestAccept(t *testing.T) {
	t.Parallel()

	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, wire, err := socket.Accept(w, r, websocket.AcceptOptions{}, time.Second)
		if err != nil {
			return
		}
		go func() { // the handler has returned
			defer conn.CloseNow() //nolint:errcheck // the test is over
			_, text, err := conn.Read(t.Context())
			if err != nil {
				return
			}
			_, _ = wire.Write(append([]byte{0x81, byte(len(text))}, text...))
			_, _, _ = conn.Read(t.Context())
		}()
	}))
	t.Cleanup(s.Close)
	conn, _, err := websocket.Dial(t.Context(), s.URL, nil)
	require.NoError(t, err)
	defer conn.CloseNow() //nolint:errcheck // the test is over
	require.NoError(t, conn.Write(t.Context(), websocket.MessageText, []byte("hello")))
	_, text, err := conn.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, "hello", string(text))
}
