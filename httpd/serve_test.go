package httpd_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"stackforge/httpd"
)

// running is a server of a test.
type running struct {
	api, ops string // http://host:port
	stop     context.CancelFunc
	result   chan error
	logs     *logs
}

func serve(t *testing.T, s httpd.Server, h http.Handler) running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r := running{stop: cancel, result: make(chan error, 1), logs: &logs{}}
	ready := make(chan struct{})
	s.Log = zerolog.New(r.logs)
	s.Addr = "127.0.0.1:0"
	s.Listening = func(api, ops net.Addr) {
		r.api = "http://" + api.String()
		if ops != nil {
			r.ops = "http://" + ops.String()
		}
		close(ready)
	}
	go func() { r.result <- httpd.Serve(ctx, s, h) }()
	select {
	case <-ready:
	case err := <-r.result:
		require.NoError(t, err)
	}
	return r
}

// fetch does not fail the test: it runs beside it.
func fetch(ctx context.Context, url string) (string, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return string(text), err
}

type answer struct {
	text string
	err  error
}

func TestServeFinishesWhatRuns(t *testing.T) {
	t.Parallel()

	entered, release, stopping := make(chan struct{}), make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
		if r.Context().Err() != nil {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = io.WriteString(w, "whole")
	})
	r := serve(t, httpd.Server{
		Grace: 10 * time.Second, OnShutdown: []func(context.Context){func(context.Context) { close(stopping) }},
	}, mux)
	got := make(chan answer, 1)
	go func() {
		text, err := fetch(t.Context(), r.api+"/slow")
		got <- answer{text, err}
	}()
	<-entered
	r.stop()
	<-stopping
	require.Eventually(t, func() bool { _, err := fetch(t.Context(), r.api+"/other"); return err != nil },
		5*time.Second, time.Millisecond, "new connections are refused")
	select {
	case err := <-r.result:
		require.Fail(t, "it ended before its request", "%v", err)
	default:
	}
	close(release)
	require.Equal(t, answer{"whole", nil}, <-got)
	require.NoError(t, <-r.result)
	require.NotContains(t, r.logs.String(), "cut off")
}

func TestServeCutsOffAfterTheGrace(t *testing.T) {
	t.Parallel()

	entered := make(chan struct{})
	left := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stuck", func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
		close(left)
	})
	r := serve(t, httpd.Server{Grace: 50 * time.Millisecond}, mux)
	got := make(chan answer, 1)
	go func() {
		text, err := fetch(t.Context(), r.api+"/stuck")
		got <- answer{text, err}
	}()
	<-entered
	r.stop()
	require.NoError(t, <-r.result)
	<-left
	<-got
	require.Contains(t, r.logs.String(), "cut off")
}

func TestServeClosesWebSockets(t *testing.T) {
	t.Parallel()

	conns := make(chan *websocket.Conn, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, nil); err == nil {
			conns <- c // as the GraphQL transport does, the handler returns
		}
	})
	var held *websocket.Conn
	r := serve(t, httpd.Server{
		Grace: 10 * time.Second,
		OnShutdown: []func(context.Context){func(context.Context) {
			_ = held.Close(websocket.StatusGoingAway, "shutting down")
		}},
	}, httpd.Middleware(httpd.Options{})(mux))
	c, _, err := websocket.Dial(t.Context(), r.api+"/ws", nil)
	require.NoError(t, err)
	held = <-conns
	r.stop()
	_, _, err = c.Read(t.Context())
	require.Equal(t, websocket.StatusGoingAway, websocket.CloseStatus(err))
	require.NoError(t, <-r.result)
}

func TestServeWaitsForHooksNoLongerThanTheGrace(t *testing.T) {
	t.Parallel()

	ended, release := make(chan error, 1), make(chan struct{})
	r := serve(t, httpd.Server{
		Grace: 50 * time.Millisecond,
		OnShutdown: []func(context.Context){func(ctx context.Context) {
			<-ctx.Done()
			ended <- ctx.Err()
			<-release // one that does not care about its context
		}},
	}, http.NotFoundHandler())
	r.stop()
	require.NoError(t, <-r.result)
	require.ErrorIs(t, <-ended, context.DeadlineExceeded)
	close(release)
}

func TestServeOps(t *testing.T) {
	t.Parallel()

	release := make(chan struct{})
	api, ops := http.NewServeMux(), http.NewServeMux()
	httpd.Probes(ops, httpd.NewHealth(httpd.HealthConfig{Database: &fakeDatabase{}}), httpd.NewMetrics(time.Second))
	wrap := httpd.Middleware(httpd.Options{})
	stopping := make(chan struct{})
	r := serve(t, httpd.Server{
		OpsAddr: "127.0.0.1:0", Ops: wrap(ops), Grace: 10 * time.Second,
		OnShutdown: []func(context.Context){func(context.Context) { close(stopping); <-release }},
	}, wrap(api))
	for _, path := range []string{"/health", "/ready", "/metrics"} {
		text, err := fetch(t.Context(), r.ops+path)
		require.NoError(t, err)
		require.NotContains(t, text, "NOT_FOUND")
		text, err = fetch(t.Context(), r.api+path)
		require.NoError(t, err)
		require.Contains(t, text, "NOT_FOUND")
	}
	r.stop()
	<-stopping
	text, err := fetch(t.Context(), r.ops+"/health")
	require.NoError(t, err, "probes answer until the end")
	require.Contains(t, text, `"status":"ok"`)
	close(release)
	require.NoError(t, <-r.result)
	_, err = fetch(t.Context(), r.ops+"/health")
	require.Error(t, err)
}

func TestServeAddressErrors(t *testing.T) {
	t.Parallel()

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)

	err = httpd.Serve(t.Context(), httpd.Server{Addr: l.Addr().String()}, http.NotFoundHandler())
	require.ErrorContains(t, err, "port "+port+" is in use; set PORT to another one")
	err = httpd.Serve(t.Context(), httpd.Server{Addr: "127.0.0.1:0", OpsAddr: l.Addr().String()}, http.NotFoundHandler())
	require.ErrorContains(t, err, "set OPS_ADDR to another one")
	err = httpd.Serve(t.Context(), httpd.Server{Addr: "192.0.2.1:0"}, http.NotFoundHandler())
	require.ErrorContains(t, err, "is no address of this machine")
	_, err = strconv.Atoi(port)
	require.NoError(t, err)
}
