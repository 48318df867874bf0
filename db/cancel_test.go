package db_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
)

// cancelCode is the first word of a request to cancel, behind its length.
const cancelCode = 80877102

// A request to cancel that reaches the server when its statement has ended by itself does not cancel the next one.
func TestLateCancelHitsNobody(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	p := newProxy(t, d.URL)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var held atomic.Bool
	next := make(chan struct{})
	p.hold = func(chunk []byte) {
		switch {
		case bytes.Contains(chunk, []byte("pg_sleep(0.25)")):
			cancel()
		case len(chunk) >= 8 && binary.BigEndian.Uint32(chunk[4:]) == cancelCode:
			held.Store(true)
			<-next
		}
	}
	h, err := db.Open(t.Context(), db.Config{URL: p.url, Role: db.RoleAPI, MinConns: -1, MaxConns: 1, Pooler: true})
	require.NoError(t, err)
	t.Cleanup(func() { h.Close(5 * time.Second) })

	_, _ = db.Exec(ctx, h, `SELECT pg_sleep(0.25)`)
	ended := make(chan error, 1)
	go func() {
		_, err := db.Exec(t.Context(), h, `SELECT pg_sleep(1.5)`)
		ended <- err
	}()
	look := d.Open(t, db.Config{MaxConns: 1})
	require.Eventually(t, func() bool {
		n, err := db.Get[int](t.Context(), look, "count", `
			SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep' AND query LIKE '%pg_sleep(1.5)%'`)
		return err == nil && n == 1
	}, 30*time.Second, 5*time.Millisecond)
	close(next)
	require.NoError(t, <-ended)
	require.True(t, held.Load(), "a request to cancel was on its way")
}

// A connection whose statement was cancelled is kept once the server has confirmed it, which a busy machine may fail to do in time.
func TestCancelKeepsTheConnection(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	h, look := d.Open(t, db.Config{Role: db.RoleAPI, MaxConns: 1}), d.Open(t, db.Config{MaxConns: 1})
	pid := func() int {
		n, err := db.Get[int](t.Context(), h, "number", `SELECT pg_backend_pid()`)
		require.NoError(t, err)
		return n
	}
	for range 5 {
		before := pid()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := db.Exec(ctx, h, `SELECT pg_sleep(60)`)
			ended <- err
		}()
		require.Eventually(t, func() bool {
			n, err := db.Get[int](t.Context(), look, "count", `
				SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'`, before)
			return err == nil && n == 1
		}, 30*time.Second, 10*time.Millisecond)
		cancel()
		require.Error(t, <-ended)
		if pid() == before {
			return
		}
	}
	require.Fail(t, "each cancel cost a connection")
}
