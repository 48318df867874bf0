package realtime_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// explainer is a connection whose plans come back as notices, also those of statements inside functions.
type explainer struct {
	conn  *pgx.Conn
	plans *strings.Builder
}

func explain(tb testing.TB, config *pgx.ConnConfig) explainer {
	tb.Helper()

	var plans strings.Builder
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { plans.WriteString(n.Message + "\n") }
	conn, err := pgx.ConnectConfig(tb.Context(), config)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = conn.Close(context.WithoutCancel(tb.Context())) })
	_, err = conn.Exec(tb.Context(), `
		LOAD 'auto_explain';
		SET auto_explain.log_min_duration = 0;
		SET auto_explain.log_nested_statements = on;
		SET auto_explain.log_analyze = on;
		SET auto_explain.log_buffers = on;
		SET client_min_messages = log;
		SET role = stackforge_owner`)
	require.NoError(tb, err)
	return explainer{conn: conn, plans: &plans}
}

// exec runs a statement and returns the plans.
func (e explainer) exec(tb testing.TB, sql string, args ...any) string {
	tb.Helper()

	e.plans.Reset()
	rows, err := e.conn.Query(tb.Context(), sql, args...)
	require.NoError(tb, err)
	rows.Close()
	require.NoError(tb, rows.Err())
	return e.plans.String()
}
