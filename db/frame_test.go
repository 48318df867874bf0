package db_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
)

func TestDoIn(t *testing.T) {
	t.Parallel()

	const state = `SELECT concat_ws(' ', current_user, current_setting('search_path'), current_setting('statement_timeout'), current_setting('work_mem'), current_setting('transaction_read_only'))`
	d := dbtest.New(t)
	f := db.Frame{Role: db.RoleGraphQL, SearchPath: "graphql_api", Timeout: 2 * time.Second, WorkMem: "8MB"}
	see := func(h db.Handle) string {
		s, err := db.Get[string](t.Context(), h, "state", state)
		require.NoError(t, err)
		return s
	}
	before := see(d.API)
	require.Equal(t, "app_api public 30s 4MB off", before)

	var within string
	require.NoError(t, db.DoIn(t.Context(), d.API, f, func(_ context.Context, tx *db.Tx) error {
		within = see(tx)
		return nil
	}))
	require.Equal(t, "app_graphql graphql_api 2s 8MB off", within)
	require.Equal(t, before, see(d.API), "the next transaction of the pool knows nothing of it")

	readOnly := f
	readOnly.ReadOnly, readOnly.Role = true, db.RoleAPI
	err := db.DoIn(t.Context(), d.API, readOnly, func(_ context.Context, tx *db.Tx) error {
		require.Equal(t, "app_api graphql_api 2s 8MB on", see(tx))
		_, err := db.Exec(t.Context(), tx, `DELETE FROM public.documents`)
		return err
	})
	require.Error(t, err, "it is read only")
	err = db.DoIn(t.Context(), d.API, readOnly, func(_ context.Context, tx *db.Tx) error {
		_, err := db.Exec(t.Context(), tx, `SELECT set_config('transaction_read_only', 'off', true)`)
		return err
	})
	require.Error(t, err, "and stays so")

	// In an open transaction it ends with fn.
	failed := errors.New("failed")
	require.NoError(t, d.API.Do(t.Context(), func(tx *db.Tx) error {
		require.NoError(t, db.DoIn(t.Context(), tx, f, func(_ context.Context, inner *db.Tx) error {
			require.Equal(t, "app_graphql graphql_api 2s 8MB off", see(inner))
			return nil
		}))
		require.Equal(t, before, see(tx))
		require.ErrorIs(t, db.DoIn(t.Context(), tx, f, func(context.Context, *db.Tx) error { return failed }), failed)
		require.Equal(t, before, see(tx))
		return nil
	}))

	f.Timeout = 50 * time.Millisecond
	err = db.DoIn(t.Context(), d.API, f, func(ctx context.Context, tx *db.Tx) error {
		_, err := db.Exec(ctx, tx, `SELECT pg_sleep(60)`)
		return err
	})
	require.True(t, errs.Is(err, errs.Timeout), "%v", err)
}
