package auth_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"stackforge/auth"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/apikey"
	"stackforge/tenant"
)

// inBubble runs f with an Authenticator that writes, on a clock that moves when everybody waits.
func inBubble(t *testing.T, f func(t *testing.T, b bundle, stop func())) {
	t.Helper()

	synctest.Test(t, func(t *testing.T) {
		k := &keys{grants: map[string]apikey.Grant{}, now: time.Now}
		a, err := auth.New(auth.Config{Issuer: issuer, JWTSecret: []byte(secret), Keys: k, Log: zerolog.Nop()})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { a.Run(ctx); close(done) }()
		stop := func() { cancel(); <-done }
		defer stop()
		f(t, bundle{auth: a, keys: k}, stop)
	})
}

// pass lets time go by on the bubble's clock; the test does not wait.
func pass(d time.Duration) { <-time.After(d) }

func TestLastUse(t *testing.T) {
	t.Parallel()

	t.Run("a thousand requests of ten seconds are at most eleven writes", func(t *testing.T) {
		t.Parallel()

		inBubble(t, func(t *testing.T, b bundle, stop func()) {
			t.Helper()
			g := b.keys.add(key, time.Time{}, "*")
			begin := time.Now()
			for range 1000 {
				require.Empty(t, b.code(t, auth.Credentials{APIKey: key}))
				pass(10 * time.Millisecond)
			}
			stop()
			require.LessOrEqual(t, len(b.keys.writes()), 11)
			require.GreaterOrEqual(t, len(b.keys.writes()), 5) // a use in the instant of a tick may go with the next
			last := begin
			for _, batch := range b.keys.writes() {
				require.Len(t, batch, 1)
				require.False(t, batch[g.KeyID].Before(last), "the value advances")
				last = batch[g.KeyID]
			}
			require.GreaterOrEqual(t, last.Sub(begin), 9*time.Second)
		})
	})

	t.Run("many keys are one batch, and the token counts for its key", func(t *testing.T) {
		t.Parallel()

		inBubble(t, func(t *testing.T, b bundle, stop func()) {
			t.Helper()
			one := b.keys.add(key, time.Time{}, "*")
			two := b.keys.add("two", time.Time{}, "*")
			require.Empty(t, b.code(t, auth.Credentials{APIKey: "two"}))
			require.Empty(t, b.code(t, auth.Credentials{Bearer: b.token(t, key)}))
			pass(1100 * time.Millisecond)
			require.Len(t, b.keys.writes(), 1)
			require.Contains(t, b.keys.writes()[0], one.KeyID)
			require.Contains(t, b.keys.writes()[0], two.KeyID)
			pass(5 * time.Second)
			stop()
			require.Len(t, b.keys.writes(), 1, "who is not used is not written")
		})
	})

	t.Run("the rest is written at shutdown", func(t *testing.T) {
		t.Parallel()

		inBubble(t, func(t *testing.T, b bundle, stop func()) {
			t.Helper()
			g := b.keys.add(key, time.Time{}, "*")
			require.Empty(t, b.code(t, auth.Credentials{APIKey: key}))
			stop()
			require.Len(t, b.keys.writes(), 1)
			require.Equal(t, map[uuid.UUID]time.Time{g.KeyID: time.Now()}, b.keys.writes()[0])
		})
	})

	t.Run("what could not be written is tried again", func(t *testing.T) {
		t.Parallel()

		inBubble(t, func(t *testing.T, b bundle, stop func()) {
			t.Helper()
			g := b.keys.add(key, time.Time{}, "*")
			at := time.Now()
			require.Empty(t, b.code(t, auth.Credentials{APIKey: key}))
			b.keys.mu.Lock()
			b.keys.fail = errors.New("down")
			b.keys.mu.Unlock()
			pass(3500 * time.Millisecond)
			b.keys.mu.Lock()
			b.keys.fail = nil
			b.keys.mu.Unlock()
			stop()
			require.Equal(t, []map[uuid.UUID]time.Time{{g.KeyID: at}}, b.keys.writes())
		})
	})

	t.Run("more keys than one statement takes", func(t *testing.T) {
		t.Parallel()

		inBubble(t, func(t *testing.T, b bundle, stop func()) {
			t.Helper()
			for i := range 2500 {
				plaintext := string(rune('a'+i%26)) + time.Duration(i).String()
				b.keys.add(plaintext, time.Time{}, "*")
				require.Empty(t, b.code(t, auth.Credentials{APIKey: plaintext}))
			}
			stop()
			require.Len(t, b.keys.writes(), 3)
			total := 0
			for _, batch := range b.keys.writes() {
				total += len(batch)
			}
			require.Equal(t, 2500, total)
		})
	})
}

// The whole way on a real database: key made, used, its use recorded, revoked.
func TestOnDatabase(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	scope := dbtest.Tenant(t, d)
	repo := apikey.New(d.API)
	k, plaintext, err := repo.Create(tenant.With(t.Context(), scope), "loader", []string{"jobs:read"}, nil)
	require.NoError(t, err)
	c := &clock{at: time.Now()}
	a, err := auth.New(auth.Config{Issuer: issuer, JWTSecret: []byte(secret), Keys: repo, Log: zerolog.Nop(), Now: c.now})
	require.NoError(t, err)

	want := tenant.Scope{TenantID: scope.TenantID, KeyID: k.ID, Scopes: []string{"jobs:read"}}
	got, _, err := a.Authenticate(t.Context(), auth.Credentials{APIKey: plaintext})
	require.NoError(t, err)
	require.Equal(t, want, got)
	token, err := a.IssueToken(got)
	require.NoError(t, err)
	want.Token = true
	got, _, err = a.Authenticate(t.Context(), auth.Credentials{Bearer: token})
	require.NoError(t, err)
	require.Equal(t, want, got)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a.Run(ctx) // writes what is there and returns
	list, err := repo.List(tenant.With(t.Context(), scope))
	require.NoError(t, err)
	require.WithinDuration(t, c.now(), *list[0].LastUsedAt, time.Millisecond)

	require.NoError(t, repo.Revoke(tenant.With(t.Context(), scope), k.ID, true))
	c.forward(30 * time.Second)
	for _, cred := range []auth.Credentials{{APIKey: plaintext}, {Bearer: token}, {APIKey: "' OR true --"}, {APIKey: "\x00"}} {
		_, _, err = a.Authenticate(t.Context(), cred)
		require.Equal(t, errs.Unauthenticated, errs.From(err).Code)
	}
}
