package cli_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
	"stackforge/tenant"
)

// world is a migrated database with a tenant, its key, and a data folder, for processes to run in.
type world struct {
	*dbtest.DB
	dir   string
	key   string
	scope tenant.Scope
}

func newWorld(t *testing.T) *world {
	t.Helper()
	d := dbtest.New(t)
	w := &world{DB: d, dir: t.TempDir(), scope: dbtest.Tenant(t, d)}
	w.key = strings.TrimSpace(ok(t, w.environ(), "key", "create", "--tenant", w.scope.TenantID.String(), "--name", "test"))
	return w
}

func (w *world) environ(extra ...string) []string {
	return environ(w.dir, append([]string{"DATABASE_URL=" + w.URL}, extra...)...)
}

// caller is a client of the tenant.
func (w *world) caller(s *server) caller { return caller{url: s.url, key: w.key} }

// list returns the rows of a query of the superuser.
func list[T any](t *testing.T, w *world, sql string, args ...any) []T {
	t.Helper()
	conn := w.Connect(t)
	rows, err := conn.Query(t.Context(), sql, args...)
	require.NoError(t, err)
	out, err := pgx.CollectRows(rows, pgx.RowTo[T])
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	return out
}

// one returns the only value of a query of the superuser.
func one[T any](t *testing.T, w *world, sql string, args ...any) T {
	t.Helper()
	out := list[T](t, w, sql, args...)
	require.Len(t, out, 1)
	return out[0]
}
