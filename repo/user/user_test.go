package user_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/query"
	"stackforge/repo/user"
	"stackforge/tenant"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

type bundle struct {
	users    *user.Repo
	me, them tenant.Scope
}

// mine is a context of the test's tenant, other of a stranger.
func (b bundle) mine(t *testing.T) context.Context { t.Helper(); return tenant.With(t.Context(), b.me) }

func (b bundle) other(t *testing.T) context.Context {
	t.Helper()
	return tenant.With(t.Context(), b.them)
}

func setup(t *testing.T) bundle {
	t.Helper()

	d := dbtest.New(t)
	return bundle{users: user.New(d.API), me: dbtest.Tenant(t, d), them: dbtest.Tenant(t, d)}
}

func code(err error) errs.Code { return errs.From(err).Code }

func TestCreate(t *testing.T) {
	t.Parallel()

	t.Run("a new user can be read back", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		made, err := b.users.Create(b.mine(t), "Ada@example.org")
		require.NoError(t, err)
		require.Equal(t, "Ada@example.org", made.Email)
		got, err := b.users.Get(b.mine(t), made.ID)
		require.NoError(t, err)
		require.Equal(t, made, got)
	})

	t.Run("an address in another case is a conflict", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		_, err := b.users.Create(b.mine(t), "ada@example.org")
		require.NoError(t, err)
		_, err = b.users.Create(b.mine(t), "ADA@Example.org")
		require.Equal(t, errs.Conflict, code(err))
		require.Equal(t, "email", errs.From(err).Field)
	})

	t.Run("two tenants may have the same address", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		_, err := b.users.Create(b.mine(t), "ada@example.org")
		require.NoError(t, err)
		_, err = b.users.Create(b.other(t), "ada@example.org")
		require.NoError(t, err)
	})

	t.Run("what is no address is refused, naming the field", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		for _, bad := range []string{"", "ada", "ada@", "@example.org", "a b@example.org", "a@b@c", "'; DROP TABLE app_users --"} {
			_, err := b.users.Create(b.mine(t), bad)
			require.Equal(t, errs.Validation, code(err), bad)
			require.Equal(t, "email", errs.From(err).Field, bad)
		}
	})

	t.Run("without a caller it is unauthenticated", func(t *testing.T) {
		t.Parallel()

		_, err := user.New(nil).Create(t.Context(), "ada@example.org")
		require.Equal(t, errs.Unauthenticated, code(err))
	})
}

func TestOtherTenant(t *testing.T) {
	t.Parallel()

	b := setup(t)
	made, err := b.users.Create(b.mine(t), "ada@example.org")
	require.NoError(t, err)

	_, err = b.users.Get(b.other(t), made.ID)
	require.Equal(t, errs.NotFound, code(err))
	list, err := b.users.ByIDs(b.other(t), []uuid.UUID{made.ID})
	require.NoError(t, err)
	require.Empty(t, list)
	n, err := b.users.Count(b.other(t))
	require.NoError(t, err)
	require.Equal(t, 1, n, "its own user only")
}

func TestByIDs(t *testing.T) {
	t.Parallel()

	b := setup(t)
	one, err := b.users.Create(b.mine(t), "one@example.org")
	require.NoError(t, err)
	two, err := b.users.Create(b.mine(t), "two@example.org")
	require.NoError(t, err)

	got, err := b.users.ByIDs(b.mine(t), []uuid.UUID{two.ID, uuid.New(), one.ID, one.ID})
	require.NoError(t, err)
	require.ElementsMatch(t, []user.User{one, two}, got)

	got, err = b.users.ByIDs(b.mine(t), nil)
	require.NoError(t, err)
	require.NotNil(t, got)
	require.Empty(t, got)
}

func TestList(t *testing.T) {
	t.Parallel()

	b := setup(t)
	for i := range 6 { // and one of the set-up
		_, err := b.users.Create(b.mine(t), fmt.Sprintf("user%d@example.org", i))
		require.NoError(t, err)
	}
	size := 3
	var got []string
	page := query.Page{First: &size}
	for {
		users, info, err := b.users.List(b.mine(t), page)
		require.NoError(t, err)
		for _, u := range users {
			got = append(got, u.Email)
		}
		if !info.HasNext {
			break
		}
		after := user.Cursor(users[len(users)-1])
		page.After = &after
	}
	require.Equal(t, []string{
		"user5@example.org", "user4@example.org", "user3@example.org", "user2@example.org", "user1@example.org",
		"user0@example.org", "user@example.org",
	}, got, "newest first, none twice, none left out")

	n, err := b.users.Count(b.mine(t))
	require.NoError(t, err)
	require.Equal(t, 7, n)

	bad := "not a cursor"
	_, _, err = b.users.List(b.mine(t), query.Page{After: &bad})
	require.Equal(t, errs.Validation, code(err))
}
