package app_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"math/big"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"stackforge/app"
	"stackforge/errs"
)

// smtpServer speaks as much SMTP as a client needs, over TLS if it has a certificate.
type smtpServer struct {
	answers map[string]string // instead of the usual one, by the command's verb; "data." is the end of the text; "" hangs up
	cert    *tls.Certificate
	secure  bool // encrypted from the first byte

	mu       sync.Mutex
	commands []string
	mails    []string
	auth     string // who logged in
}

// serve starts the server and returns its port.
func (s *smtpServer) serve(t *testing.T) int {
	t.Helper()

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
				if s.secure {
					conn = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{*s.cert}})
				}
				s.talk(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return l.Addr().(*net.TCPAddr).Port //nolint:errcheck // a TCP listener has it
}

func (s *smtpServer) talk(conn net.Conn) {
	in := bufio.NewReader(conn)
	say := func(verb, usual string) bool {
		if a, ok := s.answers[verb]; ok {
			usual = a
		}
		if usual == "" {
			return false
		}
		_, err := conn.Write([]byte(usual + "\r\n"))
		return err == nil
	}
	if !say("hello", "220 here") {
		return
	}
	encrypted := s.secure
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		s.mu.Lock()
		s.commands = append(s.commands, line)
		s.mu.Unlock()
		verb := strings.ToLower(strings.FieldsFunc(line+" ", func(r rune) bool { return r == ' ' || r == ':' })[0])
		switch verb {
		case "ehlo":
			extra := ""
			if s.cert != nil && !encrypted {
				extra = "250-STARTTLS\r\n"
			}
			if encrypted {
				extra = "250-AUTH PLAIN\r\n"
			}
			if !say(verb, "250-here\r\n"+extra+"250 8BITMIME") {
				return
			}
		case "starttls":
			if !say(verb, "220 go") {
				return
			}
			conn = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{*s.cert}})
			in, encrypted = bufio.NewReader(conn), true
		case "auth":
			text, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(line, "AUTH PLAIN "))
			s.mu.Lock()
			s.auth = string(text)
			s.mu.Unlock()
			if !say(verb, "235 welcome") {
				return
			}
		case "data":
			if !say(verb, "354 go on") {
				return
			}
			if _, refused := s.answers[verb]; refused {
				continue
			}
			var text strings.Builder
			for {
				l, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if l == ".\r\n" {
					break
				}
				text.WriteString(strings.TrimPrefix(l, "."))
			}
			s.mu.Lock()
			s.mails = append(s.mails, text.String())
			s.mu.Unlock()
			if !say("data.", "250 taken") {
				return
			}
		case "quit":
			say(verb, "221 bye")
			return
		default:
			if !say(verb, "250 fine") {
				return
			}
		}
	}
}

