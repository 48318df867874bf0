-- unless: pgmq
-- pgmq: reading in order within groups. A message's group is its header x-pgmq-group; those without one share a group. While a message
-- of a group is hidden, later ones of the group stay where they are. Raise 42P01 when there is no such queue. Lock the rows they return.

-- _groups(table) is the SQL of what the three reads have in common: each group's first message, whether visible or not; with $1 the
-- time, only of groups whose first message is visible, is locked by nobody, and whose lock this transaction gets: two readers never
-- work on one group at once. The lock's name has the queue in it, so equal groups of two queues do not meet.
CREATE OR REPLACE FUNCTION pgmq._groups(q text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT format($q$
        WITH firsts AS MATERIALIZED (
            SELECT coalesce(headers ->> 'x-pgmq-group', '_default_fifo_group') AS grp, min(msg_id) AS first
            FROM pgmq.%1$I
            GROUP BY 1),
        open AS MATERIALIZED (
            SELECT f.grp, f.first, row_number() OVER (ORDER BY f.first) AS rank
            FROM firsts f
            JOIN pgmq.%1$I m ON m.msg_id = f.first
            WHERE m.vt <= $1 AND pg_try_advisory_xact_lock(hashtextextended(%1$L || ' ' || f.grp, 0)))$q$, q)
$$;

-- _read_groups(queue, vt, taken, limit) hides what a read has chosen. taken is the SQL of (msg_id, rank of the group, layer
-- in it, place in the answer), after _groups and with $2 as the number.
CREATE OR REPLACE FUNCTION pgmq._read_groups(queue_name text, vt integer, qty integer, taken text) RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql AS $$
DECLARE
    q text := pgmq.format_table_name(queue_name, 'q');
    v_now timestamptz := clock_timestamp();
BEGIN
    RETURN QUERY EXECUTE pgmq._groups(q) || format($q$,
        chosen AS MATERIALIZED (%2$s),
        locked AS MATERIALIZED (
            SELECT c.* FROM chosen c JOIN pgmq.%1$I m ON m.msg_id = c.msg_id
            WHERE m.vt <= $1
            ORDER BY c.msg_id
            FOR UPDATE OF m SKIP LOCKED),
        whole AS ( -- what somebody else took meanwhile ends its group
            SELECT l.msg_id, l.place FROM (SELECT *, row_number() OVER (PARTITION BY rank ORDER BY layer) AS nth FROM locked) l
            WHERE l.nth = l.layer),
        hidden AS (
            UPDATE pgmq.%1$I m
            SET vt = $3, read_ct = m.read_ct + 1, last_read_at = $1
            FROM whole
            WHERE m.msg_id = whole.msg_id
            RETURNING m.*, whole.place)
        SELECT h.msg_id, h.read_ct, h.enqueued_at, h.last_read_at, h.vt, h.message, h.headers FROM hidden h ORDER BY h.place$q$,
        q, format(taken, q)) USING v_now, qty, v_now + make_interval(secs => vt);
END $$;

-- _in_order(order) is the SQL of each open group's visible messages from its first one on, up to the next hidden one; %1$I is the table.
CREATE OR REPLACE FUNCTION pgmq._in_order(by text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT 'SELECT v.msg_id, o.rank, v.layer, row_number() OVER (ORDER BY ' || by || $q$) AS place
        FROM open o
        CROSS JOIN LATERAL (
            SELECT w.msg_id, w.layer
            FROM (
                SELECT m.msg_id, m.vt, row_number() OVER (ORDER BY m.msg_id) AS layer, bool_and(m.vt <= $1) OVER (ORDER BY m.msg_id) AS unbroken
                FROM pgmq.%1$I m
                WHERE coalesce(m.headers ->> 'x-pgmq-group', '_default_fifo_group') = o.grp
                ORDER BY m.msg_id
                LIMIT $2) w
            WHERE w.unbroken) v
        ORDER BY place
        LIMIT $2$q$
$$;

-- read_grouped(queue, vt, qty) fills up from the group with the oldest message, then from the next one.
CREATE OR REPLACE FUNCTION pgmq.read_grouped(queue_name text, vt integer, qty integer) RETURNS SETOF pgmq.message_record
LANGUAGE sql AS $$ SELECT * FROM pgmq._read_groups(queue_name, vt, qty, pgmq._in_order('o.rank, v.layer')) $$;

-- read_grouped_rr(queue, vt, qty) takes one of each group in turn.
CREATE OR REPLACE FUNCTION pgmq.read_grouped_rr(queue_name text, vt integer, qty integer) RETURNS SETOF pgmq.message_record
LANGUAGE sql AS $$ SELECT * FROM pgmq._read_groups(queue_name, vt, qty, pgmq._in_order('v.layer, o.rank')) $$;

-- read_grouped_head(queue, vt, qty) takes the first message of each group and no other.
CREATE OR REPLACE FUNCTION pgmq.read_grouped_head(queue_name text, vt integer, qty integer) RETURNS SETOF pgmq.message_record
LANGUAGE sql AS $$
    SELECT * FROM pgmq._read_groups(queue_name, vt, qty, 'SELECT o.first AS msg_id, o.rank, 1 AS layer, o.rank AS place FROM open o ORDER BY place LIMIT $2')
$$;

-- _poll(function, queue, vt, qty, seconds, interval) calls one of them until there is something or the time is over.
CREATE OR REPLACE FUNCTION pgmq._poll(call text, queue_name text, vt integer, qty integer, max_poll_seconds integer, poll_interval_ms integer)
RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql AS $$
DECLARE
    v_end timestamptz := clock_timestamp() + make_interval(secs => max_poll_seconds);
    n bigint := 0;
BEGIN
    WHILE n = 0 AND clock_timestamp() < v_end LOOP
        RETURN QUERY EXECUTE format('SELECT * FROM pgmq.%I($1, $2, $3)', call) USING queue_name, vt, qty;
        GET DIAGNOSTICS n = ROW_COUNT;
        PERFORM pg_sleep(poll_interval_ms / 1000.0) WHERE n = 0;
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION pgmq.read_grouped_with_poll(queue_name text, vt integer, qty integer, max_poll_seconds integer DEFAULT 5,
    poll_interval_ms integer DEFAULT 100) RETURNS SETOF pgmq.message_record
LANGUAGE sql AS $$ SELECT * FROM pgmq._poll('read_grouped', queue_name, vt, qty, max_poll_seconds, poll_interval_ms) $$;

CREATE OR REPLACE FUNCTION pgmq.read_grouped_rr_with_poll(queue_name text, vt integer, qty integer, max_poll_seconds integer DEFAULT 5,
    poll_interval_ms integer DEFAULT 100) RETURNS SETOF pgmq.message_record
LANGUAGE sql AS $$ SELECT * FROM pgmq._poll('read_grouped_rr', queue_name, vt, qty, max_poll_seconds, poll_interval_ms) $$;

CREATE OR REPLACE FUNCTION pgmq.read_grouped_head_with_poll(queue_name text, vt integer, qty integer, max_poll_seconds integer DEFAULT 5,
    poll_interval_ms integer DEFAULT 100) RETURNS SETOF pgmq.message_record
LANGUAGE sql AS $$ SELECT * FROM pgmq._poll('read_grouped_head', queue_name, vt, qty, max_poll_seconds, poll_interval_ms) $$;
