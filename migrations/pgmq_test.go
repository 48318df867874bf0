package migrations_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"stackforge/db/dbtest"
)

// own returns a connection of the owner to a database whose schema pgmq is ours.
func own(t *testing.T) (*dbtest.DB, *pgx.Conn) {
	t.Helper()

	d := dbtest.New(t)
	conn := d.Connect(t)
	if len(rows(t, conn, `SELECT extname::text FROM pg_extension WHERE extname = 'pgmq'`)) > 0 {
		t.Skip("the extension pgmq has tests of its own")
	}
	return d, conn
}

// one returns the first column of the only row.
func one(t *testing.T, conn *pgx.Conn, sql string) string {
	t.Helper()

	got := rows(t, conn, `SELECT coalesce(x::text, '-') FROM (`+sql+`) AS r (x)`)
	require.Len(t, got, 1, sql)
	return got[0]
}

// The calls of pgmq, as its own clients make them.
func TestPgmq(t *testing.T) {
	t.Parallel()

	t.Run("sending in all its forms", func(t *testing.T) {
		t.Parallel()

		_, c := own(t)
		one(t, c, `SELECT pgmq.create('Mixed')`)
		for i, tail := range []string{
			``, `, '{"h":1}'::jsonb`, `, 5`, `, now() + interval '5 s'`, `, '{"h":1}'::jsonb, 5`, `, '{"h":1}'::jsonb, now() + interval '5 s'`, `, '5'`, `, '{"h":1}'`, `, '2100-01-01'`,
		} {
			require.Equal(t, string(rune('1'+i)), one(t, c, `SELECT * FROM pgmq.send('Mixed', '{"a":1}'`+tail+`)`), tail)
		}
		require.Equal(t, []string{"1 -", "2 1", "3 -", "4 -", "5 1", "6 1", "7 -", "8 1", "9 -"}, rows(t, c, `SELECT concat_ws(' ', msg_id, coalesce(headers ->> 'h', '-')) FROM pgmq.q_mixed ORDER BY msg_id`))
		require.Equal(t, []string{"1", "2", "8"}, rows(t, c, `SELECT msg_id::text FROM pgmq.read('Mixed', 30, 10) ORDER BY msg_id`))
		require.Equal(t, []string{"10", "11"}, rows(t, c, `SELECT m::text FROM pgmq.send_batch('Mixed', ARRAY['1', '2']::jsonb[], ARRAY['{"h":1}', NULL]::jsonb[], 0) m`))
		for sql, message := range map[string]string{
			`SELECT pgmq.send_batch('Mixed', '{}')`:                                "msgs cannot be NULL or empty",
			`SELECT pgmq.send_batch('Mixed', '{1,2}'::jsonb[], '{"{}"}'::jsonb[])`: "headers array length (1) must match msgs array length (2)",
			`SELECT pgmq.create('a;b')`:                                            "queue name contains invalid characters",
			`SELECT pgmq.create(repeat('a', 48))`:                                  "maximum length is 47",
			`SELECT pgmq.send('nothing', '1')`:                                     `relation "pgmq.q_nothing" does not exist`,
			`SELECT pgmq.enable_notify_insert('Mixed', -1)`:                        "must be non-negative",
			`SELECT pgmq.bind_topic('a..b', 'Mixed')`:                              "consecutive dots",
			`SELECT pgmq.create_partitioned('p', '10', '100', 0)`:                  "premake must be at least 1",
		} {
			_, err := c.Exec(t.Context(), sql)
			require.ErrorContains(t, err, message, sql)
		}
	})

	t.Run("from read to archive", func(t *testing.T) {
		t.Parallel()

		_, c := own(t)
		one(t, c, `SELECT pgmq.create('q')`)
		rows(t, c, `SELECT m::text FROM pgmq.send_batch('q', ARRAY['{"k":1}', '{"k":2}', '{"k":1}', '{"k":2}']::jsonb[]) m`)
		require.Equal(t, "2 1", one(t, c, `SELECT concat_ws(' ', msg_id, read_ct) FROM pgmq.read('q', 30, 1, '{"k":2}')`))
		require.Equal(t, []string{"1", "3"}, rows(t, c, `SELECT msg_id::text FROM pgmq.read('q', 30, 2) ORDER BY 1`))
		require.Equal(t, []string{"1", "3"}, rows(t, c, `SELECT msg_id::text FROM pgmq.set_vt('q', ARRAY[1, 3, 99]::bigint[], 0) ORDER BY 1`))
		require.Equal(t, "1 1", one(t, c, `SELECT concat_ws(' ', msg_id, read_ct) FROM pgmq.pop('q')`))
		require.Equal(t, "true", one(t, c, `SELECT pgmq.archive('q', 2)`))
		require.Equal(t, "false", one(t, c, `SELECT pgmq.delete('q', 2)`))
		require.Equal(t, []string{"3"}, rows(t, c, `SELECT m::text FROM pgmq.delete('q', ARRAY[3, 99]) m`))
		require.Equal(t, "q 1 4 1", one(t, c, `SELECT concat_ws(' ', queue_name, queue_length, total_messages, queue_visible_length) FROM pgmq.metrics('q')`))
		require.Equal(t, "1", one(t, c, `SELECT pgmq.purge_queue('q')`))
		require.Equal(t, "t", one(t, c, `SELECT age IS NULL FROM (SELECT oldest_msg_age_sec FROM pgmq.metrics('q')) m (age)`)[:1])
		require.Equal(t, []string{"2"}, rows(t, c, `SELECT msg_id::text FROM pgmq.a_q`))
		require.Equal(t, "true", one(t, c, `SELECT pgmq.drop_queue('q')`))
		require.Equal(t, "false", one(t, c, `SELECT pgmq.drop_queue('q')`))
	})

	t.Run("groups and topics", func(t *testing.T) {
		t.Parallel()

		_, c := own(t)
		one(t, c, `SELECT pgmq.create('g')`)
		one(t, c, `SELECT pgmq.create_fifo_index('g')`)
		rows(t, c, `SELECT m::text FROM pgmq.send_batch('g', array_fill('{}'::jsonb, ARRAY[5]), ARRAY['{"x-pgmq-group":"a"}', '{"x-pgmq-group":"a"}', '{"x-pgmq-group":"b"}', NULL, '{"x-pgmq-group":"b"}']::jsonb[]) m`)
		read := func(fn string, n string) []string {
			return rows(t, c, `WITH r AS (SELECT msg_id FROM pgmq.`+fn+`('g', 30, `+n+`)), s AS (SELECT pgmq.set_vt('g', msg_id, 0) FROM r) SELECT msg_id::text FROM r, (SELECT count(*) FROM s) n`)
		}
		require.Equal(t, []string{"1", "2", "3"}, read("read_grouped", "3"))
		require.Equal(t, []string{"1", "3", "4", "2"}, read("read_grouped_rr", "4"))
		require.Equal(t, []string{"1", "3", "4"}, read("read_grouped_head", "9"))
		one(t, c, `SELECT count(*) FROM pgmq.set_vt('g', 1, 60)`)
		require.Equal(t, []string{"3", "5", "4"}, read("read_grouped", "9"), "a hidden head closes its group")
		one(t, c, `SELECT pgmq.bind_topic('logs.*', 'g')`)
		one(t, c, `SELECT pgmq.bind_topic('#.error', 'g')`)
		one(t, c, `SELECT pgmq.bind_topic('logs.#', 'job_queue')`)
		require.Equal(t, "2", one(t, c, `SELECT pgmq.send_topic('logs.error', '{}')`))
		require.Equal(t, []string{"g 7", "job_queue 2"}, rows(t, c, `SELECT concat_ws(' ', queue_name, msg_id) FROM pgmq.send_batch_topic('logs.error', ARRAY['1']::jsonb[])`))
		require.Equal(t, "true", one(t, c, `SELECT pgmq.unbind_topic('logs.*', 'g')`))
	})

	t.Run("one sender never waits for another, and each commit is told of", func(t *testing.T) {
		t.Parallel()

		d, c := own(t)
		one(t, c, `SELECT pgmq.create('n')`)
		one(t, c, `SELECT pgmq.enable_notify_insert('n', 60000)`)
		listener, first, second := d.Connect(t), d.Connect(t), d.Connect(t)
		_, err := listener.Exec(t.Context(), `LISTEN "pgmq.q_n.INSERT"`)
		require.NoError(t, err)
		_, err = first.Exec(t.Context(), `BEGIN; SELECT pgmq.send('n', '1'); SET CONSTRAINTS ALL IMMEDIATE`)
		require.NoError(t, err, "holds the throttle's row")
		_, err = second.Exec(t.Context(), `SET lock_timeout = '1ms'; SELECT pgmq.send('n', '2')`)
		require.NoError(t, err, "does not wait")
		_, err = first.Exec(t.Context(), `COMMIT`)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		n, err := listener.WaitForNotification(ctx)
		require.NoError(t, err)
		require.Equal(t, "pgmq.q_n.INSERT", n.Channel)
		_, err = first.Exec(t.Context(), `BEGIN; SELECT pgmq.send('n', '3'); SELECT pgmq.purge_queue('n'); SELECT pgmq.drop_queue('n'); COMMIT`)
		require.NoError(t, err)
	})
}

