package idempotency_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/idempotency"
	"stackforge/repo/user"
	"stackforge/tenant"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// bundle is a database with a tenant, and what it does under keys: it creates users.
type bundle struct {
	*dbtest.DB
	ctx   context.Context //nolint:containedctx // acts for the tenant
	once  *idempotency.Repo
	users *user.Repo
}

func setup(t *testing.T) bundle {
	t.Helper()

	d := dbtest.New(t)
	return bundle{DB: d, ctx: tenant.With(t.Context(), dbtest.Tenant(t, d)), once: idempotency.New(d.API), users: user.New(d.API)}
}

// create makes a user under a key and answers with the address.
func (b bundle) create(ctx context.Context, key, email string) (string, bool, error) {
	answer, replayed, err := b.once.Once(ctx, key, idempotency.Hash(ctx, []byte(email)), func(ctx context.Context) ([]byte, error) {
		u, err := b.users.Create(ctx, email)
		return []byte("made " + u.Email), err
	})
	return string(answer), replayed, err
}

// count is how many rows a table has, as the owner sees it.
func (b bundle) count(t *testing.T, sql string, args ...any) int {
	t.Helper()

	n, err := db.Get[int](t.Context(), b.Owner, "count", sql, args...)
	require.NoError(t, err)
	return n
}

const (
	named = `SELECT count(*)::int FROM app_users WHERE email = $1`
	keys  = `SELECT count(*)::int FROM core.idempotency_keys`
)

