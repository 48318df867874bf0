-- unless: pgmq
-- pgmq: making, dropping and naming queues. The calls are those of the extension (1.13): docs/messages.md tells what is ours.
-- Raise P0001 for a name that no queue can have. create* and drop_queue wait for others who make or drop the same queue.

-- format_table_name(queue, prefix) is the name of a queue's table (q) or archive (a).
CREATE OR REPLACE FUNCTION pgmq.format_table_name(queue_name text, prefix text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF queue_name ~ '[$;'']|--' THEN
        RAISE EXCEPTION 'queue name contains invalid characters: $, ;, --, or \''';
    END IF;
    RETURN lower(prefix || '_' || queue_name);
END $$;

CREATE OR REPLACE FUNCTION pgmq.validate_queue_name(queue_name text) RETURNS void
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF length(queue_name) > 47 THEN
        RAISE EXCEPTION 'queue name is too long, maximum length is 47 characters';
    END IF;
END $$;

-- acquire_queue_lock(queue) keeps others from making or dropping the queue until the transaction ends.
CREATE OR REPLACE FUNCTION pgmq.acquire_queue_lock(queue_name text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('pgmq.queue_' || queue_name));
END $$;

-- _create(queue, unlogged) is create and create_unlogged. _vt_idx leads with blocks of 16,384 ids: reading can leave out whole
-- blocks in which nothing is visible (pgmq._read_far).
CREATE OR REPLACE FUNCTION pgmq._create(queue_name text, unlogged boolean) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    q text := pgmq.format_table_name(queue_name, 'q');
    a text := pgmq.format_table_name(queue_name, 'a');
    v_kind text := CASE WHEN unlogged THEN 'UNLOGGED' ELSE '' END;
BEGIN
    PERFORM pgmq.validate_queue_name(queue_name);
    PERFORM pgmq.acquire_queue_lock(queue_name);
    EXECUTE format($q$
        CREATE %1$s TABLE IF NOT EXISTS pgmq.%2$I (
            msg_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
            read_ct integer NOT NULL DEFAULT 0,
            enqueued_at timestamptz NOT NULL DEFAULT now(),
            last_read_at timestamptz,
            vt timestamptz NOT NULL,
            message jsonb,
            headers jsonb);
        CREATE TABLE IF NOT EXISTS pgmq.%3$I (
            msg_id bigint PRIMARY KEY,
            read_ct integer NOT NULL DEFAULT 0,
            enqueued_at timestamptz NOT NULL DEFAULT now(),
            last_read_at timestamptz,
            archived_at timestamptz NOT NULL DEFAULT now(),
            vt timestamptz NOT NULL,
            message jsonb,
            headers jsonb);
        CREATE INDEX IF NOT EXISTS %4$I ON pgmq.%2$I ((msg_id >> 14), vt);
        CREATE INDEX IF NOT EXISTS %5$I ON pgmq.%3$I (archived_at)$q$,
        v_kind, q, a, q || '_vt_idx', 'archived_at_idx_' || queue_name);
    INSERT INTO pgmq.meta (queue_name, is_partitioned, is_unlogged) VALUES (_create.queue_name, false, unlogged)
    ON CONFLICT DO NOTHING;
END $$;

CREATE OR REPLACE FUNCTION pgmq.create_non_partitioned(queue_name text) RETURNS void
LANGUAGE sql AS $$ SELECT pgmq._create(queue_name, false) $$;

CREATE OR REPLACE FUNCTION pgmq.create_unlogged(queue_name text) RETURNS void
LANGUAGE sql AS $$ SELECT pgmq._create(queue_name, true) $$;

CREATE OR REPLACE FUNCTION pgmq.create(queue_name text) RETURNS void
LANGUAGE sql AS $$ SELECT pgmq._create(queue_name, false) $$;

-- _settle(queue) fires the queue's deferred notifications now: a table with waiting triggers can be neither dropped nor emptied.
CREATE OR REPLACE FUNCTION pgmq._settle(queue_name text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pgmq.notify_insert_throttle t WHERE t.queue_name = _settle.queue_name) THEN
        SET CONSTRAINTS pgmq.trigger_notify_queue_insert_listeners IMMEDIATE;
        SET CONSTRAINTS pgmq.trigger_notify_queue_insert_listeners DEFERRED;
    END IF;
END $$;

-- drop_queue(queue) drops a queue with its archive; false, with a notice, when there is none.
CREATE OR REPLACE FUNCTION pgmq.drop_queue(queue_name text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    q text := pgmq.format_table_name(queue_name, 'q');
    a text := pgmq.format_table_name(queue_name, 'a');
BEGIN
    PERFORM pgmq.acquire_queue_lock(queue_name);
    IF to_regclass(format('pgmq.%I', q)) IS NULL THEN
        RAISE NOTICE 'pgmq queue `%` does not exist', queue_name;
        RETURN false;
    END IF;
    PERFORM pgmq._settle(queue_name);
    EXECUTE format('DROP TABLE pgmq.%I; DROP TABLE IF EXISTS pgmq.%I', q, a);
    DELETE FROM pgmq.meta m WHERE m.queue_name = drop_queue.queue_name;
    RETURN true;
END $$;

CREATE OR REPLACE FUNCTION pgmq.drop_queue(queue_name text, partitioned boolean) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    RAISE WARNING 'drop_queue(queue_name, partitioned) is deprecated and will be removed in PGMQ v2.0. Use drop_queue(queue_name) instead';
    PERFORM pgmq.drop_queue(queue_name);
    RETURN true;
END $$;

-- purge_queue(queue) empties a queue and returns how many messages were in it. Locks the table against everybody.
CREATE OR REPLACE FUNCTION pgmq.purge_queue(queue_name text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    q text := pgmq.format_table_name(queue_name, 'q');
    n bigint;
BEGIN
    PERFORM pgmq._settle(queue_name);
    EXECUTE format('SELECT count(*) FROM pgmq.%I', q) INTO n;
    EXECUTE format('TRUNCATE pgmq.%I', q);
    RETURN n;
END $$;

CREATE OR REPLACE FUNCTION pgmq.detach_archive(queue_name text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgmq.format_table_name(queue_name, 'a');
    RAISE WARNING 'detach_archive(queue_name) is deprecated and is a no-op. It will be removed in PGMQ v2.0. Archive tables are no longer member objects.';
END $$;

CREATE OR REPLACE FUNCTION pgmq.list_queues() RETURNS SETOF pgmq.queue_record
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT m.queue_name, m.is_partitioned, m.is_unlogged, m.created_at FROM pgmq.meta m;
END $$;

-- create_fifo_index(queue) serves the grouped reads: by the group, not by the headers as a whole.
CREATE OR REPLACE FUNCTION pgmq.create_fifo_index(queue_name text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    q text := pgmq.format_table_name(queue_name, 'q');
BEGIN
    EXECUTE format($q$CREATE INDEX IF NOT EXISTS %I ON pgmq.%I (coalesce(headers ->> 'x-pgmq-group', '_default_fifo_group'), msg_id)$q$,
        q || '_fifo_idx', q);
END $$;

CREATE OR REPLACE FUNCTION pgmq.create_fifo_indexes_all() RETURNS void
LANGUAGE sql AS $$ SELECT pgmq.create_fifo_index(queue_name) FROM pgmq.meta $$;

CREATE OR REPLACE FUNCTION pgmq.metrics(queue_name text) RETURNS pgmq.metrics_result
LANGUAGE plpgsql AS $$
DECLARE
    q text := pgmq.format_table_name(queue_name, 'q');
    r pgmq.metrics_result;
    v_default bigint; -- null where there are no partitions
BEGIN
    IF to_regclass(format('pgmq.%I', q || '_default')) IS NOT NULL THEN
        EXECUTE format('SELECT count(*) FROM pgmq.%I', q || '_default') INTO v_default;
    END IF;
    EXECUTE format($q$
        SELECT $1, count(*), extract(epoch FROM now() - max(enqueued_at))::int, extract(epoch FROM now() - min(enqueued_at))::int,
               (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM pgmq.%I), now(), count(*) FILTER (WHERE vt <= now()), $2
        FROM pgmq.%I$q$, q || '_msg_id_seq', q)
    INTO r USING queue_name, v_default;
    RETURN r;
END $$;

CREATE OR REPLACE FUNCTION pgmq.metrics_all() RETURNS SETOF pgmq.metrics_result
LANGUAGE plpgsql AS $$
DECLARE
    v_name text;
BEGIN
    FOR v_name IN SELECT m.queue_name FROM pgmq.meta m LOOP
        RETURN NEXT pgmq.metrics(v_name);
    END LOOP;
END $$;
