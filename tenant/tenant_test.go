package tenant_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/errs"
	"stackforge/tenant"
)

func TestAllows(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		have string
		ask  string
		want bool
	}{
		{"*", "documents:write", true},
		{"*", "*", true},
		{"*", "operator:read", false},
		{"*", "operator:*", false},
		{"operator:read", "operator:read", true},
		{"operator:*", "operator:read", true},
		{"operator:read", "documents:read", false},
		{"documents:write", "documents:write", true},
		{"documents:*", "documents:write", true},
		{"documents:*", "documents:*", true},
		{"documents:read", "documents:write", false},
		{"documents:read", "documents:*", false},
		{"documents:*", "*", false},
		{"documents:*", "documentsx:read", false},
		{"documents:*", "documents", false},
		{"documents:*", "documents:", false},
		{"doc:*", "documents:read", false},
		{":*", "documents:read", false},
		{"", "documents:read", false},
		{"", "", true},
	} {
		require.Equal(t, c.want, tenant.Scope{Scopes: []string{c.have}}.Allows(c.ask), "%q allows %q", c.have, c.ask)
	}
	require.False(t, tenant.Scope{}.Allows("documents:read"), "no scope allows nothing")
	require.True(t, tenant.Scope{Scopes: []string{"jobs:read", "documents:*"}}.Allows("documents:read"), "one of several is enough")
}

func TestGrantable(t *testing.T) {
	t.Parallel()

	own := tenant.Scope{Scopes: []string{"*", "operator:read", "jobs:*", "operator:*"}}
	require.Equal(t, []string{"*", "jobs:*"}, own.Grantable())
	require.Len(t, own.Scopes, 4, "its own are as they were")
	require.Empty(t, tenant.Scope{Scopes: []string{"operator:read"}}.Grantable())
}

func TestContext(t *testing.T) {
	t.Parallel()

	_, err := tenant.From(t.Context())
	require.Equal(t, errs.Unauthenticated, errs.From(err).Code)
	require.Nil(t, tenant.Lookup(t.Context()))
	require.Empty(t, tenant.RequestID(t.Context()))

	s := tenant.Scope{TenantID: uuid.New(), KeyID: uuid.New(), UserID: uuid.New(), Scopes: []string{"*"}, Token: true}
	ctx := tenant.WithRequestID(tenant.With(t.Context(), s), "r-1")
	got, err := tenant.From(ctx)
	require.NoError(t, err)
	require.Equal(t, s, got)
	require.Equal(t, s, *tenant.Lookup(ctx))
	require.Equal(t, "r-1", tenant.RequestID(ctx))

	inner := tenant.With(ctx, tenant.Scope{TenantID: uuid.New()})
	require.NotEqual(t, s.TenantID, tenant.Lookup(inner).TenantID, "the inner one counts")
	require.Equal(t, "r-1", tenant.RequestID(inner))
}