// Behind a hidden head: many visible messages in a block, few in several, and some far away.
func TestPgmqBehindHidden(t *testing.T) {
	t.Parallel()

	for _, create := range []string{`create('q')`, `create_unlogged('q')`, `create_partitioned('q', '2000000', '1000000000')`} {
		t.Run(create, func(t *testing.T) {
			t.Parallel()

			d, c := own(t)
			one(t, c, `SELECT pgmq.`+create)
			fill := `WITH i AS (INSERT INTO pgmq.q_q (msg_id, vt, message) OVERRIDING SYSTEM VALUE
				SELECT i, now() + (CASE WHEN i > 600 AND i % 3 < 2 THEN '0 s' ELSE '1 day' END)::interval, jsonb_build_object('k', i % 5)
				FROM (SELECT generate_series(1, 2000) UNION ALL SELECT generate_series(16300, 16500) UNION ALL SELECT generate_series(50000, 50600)
					UNION ALL SELECT generate_series(1200000, 1200900) UNION ALL SELECT generate_series(40000000, 40000005)) m (i)
				RETURNING msg_id, vt, message) SELECT msg_id::text FROM i WHERE vt <= now() `
			want := rows(t, c, fill+`ORDER BY i.msg_id`)
			require.Greater(t, len(want), 2000)
			rows(t, c, `SELECT msg_id::text FROM pgmq.set_vt('q', ARRAY(SELECT msg_id FROM pgmq.q_q WHERE vt <= now() ORDER BY msg_id DESC), 0)`) // the last are visible first
			for size := 1; len(want) > 900; size = size*2%300 + 1 {
				got := rows(t, c, `SELECT msg_id::text FROM pgmq.read('q', 3600, `+strconv.Itoa(size)+`) r ORDER BY r.msg_id`)
				require.Equal(t, want[:size], got)
				want = want[size:]
			}
			require.Equal(t, []string{"1200000"}, rows(t, c, `SELECT min(msg_id)::text FROM pgmq.read('q', 0, 1000, '{"k": 0}') WHERE msg_id >= 1200000`))
			require.Equal(t, []string{"40000005"}, rows(t, c, `SELECT max(msg_id)::text FROM pgmq.read('q', 0, 1000, '{"k": 0}')`))

			// Eight at once: each message once.
			var all []string
			var mu sync.Mutex
			var g errgroup.Group
			for range 8 {
				reader := d.Connect(t)
				g.Go(func() error {
					for {
						list, err := reader.Query(t.Context(), `SELECT msg_id::text FROM pgmq.read('q', 3600, 7)`)
						if err != nil {
							return err
						}
						got, err := pgx.CollectRows(list, pgx.RowTo[string])
						if err != nil || len(got) == 0 {
							return err
						}
						mu.Lock()
						all = append(all, got...)
						mu.Unlock()
					}
				})
			}
			require.NoError(t, g.Wait())
			all = append(all, rows(t, c, `SELECT msg_id::text FROM pgmq.read('q', 3600, 1000)`)...) // whoever was last may have met locks only
			require.ElementsMatch(t, want, all)
			require.Empty(t, rows(t, c, `SELECT msg_id::text FROM pgmq.pop('q', 5)`))
			require.Equal(t, "5", one(t, c, `SELECT count(*) FROM pgmq.set_vt('q', ARRAY[1100, 1101, 50100, 1200100, 40000001]::bigint[], 0)`))
			require.Equal(t, []string{"1100", "1101", "50100", "1200100"}, rows(t, c, `SELECT msg_id::text FROM pgmq.pop('q', 4) r ORDER BY r.msg_id`))
			require.Equal(t, []string{"40000001"}, rows(t, c, `SELECT msg_id::text FROM pgmq.pop('q', 4)`))
		})
	}
}