func TestOnce(t *testing.T) {
	t.Parallel()

	t.Run("the second time has the first answer and no effect", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		for i := range 3 {
			answer, replayed, err := b.create(b.ctx, "k", "a@example.org")
			require.NoError(t, err)
			require.Equal(t, "made a@example.org", answer)
			require.Equal(t, i > 0, replayed)
		}
		require.Equal(t, 1, b.count(t, named, "a@example.org"))
	})

	t.Run("another request under the key is a conflict", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		_, _, err := b.create(b.ctx, "k", "a@example.org")
		require.NoError(t, err)
		_, _, err = b.create(b.ctx, "k", "b@example.org")
		require.Equal(t, errs.Conflict, errs.From(err).Code)
		require.Equal(t, "idempotencyKey", errs.From(err).Field)
		require.Zero(t, b.count(t, named, "b@example.org"))
	})

	t.Run("the keys of tenants are their own", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		other := tenant.With(t.Context(), dbtest.Tenant(t, b.DB))
		for _, ctx := range []context.Context{b.ctx, other} {
			_, replayed, err := b.create(ctx, "k", "a@example.org")
			require.NoError(t, err)
			require.False(t, replayed)
		}
		require.Equal(t, 2, b.count(t, named, "a@example.org"))
	})

	t.Run("the caller's permissions are part of the request", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		_, _, err := b.create(b.ctx, "k", "a@example.org")
		require.NoError(t, err)
		s, err := tenant.From(b.ctx)
		require.NoError(t, err)
		s.Scopes = []string{"users:read"}
		_, _, err = b.create(tenant.With(b.ctx, s), "k", "a@example.org")
		require.Equal(t, errs.Conflict, errs.From(err).Code, "nobody reads an answer that he may not")
	})

	t.Run("an error undoes all and leaves the key free", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		failure := errors.New("x")
		hash := idempotency.Hash(b.ctx, []byte("a@example.org"))
		_, _, err := b.once.Once(b.ctx, "k", hash, func(ctx context.Context) ([]byte, error) {
			_, err := b.users.Create(ctx, "a@example.org")
			require.NoError(t, err)
			return nil, failure
		})
		require.ErrorIs(t, err, failure)
		require.Zero(t, b.count(t, named, "a@example.org"))
		require.Panics(t, func() {
			_, _, _ = b.once.Once(b.ctx, "k", hash, func(ctx context.Context) ([]byte, error) {
				_, err := b.users.Create(ctx, "a@example.org")
				require.NoError(t, err)
				panic("x")
			})
		})
		require.Zero(t, b.count(t, keys))
		_, replayed, err := b.create(b.ctx, "k", "a@example.org")
		require.NoError(t, err)
		require.False(t, replayed)
	})

	t.Run("a connection that breaks before the commit leaves nothing", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		_, _, err := b.once.Once(b.ctx, "k", idempotency.Hash(b.ctx, []byte("a@example.org")), func(ctx context.Context) ([]byte, error) {
			_, err := b.users.Create(ctx, "a@example.org")
			require.NoError(t, err)
			pid, err := db.Get[int](ctx, b.API, "pid", `SELECT pg_backend_pid()`)
			require.NoError(t, err)
			b.Exec(t, `SELECT pg_terminate_backend($1)`, pid)
			return []byte("x"), nil
		})
		require.Equal(t, errs.Unavailable, errs.From(err).Code, "%v", err)
		require.Zero(t, b.count(t, named, "a@example.org"))
		_, replayed, err := b.create(b.ctx, "k", "a@example.org")
		require.NoError(t, err)
		require.False(t, replayed)
	})

	t.Run("a statement that fails is undone alone", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		_, _, err := b.once.Once(b.ctx, "k", idempotency.Hash(b.ctx), func(ctx context.Context) ([]byte, error) {
			_, err := b.users.Create(ctx, "no address")
			require.Equal(t, errs.Validation, errs.From(err).Code)
			_, err = b.users.Create(ctx, "a@example.org")
			return []byte("x"), err
		})
		require.NoError(t, err)
		require.Equal(t, 1, b.count(t, named, "a@example.org"))
	})

	t.Run("twins have one effect: one waits for the other", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		inside, leave := make(chan struct{}), make(chan struct{})
		hash := idempotency.Hash(b.ctx, []byte("a@example.org"))
		first := make(chan error, 1)
		go func() {
			_, _, err := b.once.Once(b.ctx, "k", hash, func(ctx context.Context) ([]byte, error) {
				close(inside)
				<-leave
				u, err := b.users.Create(ctx, "a@example.org")
				return []byte("made " + u.Email), err
			})
			first <- err
		}()
		<-inside
		type outcome struct {
			answer   string
			replayed bool
			err      error
		}
		second := make(chan outcome, 1)
		go func() {
			answer, replayed, err := b.create(b.ctx, "k", "a@example.org")
			second <- outcome{answer, replayed, err}
		}()
		admin := b.Connect(t) // others are not told who waits
		waiting := func() (yes bool) {
			require.NoError(t, admin.QueryRow(t.Context(), `
				SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&yes))
			return yes
		}
		for !waiting() {
			require.Empty(t, second, "it must wait")
		}
		close(leave)
		require.NoError(t, <-first)
		require.Equal(t, outcome{"made a@example.org", true, nil}, <-second)
		require.Equal(t, 1, b.count(t, named, "a@example.org"))
	})

	t.Run("an answer that is not kept makes the repetition a conflict", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		for key, answer := range map[string][]byte{"none": nil, "long": make([]byte, idempotency.MaxResponse+1)} {
			do := func() error {
				_, _, err := b.once.Once(b.ctx, key, idempotency.Hash(b.ctx), func(context.Context) ([]byte, error) { return answer, nil })
				return err
			}
			require.NoError(t, do())
			require.Equal(t, errs.Conflict, errs.From(do()).Code)
		}
	})

	t.Run("after 7 days a key is free, and forgotten", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		const age = `UPDATE core.idempotency_keys SET created_at = created_at - $1::interval`
		_, _, err := b.create(b.ctx, "k", "a@example.org")
		require.NoError(t, err)
		b.Exec(t, age, "6 days 23 hours")
		require.Zero(t, b.forget(t))
		_, replayed, err := b.create(b.ctx, "k", "a@example.org")
		require.NoError(t, err)
		require.True(t, replayed)
		b.Exec(t, age, "2 hours")
		_, replayed, err = b.create(b.ctx, "k", "b@example.org")
		require.NoError(t, err)
		require.False(t, replayed)
		b.Exec(t, age, "8 days")
		require.Equal(t, 1, b.forget(t))
		require.Zero(t, b.count(t, keys))
	})

	t.Run("what is no key is refused, and so is a caller without a tenant", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		for _, key := range []string{"", "a b", "ä", "a\n", "\x7f", strings.Repeat("k", 256)} {
			_, _, err := b.create(b.ctx, key, "a@example.org")
			require.Equal(t, errs.Validation, errs.From(err).Code, key)
		}
		for i, key := range []string{"k", "!~", strings.Repeat("k", 255)} {
			_, _, err := b.create(b.ctx, key, fmt.Sprintf("%d@example.org", i))
			require.NoError(t, err, key)
		}
		_, _, err := b.create(t.Context(), "k", "a@example.org")
		require.Equal(t, errs.Unauthenticated, errs.From(err).Code)
	})

	t.Run("the roles of the product do not see the answers", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		for _, h := range []db.Handle{b.API, b.Worker} {
			_, err := db.List[string](b.ctx, h, `SELECT key FROM core.idempotency_keys ORDER BY key`)
			require.Equal(t, errs.Forbidden, errs.From(err).Code)
		}
		other := dbtest.Tenant(t, b.DB)
		_, err := db.Exec(b.ctx, b.API, `SELECT * FROM claim_idempotency_key(@tenant, 'k', @hash)`,
			pgx.NamedArgs{"tenant": other.TenantID, "hash": make([]byte, 32)})
		require.Equal(t, errs.Forbidden, errs.From(err).Code)
	})
}

// forget runs the worker's task.
func (b bundle) forget(t *testing.T) int {
	t.Helper()

	n, err := db.Get[int](t.Context(), b.Worker, "count", `SELECT drop_old_idempotency_keys()::int`)
	require.NoError(t, err)
	return n
}
