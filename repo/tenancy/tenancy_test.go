package tenancy_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/tenancy"
	"stackforge/tenant"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

func TestTenancy(t *testing.T) {
	t.Parallel()

	t.Run("a new tenant is got and listed", func(t *testing.T) {
		t.Parallel()

		tenants := tenancy.New(dbtest.New(t).Owner)
		one, err := tenants.Create(t.Context(), "one")
		require.NoError(t, err)
		two, err := tenants.Create(t.Context(), "two")
		require.NoError(t, err)
		got, err := tenants.Get(t.Context(), one.ID)
		require.NoError(t, err)
		require.Equal(t, one, got)
		list, err := tenants.List(t.Context())
		require.NoError(t, err)
		require.Equal(t, []tenancy.Tenant{one, two}, list)
	})

	t.Run("a missing tenant is not found", func(t *testing.T) {
		t.Parallel()

		_, err := tenancy.New(dbtest.New(t).Owner).Get(t.Context(), uuid.New())
		require.Equal(t, errs.NotFound, errs.From(err).Code)
	})

	t.Run("a name has 1 to 200 characters", func(t *testing.T) {
		t.Parallel()

		tenants := tenancy.New(dbtest.New(t).Owner)
		for _, bad := range []string{"", "  ", strings.Repeat("x", 201)} {
			_, err := tenants.Create(t.Context(), bad)
			require.Equal(t, errs.Validation, errs.From(err).Code)
			require.Equal(t, "name", errs.From(err).Field)
		}
	})

	t.Run("the API's role cannot create one and sees its own only", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		mine, other := dbtest.Tenant(t, d), dbtest.Tenant(t, d)
		ctx := tenant.With(t.Context(), mine)
		tenants := tenancy.New(d.API)
		_, err := tenants.Create(ctx, "three")
		require.Equal(t, errs.Forbidden, errs.From(err).Code)
		list, err := tenants.List(ctx)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Equal(t, mine.TenantID, list[0].ID)
		_, err = tenants.Get(ctx, other.TenantID)
		require.Equal(t, errs.NotFound, errs.From(err).Code)
	})
}
