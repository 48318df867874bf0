package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// proxy stands between the product and PostgreSQL, passes everything on, and reads what the client sends: it counts round
// trips (each Sync or simple query is one wait for the server) and keeps the texts of the statements.
type proxy struct {
	URL string // what the client connects to

	listener net.Listener
	server   string // the real socket

	mu    sync.Mutex
	trips map[string]int    // by the statements that went together, in order
	texts map[string]string // of statements, by the name on their first line
}

// newProxy returns a proxy in front of the database of a socket URL.
func newProxy(ctx context.Context, dir, databaseURL string) (*proxy, error) {
	u, err := url.Parse(databaseURL)
	if err != nil {
		return nil, err
	}
	q := u.Query()
	file := ".s.PGSQL." + q.Get("port")
	p := &proxy{server: filepath.Join(q.Get("host"), file), trips: map[string]int{}, texts: map[string]string{}}
	dir = filepath.Join(dir, "proxy")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if p.listener, err = (&net.ListenConfig{}).Listen(ctx, "unix", filepath.Join(dir, file)); err != nil {
		return nil, err
	}
	q.Set("host", dir)
	u.RawQuery = q.Encode()
	p.URL = u.String()
	go p.accept(ctx)
	return p, nil
}

func (p *proxy) close() { _ = p.listener.Close() }

func (p *proxy) accept(ctx context.Context) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := (&net.Dialer{}).DialContext(ctx, "unix", p.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		go func() {
			_, _ = io.Copy(client, server)
			_ = client.Close()
		}()
		go func() {
			_ = (&session{proxy: p, names: map[string]string{}}).forward(server, client)
			_ = server.Close()
		}()
	}
}

// reset forgets the counts.
func (p *proxy) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.trips)
}

// counts returns the round trips since reset.
func (p *proxy) counts() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.trips)
}

// text returns the text of a statement that was seen.
func (p *proxy) text(name string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.texts[name]
	if !ok {
		return "", fmt.Errorf("the server did not prepare %s", name)
	}
	return t, nil
}

// session is one connection.
type session struct {
	proxy *proxy
	names map[string]string // of prepared statements
	batch []string          // bound since the last round trip
}

// forward copies messages as they come and looks at each.
func (s *session) forward(to io.Writer, from io.Reader) error {
	r := bufio.NewReaderSize(from, 64<<10)
	w := bufio.NewWriterSize(to, 64<<10)
	head := make([]byte, 5)
	for started := false; ; {
		n := 5
		if !started {
			n = 4 // the first message has no type
		}
		h := head[5-n:]
		if _, err := io.ReadFull(r, h); err != nil {
			return err
		}
		size := binary.BigEndian.Uint32(head[1:])
		if size < 4 || size > 1<<30 {
			return errors.New("not a message of PostgreSQL's protocol")
		}
		body := make([]byte, size-4)
		if _, err := io.ReadFull(r, body); err != nil {
			return err
		}
		if started {
			s.look(head[0], body)
		}
		started = true
		_, _ = w.Write(h)
		_, _ = w.Write(body)
		if r.Buffered() == 0 {
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
}

func (s *session) look(kind byte, body []byte) {
	switch kind {
	case 'P': // Parse: name, text
		name, rest := cut(body)
		text, _ := cut([]byte(rest))
		s.names[name] = s.proxy.learn(text)
	case 'B': // Bind: portal, statement
		_, rest := cut(body)
		name, _ := cut([]byte(rest))
		s.batch = append(s.batch, s.names[name])
	case 'Q':
		text, _ := cut(body)
		s.batch = append(s.batch, s.proxy.learn(text))
		s.trip()
	case 'S':
		s.trip()
	}
}

func (s *session) trip() {
	s.proxy.mu.Lock()
	defer s.proxy.mu.Unlock()
	s.proxy.trips[strings.Join(s.batch, " + ")]++
	s.batch = s.batch[:0]
}

// learn keeps a statement's text and returns its name.
func (p *proxy) learn(text string) string {
	name := "scope"
	if rest, ok := strings.CutPrefix(strings.TrimSpace(text), "-- name: "); ok {
		name, _, _ = strings.Cut(rest, "\n")
	} else if !strings.Contains(text, "app.tenant_id") {
		name = text[:min(len(text), 40)]
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.texts[name] = text
	return name
}

// cut splits after the first NUL.
func cut(b []byte) (before, after string) {
	before, after, _ = strings.Cut(string(b), "\x00")
	return before, after
}
