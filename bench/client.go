package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// placeholder stands in a request where the id of a document goes.
const placeholder = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@"

// caller is one keep-alive connection that sends one request after the other. It does no more than HTTP needs, because it
// shares the machine with what it measures.
type caller struct {
	conn net.Conn
	req  []byte
	at   int // of the id in req, -1 for none
	buf  []byte
}

func newCaller(addr string, req []byte) (*caller, error) {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second) //nolint:noctx // it has a limit
	if err != nil {
		return nil, err
	}
	return &caller{conn: conn, req: bytes.Clone(req), at: bytes.Index(req, []byte(placeholder)), buf: make([]byte, 64<<10)}, nil
}

// do sends the request for an id and returns the body of the answer, which lives until the next call.
func (c *caller) do(id string) ([]byte, error) {
	if c.at >= 0 {
		copy(c.req[c.at:], id)
	}
	if _, err := c.conn.Write(c.req); err != nil {
		return nil, err
	}
	have, body, end := 0, 0, 0
	for end == 0 || have < end {
		if have == len(c.buf) {
			c.buf = append(c.buf, make([]byte, len(c.buf))...)
		}
		n, err := c.conn.Read(c.buf[have:])
		if err != nil {
			return nil, err
		}
		have += n
		if end == 0 {
			if body, end, err = head(c.buf[:have]); err != nil {
				return nil, err
			}
		}
	}
	if !bytes.HasPrefix(c.buf[body:have], []byte(`{"data":{`)) && !bytes.HasPrefix(c.buf[body:have], []byte(`{"id":"`)) {
		return nil, fmt.Errorf("answer: %.300s", c.buf[body:have])
	}
	return c.buf[body:have], nil
}

// head finds where body and answer end; zeros while the header is not complete.
func head(b []byte) (body, end int, err error) {
	i := bytes.Index(b, []byte("\r\n\r\n"))
	if i < 0 {
		return 0, 0, nil
	}
	if !bytes.HasPrefix(b, []byte("HTTP/1.1 200 ")) {
		return 0, 0, fmt.Errorf("answer: %.300s", b)
	}
	const name = "\r\nContent-Length: "
	j := bytes.Index(b[:i+2], []byte(name))
	if j < 0 {
		return 0, 0, errors.New("the answer has no Content-Length")
	}
	rest := b[j+len(name):]
	n, err := strconv.Atoi(string(rest[:bytes.IndexByte(rest, '\r')]))
	return i + 4, i + 4 + n, err
}

// side is one of the servers that are compared, with its open connections.
type side struct {
	name    string
	callers []*caller
	rates   []float64 // requests/s by round
	times   []time.Duration
}

func newSide(name, addr string, req []byte, connections int) (*side, error) {
	s := &side{name: name}
	for range connections {
		c, err := newCaller(addr, req)
		if err != nil {
			return nil, err
		}
		s.callers = append(s.callers, c)
	}
	return s, nil
}

func (s *side) close() {
	for _, c := range s.callers {
		_ = c.conn.Close()
	}
}

// load sends requests on all connections for a time; with keep the round counts.
func (s *side) load(ctx context.Context, ids []string, d time.Duration, keep bool) error {
	var wg sync.WaitGroup
	took := make([][]time.Duration, len(s.callers))
	failed := make([]error, len(s.callers))
	begin := time.Now()
	for i, c := range s.callers {
		wg.Go(func() {
			for last := begin; last.Sub(begin) < d && ctx.Err() == nil; {
				if _, err := c.do(ids[rand.IntN(len(ids))]); err != nil { //nolint:gosec // any id will do
					failed[i] = err
					return
				}
				now := time.Now()
				took[i] = append(took[i], now.Sub(last))
				last = now
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(begin)
	if err := errors.Join(errors.Join(failed...), ctx.Err()); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if keep {
		n := 0
		for _, t := range took {
			n += len(t)
			s.times = append(s.times, t...)
		}
		s.rates = append(s.rates, float64(n)/elapsed.Seconds())
	}
	return nil
}

// compare runs the sides in turn, a second each, so that what else the machine does hits all of them alike.
func compare(ctx context.Context, ids []string, total time.Duration, sides ...*side) error {
	for _, s := range sides {
		if err := s.load(ctx, ids, time.Second, false); err != nil {
			return err
		}
	}
	for round := range int(total / time.Second) {
		for i := range sides {
			if err := sides[(i+round)%len(sides)].load(ctx, ids, time.Second, true); err != nil {
				return err
			}
		}
	}
	for _, s := range sides {
		slices.Sort(s.times)
	}
	return nil
}

// over is the median of the rounds' ratios.
func (s *side) over(peer *side) float64 {
	ratios := make([]float64, len(s.rates))
	for i := range ratios {
		ratios[i] = s.rates[i] / peer.rates[i]
	}
	return median(ratios)
}

func (s *side) rate() float64 { return median(slices.Clone(s.rates)) }

// String is the side's figures.
func (s *side) String() string {
	return fmt.Sprintf("%s/s, p50 %s, p99 %s", count(s.rate()), ms(quantile(s.times, .5)), ms(quantile(s.times, .99)))
}

// request is an HTTP request as bytes.
func request(method, path, key, body string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: localhost\r\n", method, path)
	if key != "" {
		fmt.Fprintf(&b, "X-Api-Key: %s\r\n", key)
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	return b.Bytes()
}
