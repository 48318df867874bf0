package workflows_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// inbox is what has come by itself: frames of a socket, or webhooks.
type inbox struct {
	mu   sync.Mutex
	got  []any
	err  error         // why nothing more comes
	came chan struct{} // has a token when there is something new
}

func newInbox() *inbox { return &inbox{came: make(chan struct{}, 1)} }

func (i *inbox) put(text []byte, err error) {
	var value any
	if err == nil {
		value, err = decode(string(text))
	}
	i.mu.Lock()
	if err != nil {
		i.err = err
	} else {
		i.got = append(i.got, value)
	}
	i.mu.Unlock()
	select {
	case i.came <- struct{}{}:
	default:
	}
}

func (i *inbox) all() ([]any, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clip(i.got), i.err
}

// has waits until all patterns are there in their order; others may be between them.
func (i *inbox) has(ctx context.Context, v values, patterns []string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		got, ended := i.all()
		missing, err := inOrder(v, patterns, got)
		if missing == "" || err != nil {
			return err
		}
		if ended != nil {
			return fmt.Errorf("nothing more comes (%w), but not yet: %s", ended, missing)
		}
		select {
		case <-i.came:
		case <-ctx.Done():
			return fmt.Errorf("it does not come: %s\nwhat came: %s", missing, show(got))
		}
	}
}

// inOrder returns the first pattern that is missing.
func inOrder(v values, patterns []string, got []any) (missing string, err error) {
	for _, text := range patterns {
		p, err := v.pattern(text)
		if err != nil {
			return text, fmt.Errorf("%s: %w", text, err)
		}
		for {
			if len(got) == 0 {
				return text, nil
			}
			first := got[0]
			got = got[1:]
			if v.matches(p, first) == nil {
				break
			}
		}
	}
	return "", nil
}

// lacks requires that none of the patterns is there.
func (i *inbox) lacks(v values, patterns []string) error {
	got, _ := i.all()
	for _, text := range patterns {
		p, err := v.pattern(text)
		if err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
		for _, one := range got {
			if v.matches(p, one) == nil {
				return fmt.Errorf("this should not have come: %s", show(one))
			}
		}
	}
	return nil
}

// dial opens a WebSocket.
func (w *world) dial(path string, header http.Header, protocols ...string) (*websocket.Conn, error) {
	conn, response, err := websocket.Dial(w.t.Context(), "ws"+strings.TrimPrefix(w.url, "http")+path, &websocket.DialOptions{HTTPHeader: header, Subprotocols: protocols})
	if err != nil {
		if response != nil && response.Body != nil {
			_ = response.Body.Close()
		}
		return nil, err
	}
	w.t.Cleanup(func() { _ = conn.CloseNow() })
	return conn, nil
}

// follow opens a WebSocket whose messages go to an inbox.
func (w *world) follow(name, path string, header http.Header) error {
	conn, err := w.dial(path, header)
	if err != nil {
		return err
	}
	in := newInbox()
	w.inboxes[name] = in
	go func() {
		for {
			_, text, err := conn.Read(w.t.Context())
			in.put(text, err)
			if err != nil {
				return
			}
		}
	}()
	return nil
}

// message is one of graphql-transport-ws.
type message struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// subscribe starts a subscription whose answers go to an inbox.
func (w *world) subscribe(name, query string, header http.Header) error {
	conn, err := w.dial("/graphql", header, "graphql-transport-ws")
	if err != nil {
		return err
	}
	payload, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		return err
	}
	ctx := w.t.Context()
	var ack message
	for _, step := range []func() error{
		func() error { return wsjson.Write(ctx, conn, message{Type: "connection_init"}) },
		func() error { return wsjson.Read(ctx, conn, &ack) },
		func() error { return wsjson.Write(ctx, conn, message{ID: "1", Type: "subscribe", Payload: payload}) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if ack.Type != "connection_ack" {
		return fmt.Errorf("no connection_ack but %s", ack.Type)
	}
	in := newInbox()
	w.inboxes[name] = in
	go func() {
		for {
			var m message
			err := wsjson.Read(ctx, conn, &m)
			switch {
			case err != nil:
			case m.Type == "ping":
				err = wsjson.Write(ctx, conn, message{Type: "pong"})
			case m.Type == "next":
				in.put(m.Payload, nil)
			default:
				err = fmt.Errorf("%s %s", m.Type, m.Payload)
			}
			if err != nil {
				in.put(nil, err)
				return
			}
		}
	}()
	return w.subscribed()
}

// subscribed waits until the server counts as many subscriptions as there are followers: an open GraphQL socket does not say yet
// that its subscription has begun.
func (w *world) subscribed() error {
	want := len(w.inboxes) - 1
	for end := time.Now().Add(patience); ; {
		status, _, text, err := w.send(http.MethodGet, "/metrics", nil, "")
		if err != nil {
			return err
		}
		var m struct {
			Gauges map[string]float64 `json:"gauges"`
		}
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			return fmt.Errorf("%d: %w", status, err)
		}
		if int(m.Gauges["realtime_subscribers"]) >= want {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d subscriptions do not begin", want)
		}
		<-time.After(10 * time.Millisecond)
	}
}
