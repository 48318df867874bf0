// Package socket takes over the connections of WebSockets for the doors: it judges where a page comes from, and gives the library
// buffers that fit a socket which is idle most of the time.
package socket

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// RefusedError is why a request is no handshake of a WebSocket.
type RefusedError struct {
	Status  int // of HTTP: a client's fault, or 501 where the connection cannot be taken over
	Message string
}

// Error returns the message.
func (e *RefusedError) Error() string { return e.Message }

// Accept takes a connection over. Whether its Origin is allowed is the caller's to ask, and a *RefusedError the caller's to answer; after
// any other error the connection is gone. The handler may return at once, which frees what the server holds for a request.
func Accept(w http.ResponseWriter, r *http.Request, o websocket.AcceptOptions, writeTimeout time.Duration) (*websocket.Conn, *Wire, error) {
	o.InsecureSkipVerify = true // the Origin was looked at
	hj := &hijacker{ResponseWriter: w, timeout: writeTimeout}
	conn, err := websocket.Accept(hj, r, &o)
	if hj.refused != nil {
		return nil, nil, hj.refused
	}
	return conn, hj.wire, err
}

// AllowsOrigin tells whether a page may open a socket: one of this server, or of one of the origins, of which each may have a star
// (as CORS_ORIGIN). What is no browser names no Origin.
func AllowsOrigin(r *http.Request, origins []string) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host) {
		return true
	}
	for _, allowed := range origins {
		if matchOrigin(strings.ToLower(allowed), strings.ToLower(origin)) {
			return true
		}
	}
	return false
}

// matchOrigin is an exact comparison, or with one star, as in rs/cors.
func matchOrigin(allowed, origin string) bool {
	before, behind, star := strings.Cut(allowed, "*")
	if !star {
		return allowed == origin
	}
	return len(origin) >= len(before)+len(behind) && strings.HasPrefix(origin, before) && strings.HasSuffix(origin, behind)
}

// Wire is the connection of a socket. The WebSocket library reads from it, and writes to it what it writes by itself; a caller
// may write other frames, many at a time. Each Write puts whole frames on the wire under a deadline of its own.
type Wire struct {
	net.Conn

	timeout time.Duration
	mu      sync.Mutex
}

// Write sends whole frames.
func (w *Wire) Write(frames []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Put(frames)
}

// Lock keeps others from writing between two calls of Put.
func (w *Wire) Lock() { w.mu.Lock() }

// Unlock lets others write.
func (w *Wire) Unlock() { w.mu.Unlock() }

// Put sends a part of what was locked for.
func (w *Wire) Put(b []byte) (int, error) {
	if err := w.SetWriteDeadline(time.Now().Add(w.timeout)); err != nil {
		return 0, err
	}
	return w.Conn.Write(b)
}

// hijacker hands the library a wire and small buffers: the server's own two are 4 KiB each.
type hijacker struct {
	http.ResponseWriter

	timeout time.Duration
	wire    *Wire
	refused *RefusedError
}

// WriteHeader keeps a refusal of the library.
func (h *hijacker) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		h.refused = &RefusedError{Status: status}
		return
	}
	h.ResponseWriter.WriteHeader(status)
}

// Write keeps the reason of a refusal.
func (h *hijacker) Write(text []byte) (int, error) {
	if h.refused == nil {
		return h.ResponseWriter.Write(text)
	}
	h.refused.Message += strings.TrimSpace(string(text))
	return len(text), nil
}

const (
	readBuffer  = 512
	writeBuffer = 140 // a control frame, or a short message
)

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, server, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.wire = &Wire{Conn: conn, timeout: h.timeout}
	early, _ := server.Peek(server.Reader.Buffered()) // what the client sent behind its handshake
	reader := bufio.NewReaderSize(bytes.NewReader(early), max(readBuffer, len(early)))
	_, _ = reader.Peek(len(early)) // the library takes over what is buffered
	return h.wire, bufio.NewReadWriter(reader, bufio.NewWriterSize(h.wire, writeBuffer)), nil
}
