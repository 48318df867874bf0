package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// subscriber is one WebSocket with one subscription (graphql-transport-ws), as lean as the protocol allows: hundreds of
// them share the machine with what they measure.
type subscriber struct {
	conn net.Conn
	buf  []byte
	have int

	live   atomic.Bool // an event has come
	got    []int64     // when each event came, in nanoseconds since the epoch of the run; 0 never
	twice  int
	frames int
	ended  error // why reading stopped
}

// event tells of a job update's frame: which job, and which change of it.
type event func(jobID int64, status []byte) (index int, ok bool)

// subscribe opens a socket and starts the subscription whose payload is query. Reading begins with run.
func subscribe(addr, key, query string, events int) (*subscriber, error) {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second) //nolint:noctx // it has a limit
	if err != nil {
		return nil, err
	}
	s := &subscriber{conn: conn, buf: make([]byte, 16<<10), got: make([]int64, events)}
	if err := s.open(key, query); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return s, nil
}

// follow opens a socket whose path says all.
func follow(addr, path, key string) (*subscriber, error) {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second) //nolint:noctx // it has a limit
	if err != nil {
		return nil, err
	}
	s := &subscriber{conn: conn, buf: make([]byte, 16<<10)}
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	defer conn.SetDeadline(time.Time{}) //nolint:errcheck // a closed connection shows at the next read
	if err := s.upgrade(path, "X-Api-Key: "+key); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return s, nil
}

func (s *subscriber) open(key, query string) error {
	_ = s.conn.SetDeadline(time.Now().Add(20 * time.Second))
	defer s.conn.SetDeadline(time.Time{}) //nolint:errcheck // a closed connection shows at the next read
	if err := s.upgrade("/graphql", "Sec-WebSocket-Protocol: graphql-transport-ws"); err != nil {
		return err
	}
	if err := s.send(1, []byte(`{"type":"connection_init","payload":{"apiKey":"`+key+`"}}`)); err != nil {
		return err
	}
	_, message, err := s.next()
	if err != nil {
		return err
	}
	if !bytes.Contains(message, []byte("connection_ack")) {
		return fmt.Errorf("no ack: %.200s", message)
	}
	return s.send(1, []byte(`{"id":"1","type":"subscribe","payload":`+query+`}`))
}

// upgrade makes the connection a WebSocket.
func (s *subscriber) upgrade(path, header string) error {
	if _, err := io.WriteString(s.conn, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+header+"\r\n\r\n"); err != nil {
		return err
	}
	for !bytes.Contains(s.buf[:s.have], []byte("\r\n\r\n")) {
		n, err := s.conn.Read(s.buf[s.have:])
		if err != nil {
			return err
		}
		s.have += n
	}
	if !bytes.HasPrefix(s.buf, []byte("HTTP/1.1 101")) {
		return fmt.Errorf("no upgrade: %.200s", s.buf[:s.have])
	}
	s.drop(bytes.Index(s.buf, []byte("\r\n\r\n")) + 4)
	return nil
}

// send writes a frame. Clients must mask; a mask of zeros changes nothing.
func (s *subscriber) send(opcode byte, payload []byte) error {
	b := []byte{0x80 | opcode}
	if len(payload) < 126 {
		b = append(b, 0x80|byte(len(payload))) //nolint:gosec // below 126
	} else {
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(len(payload))) //nolint:gosec // our messages are short
	}
	b = append(b, 0, 0, 0, 0)
	_, err := s.conn.Write(append(b, payload...))
	return err
}

// next returns the next frame, whose payload lives until the call after.
func (s *subscriber) next() (opcode byte, payload []byte, err error) {
	for {
		if payload, size := frame(s.buf[:s.have]); size > 0 {
			opcode = s.buf[0] & 0xf
			// The payload stays where it is until the next read, so only the books are moved on.
			s.buf, s.have = s.buf[size:], s.have-size
			return opcode, payload, nil
		}
		if cap(s.buf)-s.have < 4<<10 { // the front is used up
			fresh := make([]byte, max(16<<10, 2*s.have))
			copy(fresh, s.buf[:s.have])
			s.buf = fresh
		}
		n, err := s.conn.Read(s.buf[s.have:cap(s.buf)])
		if err != nil {
			return 0, nil, err
		}
		s.buf = s.buf[:cap(s.buf)]
		s.have += n
	}
}

