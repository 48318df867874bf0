-- unless: pgmq
-- pgmq: what becomes of messages that were read. Long lists go through in pieces of 1,000, so that each piece uses the primary key.
-- Raise 42P01 when there is no such queue. Lock the rows named.

CREATE OR REPLACE FUNCTION pgmq.archive(queue_name text, msg_id bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    v_id bigint;
BEGIN
    EXECUTE format($q$
        WITH gone AS (
            DELETE FROM pgmq.%I m WHERE m.msg_id = $1
            RETURNING m.msg_id, m.read_ct, m.enqueued_at, m.last_read_at, m.vt, m.message, m.headers)
        INSERT INTO pgmq.%I (msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers)
        SELECT g.msg_id, g.read_ct, g.enqueued_at, g.last_read_at, g.vt, g.message, g.headers FROM gone g
        RETURNING msg_id$q$, pgmq.format_table_name(queue_name, 'q'), pgmq.format_table_name(queue_name, 'a'))
    INTO v_id USING msg_id;
    RETURN v_id IS NOT NULL;
END $$;

CREATE OR REPLACE FUNCTION pgmq.archive(queue_name text, msg_ids bigint[]) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_sql text := format($q$
        WITH gone AS (
            DELETE FROM pgmq.%I m WHERE m.msg_id = ANY ($1)
            RETURNING m.msg_id, m.read_ct, m.enqueued_at, m.last_read_at, m.vt, m.message, m.headers)
        INSERT INTO pgmq.%I (msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers)
        SELECT g.msg_id, g.read_ct, g.enqueued_at, g.last_read_at, g.vt, g.message, g.headers FROM gone g
        RETURNING msg_id$q$, pgmq.format_table_name(queue_name, 'q'), pgmq.format_table_name(queue_name, 'a'));
BEGIN
    FOR i IN 1..coalesce(cardinality(msg_ids), 0) BY 1000 LOOP
        RETURN QUERY EXECUTE v_sql USING msg_ids[i:i + 999];
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION pgmq.delete(queue_name text, msg_id bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    v_id bigint;
BEGIN
    EXECUTE format('DELETE FROM pgmq.%I m WHERE m.msg_id = $1 RETURNING m.msg_id', pgmq.format_table_name(queue_name, 'q'))
    INTO v_id USING msg_id;
    RETURN v_id IS NOT NULL;
END $$;

CREATE OR REPLACE FUNCTION pgmq.delete(queue_name text, msg_ids bigint[]) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_sql text := format('DELETE FROM pgmq.%I m WHERE m.msg_id = ANY ($1) RETURNING m.msg_id', pgmq.format_table_name(queue_name, 'q'));
BEGIN
    FOR i IN 1..coalesce(cardinality(msg_ids), 0) BY 1000 LOOP
        RETURN QUERY EXECUTE v_sql USING msg_ids[i:i + 999];
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION pgmq.set_vt(queue_name text, msg_ids bigint[], vt timestamptz) RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql AS $$
DECLARE
    v_sql text := format($q$
        UPDATE pgmq.%I m SET vt = $2 WHERE m.msg_id = ANY ($1)
        RETURNING m.msg_id, m.read_ct, m.enqueued_at, m.last_read_at, m.vt, m.message, m.headers$q$, pgmq.format_table_name(queue_name, 'q'));
BEGIN
    FOR i IN 1..coalesce(cardinality(msg_ids), 0) BY 1000 LOOP
        RETURN QUERY EXECUTE v_sql USING msg_ids[i:i + 999], vt;
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION pgmq.set_vt(queue_name text, msg_ids bigint[], vt integer) RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT * FROM pgmq.set_vt(queue_name, msg_ids, clock_timestamp() + make_interval(secs => vt));
END $$;

CREATE OR REPLACE FUNCTION pgmq.set_vt(queue_name text, msg_id bigint, vt timestamptz) RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql ROWS 1 AS $$
BEGIN
    RETURN QUERY SELECT * FROM pgmq.set_vt(queue_name, ARRAY[msg_id], vt);
END $$;

CREATE OR REPLACE FUNCTION pgmq.set_vt(queue_name text, msg_id bigint, vt integer) RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql ROWS 1 AS $$
BEGIN
    RETURN QUERY SELECT * FROM pgmq.set_vt(queue_name, ARRAY[msg_id], clock_timestamp() + make_interval(secs => vt));
END $$;

-- Ours, for clients that name no types (see pgmq_send): the id and the seconds, or the moment, as text.
CREATE OR REPLACE FUNCTION pgmq.set_vt(queue_name text, msg_id text, vt text) RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql ROWS 1 AS $$
BEGIN
    RETURN QUERY SELECT s.*
    FROM pgmq._tail(vt) t, pgmq.set_vt(queue_name, CASE WHEN msg_id ~ '^\s*\{' THEN msg_id::bigint[] ELSE ARRAY[msg_id::bigint] END, t.at) s;
END $$;
