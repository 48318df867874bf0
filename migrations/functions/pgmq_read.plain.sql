-- unless: pgmq
-- pgmq: reading. A read hides messages for vt seconds; lowest msg_id first among the visible ones, those that others lock are left out.
-- Raise 42P01 when there is no such queue. Lock the rows they return.

-- _visible(table, conditional, within) is the SQL of the ids of up to $2 visible messages among those of the condition within, locked. $1 is the
-- time, taken once (a clock that moves fits no index); $3 the condition. What this read has taken already bears its time.
CREATE OR REPLACE FUNCTION pgmq._visible(q text, conditional jsonb, within text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT format($q$
        SELECT m.msg_id
        FROM pgmq.%1$I m
        WHERE %2$s AND m.vt <= $1 AND m.last_read_at IS DISTINCT FROM $1 %3$s
        ORDER BY m.msg_id
        LIMIT $2
        FOR UPDATE OF m SKIP LOCKED$q$, q, within, CASE WHEN conditional <> '{}' THEN 'AND m.message @> $3' END)
$$;

-- _near(table, conditional) is _visible among the first $5 of a queue: one walk along the primary key.
CREATE OR REPLACE FUNCTION pgmq._near(q text, conditional jsonb) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT pgmq._visible(q, conditional, format(
        'm.msg_id <= coalesce((SELECT h.msg_id FROM pgmq.%I h ORDER BY h.msg_id OFFSET $5 - 1 LIMIT 1), 9223372036854775807)', q))
$$;

-- _hide(table, taken) is the SQL that marks the messages of _visible as read, hidden until $4, and returns them.
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

DROP FUNCTION IF EXISTS pgmq._far(text, jsonb); -- forerunners of _probe and _read_far
DROP FUNCTION IF EXISTS pgmq._read_far(text, text, timestamptz, integer, jsonb, timestamptz);

-- _probe(table) is the SQL of the first id from $2 on behind $3 others, and of the ids of up to 257 visible messages in its block and the next, $4
-- in all, by block: one scan of _vt_idx, which steps over what is hidden.
CREATE OR REPLACE FUNCTION pgmq._probe(q text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT format($q$
        SELECT f.msg_id, ARRAY(
            SELECT b.msg_id
            FROM pgmq.%1$I b
            WHERE b.msg_id >> 14 = ANY (ARRAY(SELECT generate_series(f.msg_id >> 14, (f.msg_id >> 14) + $4 - 1))) AND b.vt <= $1
            ORDER BY b.msg_id >> 14
            LIMIT 257)
        FROM (SELECT msg_id FROM pgmq.%1$I WHERE msg_id >= $2 ORDER BY msg_id OFFSET $3 LIMIT 1) f$q$, q)
$$;

DROP FUNCTION IF EXISTS pgmq._read_far(text, text, text, timestamptz, integer, jsonb, timestamptz);

-- _read_far(table, few, many, …, skip) goes on behind the first skip messages of a queue. It probes where there are visible ones and takes them
-- from that list (few: of the ids $5 those below $6) or, where the first block has more than a list holds, by a walk along the block (many).
-- So a million hidden messages cost sixty steps of one scan.
CREATE OR REPLACE FUNCTION pgmq._read_far(q text, few text, many text, now timestamptz, qty integer, conditional jsonb, vt timestamptz, skip integer)
RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql AS $$
DECLARE
    v_probe text := pgmq._probe(q);
    v_from bigint := -9223372036854775808;
    v_blocks integer := 64; -- of the first probe: a million messages
    v_next bigint;
    v_ids bigint[];
    v_many boolean;
    n bigint;
BEGIN
    LOOP
        EXECUTE v_probe INTO v_from, v_ids USING now, v_from, skip, v_blocks;
        EXIT WHEN v_from IS NULL;
        v_next := (v_from >> 14) + v_blocks;
        IF v_ids <> '{}' THEN
            v_many := v_ids[257] >> 14 = v_ids[1] >> 14; -- null when there are no 257
            v_next := coalesce((v_ids[257] >> 14) + v_many::int, v_next);
            RETURN QUERY EXECUTE CASE WHEN v_many THEN many ELSE few END USING now, qty, conditional, vt, v_ids, v_next << 14;
            GET DIAGNOSTICS n = ROW_COUNT;
            EXIT WHEN n = qty;
            qty := qty - n;
        END IF;
        v_from := v_next << 14;
        skip := 0;
        v_blocks := 1024;
    END LOOP;
END $$;

-- read(queue, vt, qty, condition) keeps to its indexes whatever the statistics of the queue say: they are of a moment, and a queue that was empty
-- then may be long by now, or bloated. It looks among the first 100 to 500 first, more for larger batches, of which some may be with other readers.
CREATE OR REPLACE FUNCTION pgmq.read(queue_name text, vt integer, qty integer, conditional jsonb DEFAULT '{}') RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    q text := pgmq.format_table_name(queue_name, 'q');
    v_now timestamptz := clock_timestamp();
    v_near integer := least(500, greatest(100, 5::bigint * qty));
    v_vt timestamptz := v_now + make_interval(secs => vt);
    n bigint;
BEGIN
    RETURN QUERY EXECUTE pgmq._hide(q, pgmq._near(q, conditional)) USING v_now, qty, conditional, v_vt, v_near;
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n < qty THEN
        RETURN QUERY SELECT * FROM pgmq._read_far(q,
            pgmq._hide(q, pgmq._visible(q, conditional, 'm.msg_id = ANY ($5) AND m.msg_id < $6')),
            pgmq._hide(q, pgmq._visible(q, conditional, 'm.msg_id >= $5[1] >> 14 << 14 AND m.msg_id < $6')),
            v_now, (qty - n)::int, conditional, v_vt, v_near);
    END IF;
END $$;

-- pop(queue, qty) reads and deletes at once. read_ct stays what it was.
CREATE OR REPLACE FUNCTION pgmq.pop(queue_name text, qty integer DEFAULT 1) RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    q text := pgmq.format_table_name(queue_name, 'q');
    v_now timestamptz := clock_timestamp();
    v_near integer := least(500, greatest(100, 5::bigint * qty));
    n bigint;
BEGIN
    RETURN QUERY EXECUTE pgmq._remove(q, pgmq._near(q, '{}')) USING v_now, qty, NULL::jsonb, NULL::timestamptz, v_near;
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n < qty THEN
        RETURN QUERY SELECT * FROM pgmq._read_far(q,
            pgmq._remove(q, pgmq._visible(q, '{}', 'm.msg_id = ANY ($5) AND m.msg_id < $6')),
            pgmq._remove(q, pgmq._visible(q, '{}', 'm.msg_id >= $5[1] >> 14 << 14 AND m.msg_id < $6')),
            v_now, (qty - n)::int, NULL, NULL, v_near);
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
