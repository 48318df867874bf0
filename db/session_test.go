package db_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
)

// Who comes after a session gets its lock, however soon.
func TestSessionLocks(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	open := func() *db.Session {
		s, err := db.OpenSession(t.Context(), db.Config{URL: d.URL})
		require.NoError(t, err)
		return s
	}
	before := open()
	for range 30 {
		ok, err := before.TryLock(t.Context(), "a lock of the test")
		require.NoError(t, err)
		require.True(t, ok)
		next := open()
		ok, err = next.TryLock(t.Context(), "a lock of the test")
		require.NoError(t, err)
		require.False(t, ok)
		before.Close()
		before = next
	}
	waited := make(chan error, 1)
	last := open()
	go func() { waited <- last.Lock(t.Context(), "a lock of the test") }()
	before.Close()
	require.NoError(t, <-waited)
	last.Close()
}
