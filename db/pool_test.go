package db_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/tenant"
)

func TestRoles(t *testing.T) {
	t.Parallel()

	t.Run("the API acts as app_api whoever the URL names", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		mine, other := dbtest.Tenant(t, d), dbtest.Tenant(t, d)
		role, err := db.Get[string](t.Context(), d.API, "role", `SELECT current_user || ' of ' || session_user`)
		require.NoError(t, err)
		super := dbtest.Connect(t, d.URL).Config().User
		require.Equal(t, "app_api of "+super, role)
		users, err := db.List[string](tenant.With(t.Context(), mine), d.API, `SELECT id::text FROM app_users WHERE id = ANY ($1::uuid[]) ORDER BY id`, []uuid.UUID{mine.UserID, other.UserID})
		require.NoError(t, err)
		require.Equal(t, []string{mine.UserID.String()}, users)
		_, err = db.Exec(tenant.With(t.Context(), mine), d.API, `CREATE TABLE mine (id int)`)
		require.Equal(t, errs.Forbidden, code(err))
	})

	t.Run("behind a transaction pooler the role is the transaction's", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		s := dbtest.Tenant(t, d)
		dbtest.Tenant(t, d)
		ctx := tenant.With(t.Context(), s)
		h := d.Open(t, db.Config{Role: db.RoleAPI, Pooler: true, MaxConns: 1})
		onConnection := func(sql string) (got string) {
			require.NoError(t, db.Pool(h).QueryRow(t.Context(), sql).Scan(&got))
			return got
		}
		session := onConnection(`SELECT session_user::text`)

		got, err := db.Get[string](ctx, h, "role", `SELECT current_user::text`)
		require.NoError(t, err)
		require.Equal(t, "app_api", got)
		require.NoError(t, h.Do(ctx, func(tx *db.Tx) error {
			got, err := db.Get[string](ctx, tx, "role", `SELECT current_user::text`)
			require.Equal(t, "app_api", got)
			return err
		}))
		require.Equal(t, session, onConnection(`SELECT current_user::text`), "the next client of the connection starts anew")
		require.Empty(t, onConnection(`SELECT coalesce(current_setting('app.tenant_id', true), '')`))
		require.Equal(t, "0", onConnection(`SELECT count(*)::text FROM pg_prepared_statements`))

		users, err := db.List[string](ctx, h, `SELECT id::text FROM app_users ORDER BY id`)
		require.NoError(t, err)
		require.Equal(t, []string{s.UserID.String()}, users)
	})

	t.Run("behind a pooler every type of argument arrives", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		h := d.Open(t, db.Config{Role: db.RoleAPI, Pooler: true})
		id, at := uuid.New(), time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
		type row struct {
			ID    uuid.UUID
			IDs   []uuid.UUID `db:"ids"`
			At    time.Time
			Ats   []time.Time
			Names []string
			Tags  []int32
			Raw   string
			Gone  *string
			Lat   float64
			Yes   bool
		}
		name := "o'brien"
		got, err := db.Get[row](t.Context(), h, "row", `
			SELECT @id::uuid AS id, @ids::uuid[] AS ids, @at::timestamptz AS at, @ats::timestamptz[] AS ats, @names::text[] AS names,
			       @tags::int[] AS tags, @raw::jsonb ->> 'a' AS raw, @gone::text AS gone, @lat::float8 AS lat, @yes::boolean AS yes`,
			pgx.NamedArgs{
				"id": id, "ids": []uuid.UUID{id}, "at": at, "ats": []time.Time{at}, "names": []string{name, `"{,}`}, "tags": []int32{1, 2},
				"raw": json.RawMessage(`{"a": "b"}`), "gone": (*string)(nil), "lat": 1.5, "yes": true,
			})
		require.NoError(t, err)
		got.At, got.Ats[0] = got.At.UTC(), got.Ats[0].UTC()
		require.Equal(t, row{
			ID: id, IDs: []uuid.UUID{id}, At: at, Ats: []time.Time{at}, Names: []string{name, `"{,}`}, Tags: []int32{1, 2},
			Raw: "b", Lat: 1.5, Yes: true,
		}, got)
	})
}

func TestOpen(t *testing.T) {
	t.Parallel()

	t.Run("a URL that cannot be parsed is not shown", func(t *testing.T) {
		t.Parallel()

		for _, bad := range []string{"postgres://u:hidden@h:port/d", "host=h password=hidden port=x", "mysql://u:hidden@h/d"} {
			_, err := db.Open(t.Context(), db.Config{URL: bad})
			require.Error(t, err, bad)
			require.NotContains(t, err.Error(), "hidden", bad)
		}
	})

	t.Run("the settings of a session are ours", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		h := d.Open(t, db.Config{Role: db.RoleAPI, ApplicationName: "stackforge test", QueryTimeout: 7 * time.Second})
		type row struct{ App, Path, Timeout, Idle, Zone string }
		got, err := db.Get[row](t.Context(), h, "row", `
			SELECT current_setting('application_name') AS app, current_setting('search_path') AS path,
			       current_setting('statement_timeout') AS timeout,
			       current_setting('idle_in_transaction_session_timeout') AS idle, current_setting('timezone') AS zone`)
		require.NoError(t, err)
		require.Equal(t, row{"stackforge test", "public", "7s", "15s", "UTC"}, got)
	})

	t.Run("the application name of the URL wins over none", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		h := d.Open(t, db.Config{URL: d.URL + "&application_name=named%20in+the%20URL", SSLMode: "disable"})
		got, err := db.Get[string](t.Context(), h, "name", `SELECT current_setting('application_name')`)
		require.NoError(t, err)
		require.Equal(t, "named in+the URL", got)
	})
}

func TestReadyAndClose(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	h := d.Open(t, db.Config{Role: db.RoleAPI, MaxConns: 2})
	require.NoError(t, h.Ready(t.Context(), 5*time.Second))
	require.EqualValues(t, 2, h.Stat().Max)
	require.EqualValues(t, 1, h.Stat().Total)
	h.Close(time.Second)
	_, err := db.Get[int](t.Context(), h, "number", `SELECT 1`)
	require.Equal(t, errs.Unavailable, code(err))
}

func TestCapabilities(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	list, err := db.Capabilities(t.Context(), d.API)
	require.NoError(t, err)
	byName := map[string]db.Capability{}
	for _, c := range list {
		byName[c.Name] = c
	}
	for _, name := range []string{"pg_trgm", "citext", "ltree", "hstore", "unaccent", "fuzzystrmatch", "pgcrypto"} {
		require.True(t, byName[name].Installed, name)
		require.True(t, byName[name].Available, name)
		require.NotEmpty(t, byName[name].Version, name)
	}
	for _, name := range []string{"postgis", "vector", "pg_jsonschema", "pg_cron"} {
		c, ok := byName[name]
		require.True(t, ok, name)
		require.NotEmpty(t, c.Fallback, name)
		if dbtest.Lane() == dbtest.Bare {
			require.False(t, c.Installed, name)
		}
	}
}

func TestStats(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	s, err := db.Stats(t.Context(), d.API)
	require.NoError(t, err)
	require.GreaterOrEqual(t, s.CacheHitRatio, 0.0)
	require.LessOrEqual(t, s.CacheHitRatio, 1.0)
	sizes := map[string]int64{}
	for _, r := range s.Relations {
		sizes[r.Name] = r.Bytes
	}
	require.Positive(t, sizes["job_types"])
	require.Contains(t, sizes, "jobs")
	require.NotContains(t, sizes, "jobs_live", "a partition counts with its table")
}
