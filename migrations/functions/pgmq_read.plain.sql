-- unless: pgmq
-- pgmq: reading. A read hides messages for vt seconds; lowest msg_id first among the visible ones, those that others lock are left out.
-- Raise 42P01 when there is no such queue. Lock the rows they return.

-- _near(table, conditional) is the SQL of the ids of up to $2 visible messages among the first 500 of a queue, locked: one walk along the
-- primary key. $1 is the time, taken once (a clock that moves fits no index); $3 the condition.
CREATE OR REPLACE FUNCTION pgmq._near(q text, conditional jsonb) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT format($q$
        SELECT m.msg_id
        FROM pgmq.%1$I m
        WHERE m.msg_id <= coalesce((SELECT h.msg_id FROM pgmq.%1$I h ORDER BY h.msg_id OFFSET 499 LIMIT 1), 9223372036854775807)
          AND m.vt <= $1 %2$s
        ORDER BY m.msg_id
        LIMIT $2
        FOR UPDATE OF m SKIP LOCKED$q$, q, CASE WHEN conditional <> '{}' THEN 'AND m.message @> $3' END)
$$;

-- _far(table, conditional) is the same for a queue whose first 500 messages had too few. It steps from block to block of 16,384 ids by
-- each block's earliest vt, so a million hidden messages cost sixty steps. Within a block it sorts a few visible ones, or walks along
-- many. What this read has taken already bears its time.
CREATE OR REPLACE FUNCTION pgmq._far(q text, conditional jsonb) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT format($q$
        WITH RECURSIVE blocks AS (
            (SELECT b.msg_id >> 14 AS n, b.vt FROM pgmq.%1$I b ORDER BY b.msg_id >> 14, b.vt LIMIT 1)
            UNION ALL
            SELECT s.n, s.vt
            FROM blocks
            CROSS JOIN LATERAL (
                SELECT b.msg_id >> 14 AS n, b.vt FROM pgmq.%1$I b
                WHERE b.msg_id >> 14 > blocks.n
                ORDER BY b.msg_id >> 14, b.vt LIMIT 1) s)
        SELECT m.msg_id
        FROM blocks
        CROSS JOIN LATERAL (
            SELECT EXISTS (SELECT FROM pgmq.%1$I b WHERE b.msg_id >> 14 = blocks.n AND b.vt <= $1 OFFSET 256) AS many OFFSET 0) v
        CROSS JOIN LATERAL (
            (SELECT b.msg_id FROM pgmq.%1$I b WHERE b.msg_id >> 14 = blocks.n AND b.vt <= $1 AND NOT v.many ORDER BY b.msg_id)
            UNION ALL
            (SELECT b.msg_id FROM pgmq.%1$I b WHERE b.msg_id >= blocks.n << 14 AND b.msg_id < (blocks.n + 1) << 14 AND b.vt <= $1 AND v.many
            ORDER BY b.msg_id)) h
        JOIN pgmq.%1$I m ON m.msg_id = h.msg_id
        WHERE blocks.vt <= $1 AND m.vt <= $1 AND m.last_read_at IS DISTINCT FROM $1 %2$s
        LIMIT $2
        FOR UPDATE OF m SKIP LOCKED$q$, q, CASE WHEN conditional <> '{}' THEN 'AND m.message @> $3' END)
$$;

-- _hide(table, taken) is the SQL that marks the messages of _near or _far as read, hidden until $4, and returns them.
CREATE OR REPLACE FUNCTION pgmq._hide(q text, taken text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT format($q$
        UPDATE pgmq.%1$I m
        SET vt = $4, read_ct = m.read_ct + 1, last_read_at = $1
        WHERE m.msg_id = ANY (ARRAY(%2$s))
        RETURNING m.msg_id, m.read_ct, m.enqueued_at, m.last_read_at, m.vt, m.message, m.headers$q$, q, taken)
$$;

-- _remove(table, taken) is the SQL that deletes them and returns them as they were.
CREATE OR REPLACE FUNCTION pgmq._remove(q text, taken text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT format($q$
        DELETE FROM pgmq.%1$I m
        WHERE m.msg_id = ANY (ARRAY(%2$s))
        RETURNING m.msg_id, m.read_ct, m.enqueued_at, m.last_read_at, m.vt, m.message, m.headers$q$, q, taken)
$$;

-- _read_far(table, sql, now, qty, conditional, vt) runs what _far wrote, where there are more than 500 messages. The settings keep its
-- plan whatever the statistics say.
CREATE OR REPLACE FUNCTION pgmq._read_far(q text, sql text, now timestamptz, qty integer, conditional jsonb, vt timestamptz)
RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_more boolean;
BEGIN
    EXECUTE format('SELECT true FROM pgmq.%I ORDER BY msg_id OFFSET 499 LIMIT 1', q) INTO v_more;
    IF v_more THEN
        RETURN QUERY EXECUTE sql USING now, qty, conditional, vt;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION pgmq.read(queue_name text, vt integer, qty integer, conditional jsonb DEFAULT '{}') RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql AS $$
DECLARE
    q text := pgmq.format_table_name(queue_name, 'q');
    v_now timestamptz := clock_timestamp();
    v_vt timestamptz := v_now + make_interval(secs => vt);
    n bigint;
BEGIN
    RETURN QUERY EXECUTE pgmq._hide(q, pgmq._near(q, conditional)) USING v_now, qty, conditional, v_vt;
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n < qty THEN
        RETURN QUERY SELECT * FROM pgmq._read_far(q, pgmq._hide(q, pgmq._far(q, conditional)), v_now, (qty - n)::int, conditional, v_vt);
    END IF;
END $$;

-- pop(queue, qty) reads and deletes at once. read_ct stays what it was.
CREATE OR REPLACE FUNCTION pgmq.pop(queue_name text, qty integer DEFAULT 1) RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql AS $$
DECLARE
    q text := pgmq.format_table_name(queue_name, 'q');
    v_now timestamptz := clock_timestamp();
    n bigint;
BEGIN
    RETURN QUERY EXECUTE pgmq._remove(q, pgmq._near(q, '{}')) USING v_now, qty;
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n < qty THEN
        RETURN QUERY SELECT * FROM pgmq._read_far(q, pgmq._remove(q, pgmq._far(q, '{}')), v_now, (qty - n)::int, NULL, NULL);
    END IF;
END $$;

-- read_with_poll(queue, vt, qty, seconds, interval) reads until there is something or the time is over. It holds its connection
-- meanwhile; the API waits outside of the database.
CREATE OR REPLACE FUNCTION pgmq.read_with_poll(queue_name text, vt integer, qty integer, max_poll_seconds integer DEFAULT 5,
    poll_interval_ms integer DEFAULT 100, conditional jsonb DEFAULT '{}') RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql AS $$
DECLARE
    v_end timestamptz := clock_timestamp() + make_interval(secs => max_poll_seconds);
BEGIN
    WHILE clock_timestamp() < v_end LOOP
        RETURN QUERY SELECT * FROM pgmq.read(queue_name, vt, qty, conditional);
        EXIT WHEN FOUND;
        PERFORM pg_sleep(poll_interval_ms / 1000.0);
    END LOOP;
END $$;
