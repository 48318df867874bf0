package transport

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"stackforge/errs"
	ws "stackforge/socket"
)

// socket is one WebSocket. Idle it costs one goroutine, which reads; writing starts a second one when there is
// something to write.
type socket struct {
	h     *Handler
	conn  *websocket.Conn
	wire  *ws.Wire
	proto protocol

	base context.Context //nolint:containedctx // that of the upgrade request; the socket outlives its handler
	slot int             // in the registry

	acked  atomic.Bool  // connection_init was accepted
	seen   atomic.Int64 // tick of the last sign of life
	pinged atomic.Int64 // tick of the last ping

	// Of the reading goroutine only.
	request *http.Request   // until connection_init was accepted
	ctx     context.Context //nolint:containedctx // of all operations, as Authenticate returned it

	mu       sync.Mutex
	cancel   context.CancelFunc // of base
	timer    *time.Timer        // first the init timeout, then the expiry of the credential
	streams  map[string]*stream
	active   int // operations that have not returned yet, even if the client gave them up
	released bool

	queue   []message
	waiting int // messages queued or being written
	bytes   int // of those
	writing bool
	closing bool
	code    websocket.StatusCode
	reason  string
}

// upgrade takes a connection over. It returns at once, so the request and its buffers can go.
func (h *Handler) upgrade(w http.ResponseWriter, r *http.Request) {
	if !ws.AllowsOrigin(r, h.cfg.Origins) {
		_ = h.refuse(w, r, typeJSON, refusal(http.StatusForbidden, "The Origin is not allowed to open a WebSocket here."))
		return
	}
	if h.closing.Load() {
		_ = h.refuse(w, r, typeJSON, refusal(http.StatusServiceUnavailable, "The server is shutting down."))
		return
	}
	s := &socket{h: h}
	conn, wire, err := ws.Accept(w, r, websocket.AcceptOptions{
		Subprotocols:   []string{subprotocolNew, subprotocolOld},
		OnPingReceived: s.onPing,
		OnPongReceived: s.onPong,
	}, h.limits.WriteTimeout)
	if refused, ok := errors.AsType[*ws.RefusedError](err); ok {
		_ = h.refuse(w, r, typeJSON, refusal(http.StatusBadRequest, "This is no handshake of a WebSocket: "+refused.Message+"."))
		return
	} else if err != nil {
		return
	}
	conn.SetReadLimit(-1) // we count ourselves, to read on until the client has seen why it is closed
	s.conn, s.wire = conn, wire
	s.proto = protocolOf(conn.Subprotocol())
	// The request's context ends when this function returns; its values are still needed.
	s.base, s.cancel = context.WithCancel(context.WithoutCancel(r.Context()))
	s.request = r.WithContext(s.base)
	if !h.sockets.add(s) {
		s.cancel()
		s.drop()
		return
	}
	if conn.Subprotocol() == "" {
		s.shut(closeSubprotocol, "Subprotocol not acceptable")
		go s.leave()
		return
	}
	s.setTimer(h.limits.InitTimeout, closeInitTimeout, "Connection initialisation timeout")
	go s.read()
}

// onPing answers through the queue, so that a slow client cannot hold up the reader.
func (s *socket) onPing(_ context.Context, payload []byte) bool {
	s.alive()
	s.push(message{head: string(payload), opcode: opPong})
	return false
}

func (s *socket) onPong(context.Context, []byte) { s.alive() }

// read reads and handles one message, and leaves the next one to a new goroutine: what a message needs, such as authentication,
// makes a stack large, and it would stay so while the socket is idle.
func (s *socket) read() {
	goesOn := false
	defer func() {
		if p := recover(); p != nil {
			_ = s.h.cfg.Recover(s.base, p)
			s.shut(closeInternal, "Internal server error")
		}
		if !goesOn {
			s.leave()
		}
	}()
	if goesOn = s.next(); goesOn {
		go s.read()
	}
}

// leave waits for the end of the connection and cleans up.
func (s *socket) leave() {
	s.drain()
	s.end()
}

// drain reads on until the closing handshake is done; it ends at once when the connection is gone.
func (s *socket) drain() {
	for {
		_, r, err := s.conn.Reader(s.quiet())
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			return
		}
	}
}

// quiet is a context without cancellation: the library would start a timer for each read otherwise.
func (s *socket) quiet() context.Context { return context.WithoutCancel(s.base) }