func (s *subscriber) drop(n int) {
	copy(s.buf, s.buf[n:s.have])
	s.have -= n
}

// frame returns the first frame's payload and whole size; size 0 when it is not complete.
func frame(b []byte) (payload []byte, size int) {
	if len(b) < 2 {
		return nil, 0
	}
	start, n := 2, int(b[1]&0x7f)
	switch n {
	case 126:
		if len(b) < 4 {
			return nil, 0
		}
		start, n = 4, int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if len(b) < 10 {
			return nil, 0
		}
		start, n = 10, int(binary.BigEndian.Uint64(b[2:])) //nolint:gosec // the server's messages are short
	}
	if len(b) < start+n {
		return nil, 0
	}
	return b[start : start+n], start + n
}

// run reads until the connection ends. since gives the time of receipt.
func (s *subscriber) run(which event, since func() int64) {
	for {
		opcode, payload, err := s.next()
		if err != nil {
			s.ended = err
			return
		}
		switch opcode {
		case 8: // close
			s.ended = fmt.Errorf("closed by the server: %.100q", payload)
			return
		case 9: // ping
			err = s.send(10, bytes.Clone(payload))
		case 1: // text
			err = s.message(payload, which, since)
		}
		if err != nil {
			s.ended = err
			return
		}
	}
}

func (s *subscriber) message(text []byte, which event, since func() int64) error {
	id, ok := value(text, `"jobId":"`)
	if !ok {
		if bytes.Contains(text, []byte(`"type":"ping"`)) {
			return s.send(1, []byte(`{"type":"pong"}`))
		}
		if bytes.Contains(text, []byte(`"type":"pong"`)) {
			return nil
		}
		return fmt.Errorf("message: %.200s", text)
	}
	status, _ := value(text, `"status":"`)
	s.live.Store(true)
	number, err := strconv.ParseInt(string(id), 10, 64)
	if err != nil {
		return err
	}
	i, ok := which(number, status)
	if !ok {
		return nil
	}
	s.frames++
	if s.got[i] != 0 {
		s.twice++
		return nil
	}
	s.got[i] = since()
	return nil
}

// value returns the string behind a key.
func value(text []byte, key string) ([]byte, bool) {
	_, rest, ok := bytes.Cut(text, []byte(key))
	if !ok {
		return nil, false
	}
	v, _, ok := bytes.Cut(rest, []byte{'"'})
	return v, ok
}

// crowd is many subscribers that read.
type crowd struct {
	all []*subscriber
	wg  sync.WaitGroup
}

// gather opens n sockets. query gives each one the payload of its subscription.
func gather(n int, addr, key string, events int, query func(i int) string, which event, since func() int64) (*crowd, error) {
	c := &crowd{}
	for i := range n {
		s, err := subscribe(addr, key, query(i), events)
		if err != nil {
			c.leave()
			return nil, fmt.Errorf("subscriber %d: %w", i, err)
		}
		c.join(s, which, since)
	}
	return c, nil
}

// join lets a subscriber read.
func (c *crowd) join(s *subscriber, which event, since func() int64) {
	c.all = append(c.all, s)
	c.wg.Go(func() { s.run(which, since) })
}

// live tells whether all have received something.
func (c *crowd) live() bool {
	for _, s := range c.all {
		if !s.live.Load() {
			return false
		}
	}
	return true
}

// leave closes all sockets and waits until nobody reads.
func (c *crowd) leave() {
	for _, s := range c.all {
		_ = s.conn.Close()
	}
	c.wg.Wait()
}

// trouble returns why a subscriber ended before leave, nil when none did. Only after leave.
func (c *crowd) trouble() error {
	for i, s := range c.all {
		if s.ended != nil && !errors.Is(s.ended, net.ErrClosed) {
			return fmt.Errorf("subscriber %d: %w", i, s.ended)
		}
	}
	return nil
}
