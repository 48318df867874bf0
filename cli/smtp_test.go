package cli_test

import (
	"bufio"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// mailServer takes mails, and keeps each sender waiting for its greeting until it is told to go on: a job that sends
// mail lasts as long as a test wants, 15 s at most.
type mailServer struct {
	port    string
	greeted chan struct{} // closed by release

	mu    sync.Mutex
	conns int
	mails []string // the text of each mail, in order of arrival
	once  sync.Once
}

func newMailServer(t *testing.T) *mailServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	s := &mailServer{port: port, greeted: make(chan struct{})}
	var talks sync.WaitGroup
	var open []net.Conn
	talks.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns++
			open = append(open, conn)
			s.mu.Unlock()
			talks.Go(func() { defer conn.Close(); s.talk(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		s.release()
		s.mu.Lock()
		for _, conn := range open {
			_ = conn.Close()
		}
		s.mu.Unlock()
		talks.Wait()
	})
	return s
}

// env names the server to the program.
func (s *mailServer) env() []string {
	return []string{"SMTP_HOST=127.0.0.1", "SMTP_PORT=" + s.port, "SMTP_TLS=none", "SMTP_FROM=app@example.org"}
}

// release lets all senders go on.
func (s *mailServer) release() { s.once.Do(func() { close(s.greeted) }) }

// senders is how many have connected so far.
func (s *mailServer) senders() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns
}

// delivered returns the mails so far.
func (s *mailServer) delivered() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.mails...)
}

func (s *mailServer) talk(conn net.Conn) {
	<-s.greeted
	in := bufio.NewReader(conn)
	say := func(text string) bool {
		_, err := conn.Write([]byte(text + "\r\n"))
		return err == nil
	}
	if !say("220 here") {
		return
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(strings.Fields(line + " .")[0]); verb {
		case "DATA":
			if !say("354 go on") {
				return
			}
			var text strings.Builder
			for line != ".\r\n" {
				if line, err = in.ReadString('\n'); err != nil {
					return
				}
				text.WriteString(line)
			}
			s.mu.Lock()
			s.mails = append(s.mails, text.String())
			s.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 yes")
		}
	}
}
