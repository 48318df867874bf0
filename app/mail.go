package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rs/zerolog"
	"github.com/wneessen/go-mail"

	"stackforge/errs"
)

// Mail is one plain-text e-mail.
type Mail struct {
	ID      string // stays the same when the mail is sent again, so that receivers can drop the copy; "" for none
	To      string // one address
	Subject string
	Body    string
}

// check is errs.Validation for anything that could add a header or a recipient.
func (m Mail) check() error {
	a, err := netmail.ParseAddress(m.To)
	if err != nil || a.Address != m.To || hasControl(m.To) {
		return errs.Field("to", "This must be one e-mail address.")
	}
	if hasControl(m.Subject) {
		return errs.Field("subject", "A subject has no line breaks or other control characters.")
	}
	return nil
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError })
}

// MaskAddress returns an e-mail address as it may stand in a log: a•••@e•••.com.
func MaskAddress(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 1 {
		return "•••"
	}
	domain, dot := address[at+1:], strings.LastIndexByte(address[at+1:], '.')
	top := ""
	if dot > 0 {
		top = domain[dot:]
	}
	return first(address) + "•••@" + first(domain) + "•••" + top
}

func first(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}

// LogMailer writes one log line for each mail and sends none.
type LogMailer struct {
	Log  zerolog.Logger
	Full bool // with address, subject and body; otherwise the address is masked and the subject counted
}

// Send logs the mail. It is errs.Validation for an address or subject that an e-mail cannot have.
func (l LogMailer) Send(_ context.Context, m Mail) error {
	if err := m.check(); err != nil {
		return err
	}
	if l.Full {
		l.Log.Info().Str("to", m.To).Str("subject", m.Subject).Str("body", m.Body).Msg("mail: not sent, no SMTP server is configured")
		return nil
	}
	l.Log.Info().Str("to", MaskAddress(m.To)).Int("subjectLength", utf8.RuneCountInString(m.Subject)).
		Msg("mail: not sent, no SMTP server is configured")
	return nil
}

// TLSMode says how an SMTP connection is encrypted.
type TLSMode string

// The modes. Credentials are never sent over a connection in the clear.
const (
	TLSStart    TLSMode = "starttls" // in the clear first, encrypted before anything is sent; the default
	TLSImplicit TLSMode = "tls"      // encrypted from the first byte
	TLSNone     TLSMode = "none"     // in the clear: for a server on the same machine
)

// SMTPConfig is how to reach an SMTP server.
type SMTPConfig struct {
	Host     string
	Port     int // default 587, or 465 for TLSImplicit, or 25 for TLSNone
	User     string
	Password string
	From     string         // address, or "Name <address>"
	TLS      TLSMode        // default TLSStart
	RootCAs  *x509.CertPool // who may have signed the server's certificate; nil: whom the system trusts
	Timeout  time.Duration  // of the connection, and again of the transfer; default 15 s
}

// SMTPMailer sends mails through an SMTP server, one connection each. It is safe for concurrent use.
type SMTPMailer struct {
	config  SMTPConfig
	domain  string // of From
	options []mail.Option
	tls     *tls.Config
}

// NewSMTP returns an SMTPMailer. It is errs.Validation, naming the field, for a configuration that cannot work; it does
// not connect.
func NewSMTP(c SMTPConfig) (*SMTPMailer, error) {
	from, err := netmail.ParseAddress(c.From)
	if err != nil || hasControl(c.From) {
		return nil, errs.Field("from", "This must be an e-mail address.")
	}
	if c.Host == "" {
		return nil, errs.Field("host", "This must be the name of an SMTP server.")
	}
	if c.Timeout == 0 {
		c.Timeout = 15 * time.Second
	}
	port, policy := 587, mail.TLSMandatory
	switch c.TLS {
	case TLSStart, "":
	case TLSImplicit:
		port, policy = 465, mail.TLSOpportunistic // dial has encrypted the connection: there is nothing left to start
	case TLSNone:
		port, policy = 25, mail.NoTLS
		if c.User != "" {
			return nil, errs.Field("tls", "A user and password need an encrypted connection.")
		}
	default:
		return nil, errs.Field("tls", "This must be starttls, tls or none.")
	}
	if c.Port != 0 {
		port = c.Port
	}
	t := &tls.Config{ServerName: c.Host, RootCAs: c.RootCAs, MinVersion: tls.VersionTLS12}
	options := []mail.Option{mail.WithTimeout(c.Timeout), mail.WithPort(port), mail.WithTLSPolicy(policy), mail.WithTLSConfig(t)}
	if c.User != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(c.User), mail.WithPassword(c.Password))
	}
	if _, err := mail.NewClient(c.Host, options...); err != nil {
		return nil, errs.Wrap(errs.Validation, err, "The SMTP configuration cannot work.")
	}
	domain := from.Address[strings.LastIndexByte(from.Address, '@')+1:]
	return &SMTPMailer{config: c, domain: domain, options: options, tls: t}, nil
}

