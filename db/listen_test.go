package db_test

import (
	"context"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
)

func TestListener(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	l, err := db.NewListener(db.Config{URL: d.URL, Role: db.RoleAPI, ApplicationName: "listener"}, zerolog.Nop(), "jobs_changed", "odd Name")
	require.NoError(t, err)
	connected, notified, done := make(chan struct{}, 10), make(chan string, 10), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		l.Run(ctx, func() { connected <- struct{}{} }, func(channel string) { notified <- channel })
		close(done)
	}()
	wait := func(what string, c <-chan struct{}) {
		t.Helper()
		select {
		case <-c:
		case <-time.After(10 * time.Second):
			t.Fatal("no " + what)
		}
	}
	hear := func(want string) {
		t.Helper()
		select {
		case got := <-notified:
			require.Equal(t, want, got)
		case <-time.After(10 * time.Second):
			t.Fatal("no notification")
		}
	}

	wait("connection", connected)
	d.Exec(t, `NOTIFY jobs_changed; NOTIFY "odd Name"; NOTIFY another`)
	hear("jobs_changed")
	hear("odd Name")

	d.Exec(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'listener' AND datname = current_database()`)
	wait("second connection", connected)
	d.Exec(t, `NOTIFY jobs_changed`)
	hear("jobs_changed")

	cancel()
	wait("end", done)
	require.Empty(t, notified)
}

func TestListenerNeedsAURL(t *testing.T) {
	t.Parallel()

	_, err := db.NewListener(db.Config{URL: "postgres://u:hidden@h:port/d"}, zerolog.Nop(), "x")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hidden")
}
