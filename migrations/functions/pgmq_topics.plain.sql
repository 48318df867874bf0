-- unless: pgmq
-- pgmq: topics. A message with a routing key goes to every queue that is bound to a pattern of it: * is one segment, # any run of
-- characters. Raise P0001 for keys and patterns that cannot be.

-- _check_routing(what, text, allowed, kinds) is what keys and patterns have in common.
CREATE OR REPLACE FUNCTION pgmq._check_routing(what text, value text, allowed text, kinds text) RETURNS void
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    v_wrong text;
BEGIN
    IF coalesce(value, '') = '' THEN
        RAISE EXCEPTION '% cannot be NULL or empty', what;
    ELSIF length(value) > 255 THEN
        RAISE EXCEPTION '% length cannot exceed 255 characters, got % characters', what, length(value);
    ELSIF value !~ allowed THEN
        RAISE EXCEPTION '% contains invalid characters. Only % are allowed. Got: %', what, kinds, value;
    END IF;
    v_wrong := CASE
        WHEN value LIKE '.%' THEN 'start with a dot'
        WHEN value LIKE '%.' THEN 'end with a dot'
        WHEN value LIKE '%..%' THEN 'contain consecutive dots' END;
    IF v_wrong IS NOT NULL THEN
        RAISE EXCEPTION '% cannot %. Got: %', what, v_wrong, value;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION pgmq.validate_routing_key(routing_key text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    PERFORM pgmq._check_routing('routing_key', routing_key, '^[a-zA-Z0-9._-]+$', 'alphanumeric, dots, hyphens, and underscores');
    RETURN true;
END $$;

CREATE OR REPLACE FUNCTION pgmq.validate_topic_pattern(pattern text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    PERFORM pgmq._check_routing('pattern', pattern, '^[a-zA-Z0-9._*#-]+$', 'alphanumeric, dots, hyphens, underscores, *, and #');
    IF pattern LIKE '%**%' THEN
        RAISE EXCEPTION 'pattern cannot contain consecutive stars (**). Use # for multi-segment matching. Got: %', pattern;
    ELSIF pattern LIKE '%##%' THEN
        RAISE EXCEPTION 'pattern cannot contain consecutive hashes (##). A single # already matches zero or more segments. Got: %', pattern;
    ELSIF pattern ~ '\*#|#\*' THEN
        RAISE EXCEPTION 'pattern cannot contain adjacent wildcards (*# or #*). Separate wildcards with dots. Got: %', pattern;
    END IF;
    RETURN true;
END $$;

CREATE OR REPLACE FUNCTION pgmq.bind_topic(pattern text, queue_name text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgmq.validate_topic_pattern(pattern);
    IF coalesce(queue_name, '') = '' THEN
        RAISE EXCEPTION 'queue_name cannot be NULL or empty';
    ELSIF NOT EXISTS (SELECT FROM pgmq.meta m WHERE m.queue_name = bind_topic.queue_name) THEN
        RAISE EXCEPTION 'Queue "%" does not exist. Create the queue first using pgmq.create()', queue_name;
    END IF;
    INSERT INTO pgmq.topic_bindings (pattern, queue_name) VALUES (bind_topic.pattern, bind_topic.queue_name) ON CONFLICT DO NOTHING;
END $$;

CREATE OR REPLACE FUNCTION pgmq.unbind_topic(pattern text, queue_name text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(pattern, '') = '' THEN
        RAISE EXCEPTION 'pattern cannot be NULL or empty';
    ELSIF coalesce(queue_name, '') = '' THEN
        RAISE EXCEPTION 'queue_name cannot be NULL or empty';
    END IF;
    DELETE FROM pgmq.topic_bindings b WHERE b.pattern = unbind_topic.pattern AND b.queue_name = unbind_topic.queue_name;
    RETURN FOUND;
END $$;

CREATE OR REPLACE FUNCTION pgmq.list_topic_bindings()
RETURNS TABLE (pattern text, queue_name text, bound_at timestamptz, compiled_regex text)
LANGUAGE sql STABLE AS $$
    SELECT b.pattern, b.queue_name, b.bound_at, b.compiled_regex FROM pgmq.topic_bindings b ORDER BY b.bound_at DESC, b.pattern, b.queue_name
$$;

CREATE OR REPLACE FUNCTION pgmq.list_topic_bindings(queue_name text)
RETURNS TABLE (pattern text, queue_name text, bound_at timestamptz, compiled_regex text)
LANGUAGE sql STABLE AS $$
    SELECT b.* FROM pgmq.list_topic_bindings() b WHERE b.queue_name = list_topic_bindings.queue_name
$$;

CREATE OR REPLACE FUNCTION pgmq.test_routing(routing_key text) RETURNS TABLE (pattern text, queue_name text, compiled_regex text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM pgmq.validate_routing_key(routing_key);
    RETURN QUERY SELECT b.pattern, b.queue_name, b.compiled_regex FROM pgmq.topic_bindings b
        WHERE routing_key ~ b.compiled_regex ORDER BY b.pattern;
END $$;

-- _routed(key) are the queues of a key, each once.
CREATE OR REPLACE FUNCTION pgmq._routed(routing_key text) RETURNS SETOF text
LANGUAGE sql STABLE AS $$
    SELECT DISTINCT b.queue_name FROM pgmq.topic_bindings b WHERE routing_key ~ b.compiled_regex ORDER BY 1
$$;

CREATE OR REPLACE FUNCTION pgmq.send_topic(routing_key text, msg jsonb, headers jsonb, delay integer) RETURNS integer
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgmq.validate_routing_key(routing_key);
    IF msg IS NULL THEN
        RAISE EXCEPTION 'msg cannot be NULL';
    ELSIF delay < 0 THEN
        RAISE EXCEPTION 'delay cannot be negative, got: %', delay;
    END IF;
    RETURN (SELECT count(pgmq._send(q, msg, headers, clock_timestamp() + make_interval(secs => delay))) FROM pgmq._routed(routing_key) q);
END $$;

CREATE OR REPLACE FUNCTION pgmq.send_topic(routing_key text, msg jsonb) RETURNS integer
LANGUAGE sql AS $$ SELECT pgmq.send_topic(routing_key, msg, NULL, 0) $$;

CREATE OR REPLACE FUNCTION pgmq.send_topic(routing_key text, msg jsonb, delay integer) RETURNS integer
LANGUAGE sql AS $$ SELECT pgmq.send_topic(routing_key, msg, NULL, delay) $$;

CREATE OR REPLACE FUNCTION pgmq.send_batch_topic(routing_key text, msgs jsonb[], headers jsonb[], delay timestamptz)
RETURNS TABLE (queue_name text, msg_id bigint)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgmq.validate_routing_key(routing_key);
    PERFORM pgmq._check_batch(msgs, headers); -- also where no queue is bound
    RETURN QUERY SELECT q, s.id FROM pgmq._routed(routing_key) q, pgmq._send_batch(q, msgs, headers, delay) s (id);
END $$;

CREATE OR REPLACE FUNCTION pgmq.send_batch_topic(routing_key text, msgs jsonb[]) RETURNS TABLE (queue_name text, msg_id bigint)
LANGUAGE sql AS $$ SELECT * FROM pgmq.send_batch_topic(routing_key, msgs, NULL, clock_timestamp()) $$;

CREATE OR REPLACE FUNCTION pgmq.send_batch_topic(routing_key text, msgs jsonb[], headers jsonb[]) RETURNS TABLE (queue_name text, msg_id bigint)
LANGUAGE sql AS $$ SELECT * FROM pgmq.send_batch_topic(routing_key, msgs, headers, clock_timestamp()) $$;

CREATE OR REPLACE FUNCTION pgmq.send_batch_topic(routing_key text, msgs jsonb[], delay integer) RETURNS TABLE (queue_name text, msg_id bigint)
LANGUAGE sql AS $$ SELECT * FROM pgmq.send_batch_topic(routing_key, msgs, NULL, clock_timestamp() + make_interval(secs => delay)) $$;

CREATE OR REPLACE FUNCTION pgmq.send_batch_topic(routing_key text, msgs jsonb[], delay timestamptz) RETURNS TABLE (queue_name text, msg_id bigint)
LANGUAGE sql AS $$ SELECT * FROM pgmq.send_batch_topic(routing_key, msgs, NULL, delay) $$;

CREATE OR REPLACE FUNCTION pgmq.send_batch_topic(routing_key text, msgs jsonb[], headers jsonb[], delay integer)
RETURNS TABLE (queue_name text, msg_id bigint)
LANGUAGE sql AS $$ SELECT * FROM pgmq.send_batch_topic(routing_key, msgs, headers, clock_timestamp() + make_interval(secs => delay)) $$;