// Send hands a mail to the server. A refusal of the mail itself (an answer of 5xx) is errs.Validation, which a retry
// cannot mend; everything else, the connection and the credentials among it, is errs.Unavailable.
//
// When the connection breaks after the text was sent and before the server's answer, nobody knows whether the server
// has the mail. It is Unavailable too: the retry sends it again with the same Message-ID.
func (s *SMTPMailer) Send(ctx context.Context, m Mail) error {
	if err := m.check(); err != nil {
		return err
	}
	msg, err := s.message(m)
	if err != nil {
		return err
	}
	// The library waits for the server without a look at the context: a run that is cancelled hangs up.
	ctx, hangUp := context.WithCancel(ctx)
	defer hangUp()
	client, err := mail.NewClient(s.config.Host, append(slices.Clip(s.options), mail.WithDialContextFunc(s.dial(ctx)))...)
	if err != nil {
		return errs.Wrap(errs.Unavailable, err, "The SMTP configuration cannot work.")
	}
	if err := client.DialWithContext(ctx); err != nil {
		return errs.Wrap(errs.Unavailable, err, "The mail server cannot be reached or does not let us in.")
	}
	err = client.Send(msg)
	if msg.IsDelivered() {
		_ = client.Close() // the server has the mail, however the connection ends
		return nil
	}
	return sendError(m, err)
}

func (s *SMTPMailer) message(m Mail) (*mail.Msg, error) {
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := errors.Join(msg.From(s.config.From), msg.To(m.To)); err != nil {
		return nil, errs.Wrap(errs.Validation, err, "The mail cannot be addressed.")
	}
	msg.Subject(m.Subject)
	msg.SetDate()
	msg.SetMessageID()
	if m.ID != "" {
		msg.SetMessageIDWithValue(m.ID + "@" + s.domain)
	}
	msg.SetBodyString(mail.TypeTextPlain, m.Body)
	return msg, nil
}

// dial returns a dialer whose connections end with ctx, and with the timeout at the latest.
func (s *SMTPMailer) dial(ctx context.Context) mail.DialContextFunc {
	return func(dialing context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(dialing, network, address)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { _ = conn.Close() })
		if err := conn.SetDeadline(time.Now().Add(s.config.Timeout)); err != nil {
			return nil, err
		}
		if s.config.TLS != TLSImplicit {
			return conn, nil
		}
		secure := tls.Client(conn, s.tls)
		return secure, secure.HandshakeContext(dialing)
	}
}

// sendError tells a refusal of the mail from what may pass. The cause, which goes to the log, does not name the address.
func sendError(m Mail, err error) error {
	code := 0
	if send, ok := errors.AsType[*mail.SendError](err); ok {
		code = send.ErrorCode()
	}
	cause := errors.New(strings.ReplaceAll(err.Error(), m.To, MaskAddress(m.To)))
	switch {
	case code >= 500:
		return errs.Wrap(errs.Validation, cause, fmt.Sprintf("The mail server refused the mail (%d).", code))
	case code != 0:
		return errs.Wrap(errs.Unavailable, cause, fmt.Sprintf("The mail server does not take the mail now (%d).", code))
	default:
		return errs.Wrap(errs.Unavailable, cause, "The mail could not be handed to the mail server.")
	}
}