// certificate returns a certificate of 127.0.0.1 and who trusts it.
func certificate(t *testing.T) (*tls.Certificate, *x509.CertPool) {
	t.Helper()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func smtp(t *testing.T, s *smtpServer, c app.SMTPConfig) *app.SMTPMailer {
	t.Helper()

	c.Host, c.Port, c.From = "127.0.0.1", s.serve(t), "Stackforge <noreply@example.org>"
	m, err := app.NewSMTP(c)
	require.NoError(t, err)
	return m
}

var letter = app.Mail{ID: "job-1", To: "ann@example.com", Subject: "Grüße", Body: "Hallo,\n.\nä"}

func TestSMTP(t *testing.T) {
	t.Parallel()

	cert, roots := certificate(t)
	for name, c := range map[string]struct {
		server *smtpServer
		config app.SMTPConfig
		auth   string
	}{
		"in the clear":            {server: &smtpServer{}, config: app.SMTPConfig{TLS: app.TLSNone}},
		"encrypted after a start": {server: &smtpServer{cert: cert}, config: app.SMTPConfig{RootCAs: roots, User: "u", Password: "p"}, auth: "\x00u\x00p"},
		"encrypted from the first byte": {
			server: &smtpServer{cert: cert, secure: true},
			config: app.SMTPConfig{TLS: app.TLSImplicit, RootCAs: roots, User: "u", Password: "p"}, auth: "\x00u\x00p",
		},
	} {
		t.Run("a mail arrives "+name, func(t *testing.T) {
			t.Parallel()

			require.NoError(t, smtp(t, c.server, c.config).Send(t.Context(), letter))
			require.Len(t, c.server.mails, 1)
			m, err := mail.ReadMessage(strings.NewReader(c.server.mails[0]))
			require.NoError(t, err)
			require.Equal(t, `"Stackforge" <noreply@example.org>`, m.Header.Get("From"))
			require.Equal(t, "<ann@example.com>", m.Header.Get("To"))
			require.Equal(t, "<job-1@example.org>", m.Header.Get("Message-Id"))
			require.Equal(t, "=?UTF-8?q?Gr=C3=BC=C3=9Fe?=", m.Header.Get("Subject"))
			require.Contains(t, c.server.mails[0], "Hallo,\r\n.\r\n=C3=A4")
			require.Contains(t, c.server.commands, "RCPT TO:<ann@example.com>")
			require.Equal(t, c.auth, c.server.auth)
		})
	}

	t.Run("an answer decides between failure and retry", func(t *testing.T) {
		t.Parallel()

		for _, c := range []struct {
			name, verb, answer string
			code               errs.Code // "" is success
		}{
			{"recipient refused", "rcpt", "550 5.1.1 no ann@example.com here", errs.Validation},
			{"recipient refused for now", "rcpt", "451 4.7.1 grey", errs.Unavailable},
			{"sender refused", "mail", "553 no", errs.Validation},
			{"text refused", "data.", "554 spam", errs.Validation},
			{"text refused for now", "data.", "452 full", errs.Unavailable},
			{"data refused", "data", "503 no", errs.Validation},
			{"busy at the door", "hello", "421 busy", errs.Unavailable},
			{"closed at the door", "hello", "554 go away", errs.Unavailable},
			{"connection lost before the text", "rcpt", "", errs.Unavailable},
			{"connection lost after the text", "data.", "", errs.Unavailable},
			{"connection lost after the mail was taken", "rset", "", ""},
			{"no answer to the farewell", "quit", "", ""},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()

				s := &smtpServer{answers: map[string]string{c.verb: c.answer}}
				err := smtp(t, s, app.SMTPConfig{TLS: app.TLSNone}).Send(t.Context(), letter)
				if c.code == "" {
					require.NoError(t, err)
					require.Len(t, s.mails, 1)
					return
				}
				require.Equal(t, c.code, errs.From(err).Code, "%v", err)
				for e := err; e != nil; e = errors.Unwrap(e) {
					require.NotContains(t, e.Error(), letter.To)
				}
			})
		}
	})

	t.Run("a certificate that nobody trusts sends nothing", func(t *testing.T) {
		t.Parallel()

		s := &smtpServer{cert: cert}
		err := smtp(t, s, app.SMTPConfig{User: "u", Password: "p"}).Send(t.Context(), letter)
		require.True(t, errs.Is(err, errs.Unavailable))
		require.Empty(t, s.mails)
		require.Empty(t, s.auth)
	})

	t.Run("a server without encryption gets nothing", func(t *testing.T) {
		t.Parallel()

		s := &smtpServer{}
		err := smtp(t, s, app.SMTPConfig{}).Send(t.Context(), letter)
		require.True(t, errs.Is(err, errs.Unavailable))
		require.Empty(t, s.mails)
	})

	t.Run("a run that is cancelled does not wait for a silent server", func(t *testing.T) {
		t.Parallel()

		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer func() { _ = l.Close() }()
		m, err := app.NewSMTP(app.SMTPConfig{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, From: "a@example.org", TLS: app.TLSNone, Timeout: time.Hour}) //nolint:errcheck // a TCP listener has it
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- m.Send(ctx, letter) }()
		conn, err := l.Accept()
		require.NoError(t, err)
		defer conn.Close()
		cancel()
		select {
		case err := <-done:
			require.True(t, errs.Is(err, errs.Unavailable))
		case <-time.After(20 * time.Second):
			require.FailNow(t, "it still waits")
		}
	})

	t.Run("nothing can add a header or a recipient", func(t *testing.T) {
		t.Parallel()

		s := &smtpServer{}
		m := smtp(t, s, app.SMTPConfig{TLS: app.TLSNone})
		for _, l := range []app.Mail{
			{To: "a@example.com\r\nBcc: b@example.com"},
			{To: "a@example.com, b@example.com"},
			{To: "Ann <a@example.com>"},
			{To: "a@example.com>\r\nRCPT TO:<b@example.com"},
			{To: ""},
			{To: "a@example.com", Subject: "Hi\r\nBcc: b@example.com"},
			{To: "a@example.com", Subject: "Hi\nBcc: b@example.com"},
			{To: "a@example.com", Subject: "Hi\rBcc: b@example.com"},
		} {
			require.True(t, errs.Is(m.Send(t.Context(), l), errs.Validation), "%+v", l)
			require.True(t, errs.Is(app.LogMailer{}.Send(t.Context(), l), errs.Validation), "%+v", l)
		}
		require.Empty(t, s.commands)
		require.NoError(t, m.Send(t.Context(), app.Mail{To: "a@example.com", Subject: "Hi", Body: "\r\n.\r\nMAIL FROM:<x@example.com>\r\n"}))
		require.Len(t, s.mails, 1)
		parsed, err := mail.ReadMessage(strings.NewReader(s.mails[0]))
		require.NoError(t, err)
		require.NotContains(t, parsed.Header, "Bcc")
	})

	t.Run("a configuration that cannot work is refused at the start", func(t *testing.T) {
		t.Parallel()

		for field, c := range map[string]app.SMTPConfig{
			"from": {Host: "h"},
			"host": {From: "a@example.org"},
			"tls":  {Host: "h", From: "a@example.org", TLS: "ssl"},
		} {
			_, err := app.NewSMTP(c)
			require.Equal(t, field, errs.From(err).Field)
		}
		_, err := app.NewSMTP(app.SMTPConfig{Host: "h", From: "a@example.org", TLS: app.TLSNone, User: "u"})
		require.Equal(t, "tls", errs.From(err).Field)
	})
}

