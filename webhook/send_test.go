package webhook_test

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"stackforge/webhook"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func ask(url string) webhook.Request {
	return webhook.Request{ID: "7", URL: url, Body: []byte(`{}`), Secrets: []string{secret}}
}

func sender(timeout time.Duration) *webhook.Sender {
	return webhook.NewSender(webhook.SenderConfig{Guard: open, Timeout: timeout})
}

// quick is a timeout for receivers that must run into it.
const quick = 200 * time.Millisecond

func TestSign(t *testing.T) {
	t.Parallel()

	// The example of the specification.
	const id, payload = "msg_p5jXN8AQM9LWM0D4loKWxJek", `{"test": 2432232314}`
	got, err := webhook.Sign([]string{secret}, id, time.Unix(1614265330, 0), []byte(payload))
	require.NoError(t, err)
	require.Equal(t, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", got)
	for _, bad := range []string{"", "whsec_!", "sf1:MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		_, err := webhook.Sign([]string{secret, bad}, id, time.Unix(1614265330, 0), nil)
		require.ErrorContains(t, err, "secret 2 of 2", bad)
	}
}

// speak is a receiver that speaks bytes as it likes.
func speak(t *testing.T, talk func(c net.Conn)) string {
	t.Helper()

	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					talk(c)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// reset ends a connection without a word.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}

func TestReceivers(t *testing.T) {
	t.Parallel()

	closed := httptest.NewServer(nil)
	closed.Close()
	plain := newReceiver(t, nil)
	secure := httptest.NewTLSServer(status(http.StatusOK))
	t.Cleanup(secure.Close)
	inside := newReceiver(t, nil)
	forever := func(c net.Conn, text string) {
		for {
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	}
	for name, c := range map[string]struct {
		url  string
		want webhook.Answer
	}{
		"takes it":       {plain.URL, webhook.Answer{Status: 200}},
		"fails":          {newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) }).URL, webhook.Answer{Status: 500, Body: "no\n", Error: "The receiver answered 500."}},
		"takes with 204": {newReceiver(t, status(http.StatusNoContent)).URL, webhook.Answer{Status: 204}},
		"is not there":   {closed.URL, webhook.Answer{Error: "The connection was refused."}},
		"resets":         {speak(t, reset), webhook.Answer{Error: "The receiver broke the connection."}},
		"hangs up":       {speak(t, func(net.Conn) {}), webhook.Answer{Error: "The receiver broke the connection."}},
		"has no HTTP":    {speak(t, func(c net.Conn) { _, _ = io.WriteString(c, "220 smtp ready\r\n") }), webhook.Answer{Error: "The request could not be sent."}},
		"redirects": {newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, inside.URL, http.StatusTemporaryRedirect)
		}).URL, webhook.Answer{Status: 307, Error: "The receiver answered 307; redirects are not followed."}},
		"has a bad certificate": {secure.URL, webhook.Answer{Error: "The receiver's certificate is not valid."}},
		"speaks no TLS":         {strings.Replace(plain.URL, "http:", "https:", 1), webhook.Answer{Error: "The receiver does not speak TLS."}},
		"hangs":                 {speak(t, func(net.Conn) { <-t.Context().Done() }), webhook.Answer{Error: "The receiver did not answer in time."}},
		"drips its header": {speak(t, func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for i := 0; t.Context().Err() == nil; i++ {
				if _, err := fmt.Fprintf(c, "X-%d: y\r\n", i); err != nil {
					return
				}
				wait(t.Context(), 20*time.Millisecond)
			}
		}), webhook.Answer{Error: "The receiver did not answer in time."}},
		"has no end of its header": {speak(t, func(c net.Conn) { forever(c, "HTTP/1.1 200 OK\r\nX-Long: "+strings.Repeat("x", 1<<10)) }), webhook.Answer{Error: "The request could not be sent."}},
		"has no end of its body": {speak(t, func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n")
			forever(c, strings.Repeat("x", 1<<10))
		}), webhook.Answer{Status: 200, Body: strings.Repeat("x", 2<<10)}},
		"breaks off its body": {speak(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc") }), webhook.Answer{Status: 200, Body: "abc"}},
		"drips its body": {speak(t, func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
			<-t.Context().Done()
		}), webhook.Answer{Status: 200, Body: "abc"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			timeout := patience
			if strings.Contains(c.want.Error, "in time") || name == "drips its body" {
				timeout = quick
			}
			a := sender(timeout).Send(t.Context(), ask(c.url))
			require.Less(t, a.Duration, patience)
			a.Duration = 0
			require.Equal(t, c.want, a)
			require.Equal(t, c.want.Error == "", a.OK())
		})
	}
	t.Run("nothing came where the redirect led", func(t *testing.T) {
		t.Parallel()

		sender(patience).Send(t.Context(), ask(newReceiver(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inside.URL, http.StatusFound) }).URL))
		require.Empty(t, inside.requests)
	})
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// A receiver that sends 10 GB is cut off: what it sent, and what was kept of it, is little.
func TestEndlessBody(t *testing.T) {
	t.Parallel()

	var sent atomic.Int64
	done := make(chan struct{})
	url := speak(t, func(c net.Conn) {
		defer close(done)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n")
		text := strings.Repeat("x", 1<<16)
		for {
			n, err := io.WriteString(c, text)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	a := sender(patience).Send(t.Context(), ask(url))
	runtime.ReadMemStats(&after)
	require.True(t, a.OK())
	receive(t, done)
	require.Less(t, sent.Load(), int64(64<<20), "buffers of the kernel, and no more")
}

func TestCertificates(t *testing.T) {
	t.Parallel()

	s := httptest.NewTLSServer(status(http.StatusOK))
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	a := webhook.NewSender(webhook.SenderConfig{Guard: open, Roots: pool}).Send(t.Context(), ask(s.URL))
	require.True(t, a.OK(), a.Error)
	a = webhook.NewSender(webhook.SenderConfig{Guard: open, Roots: pool}).Send(t.Context(), ask(strings.Replace(s.URL, "127.0.0.1", "localhost", 1)))
	require.Equal(t, "The receiver's certificate is not valid.", a.Error, "it is of another name")
}

// nameServer answers each question for an address with the next of the answers, and then with the last for ever.
func nameServer(t *testing.T, answers ...string) *net.Resolver {
	t.Helper()

	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buffer[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Header = dnsmessage.Header{ID: m.ID, Response: true, Authoritative: true}
			m.Additionals = nil
			if ip := net.ParseIP(answers[0]).To4(); q.Type == dnsmessage.TypeA && ip != nil {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, Body: &dnsmessage.AResource{A: [4]byte(ip)},
				}}
				if len(answers) > 1 {
					answers = answers[1:]
				}
			}
			if text, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(text, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// A name that led outside when the endpoint was made, and leads inside when it is sent to, gets nothing.
func TestNamesThatLeadInside(t *testing.T) {
	t.Parallel()

	inside := newReceiver(t, nil)
	_, port, err := net.SplitHostPort(inside.Listener.Addr().String())
	require.NoError(t, err)
	url := "http://rebind.example.com:" + port + "/"
	require.NoError(t, webhook.Guard{}.CheckURL(url))
	for _, addr := range []string{"127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "192.168.1.1", "100.64.0.1"} {
		s := webhook.NewSender(webhook.SenderConfig{Resolver: nameServer(t, addr), Timeout: patience})
		a := s.Send(t.Context(), ask(url))
		require.Equal(t, "The name leads to an address or port that is not allowed.", a.Error, addr)
	}
	require.Empty(t, inside.requests)
	// It is the guard and not the name server that keeps it away.
	a := webhook.NewSender(webhook.SenderConfig{Guard: open, Resolver: nameServer(t, "127.0.0.1"), Timeout: patience}).Send(t.Context(), ask(url))
	require.True(t, a.OK(), a.Error)
	require.Len(t, inside.requests, 1)

	// What the environment says of proxies does not lead past it, either.
	direct := webhook.NewSender(webhook.SenderConfig{Timeout: patience}).Send(t.Context(), ask(inside.URL))
	require.Equal(t, "The name leads to an address or port that is not allowed.", direct.Error)
	require.Len(t, inside.requests, 1)
}
