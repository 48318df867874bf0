package db_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
)

// The functions of these tests count their calls in a sequence, which no rollback turns back.
const retrySQL = `
	CREATE SEQUENCE calls;
	CREATE TABLE notes (id bigint);
	CREATE FUNCTION fail_at(p_last int, p_state text) RETURNS bigint LANGUAGE plpgsql AS $$
	DECLARE
	    v_call bigint := nextval('calls');
	BEGIN
	    INSERT INTO notes VALUES (v_call);
	    IF v_call <= p_last THEN
	        RAISE EXCEPTION 'call %', v_call USING ERRCODE = p_state;
	    END IF;
	    RETURN v_call;
	END $$;
	CREATE FUNCTION die_at(p_last int) RETURNS bigint LANGUAGE plpgsql AS $$
	DECLARE
	    v_call bigint := nextval('calls');
	BEGIN
	    INSERT INTO notes VALUES (v_call);
	    IF v_call <= p_last THEN
	        PERFORM pg_terminate_backend(pg_backend_pid());
	        PERFORM pg_sleep(10); -- the end comes here
	    END IF;
	    RETURN v_call;
	END $$`

type retryBundle struct {
	classes *[]string
	d       *dbtest.DB
	h       *db.DB
}

func retrySetup(t *testing.T) retryBundle {
	t.Helper()

	d := dbtest.New(t)
	d.Exec(t, retrySQL)
	classes := &[]string{}
	// As the superuser: nobody else may end a superuser's connection, not even its own.
	h := d.Open(t, db.Config{Role: db.RoleLogin, MaxConns: 1, Retried: func(class string) { *classes = append(*classes, class) }})
	return retryBundle{classes: classes, d: d, h: h}
}

