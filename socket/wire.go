package transport

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"sync"
	"time"
)

// wire is the connection of a socket. The WebSocket library reads from it, and writes close frames to it; we write all
// other frames, many at a time. Each Write puts whole frames on the wire under a deadline of its own.
type wire struct {
	net.Conn
	timeout time.Duration
	mu      sync.Mutex
}

// Write sends whole frames.
func (w *wire) Write(frames []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.write(frames)
}

func (w *wire) write(b []byte) (int, error) {
	if err := w.SetWriteDeadline(time.Now().Add(w.timeout)); err != nil {
		return 0, err
	}
	return w.Conn.Write(b)
}

// hijacker hands the library a wire, and buffers that fit a socket which is idle most of the time: the server's own two
// are 4 KiB each.
type hijacker struct {
	http.ResponseWriter
	timeout time.Duration
	wire    *wire
}

const (
	readBuffer  = 512
	writeBuffer = 140 // a close frame
)

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, server, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.wire = &wire{Conn: conn, timeout: h.timeout}
	early, _ := server.Peek(server.Reader.Buffered()) // what the client sent behind its handshake
	reader := bufio.NewReaderSize(bytes.NewReader(early), max(readBuffer, len(early)))
	_, _ = reader.Peek(len(early)) // the library takes over what is buffered
	return h.wire, bufio.NewReadWriter(reader, bufio.NewWriterSize(h.wire, writeBuffer)), nil
}

// Frame opcodes of RFC 6455 that we write.
const (
	opText = 0x1
	opPing = 0x9
	opPong = 0xA
)

// appendHeader appends the header of an unfragmented server frame.
func appendHeader(buf []byte, opcode byte, length int) []byte {
	buf = append(buf, 0x80|opcode)
	switch {
	case length < 126:
		return append(buf, byte(length)) //nolint:gosec // below 126
	case length < 1<<16:
		return append(buf, 126, byte(length>>8), byte(length)) //nolint:gosec // two bytes are meant
	}
	return append(buf, 127, 0, 0, 0, 0, byte(length>>24), byte(length>>16), byte(length>>8), byte(length)) //nolint:gosec // four bytes are meant
}