// next reads and handles one message. It is false when the socket is closing or gone.
func (s *socket) next() bool {
	kind, r, err := s.conn.Reader(s.quiet())
	if err != nil {
		return false
	}
	in := getBuffer()
	err = in.read(r, -1, s.h.limits.Message)
	text := string(in.b)
	putBuffer(in)
	if errors.Is(err, errTooLarge) {
		s.shut(closeTooBig, "Message too big")
		_, _ = io.Copy(io.Discard, r)
	}
	if err != nil {
		return false
	}
	s.alive()
	if kind != websocket.MessageText {
		s.shut(closeBadMessage, "Messages must be text")
		return false
	}
	m, err := parseMessage(text)
	if err != nil {
		s.shut(closeBadMessage, "Invalid message: "+err.Error())
		return false
	}
	s.handle(&m)
	return !s.isClosing()
}

func (s *socket) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// handle acts on one message.
func (s *socket) handle(m *incoming) {
	switch {
	case m.kind == "connection_init":
		s.init(m)
	case m.kind == s.proto.subscribe:
		s.subscribe(m)
	case m.kind == s.proto.complete:
		if !m.hasID {
			s.shut(closeBadMessage, "Invalid message: id is missing")
			return
		}
		s.stop(m.id)
	case s.proto.legacy && m.kind == "connection_terminate":
		s.shut(closeNormal, "Terminated")
	case !s.proto.legacy && m.kind == "ping" && (m.payload == "" || m.object()):
		if m.payload == "" {
			s.pushText(`{"type":"pong"}`)
			return
		}
		s.push(message{head: `{"type":"pong","payload":`, body: []byte(m.payload), opcode: opText})
	case !s.proto.legacy && m.kind == "pong" && (m.payload == "" || m.object()):
	default:
		s.shut(closeBadMessage, "Invalid message: type or payload is not what "+s.proto.name+" allows")
	}
}

// init authenticates the socket.
func (s *socket) init(m *incoming) {
	if s.acked.Load() {
		s.shut(closeTwoInits, "Too many initialisation requests")
		return
	}
	var payload map[string]any
	if m.payload != "" {
		if !m.object() {
			s.shut(closeBadMessage, "Invalid message: the payload of connection_init must be an object")
			return
		}
		var err error
		if payload, err = parseMap(m.payload, "payload"); err != nil {
			s.shut(closeBadMessage, "Invalid message: "+err.Error())
			return
		}
	}
	ctx, expires, err := s.h.cfg.Authenticate(s.base, s.request, payload)
	if err != nil {
		s.deny(err)
		return
	}
	s.ctx = ctx
	s.request = nil
	if !s.ack(expires) {
		return
	}
	context.AfterFunc(ctx, func() {
		if s.base.Err() == nil { // else the socket has ended, and the context with it
			s.shut(closeForbidden, "The credential no longer holds")
		}
	})
	s.pushText(`{"type":"connection_ack"}`)
	if s.proto.keepAlive != "" {
		s.pushText(s.proto.keepAlive)
	}
}

// ack replaces the init timeout by the expiry of the credential.
func (s *socket) ack(expires time.Time) bool {
	if s.isClosing() {
		return false
	}
	s.acked.Store(true)
	if expires.IsZero() {
		s.stopTimer()
		return true
	}
	s.setTimer(time.Until(expires), closeForbidden, "The credential has expired")
	return true
}

// deny closes a socket whose credentials were refused, or could not be checked.
func (s *socket) deny(err error) {
	shown := s.h.cfg.Present(s.base, err)
	if shown == nil {
		shown = coded(string(errs.Forbidden), "Forbidden")
	}
	code, _ := shown.Extensions["code"].(string)
	if s.proto.legacy {
		s.push(message{
			head: `{"type":"connection_error","payload":`, opcode: opText,
			body: append(appendString([]byte(`{"message":`), shorten(strings.ToValidUTF8(shown.Message, ""), maxErrorText)), '}'),
		})
	}
	switch errs.Code(code) {
	case errs.Internal, errs.Unavailable, errs.Timeout:
		s.shut(closeInternal, "Internal server error")
	default:
		s.shut(closeForbidden, "Forbidden")
	}
}

func (s *socket) setTimer(d time.Duration, code websocket.StatusCode, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.released {
		return
	}
	s.timer = time.AfterFunc(max(d, 0), func() {
		if code == closeInitTimeout && s.acked.Load() {
			return // the two crossed
		}
		s.shut(code, reason)
	})
}

func (s *socket) stopTimer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}

// release ends all operations of the socket and its timer. It may be called more than once.
func (s *socket) release() {
	s.mu.Lock()
	if s.released {
		s.mu.Unlock()
		return
	}
	s.released = true
	streams := s.streams
	s.streams = nil
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	s.cancel()
	for _, st := range streams {
		st.leave()
	}
}

// end cleans up behind the reader, which is the last to leave.
func (s *socket) end() {
	s.mu.Lock()
	s.closing = true
	s.queue = nil
	s.mu.Unlock()
	s.release()
	_ = s.conn.CloseNow() // it is often closed already
	s.h.sockets.remove(s)
}
