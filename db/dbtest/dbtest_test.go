package dbtest_test

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/tenant"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

func TestNew(t *testing.T) {
	t.Parallel()

	t.Run("each pool acts as its role", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		for role, h := range map[string]*db.DB{"app_api": d.API, "app_worker": d.Worker, "stackforge_owner": d.Owner} {
			got, err := db.Get[string](t.Context(), h, "role", `SELECT current_user::text`)
			require.NoError(t, err)
			require.Equal(t, role, got)
		}
	})

	t.Run("two databases share nothing", func(t *testing.T) {
		t.Parallel()

		a, b := dbtest.New(t), dbtest.New(t)
		s := dbtest.Tenant(t, a)
		n, err := db.Get[int](t.Context(), b.Owner, "count", `SELECT count(*) FROM tenants WHERE id = $1`, s.TenantID)
		require.NoError(t, err)
		require.Zero(t, n)
		require.NotEqual(t, a.URL, b.URL)
	})

	t.Run("a tenant sees itself and its user", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		s := dbtest.Tenant(t, d)
		dbtest.Tenant(t, d)
		users, err := db.List[string](tenant.With(t.Context(), s), d.API, `SELECT id::text FROM app_users ORDER BY id`)
		require.NoError(t, err)
		require.Equal(t, []string{s.UserID.String()}, users)
	})

	t.Run("the lane decides the extensions", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		if dbtest.Lane() == dbtest.Full {
			t.Skip("what a full server offers differs")
		}
		n, err := db.Get[int](t.Context(), d.Owner, "count", `SELECT count(*) FROM pg_extension WHERE extname IN ('postgis', 'vector', 'pg_jsonschema', 'pg_cron')`)
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

func TestDropAtEnd(t *testing.T) {
	t.Parallel()

	var gone string
	t.Run("a test that passes", func(t *testing.T) {
		gone = dbtest.New(t).URL
	})
	_, err := pgx.Connect(t.Context(), gone)
	require.ErrorContains(t, err, "does not exist")
}

func TestEmpty(t *testing.T) {
	t.Parallel()

	var n int
	err := dbtest.Connect(t, dbtest.Empty(t)).QueryRow(t.Context(), `SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace`).Scan(&n)
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestWithDatabase(t *testing.T) {
	t.Parallel()

	require.Equal(t, "postgres://u:p@h:1/b?sslmode=disable", dbtest.WithDatabase("postgres://u:p@h:1/a?sslmode=disable", "b"))
	require.Equal(t, "host=h dbname=a dbname=b", dbtest.WithDatabase("host=h dbname=a", "b"))
}

func BenchmarkNew(b *testing.B) {
	dbtest.New(b) // builds the template
	for b.Loop() {
		dbtest.New(b)
	}
}
