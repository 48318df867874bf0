package transport

import "github.com/coder/websocket"

// message is one frame to be sent: head, then body when there is one, closed by a brace. Bodies are shared between
// sockets and are never changed.
type message struct {
	head   string
	body   []byte
	opcode byte
}

func (m *message) length() int {
	if m.body == nil {
		return len(m.head)
	}
	return len(m.head) + len(m.body) + 1
}

// batch is how many bytes are gathered before they are written. Larger bodies are written without being copied.
const batch = 32 << 10

// keptQueue is the longest queue whose memory an idle socket keeps.
const keptQueue = 8

// push queues a message and never blocks. A socket whose queue is full is closed with 1013 and loses what is queued.
func (s *socket) push(m message) {
	n := m.length()
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return
	}
	limits := &s.h.limits
	if s.waiting >= limits.Queue || s.waiting > 0 && s.bytes+n > limits.QueueBytes {
		s.queue = nil
		s.mu.Unlock()
		s.shut(closeTryLater, "Too slow: messages were waiting for too long")
		return
	}
	s.waiting++
	s.bytes += n
	s.queue = append(s.queue, m)
	start := !s.writing
	s.writing = true
	s.mu.Unlock()
	if start {
		go s.flush()
	}
}

func (s *socket) pushText(text string) { s.push(message{head: text, opcode: opText}) }

// flush writes until the queue is empty, as many messages at a time as there are. At most one runs per socket, and none
// when the socket is idle.
func (s *socket) flush() {
	out := getBuffer()
	defer putBuffer(out)
	var work []message
	for {
		s.mu.Lock()
		for _, m := range work {
			s.bytes -= m.length()
		}
		s.waiting -= len(work)
		clear(work)
		if len(s.queue) == 0 {
			if cap(s.queue) > keptQueue {
				s.queue = nil
			}
			s.writing = false
			closing, code, reason := s.closing, s.code, s.reason
			s.mu.Unlock()
			if closing && code != 0 {
				// The close frame, then the peer's, for at most five seconds.
				_ = s.conn.Close(code, reason)
			}
			return
		}
		work, s.queue = s.queue, work[:0]
		s.mu.Unlock()
		if err := s.writeAll(out, work); err != nil {
			s.drop()
			s.mu.Lock()
			s.queue, s.closing = nil, true
			s.mu.Unlock()
			s.release()
			return
		}
	}
}

// writeAll puts messages on the wire.
func (s *socket) writeAll(out *buffer, work []message) error {
	s.wire.Lock()
	defer s.wire.Unlock()
	b := out.b[:0]
	for i := range work {
		m := &work[i]
		b = appendHeader(b, m.opcode, m.length())
		b = append(b, m.head...)
		if len(m.body) > batch {
			if _, err := s.wire.Put(b); err != nil {
				return err
			}
			if _, err := s.wire.Put(m.body); err != nil {
				return err
			}
			b = b[:0]
		} else {
			b = append(b, m.body...)
		}
		if m.body != nil {
			b = append(b, '}')
		}
		if len(b) >= batch {
			if _, err := s.wire.Put(b); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	out.b = b[:0]
	if len(b) == 0 {
		return nil
	}
	_, err := s.wire.Put(b)
	return err
}

// shut closes the socket: its operations end at once, what is queued is sent, then the close frame. The first call
// decides the code.
func (s *socket) shut(code websocket.StatusCode, reason string) {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return
	}
	s.closing, s.code, s.reason = true, code, shorten(reason, maxReason)
	start := !s.writing
	s.writing = true
	s.mu.Unlock()
	go s.release()
	if start {
		go s.flush()
	}
}

// maxReason is what a close frame can carry.
const maxReason = 123

// drop breaks the connection; the reader then cleans up. It does not wait: closing TLS may write.
func (s *socket) drop() {
	go func() { _ = s.wire.Close() }()
}
