// Package webhook delivers events to the endpoints of tenants: it keeps connections away from the inside (guard.go), signs
// (sign.go), sends (send.go), schedules what a worker sends (dispatch.go) and changes endpoints (endpoints.go).
//
// A delivery is sent at least once. Receivers recognise a repetition by the header webhook-id, which is the event's id in the
// outbox. docs/webhooks.md has the promises.
package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// SenderConfig says how requests are sent. Zero values take the defaults named here.
type SenderConfig struct {
	Guard    Guard
	Timeout  time.Duration  // of a whole request; default 15 s
	Connect  time.Duration  // of the connection, and again of its TLS handshake; default 5 s
	Resolver *net.Resolver  // of names; default the system's
	Roots    *x509.CertPool // that certificates must lead to; default the system's
}

// Limits of an answer.
const (
	maxHeader  = 64 << 10 // more is an error
	maxRead    = 64 << 10 // of the body; then the connection is closed
	maxSnippet = 2 << 10  // of the body, kept in the log
	bodyTime   = 2 * time.Second
	maxRetry   = 24 * time.Hour // a longer Retry-After counts as this
)

// Sender sends requests. It follows no redirect and uses no proxy, for either could lead past the guard.
type Sender struct {
	client  *http.Client
	timeout time.Duration
}

// NewSender returns a Sender.
func NewSender(c SenderConfig) *Sender {
	c.Timeout, c.Connect = or(c.Timeout, 15*time.Second), or(c.Connect, 5*time.Second)
	dialer := &net.Dialer{Timeout: c.Connect, Control: c.Guard.Control, Resolver: c.Resolver}
	return &Sender{timeout: c.Timeout, client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: c.Connect, ForceAttemptHTTP2: true,
			TLSClientConfig:        &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12},
			ResponseHeaderTimeout:  c.Timeout,
			MaxResponseHeaderBytes: maxHeader, DisableCompression: true,
			MaxIdleConns: 256, MaxIdleConnsPerHost: 8, IdleConnTimeout: 30 * time.Second,
		},
	}}
}

// Request is what is to be sent.
type Request struct {
	ID      string // webhook-id
	URL     string
	Body    []byte   // JSON
	Secrets []string // the current one first
}

// Answer is how a request ended.
type Answer struct {
	Status     int    // 0: there was none
	Body       string // how it began, as text that PostgreSQL takes
	Error      string // fit for the endpoint's owner to read; "" for a success
	Duration   time.Duration
	RetryAfter time.Duration
}

// OK reports whether the receiver has taken the event.
func (a Answer) OK() bool { return a.Error == "" }

// Send sends one request and tells how it ended, within the timeout. The end of ctx is an error of the answer, too.
func (s *Sender) Send(ctx context.Context, r Request) Answer {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	a := s.send(ctx, r, begin)
	a.Duration = time.Since(begin)
	return a
}

func (s *Sender) send(ctx context.Context, r Request, now time.Time) Answer {
	signature, err := Sign(r.Secrets, r.ID, now, r.Body)
	if err != nil {
		return Answer{Error: "The request could not be signed."}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return Answer{Error: "The URL is not valid."}
	}
	req.Header = http.Header{
		"Content-Type": {"application/json"}, "User-Agent": {"Stackforge-Webhooks/1"},
		"Webhook-Id": {r.ID}, "Webhook-Timestamp": {strconv.FormatInt(now.Unix(), 10)}, "Webhook-Signature": {signature},
	}
	res, err := s.client.Do(req)
	if err != nil {
		return Answer{Error: explain(err)}
	}
	defer func() { _ = res.Body.Close() }() // a body that is not read to its end ends the connection
	a := Answer{Status: res.StatusCode, Body: snippet(ctx, res.Body)}
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
	case res.StatusCode >= 300 && res.StatusCode < 400:
		a.Error = fmt.Sprintf("The receiver answered %d; redirects are not followed.", res.StatusCode)
	default:
		a.Error = fmt.Sprintf("The receiver answered %d.", res.StatusCode)
	}
	if res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusServiceUnavailable {
		a.RetryAfter = retryAfter(res.Header.Get("Retry-After"), time.Now())
	}
	return a
}

// snippet reads what is useful of a body: little of it, and not for long. What the receiver says is judged by its status,
// so a body that breaks off is no error.
func snippet(ctx context.Context, body io.ReadCloser) string {
	stop := context.AfterFunc(ctx, func() { _ = body.Close() })
	defer stop()
	slow := time.AfterFunc(bodyTime, func() { _ = body.Close() })
	defer slow.Stop()
	var kept bytes.Buffer
	_, _ = io.CopyN(&kept, body, maxSnippet)              // see above
	_, _ = io.CopyN(io.Discard, body, maxRead-maxSnippet) // read to its end, a small body leaves the connection for the next request
	return strings.ReplaceAll(strings.ToValidUTF8(kept.String(), "\uFFFD"), "\x00", "\uFFFD")
}

// retryAfter reads the header: seconds, or a date. It is 0 when there is none.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(text); err == nil {
		return min(time.Duration(max(n, 0))*time.Second, maxRetry)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), maxRetry)
	}
	return 0
}

// explain says in the words of the endpoint's owner why there was no answer. What Go says names addresses of ours.
func explain(err error) string {
	var (
		blocked blockedError
		dns     *net.DNSError
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		host    x509.HostnameError
		cert    *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		timeout net.Error
	)
	switch {
	case errors.As(err, &blocked):
		return "The name leads to an address or port that is not allowed."
	case errors.As(err, &dns) && dns.IsNotFound:
		return "There is no such host."
	case errors.As(err, &unknown), errors.As(err, &invalid), errors.As(err, &host), errors.As(err, &cert):
		return "The receiver's certificate is not valid."
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "The receiver does not speak TLS."
	case errors.Is(err, context.Canceled):
		return "The request was interrupted."
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "The receiver did not answer in time."
	case errors.Is(err, syscall.ECONNREFUSED):
		return "The connection was refused."
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "The receiver broke the connection."
	case errors.As(err, &dns):
		return "The name could not be looked up."
	default:
		return "The request could not be sent."
	}
}

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