func TestLogMailer(t *testing.T) {
	t.Parallel()

	t.Run("one line, without what is personal", func(t *testing.T) {
		t.Parallel()

		var out bytes.Buffer
		require.NoError(t, app.LogMailer{Log: zerolog.New(&out)}.Send(t.Context(), letter))
		require.JSONEq(t, `{"level":"info","to":"a•••@e•••.com","subjectLength":5,"message":"mail: not sent, no SMTP server is configured"}`, out.String())
		require.Equal(t, 1, strings.Count(out.String(), "\n"))
	})

	t.Run("the whole mail when asked for", func(t *testing.T) {
		t.Parallel()

		var out bytes.Buffer
		require.NoError(t, app.LogMailer{Log: zerolog.New(&out), Full: true}.Send(t.Context(), letter))
		for _, part := range []string{"ann@example.com", "Grüße", "Hallo"} {
			require.Contains(t, out.String(), part)
		}
	})
}

func TestMaskAddress(t *testing.T) {
	t.Parallel()

	for in, want := range map[string]string{
		"ann@example.com": "a•••@e•••.com", "ä@ö.de": "ä•••@ö•••.de", "a@localhost": "a•••@l•••", "none": "•••", "@x.org": "•••",
		"a@b@mail.example.co.uk": "a•••@m•••.uk", "": "•••",
	} {
		require.Equal(t, want, app.MaskAddress(in))
	}
}
