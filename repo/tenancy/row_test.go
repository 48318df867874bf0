package tenancy_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRows asks that an export's objects are what the server itself makes of a row, whatever its values.
func TestRows(t *testing.T) {
	t.Parallel()

	d, id := populated(t)
	conn := d.Connect(t)
	for i, sql := range []string{
		`UPDATE jobs SET payload = '{"x": "quotes \" and \\ and \u0001", "n": [1.50, null, true]}', last_error = E'a\b"\\c\n\r\t\x01\x7f é 😀 \u2028 </script>', run_at = '-infinity' WHERE tenant_id = $1`,
		`UPDATE documents SET title = '"' || repeat('\', 7), longitude = -0.1, latitude = 1e-7, created_at = '0144-03-15 01:02:03.004005+00', updated_at = '2026-01-02 03:04:05.6+05:30' WHERE tenant_id = $1`,
	} {
		_, err := conn.Exec(t.Context(), `SET session_replication_role = replica`)
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), sql, id)
		require.NoError(t, err, i)
	}
	_, err := conn.Exec(t.Context(), `SELECT set_config('app.tenant_id', $1, false)`, id.String())
	require.NoError(t, err)
	text, _ := export(t, d.API, id)
	mine := map[string][]any{}
	for line := range strings.Lines(text) {
		var row struct {
			Table string
			Row   map[string]any
		}
		require.NoError(t, json.Unmarshal([]byte(line), &row), line)
		if row.Table != "" {
			mine[row.Table] = append(mine[row.Table], row.Row)
		}
	}
	require.Greater(t, len(mine), 5)
	for table, rows := range mine {
		if table[0] == 'q' || table[0] == 'a' && table != "app_users" && table != "api_keys" { // of a queue, under another name
			continue
		}
		var sql string
		require.NoError(t, conn.QueryRow(t.Context(), `
			SELECT format('SELECT coalesce(jsonb_agg(to_jsonb(r)), ''[]'') FROM (SELECT %s FROM %s x WHERE %I = $1) r',
			              (SELECT string_agg(format('%s AS %I', c.expression, c.name), ', ') FROM tenant_columns(t.name) c), t.name, t.tenant_column)
			FROM tenant_tables() t WHERE t.name = $1`, table).Scan(&sql))
		var server []any
		var raw []byte
		require.NoError(t, conn.QueryRow(t.Context(), sql, id).Scan(&raw), table)
		require.NoError(t, json.Unmarshal(raw, &server))
		require.ElementsMatch(t, server, rows, table)
	}
}
