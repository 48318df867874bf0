package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/coder/websocket"
)

const (
	idleSockets = 1000
	idleBar     = 32 << 10 // bytes
	settles     = 3 * time.Second
)

// idleForm is one kind of socket that waits.
type idleForm struct {
	what string
	open func(addr, key string, i int) (*subscriber, error)
}

// idleForms are those of the product.
func idleForms() []idleForm {
	return []idleForm{
		{"GraphQL, the same subscription on all", func(addr, key string, _ int) (*subscriber, error) { return subscribe(addr, key, everything, 0) }},
		{"GraphQL, a subscription of its own", func(addr, key string, i int) (*subscriber, error) {
			return subscribe(addr, key, someOf([]string{strconv.Quote(strconv.Itoa(1_000_000_000 + i))}), 0)
		}},
		{"/ws/jobs", func(addr, key string, _ int) (*subscriber, error) { return follow(addr, "/ws/jobs", key) }},
	}
}

// socketsPart measures what a socket costs that waits, beside a handler of the same library that does nothing but wait.
func (b *bench) socketsPart(ctx context.Context) error {
	d, err := b.database(ctx, "bench_sockets")
	if err != nil {
		return err
	}
	bare, err := b.bareSockets(ctx)
	if err != nil {
		return err
	}
	peer, err := idle(ctx, bare, "", idleForm{"bare", func(addr, key string, _ int) (*subscriber, error) { return follow(addr, "/", key) }})
	if err != nil {
		return err
	}
	for _, form := range idleForms() {
		s, err := b.serve(ctx, "serve", d.url)
		if err != nil {
			return err
		}
		for range 200 { // the first requests fill caches and pools that are no socket's
			if err := graphql(ctx, s.addr, d.key, `{"query":"{ __typename }"}`); err != nil {
				s.stop()
				return err
			}
		}
		each, err := idle(ctx, s, d.key, form)
		if err != nil {
			return err
		}
		b.report.bound("sockets", "resident memory per idle socket: "+form.what, kib(each)+fmt.Sprintf(", %.2f of 32 KiB", each/idleBar),
			"a bare handler of the same library: "+kib(peer), fmt.Sprintf("%.2f", each/peer), "< 32 KiB", each < idleBar)
	}
	return nil
}

func kib(bytes float64) string { return fmt.Sprintf("%.1f KiB", bytes/1024) }

// idle opens sockets and returns by how much each of them makes the process grow, which it then stops.
func idle(ctx context.Context, s *server, key string, form idleForm) (float64, error) {
	defer s.stop()
	before, err := rss(s.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	c := &crowd{}
	defer c.leave()
	for i := range idleSockets {
		one, err := form.open(s.addr, key, i)
		if err != nil {
			return 0, fmt.Errorf("%s: socket %d: %w", form.what, i, err)
		}
		c.join(one, func(int64, []byte) (int, bool) { return 0, false }, func() int64 { return 0 })
	}
	if err := sleep(ctx, settles); err != nil {
		return 0, err
	}
	after, err := rss(s.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	c.leave()
	return float64(after-before) / idleSockets, c.trouble()
}

// bareSockets starts `bench sockets`.
func (b *bench) bareSockets(ctx context.Context) (*server, error) {
	addr, err := freeAddr(ctx)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := b.start(ctx, "bare sockets", self, nil, "sockets", addr)
	if err != nil {
		return nil, err
	}
	return &server{p, addr}, p.answers(ctx, addr)
}

// serveSockets is the process `bench sockets`: sockets as the library's own examples have them, which are read and that is all.
func serveSockets(ctx context.Context, addr string) error {
	s := &http.Server{Addr: addr, ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return // the library has answered
		}
		defer conn.CloseNow() //nolint:errcheck // the client has left
		for err == nil {
			_, _, err = conn.Read(r.Context())
		}
	})}
	context.AfterFunc(ctx, func() { _ = s.Close() })
	return s.ListenAndServe()
}
