package db_test

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// proxy stands between a pool and its server and counts round trips: how often the client speaks after the server did.
type proxy struct {
	trips    atomic.Int64
	conns    sync.WaitGroup
	listener net.Listener
	url      string
	hold     func(chunk []byte) // is told what a client says, before it goes on; nil when nobody asks
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()

	config, err := pgconn.ParseConfig(target)
	require.NoError(t, err)
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	user := config.User
	if config.Password != "" {
		user += ":" + config.Password
	}
	p := &proxy{listener: l, url: fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", user, l.Addr(), config.Database)}
	network, address := pgconn.NetworkAddress(config.Host, config.Port)
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial(network, address)
			if err != nil {
				_ = client.Close()
				continue
			}
			p.conns.Go(func() { p.pipe(client, server) })
		}
	}()
	t.Cleanup(func() { _ = l.Close(); p.conns.Wait() })
	return p
}

func (p *proxy) pipe(client, server net.Conn) {
	var serverSpoke atomic.Bool
	serverSpoke.Store(true)
	var both sync.WaitGroup
	both.Go(func() {
		copyEach(server, client, func(chunk []byte) {
			if hold := p.hold; hold != nil {
				hold(chunk)
			}
			if serverSpoke.Swap(false) {
				p.trips.Add(1)
			}
		})
	})
	both.Go(func() { copyEach(client, server, func([]byte) { serverSpoke.Store(true) }) })
	both.Wait()
}

// copyEach tells of each chunk before it goes on, so that the answer cannot be seen before its question.
func copyEach(to, from net.Conn, tell func(chunk []byte)) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			tell(buf[:n])
			if _, werr := to.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// during returns how many round trips fn made.
func (p *proxy) during(fn func()) int64 {
	before := p.trips.Load()
	fn()
	return p.trips.Load() - before
}
