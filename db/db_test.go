package db_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
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

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

func code(err error) errs.Code {
	if err == nil {
		return ""
	}
	return errs.From(err).Code
}

func TestRoundTrips(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	p := newProxy(t, d.URL)
	h := d.Open(t, db.Config{URL: p.url, Role: db.RoleAPI, MaxConns: 1})
	ctx := tenant.With(t.Context(), dbtest.Tenant(t, d))
	read := func() {
		_, err := db.List[string](ctx, h, `SELECT email::text FROM app_users WHERE id <> @id ORDER BY id`, pgx.NamedArgs{"id": uuid.New()})
		require.NoError(t, err)
	}
	write := func() {
		_, err := db.Exec(ctx, h, `INSERT INTO app_users (tenant_id, email) VALUES (current_tenant(), $1)`, uuid.NewString()+"@example.org")
		require.NoError(t, err)
	}
	for range 2 { // connects and prepares
		read()
		write()
	}
	require.EqualValues(t, 1, p.during(read), "scope and statement go together")
	require.EqualValues(t, 1, p.during(write), "and so they do for a write")
	require.EqualValues(t, 10, p.during(func() {
		for range 10 {
			read()
		}
	}), "the counter counts")
}

func TestScope(t *testing.T) {
	t.Parallel()

	settings := `SELECT coalesce(current_setting('app.tenant_id', true), '') || '|' || coalesce(current_setting('app.user_id', true), '') || '|' ||
		coalesce(current_setting('app.roles', true), '') || '|' || coalesce(current_setting('app.request_id', true), '')`

	t.Run("a statement has the caller's settings and none is left behind", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		h := d.Open(t, db.Config{Role: db.RoleAPI, MaxConns: 1})
		s := tenant.Scope{TenantID: uuid.New(), UserID: uuid.New(), Scopes: []string{"jobs:read", "documents:*"}}
		ctx := tenant.WithRequestID(tenant.With(t.Context(), s), "r-1")
		want := s.TenantID.String() + "|" + s.UserID.String() + "|jobs:read,documents:*|r-1"
		onConnection := func() (got string) {
			require.NoError(t, db.Pool(h).QueryRow(t.Context(), settings).Scan(&got))
			return got
		}

		got, err := db.Get[string](ctx, h, "settings", settings)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, "|||", onConnection())

		require.NoError(t, h.Do(ctx, func(tx *db.Tx) error {
			got, err := db.Get[string](ctx, tx, "settings", settings)
			require.NoError(t, err)
			require.Equal(t, want, got)
			return nil
		}))
		require.Equal(t, "|||", onConnection())
		require.EqualValues(t, 1, h.Stat().Opened, "it was one connection all the time")
	})

	t.Run("a caller without a user, and none at all", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		s := tenant.Scope{TenantID: uuid.New()}
		got, err := db.Get[string](tenant.With(t.Context(), s), d.API, "settings", settings)
		require.NoError(t, err)
		require.Equal(t, s.TenantID.String()+"|||", got)
		got, err = db.Get[string](t.Context(), d.API, "settings", settings)
		require.NoError(t, err)
		require.Equal(t, "|||", got)
	})

	t.Run("two tenants on one connection never mix", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		h := d.Open(t, db.Config{Role: db.RoleAPI, MaxConns: 1})
		scopes := []tenant.Scope{dbtest.Tenant(t, d), dbtest.Tenant(t, d)}
		var all sync.WaitGroup
		failures := make(chan string, 1000)
		for i := range 200 {
			s := scopes[i%2]
			all.Go(func() {
				users, err := db.List[string](tenant.With(t.Context(), s), h, `SELECT id::text FROM app_users ORDER BY id`)
				if err != nil || len(users) != 1 || users[0] != s.UserID.String() {
					failures <- strings.Join(users, " ")
				}
			})
		}
		all.Wait()
		require.Empty(t, failures)
		none, err := db.List[string](t.Context(), h, `SELECT id::text FROM app_users ORDER BY id`)
		require.NoError(t, err)
		require.Empty(t, none, "without a tenant there are no rows")
		require.EqualValues(t, 1, h.Stat().Opened)
	})

	t.Run("a row of another tenant is refused", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		mine, other := dbtest.Tenant(t, d), dbtest.Tenant(t, d)
		insert := `INSERT INTO app_users (tenant_id, email) VALUES ($1, 'a@example.org')`
		_, err := db.Exec(tenant.With(t.Context(), mine), d.API, insert, other.TenantID)
		require.Equal(t, errs.Forbidden, code(err))
		_, err = db.Exec(t.Context(), d.API, insert, mine.TenantID)
		require.Equal(t, errs.Forbidden, code(err), "nor without a tenant")
		n, err := db.Exec(tenant.With(t.Context(), mine), d.API, insert, mine.TenantID)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}

