package migrations_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
)

// explainer is a proxy to a server whose auto_explain tells the client the plan of every statement, also of those inside
// of functions. So the plans are those of the very statements that the repositories send, with role and tenant set.
type explainer struct {
	dsn string // the proxy's

	mu    sync.Mutex
	plans []plan
}

// plan is one message of auto_explain.
type plan struct {
	SQL  string
	Text string // EXPLAIN (ANALYZE, BUFFERS)
}

// explain turns auto_explain on for new connections to the test's database and starts the proxy.
func explain(t *testing.T, d *dbtest.DB) *explainer {
	t.Helper()

	d.Exec(t, `
		DO $$
		DECLARE
		    s text;
		BEGIN
		    FOREACH s IN ARRAY ARRAY['session_preload_libraries = auto_explain', 'auto_explain.log_min_duration = 0',
		        'auto_explain.log_analyze = on', 'auto_explain.log_buffers = on', 'auto_explain.log_nested_statements = on',
		        'client_min_messages = log'] LOOP
		        EXECUTE format('ALTER DATABASE %I SET %s', current_database(), s);
		    END LOOP;
		END $$`)
	c, err := pgx.ParseConfig(d.URL)
	require.NoError(t, err)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	host, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)

	e := &explainer{dsn: fmt.Sprintf("host=%s port=%s user=%s password='%s' dbname=%s sslmode=disable", host, port, c.User, c.Password, c.Database)}
	var done sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() { cancel(); _ = l.Close(); done.Wait() })
	done.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			done.Go(func() { e.serve(ctx, client, c.Config) })
		}
	})
	return e
}

func (e *explainer) serve(ctx context.Context, client net.Conn, c pgconn.Config) {
	defer client.Close()
	network, address := pgconn.NetworkAddress(c.Host, c.Port)
	server, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return
	}
	defer server.Close()
	stop := context.AfterFunc(ctx, func() { _ = client.Close(); _ = server.Close() })
	defer stop()
	go func() { _, _ = io.Copy(server, client); _ = server.Close() }()
	_ = e.relay(client, server)
}

// relay sends the server's messages on and keeps the plans among them.
func (e *explainer) relay(client io.Writer, server io.Reader) error {
	head := make([]byte, 5)
	for {
		if _, err := io.ReadFull(server, head); err != nil {
			return err
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(server, body); err != nil {
			return err
		}
		if head[0] == 'N' { // NoticeResponse: fields of one letter and a text
			for field := range bytes.SplitSeq(body, []byte{0}) {
				if text, ok := bytes.CutPrefix(field, []byte("Mduration: ")); ok {
					e.add(string(text))
				}
			}
		}
		if _, err := client.Write(head); err != nil {
			return err
		}
		if _, err := client.Write(body); err != nil {
			return err
		}
	}
}

func (e *explainer) add(message string) {
	_, rest, ok := strings.Cut(message, "Query Text: ")
	if !ok || strings.HasPrefix(rest, "SELECT set_config(") {
		return
	}
	// The plan starts at the first line with a cost; a statement has none.
	lines := strings.Split(rest, "\n")
	for i, line := range lines {
		if strings.Contains(line, "(cost=") {
			e.mu.Lock()
			defer e.mu.Unlock()
			sql := strings.Join(lines[:i], "\n")
			sql, _, _ = strings.Cut(sql, "\nQuery Parameters: ")
			e.plans = append(e.plans, plan{SQL: sql, Text: strings.Join(lines[i:], "\n")})
			return
		}
	}
}

// take returns the plans since the last call.
func (e *explainer) take() []plan {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.plans
	e.plans = nil
	return p
}
