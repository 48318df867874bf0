package db_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
)

func TestAfterCommit(t *testing.T) {
	t.Parallel()

	d := dbtest.New(t)
	d.Exec(t, `CREATE TABLE notes (n int); GRANT ALL ON notes TO PUBLIC`)
	committed := func() int {
		n, err := db.Get[int](t.Context(), d.Owner, "count", `SELECT count(*)::int FROM notes`)
		require.NoError(t, err)
		return n
	}
	var seen []int // what others saw at the time of each call
	look := func(ctx context.Context) { d.API.AfterCommit(ctx, func() { seen = append(seen, committed()) }) }
	note := func(ctx context.Context, h db.Handle) {
		_, err := db.Exec(ctx, h, `INSERT INTO notes VALUES (1)`)
		require.NoError(t, err)
	}

	look(t.Context())
	require.Equal(t, []int{0}, seen, "without a transaction at once")

	kept := make(chan context.Context, 1)
	require.NoError(t, d.API.Together(t.Context(), func(ctx context.Context) error {
		kept <- ctx
		look(ctx)
		note(ctx, d.API)
		return d.API.Do(ctx, func(tx *db.Tx) error {
			note(ctx, tx)
			look(ctx) // within a statement
			require.Len(t, seen, 1)
			return nil
		})
	}))
	require.Equal(t, []int{0, 2, 2}, seen, "in their order, when all is committed")
	look(<-kept)
	require.Equal(t, []int{0, 2, 2, 2}, seen, "a context that outlives its transaction")

	failure := errors.New("x")
	require.ErrorIs(t, d.API.Together(t.Context(), func(ctx context.Context) error {
		note(ctx, d.API)
		look(ctx)
		return failure
	}), failure)
	require.Len(t, seen, 4, "nothing came of it")
}
