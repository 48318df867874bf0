package httpd

import (
	"context"
	"errors"
	"fmt"
	"log" //nolint:depguard // http.Server takes no other logger
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"
)

// Limits of a connection. There is no limit on writing: streams stay open.
const (
	readHeaderTimeout = 5 * time.Second
	idleTimeout       = 120 * time.Second
	maxHeader         = 64 << 10 // bytes
)

// Server says where and how Serve listens.
type Server struct {
	Addr    string        // host:port of the API; port 0 takes a free one
	OpsAddr string        // host:port of Ops; "" for no second listener
	Ops     http.Handler  // probes and metrics, when they have a listener of their own
	Grace   time.Duration // for running requests, from the end of the context on; 0 drops them at once
	Log     zerolog.Logger

	// Listening is called once connections are accepted; ops is nil without a second listener.
	Listening func(api, ops net.Addr)
	// OnShutdown is called, all at once, when the context ends: here WebSockets are closed with 1001 and event streams
	// end. The context lasts as long as the grace.
	OnShutdown []func(ctx context.Context)
}

// Serve answers requests until ctx ends; then it accepts no new ones, calls OnShutdown, and waits for those that run,
// at most for the grace. It is nil after that. It returns an error when an address is taken or a listener breaks.
func Serve(ctx context.Context, s Server, handler http.Handler) error {
	api, err := listen(ctx, s.Addr, "PORT")
	if err != nil {
		return err
	}
	var ops net.Listener
	if s.OpsAddr != "" {
		if ops, err = listen(ctx, s.OpsAddr, "OPS_ADDR"); err != nil {
			_ = api.Close() // nothing was accepted
			return err
		}
	}
	// Requests outlive ctx, by the grace.
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	failed := make(chan error, 2)
	start := func(l net.Listener, h http.Handler) *http.Server {
		srv := s.server(base, h)
		go func() {
			if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve %s: %w", l.Addr(), err)
			}
		}()
		return srv
	}
	main := start(api, handler)
	var side *http.Server
	var opsAddr net.Addr
	if ops != nil {
		side, opsAddr = start(ops, s.Ops), ops.Addr()
	}
	if s.Listening != nil {
		s.Listening(api.Addr(), opsAddr)
	}
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	s.stop(ctx, main, cancel)
	if side != nil {
		// It served until now, so that the last numbers could be read.
		_ = side.Close()
	}
	return err
}

func (s Server) server(base context.Context, h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(complaints{s.Log}, "", 0),
	}
}

// complaints takes what net/http says about connections, mostly broken handshakes of scanners.
type complaints struct{ log zerolog.Logger }

// Write logs one line.
func (c complaints) Write(p []byte) (int, error) {
	c.log.Debug().Bytes("detail", p).Msg("http server")
	return len(p), nil
}

// stop lets running requests and the functions of OnShutdown end, within the grace.
func (s Server) stop(ctx context.Context, srv *http.Server, cancel func()) {
	grace, end := context.WithTimeout(context.WithoutCancel(ctx), s.Grace)
	defer end()
	var hooks sync.WaitGroup
	for _, fn := range s.OnShutdown {
		hooks.Go(func() { fn(grace) })
	}
	err := srv.Shutdown(grace)
	finished := make(chan struct{})
	go func() { hooks.Wait(); close(finished) }()
	select {
	case <-finished:
	case <-grace.Done():
		err = grace.Err()
	}
	if err != nil {
		s.Log.Warn().Dur("graceMs", s.Grace).Msg("requests that were still running have been cut off")
	}
	cancel()
	_ = srv.Close() // what is left
}

// listen opens an address; variable names the setting in the error.
func listen(ctx context.Context, addr, variable string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err == nil {
		return l, nil
	}
	_, port, _ := net.SplitHostPort(addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("port %s is in use; set %s to another one: %w", port, variable, err)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("port %s needs privileges; set %s to one above 1023: %w", port, variable, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%s is no address of this machine; see HOST and OPS_ADDR: %w", addr, err)
	default:
		return nil, fmt.Errorf("listen (%s): %w", variable, err)
	}
}