func TestDo(t *testing.T) {
	t.Parallel()

	setup := func(t *testing.T) (context.Context, *db.DB) {
		t.Helper()
		d := dbtest.New(t)
		d.Exec(t, `CREATE TABLE notes (id int PRIMARY KEY); GRANT ALL ON notes TO app_api`)
		return tenant.With(t.Context(), dbtest.Tenant(t, d)), d.API
	}
	add := func(t *testing.T, ctx context.Context, h db.Handle, id int) {
		t.Helper()
		n, err := db.Exec(ctx, h, `INSERT INTO notes VALUES ($1)`, id)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	}
	notes := func(t *testing.T, ctx context.Context, h db.Handle) []int {
		t.Helper()
		list, err := db.List[int](ctx, h, `SELECT id FROM notes ORDER BY id`)
		require.NoError(t, err)
		return list
	}
	errStop := errors.New("stop")

	t.Run("it commits all", func(t *testing.T) {
		t.Parallel()

		ctx, h := setup(t)
		require.NoError(t, h.Do(ctx, func(tx *db.Tx) error {
			add(t, ctx, tx, 1)
			add(t, ctx, tx, 2)
			return nil
		}))
		require.Equal(t, []int{1, 2}, notes(t, ctx, h))
	})

	t.Run("an error rolls back all and comes out as it is", func(t *testing.T) {
		t.Parallel()

		ctx, h := setup(t)
		mine := errs.New(errs.Conflict, "The job has already finished.")
		err := h.Do(ctx, func(tx *db.Tx) error {
			add(t, ctx, tx, 1)
			return mine
		})
		require.Same(t, mine, err)
		err = h.Do(ctx, func(*db.Tx) error { return errStop })
		require.ErrorIs(t, err, errStop)
		require.Empty(t, notes(t, ctx, h))
	})

	t.Run("a savepoint that fails takes only its own back", func(t *testing.T) {
		t.Parallel()

		ctx, h := setup(t)
		require.NoError(t, h.Do(ctx, func(tx *db.Tx) error {
			add(t, ctx, tx, 1)
			require.ErrorIs(t, tx.Do(ctx, func(tx *db.Tx) error {
				add(t, ctx, tx, 2)
				return errStop
			}), errStop)
			require.Equal(t, errs.Conflict, code(tx.Do(ctx, func(tx *db.Tx) error {
				_, err := db.Exec(ctx, tx, `INSERT INTO notes VALUES (1)`)
				return err
			})))
			return tx.Do(ctx, func(tx *db.Tx) error {
				add(t, ctx, tx, 3)
				return nil
			})
		}))
		require.Equal(t, []int{1, 3}, notes(t, ctx, h))
	})

	t.Run("a panic rolls back and gives the connection back", func(t *testing.T) {
		t.Parallel()

		ctx, h := setup(t)
		require.PanicsWithValue(t, "boom", func() {
			_ = h.Do(ctx, func(tx *db.Tx) error {
				add(t, ctx, tx, 1)
				return tx.Do(ctx, func(*db.Tx) error { panic("boom") })
			})
		})
		require.Empty(t, notes(t, ctx, h))
		require.Zero(t, h.Stat().InUse)
	})

	t.Run("a repository cannot tell a reader, a transaction and the pool apart", func(t *testing.T) {
		t.Parallel()

		ctx, h := setup(t)
		require.NoError(t, db.Read(h).Do(ctx, func(tx *db.Tx) error {
			for _, in := range []db.Handle{tx, db.Read(tx)} {
				got, err := db.Get[int](ctx, in, "number", `SELECT 7`)
				require.NoError(t, err)
				require.Equal(t, 7, got)
			}
			return nil
		}))
	})
}

func TestGetListExec(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	ctx := t.Context()

	_, err := db.Get[int](ctx, d.API, "widget", `SELECT 1 WHERE false`)
	require.Equal(t, errs.NotFound, code(err))
	require.EqualError(t, err, "There is no such widget.")

	list, err := db.List[int](ctx, d.API, `SELECT 1 WHERE false`)
	require.NoError(t, err)
	require.NotNil(t, list)
	require.Empty(t, list)

	type row struct {
		ID        uuid.UUID
		CreatedAt time.Time
		Note      *string
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	id := uuid.New()
	got, err := db.Get[row](ctx, d.API, "row", `SELECT @id::uuid AS id, @at::timestamptz AS created_at, NULL::text AS note`, pgx.NamedArgs{"id": id, "at": at})
	require.NoError(t, err)
	got.CreatedAt = got.CreatedAt.UTC()
	require.Equal(t, row{ID: id, CreatedAt: at}, got)

	_, err = db.Get[row](ctx, d.API, "row", `SELECT 1 AS surprise`)
	require.Equal(t, errs.Internal, code(err), "a column without a field is a fault of ours")

	n, err := db.Exec(ctx, d.API, `SELECT generate_series(1, 5)`)
	require.NoError(t, err)
	require.EqualValues(t, 5, n, "a function that is called for its effect runs to its end")
}

func TestCopy(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	d.Exec(t, `CREATE TABLE notes (id int PRIMARY KEY); GRANT ALL ON notes TO app_api`)
	var names []string
	h := d.Open(t, db.Config{Role: db.RoleAPI, Hooks: []db.Hook{func(_ context.Context, q db.Query) { names = append(names, q.Name) }}})
	rows := [][]any{{1}, {2}, {3}}
	require.NoError(t, h.Do(t.Context(), func(tx *db.Tx) error {
		n, err := db.Copy(t.Context(), tx, "notes.Load", "notes", []string{"id"}, pgx.CopyFromRows(rows))
		require.EqualValues(t, 3, n)
		return err
	}))
	require.Equal(t, []string{"notes.Load"}, names)
	err := h.Do(t.Context(), func(tx *db.Tx) error {
		_, err := db.Copy(t.Context(), tx, "notes.Load", "notes", []string{"id"}, pgx.CopyFromRows(rows))
		return err
	})
	require.Equal(t, errs.Conflict, code(err))
}

func TestFresh(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	for handle, want := range map[db.Handle]string{d.API: "auto", db.Fresh(d.API): "force_custom_plan", db.Fresh(db.Read(d.Worker)): "force_custom_plan"} {
		got, err := db.Get[string](t.Context(), handle, "setting", `SELECT current_setting('plan_cache_mode')`)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	got, err := db.Get[string](t.Context(), d.API, "setting", `SELECT current_setting('plan_cache_mode')`)
	require.NoError(t, err)
	require.Equal(t, "auto", got, "for the one statement only")
}