// outcome returns how often the function was called, and which calls are in effect.
func (b retryBundle) outcome(t *testing.T) (calls int64, notes []int64) {
	t.Helper()

	conn := b.d.Connect(t)
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT coalesce(pg_sequence_last_value('calls'), 0)`).Scan(&calls))
	rows, err := conn.Query(t.Context(), `SELECT id FROM notes ORDER BY id`)
	require.NoError(t, err)
	for rows.Next() {
		var id int64
		require.NoError(t, rows.Scan(&id))
		notes = append(notes, id)
	}
	require.NoError(t, rows.Err())
	return calls, notes
}

func TestRetry(t *testing.T) {
	t.Parallel()

	for _, state := range []string{"40001", "40P01"} {
		t.Run(state+" is tried again, alone and in a transaction", func(t *testing.T) {
			t.Parallel()

			b := retrySetup(t)
			got, err := db.Get[int64](t.Context(), b.h, "call", `SELECT fail_at(2, $1)`, state)
			require.NoError(t, err)
			require.EqualValues(t, 3, got)
			require.Equal(t, []string{"40", "40"}, *b.classes)

			runs := 0
			require.NoError(t, b.h.Do(t.Context(), func(tx *db.Tx) error {
				runs++
				return tx.Do(t.Context(), func(tx *db.Tx) error {
					_, err := db.Exec(t.Context(), tx, `SELECT fail_at(4, $1)`, state)
					return err
				})
			}))
			require.Equal(t, 2, runs)
			calls, notes := b.outcome(t)
			require.EqualValues(t, 5, calls)
			require.Equal(t, []int64{3, 5}, notes, "only what succeeded is in effect")
		})
	}

	t.Run("three tries are all", func(t *testing.T) {
		t.Parallel()

		b := retrySetup(t)
		_, err := db.Exec(t.Context(), b.h, `SELECT fail_at(99, '40001')`)
		require.Equal(t, errs.Unavailable, code(err))
		calls, notes := b.outcome(t)
		require.EqualValues(t, 3, calls)
		require.Empty(t, notes)
	})

	t.Run("other failures are not tried again", func(t *testing.T) {
		t.Parallel()

		b := retrySetup(t)
		for _, state := range []string{"23505", "ZE409", "57014", "53300", "XX000"} {
			_, err := db.Exec(t.Context(), b.h, `SELECT fail_at(99, $1)`, state)
			require.Error(t, err)
		}
		calls, _ := b.outcome(t)
		require.EqualValues(t, 5, calls)
		require.Empty(t, *b.classes)
	})

	t.Run("a read is repeated on another connection when its own is lost", func(t *testing.T) {
		t.Parallel()

		b := retrySetup(t)
		got, err := db.Get[int64](t.Context(), db.Read(b.h), "call", `SELECT die_at(1)`)
		require.NoError(t, err)
		require.EqualValues(t, 2, got)
		require.Len(t, *b.classes, 1)
		list, err := db.List[int64](t.Context(), db.Read(b.h), `SELECT die_at(3)`)
		require.NoError(t, err)
		require.Equal(t, []int64{4}, list)
	})

	t.Run("a write is not: nobody knows whether it took effect", func(t *testing.T) {
		t.Parallel()

		b := retrySetup(t)
		_, err := db.Exec(t.Context(), b.h, `SELECT die_at(1)`)
		require.Equal(t, errs.Unavailable, code(err))
		err = b.h.Do(t.Context(), func(tx *db.Tx) error {
			_, err := db.Exec(t.Context(), tx, `SELECT die_at(2)`)
			return err
		})
		require.Equal(t, errs.Unavailable, code(err))
		calls, notes := b.outcome(t)
		require.EqualValues(t, 2, calls)
		require.Empty(t, notes)
		require.Empty(t, *b.classes)
		got, err := db.Get[int64](t.Context(), b.h, "call", `SELECT die_at(2)`)
		require.NoError(t, err, "the pool goes on with another connection")
		require.EqualValues(t, 3, got)
	})

	t.Run("a caller that gives up is not kept waiting", func(t *testing.T) {
		t.Parallel()

		b := retrySetup(t)
		ctx, cancel := context.WithCancel(t.Context())
		h := b.d.Open(t, db.Config{Role: db.RoleLogin, Retried: func(string) { cancel() }})
		_, err := db.Exec(ctx, h, `SELECT fail_at(99, '40001')`)
		require.Error(t, err)
		calls, _ := b.outcome(t)
		require.EqualValues(t, 1, calls)
	})
}

func TestTimeout(t *testing.T) {
	t.Parallel()

	t.Run("a slow statement is TIMEOUT", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		h := d.Open(t, db.Config{Role: db.RoleAPI, QueryTimeout: 100 * time.Millisecond})
		_, err := db.Exec(t.Context(), db.Read(h), `SELECT pg_sleep(30)`)
		require.Equal(t, errs.Timeout, code(err))
		err = h.Do(t.Context(), func(tx *db.Tx) error {
			_, err := db.Exec(t.Context(), tx, `SELECT pg_sleep(30)`)
			return err
		})
		require.Equal(t, errs.Timeout, code(err))
	})

	t.Run("so is a deadline of the caller, and the server stops", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := db.Exec(ctx, d.API, `SELECT pg_sleep(30)`)
		require.Equal(t, errs.Timeout, code(err))
		require.Eventually(t, func() bool {
			n, err := db.Get[int](t.Context(), d.Open(t, db.Config{MaxConns: 1}), "count", `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()`)
			return err == nil && n == 0
		}, 5*time.Second, 20*time.Millisecond)
	})

	t.Run("a full pool is waited for, no longer than the deadline", func(t *testing.T) {
		t.Parallel()

		d := dbtest.New(t)
		h := d.Open(t, db.Config{Role: db.RoleAPI, MaxConns: 1})
		require.NoError(t, h.Do(t.Context(), func(*db.Tx) error {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err := db.Get[int](ctx, h, "number", `SELECT 1`)
			require.Equal(t, errs.Timeout, code(err))
			return nil
		}))
		got, err := db.Get[int](t.Context(), h, "number", `SELECT 1`)
		require.NoError(t, err)
		require.Equal(t, 1, got)
	})
}
