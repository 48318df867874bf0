package apikey_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/apikey"
	"stackforge/tenant"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

type bundle struct {
	d           *dbtest.DB
	keys        *apikey.Repo
	scope, them tenant.Scope
}

// mine is a context of the test's tenant, other of a stranger.
func (b bundle) mine(t *testing.T) context.Context {
	t.Helper()
	return tenant.With(t.Context(), b.scope)
}

func (b bundle) other(t *testing.T) context.Context {
	t.Helper()
	return tenant.With(t.Context(), b.them)
}

func setup(t *testing.T) bundle {
	t.Helper()

	d := dbtest.New(t)
	return bundle{d: d, keys: apikey.New(d.API), scope: dbtest.Tenant(t, d), them: dbtest.Tenant(t, d)}
}

func code(err error) errs.Code { return errs.From(err).Code }

func TestCreate(t *testing.T) {
	t.Parallel()

	t.Run("the database knows prefix and hash, and the plaintext nowhere", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		k, plaintext, err := b.keys.Create(b.mine(t), "loader", nil, nil)
		require.NoError(t, err)
		require.Regexp(t, `^sk_live_[A-Za-z0-9_-]{43}$`, plaintext)
		require.Equal(t, plaintext[:12], k.Prefix)
		require.Equal(t, []string{"*"}, k.Scopes)

		type stored struct {
			Hash   string `db:"key_hash"`
			Prefix string `db:"key_prefix"`
			Row    string `db:"row"`
		}
		row, err := db.Get[stored](t.Context(), b.d.Owner, "key", `SELECT key_hash, key_prefix, k::text AS row FROM api_keys k WHERE id = $1`, k.ID)
		require.NoError(t, err)
		require.Equal(t, apikey.Hash(plaintext), row.Hash)
		require.Equal(t, plaintext[:12], row.Prefix)
		require.NotContains(t, row.Row, plaintext[12:])
	})

	t.Run("what it returns is what it lists", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		expires := time.Now().Add(time.Hour)
		k, _, err := b.keys.Create(b.mine(t), "loader", []string{"jobs:*", "documents:read"}, &expires)
		require.NoError(t, err)
		list, err := b.keys.List(b.mine(t))
		require.NoError(t, err)
		require.Equal(t, []apikey.Key{k}, list)
		require.WithinDuration(t, expires, *k.ExpiresAt, time.Millisecond)
	})

	t.Run("two keys differ", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		_, one, err := b.keys.Create(b.mine(t), "same", nil, nil)
		require.NoError(t, err)
		_, two, err := b.keys.Create(b.mine(t), "same", nil, nil)
		require.NoError(t, err)
		require.NotEqual(t, one, two)
	})

	t.Run("what cannot be is refused, naming the field", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		past := time.Now().Add(-time.Second)
		for name, c := range map[string]struct {
			name    string
			scopes  []string
			expires *time.Time
			field   string
		}{
			"no name":      {"", nil, nil, "name"},
			"blank name":   {"  ", nil, nil, "name"},
			"long name":    {strings.Repeat("x", 201), nil, nil, "name"},
			"odd scope":    {"x", []string{"DROP TABLE"}, nil, "scopes"},
			"past expiry":  {"x", nil, &past, "expiresAt"},
			"empty scope":  {"x", []string{""}, nil, "scopes"},
			"51 scopes":    {"x", strings.Split(strings.Repeat("jobs:read ", 50)+"jobs:read", " "), nil, "scopes"},
			"comma inside": {"x", []string{"jobs:read,documents:read"}, nil, "scopes"},
		} {
			_, plaintext, err := b.keys.Create(b.mine(t), c.name, c.scopes, c.expires)
			require.Equal(t, errs.Validation, code(err), name)
			require.Equal(t, c.field, errs.From(err).Field, name)
			require.Empty(t, plaintext, name)
		}
	})

	t.Run("a key cannot give what its maker lacks", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.scope.Scopes = []string{"jobs:*", "documents:read"}
		ctx := tenant.With(t.Context(), b.scope)
		for _, scope := range []string{"*", "documents:*", "documents:write", "keys:write"} {
			_, _, err := b.keys.Create(ctx, "x", []string{"jobs:read", scope}, nil)
			require.Equal(t, errs.Forbidden, code(err), scope)
		}
		k, _, err := b.keys.Create(ctx, "x", nil, nil)
		require.NoError(t, err)
		require.Equal(t, []string{"jobs:*", "documents:read"}, k.Scopes)
		_, _, err = b.keys.Create(ctx, "x", []string{"jobs:*", "jobs:write", "documents:read"}, nil)
		require.NoError(t, err)
	})
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()

	t.Run("a live key gives its tenant, by hash and by id, without a caller", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		expires := time.Now().Add(time.Hour)
		k, plaintext, err := b.keys.Create(b.mine(t), "loader", []string{"jobs:read"}, &expires)
		require.NoError(t, err)
		want := apikey.Grant{TenantID: b.scope.TenantID, KeyID: k.ID, Scopes: []string{"jobs:read"}, ExpiresAt: k.ExpiresAt}
		got, err := b.keys.Authenticate(t.Context(), apikey.Hash(plaintext))
		require.NoError(t, err)
		require.Equal(t, want, got)
		got, err = b.keys.AuthenticateID(t.Context(), k.ID)
		require.NoError(t, err)
		require.Equal(t, want, got)

		b.d.Exec(t, `SELECT set_tenant_limits($1, '{"requestsPerMinute": 7}')`, b.scope.TenantID)
		want.RequestsPerMinute = 7
		got, err = b.keys.Authenticate(t.Context(), apikey.Hash(plaintext))
		require.NoError(t, err)
		require.Equal(t, want, got)
		got, err = b.keys.AuthenticateID(t.Context(), k.ID)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})

	t.Run("unknown, expired and revoked keys are not found", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		gone := func(k apikey.Key, plaintext string) {
			_, err := b.keys.Authenticate(t.Context(), apikey.Hash(plaintext))
			require.Equal(t, errs.NotFound, code(err))
			_, err = b.keys.AuthenticateID(t.Context(), k.ID)
			require.Equal(t, errs.NotFound, code(err))
		}
		gone(apikey.Key{ID: uuid.New()}, "sk_live_nobody")

		expired, plaintext, err := b.keys.Create(b.mine(t), "expired", nil, nil)
		require.NoError(t, err)
		b.d.Exec(t, `UPDATE api_keys SET expires_at = now() - interval '1s' WHERE id = $1`, expired.ID)
		gone(expired, plaintext)

		revoked, plaintext, err := b.keys.Create(b.mine(t), "revoked", nil, nil)
		require.NoError(t, err)
		require.NoError(t, b.keys.Revoke(b.mine(t), revoked.ID, true))
		gone(revoked, plaintext)
	})
}