func TestPgmqPartitions(t *testing.T) {
	t.Parallel()

	_, c := own(t)
	one(t, c, `SELECT pgmq.create_partitioned('p', '10', '20', 1)`)
	rows(t, c, `SELECT m::text FROM pgmq.send_batch('p', array_fill('{}'::jsonb, ARRAY[35])) m`)
	require.Equal(t, "16", one(t, c, `SELECT default_partition_length FROM pgmq.metrics('p')`))
	one(t, c, `SELECT pgmq.run_maintenance()`)
	require.Equal(t, "0", one(t, c, `SELECT default_partition_length FROM pgmq.metrics('p')`))
	parts := strings.Join(rows(t, c, `SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'pgmq.q_p'::regclass ORDER BY 1`), " ")
	require.Equal(t, "q_p_default q_p_p10 q_p_p20 q_p_p30 q_p_p40", parts)
	require.Equal(t, "26", one(t, c, `SELECT queue_length FROM pgmq.metrics('p')`), "the first ten are past the retention")
	require.Equal(t, "10", one(t, c, `SELECT msg_id FROM pgmq.read('p', 30, 1)`))
	one(t, c, `SELECT pgmq.create('plain')`)
	one(t, c, `SELECT pgmq.convert_archive_partitioned('plain', '1 day', '7 days')`)
	rows(t, c, `SELECT pgmq.send('plain', '1')::text`)
	require.Equal(t, "true", one(t, c, `SELECT pgmq.archive('plain', 1)`))
}
