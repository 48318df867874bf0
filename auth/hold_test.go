package auth_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stackforge/auth"
	"stackforge/errs"
	"stackforge/repo/apikey"
	"stackforge/tenant"
)

func TestHold(t *testing.T) {
	t.Parallel()

	b := setup(t)
	b.keys.add("stays", time.Time{}, "jobs:read")
	b.keys.add("goes", time.Time{}, "jobs:read")
	narrowed := b.keys.add("narrowed", time.Time{}, "jobs:*")
	scope := func(plaintext string) tenant.Scope {
		s, _, err := b.auth.Authenticate(t.Context(), auth.Credentials{APIKey: plaintext})
		require.NoError(t, err)
		return s
	}
	socket, cancel := context.WithCancel(t.Context())
	closed := b.auth.Hold(socket, scope("goes"))
	stays, goes, less := b.auth.Hold(t.Context(), scope("stays")), b.auth.Hold(t.Context(), scope("goes")), b.auth.Hold(t.Context(), scope("narrowed"))
	byToken, _, err := b.auth.Authenticate(t.Context(), auth.Credentials{Bearer: b.token(t, "goes")})
	require.NoError(t, err)
	token := b.auth.Hold(t.Context(), byToken)
	cancel() // a socket that ends by itself
	<-closed.Done()

	run, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { b.auth.Run(run); close(done) }()
	b.keys.revoke("goes")
	narrowed.Scopes = []string{"jobs:read"}
	b.keys.put("narrowed", narrowed)
	require.Empty(t, b.code(t, auth.Credentials{APIKey: "goes"}), "remembered, until somebody tells")
	b.auth.Changed()
	for _, ctx := range []context.Context{goes, token, less} {
		<-ctx.Done()
	}
	require.NoError(t, stays.Err())
	require.Equal(t, errs.Unauthenticated, b.code(t, auth.Credentials{APIKey: "goes"}))
	stop()
	<-done
	require.NoError(t, stays.Err())
}

// A look-up that began before the change does not bring back what was true then.
func TestChangedWhileAsking(t *testing.T) {
	t.Parallel()

	b := setup(t)
	g := b.keys.add("key", time.Time{}, "*")
	b.keys.wait = make(chan struct{})
	asked := make(chan apikey.Grant)
	go func() {
		s, _, err := b.auth.Authenticate(t.Context(), auth.Credentials{APIKey: "key"})
		if err == nil {
			asked <- apikey.Grant{TenantID: s.TenantID}
		}
		close(asked)
	}()
	b.keys.wait <- struct{}{} // it is asking
	b.auth.Changed()
	require.Equal(t, g.TenantID, (<-asked).TenantID)
	close(b.keys.wait)
	before := b.keys.count()
	require.Empty(t, b.code(t, auth.Credentials{APIKey: "key"}))
	require.Equal(t, before+1, b.keys.count(), "it is asked again")
}