func TestRevoke(t *testing.T) {
	t.Parallel()

	b := setup(t)
	k, plaintext, err := b.keys.Create(b.mine(t), "loader", nil, nil)
	require.NoError(t, err)

	require.Equal(t, errs.NotFound, code(b.keys.Revoke(b.other(t), k.ID, true)), "a stranger's key does not exist")
	_, err = b.keys.Authenticate(t.Context(), apikey.Hash(plaintext))
	require.NoError(t, err, "and it goes on")

	require.NoError(t, b.keys.Revoke(b.mine(t), k.ID, true))
	list, err := b.keys.List(b.mine(t))
	require.NoError(t, err)
	first := list[0].RevokedAt
	require.NotNil(t, first)
	require.NoError(t, b.keys.Revoke(b.mine(t), k.ID, true), "twice is no error")
	list, err = b.keys.List(b.mine(t))
	require.NoError(t, err)
	require.Equal(t, first, list[0].RevokedAt, "the first time stays")
	require.Equal(t, errs.NotFound, code(b.keys.Revoke(b.mine(t), uuid.New(), true)))
}

func TestListIsTheTenants(t *testing.T) {
	t.Parallel()

	b := setup(t)
	_, _, err := b.keys.Create(b.mine(t), "loader", nil, nil)
	require.NoError(t, err)
	list, err := b.keys.List(b.other(t))
	require.NoError(t, err)
	require.NotNil(t, list)
	require.Empty(t, list)
}

func TestTouch(t *testing.T) {
	t.Parallel()

	b := setup(t)
	one, _, err := b.keys.Create(b.mine(t), "one", nil, nil)
	require.NoError(t, err)
	two, _, err := b.keys.Create(b.other(t), "of another tenant", nil, nil)
	require.NoError(t, err)
	now := time.Now().UTC().Truncate(time.Microsecond)
	lastUsed := func(id uuid.UUID) time.Time {
		list, err := db.List[struct{ LastUsedAt time.Time }](t.Context(), b.d.Owner, `SELECT last_used_at FROM api_keys WHERE id = $1`, id)
		require.NoError(t, err)
		return list[0].LastUsedAt.UTC()
	}

	ids := []uuid.UUID{two.ID, one.ID, uuid.New()}
	require.NoError(t, b.keys.Touch(t.Context(), ids, []time.Time{now, now.Add(time.Second), now}))
	require.Equal(t, now.Add(time.Second), lastUsed(one.ID))
	require.Equal(t, now, lastUsed(two.ID))

	require.NoError(t, b.keys.Touch(t.Context(), []uuid.UUID{one.ID}, []time.Time{now}))
	require.Equal(t, now.Add(time.Second), lastUsed(one.ID), "a time never goes back")
	require.NoError(t, b.keys.Touch(t.Context(), nil, nil))
}
