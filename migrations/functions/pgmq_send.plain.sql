-- unless: pgmq
-- pgmq: sending. delay is seconds or the moment from which on the message is visible; ids are returned in the order of the messages.
-- Raise 42P01 when there is no such queue. Inserts only: one sender never waits for another.

-- _send(queue, msg, headers, at) is all of send.
CREATE OR REPLACE FUNCTION pgmq._send(queue_name text, msg jsonb, headers jsonb, at timestamptz) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_id bigint;
BEGIN
    EXECUTE format('INSERT INTO pgmq.%I (vt, message, headers) VALUES ($1, $2, $3) RETURNING msg_id', pgmq.format_table_name(queue_name, 'q'))
    INTO v_id USING at, msg, headers;
    RETURN v_id;
END $$;

CREATE OR REPLACE FUNCTION pgmq.send(queue_name text, msg jsonb) RETURNS SETOF bigint
LANGUAGE plpgsql ROWS 1 AS $$
BEGIN
    RETURN NEXT pgmq._send(queue_name, msg, NULL, clock_timestamp());
END $$;

CREATE OR REPLACE FUNCTION pgmq.send(queue_name text, msg jsonb, headers jsonb) RETURNS SETOF bigint
LANGUAGE plpgsql ROWS 1 AS $$
BEGIN
    RETURN NEXT pgmq._send(queue_name, msg, headers, clock_timestamp());
END $$;

CREATE OR REPLACE FUNCTION pgmq.send(queue_name text, msg jsonb, delay integer) RETURNS SETOF bigint
LANGUAGE plpgsql ROWS 1 AS $$
BEGIN
    RETURN NEXT pgmq._send(queue_name, msg, NULL, clock_timestamp() + make_interval(secs => delay));
END $$;

CREATE OR REPLACE FUNCTION pgmq.send(queue_name text, msg jsonb, delay timestamptz) RETURNS SETOF bigint
LANGUAGE plpgsql ROWS 1 AS $$
BEGIN
    RETURN NEXT pgmq._send(queue_name, msg, NULL, delay);
END $$;

CREATE OR REPLACE FUNCTION pgmq.send(queue_name text, msg jsonb, headers jsonb, delay integer) RETURNS SETOF bigint
LANGUAGE plpgsql ROWS 1 AS $$
BEGIN
    RETURN NEXT pgmq._send(queue_name, msg, headers, clock_timestamp() + make_interval(secs => delay));
END $$;

CREATE OR REPLACE FUNCTION pgmq.send(queue_name text, msg jsonb, headers jsonb, delay timestamptz) RETURNS SETOF bigint
LANGUAGE plpgsql ROWS 1 AS $$
BEGIN
    RETURN NEXT pgmq._send(queue_name, msg, headers, delay);
END $$;

-- _check_batch(msgs, headers) raises P0001 for no messages, and for headers of another number.
CREATE OR REPLACE FUNCTION pgmq._check_batch(msgs jsonb[], headers jsonb[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF coalesce(cardinality(msgs), 0) = 0 THEN
        RAISE EXCEPTION 'msgs cannot be NULL or empty';
    ELSIF cardinality(headers) <> cardinality(msgs) THEN
        RAISE EXCEPTION 'headers array length (%) must match msgs array length (%)', cardinality(headers), cardinality(msgs);
    END IF;
END $$;

-- _send_batch(queue, msgs, headers, at) is all of send_batch.
CREATE OR REPLACE FUNCTION pgmq._send_batch(queue_name text, msgs jsonb[], headers jsonb[], at timestamptz) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
BEGIN
    IF headers IS NOT NULL OR coalesce(cardinality(msgs), 0) = 0 THEN
        PERFORM pgmq._check_batch(msgs, headers);
    END IF;
    IF headers IS NULL THEN
        RETURN QUERY EXECUTE format('INSERT INTO pgmq.%I (vt, message) SELECT $1, unnest($2) RETURNING msg_id',
            pgmq.format_table_name(queue_name, 'q')) USING at, msgs;
    ELSE
        RETURN QUERY EXECUTE format('INSERT INTO pgmq.%I (vt, message, headers) SELECT $1, unnest($2), unnest($3) RETURNING msg_id',
            pgmq.format_table_name(queue_name, 'q')) USING at, msgs, headers;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[]) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT * FROM pgmq._send_batch(queue_name, msgs, NULL, clock_timestamp());
END $$;

CREATE OR REPLACE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[]) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT * FROM pgmq._send_batch(queue_name, msgs, headers, clock_timestamp());
END $$;

CREATE OR REPLACE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], delay integer) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT * FROM pgmq._send_batch(queue_name, msgs, NULL, clock_timestamp() + make_interval(secs => delay));
END $$;

CREATE OR REPLACE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], delay timestamptz) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT * FROM pgmq._send_batch(queue_name, msgs, NULL, delay);
END $$;

CREATE OR REPLACE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay integer) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT * FROM pgmq._send_batch(queue_name, msgs, headers, clock_timestamp() + make_interval(secs => delay));
END $$;

CREATE OR REPLACE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay timestamptz) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT * FROM pgmq._send_batch(queue_name, msgs, headers, delay);
END $$;

-- The forms with a text are ours: a client that names no types (node's pg, psql's \bind) would otherwise get "function is not
-- unique". _tail(text) reads such a third argument: a number of seconds, an object of headers (a list of them), or a moment.
CREATE OR REPLACE FUNCTION pgmq._tail(value text, OUT headers jsonb, OUT at timestamptz)
LANGUAGE plpgsql AS $$
BEGIN
    IF value IS NULL OR value ~ '^\s*[{[]' THEN
        headers := value::jsonb;
        at := clock_timestamp();
    ELSIF value ~ '^\s*[-+]?[0-9]+\s*$' THEN
        at := clock_timestamp() + make_interval(secs => value::int);
    ELSE
        at := value::timestamptz;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION pgmq.send(queue_name text, msg jsonb, delay text) RETURNS SETOF bigint
LANGUAGE plpgsql ROWS 1 AS $$
BEGIN
    RETURN QUERY SELECT pgmq._send(queue_name, msg, t.headers, t.at) FROM pgmq._tail(delay) t;
END $$;

CREATE OR REPLACE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], delay text) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
BEGIN
    IF delay ~ '^\s*\{' THEN -- an array of PostgreSQL
        RETURN QUERY SELECT * FROM pgmq._send_batch(queue_name, msgs, delay::jsonb[], clock_timestamp());
    ELSE
        RETURN QUERY SELECT s.* FROM pgmq._tail(delay) t, pgmq._send_batch(queue_name, msgs, NULL, t.at) s;
    END IF;
END $$;
