-- unless: pgmq
-- pgmq: queues in partitions, without pg_partman: the same names, intervals and retention, kept by run_maintenance(), which the workers
-- call every minute. An interval is a number of ids, or a time (a month counts 30 days). Raise P0001 and 22007 for what is no interval.

-- _unit(interval) is msg_id for a number, else enqueued_at.
CREATE OR REPLACE FUNCTION pgmq._unit(partition_interval text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN partition_interval ~ '^\s*[0-9]+\s*$' THEN 'msg_id' ELSE 'enqueued_at' END
$$;

-- _length(control, interval) is an interval as a number: of ids, or of seconds.
CREATE OR REPLACE FUNCTION pgmq._length(control text, partition_interval text) RETURNS numeric
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN control = 'msg_id' THEN partition_interval::numeric ELSE extract(epoch FROM partition_interval::interval) END
$$;

-- _bound(control, value) is a number of ids or seconds as a literal of the column.
CREATE OR REPLACE FUNCTION pgmq._bound(control text, value numeric) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN control = 'msg_id' THEN value::bigint::text ELSE to_timestamp(value)::text END
$$;

-- _partition_by(table, queue, control, interval, retention, premake) notes how an empty partitioned table is kept, and makes its first
-- partitions and the one for what fits nowhere.
CREATE OR REPLACE FUNCTION pgmq._partition_by(parent text, queue_name text, control text, partition_interval text, retention text, premake integer)
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF pgmq._length(control, partition_interval) <= 0 OR pgmq._length(control, retention) < 0 THEN
        RAISE EXCEPTION 'partition_interval must be positive and retention_interval not negative';
    END IF;
    INSERT INTO pgmq.partition_config VALUES (parent, queue_name, control, partition_interval, retention, premake)
    ON CONFLICT (parent_table) DO NOTHING;
    EXECUTE format('CREATE TABLE IF NOT EXISTS pgmq.%I PARTITION OF pgmq.%I DEFAULT', left(parent, 55) || '_default', parent);
    PERFORM pgmq._keep_partitions(parent);
END $$;

-- _keep_partitions(table) makes the partitions that are due, moves into them what had to go into the default one, and drops those that
-- are past the retention. Returns how many it made and dropped. Locks the default partition while there is something in it to move.
CREATE OR REPLACE FUNCTION pgmq._keep_partitions(parent text) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    c pgmq.partition_config;
    v_length numeric;
    v_now numeric;   -- the newest id, or the time
    v_key text;      -- the column as a number
    v_start numeric;
    v_starts numeric[];
    v_name text;
    v_old text;
    v_default text := left(parent, 55) || '_default';
    n integer := 0;
BEGIN
    SELECT * INTO c FROM pgmq.partition_config p WHERE p.parent_table = parent FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    v_length := pgmq._length(c.control, c.partition_interval);
    v_key := CASE c.control WHEN 'msg_id' THEN 'msg_id' ELSE format('extract(epoch FROM %I)', c.control) END;
    IF c.control = 'msg_id' THEN
        EXECUTE format('SELECT last_value FROM pgmq.%I', pgmq.format_table_name(c.queue_name, 'q') || '_msg_id_seq') INTO v_now;
    ELSE
        v_now := extract(epoch FROM clock_timestamp());
    END IF;
    EXECUTE format('SELECT array_agg(DISTINCT floor(%s / $1)) FROM pgmq.%I', v_key, v_default) INTO v_starts USING v_length;
    FOR v_start IN
        SELECT u.n * v_length FROM (
            SELECT unnest(v_starts) UNION SELECT floor(v_now / v_length) + i FROM generate_series(0, c.premake) i) u (n) ORDER BY 1
    LOOP
        v_name := '_p' || CASE
            WHEN c.control = 'msg_id' THEN v_start::bigint::text
            WHEN v_length % 86400 = 0 THEN to_char(to_timestamp(v_start) AT TIME ZONE 'UTC', 'YYYYMMDD')
            ELSE to_char(to_timestamp(v_start) AT TIME ZONE 'UTC', 'YYYYMMDD_HH24MISS') END;
        v_name := left(parent, 63 - length(v_name)) || v_name;
        CONTINUE WHEN to_regclass(format('pgmq.%I', v_name)) IS NOT NULL;
        EXECUTE format('CREATE TABLE pgmq.%I (LIKE pgmq.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)', v_name, parent);
        IF floor(v_start / v_length) = ANY (v_starts) THEN
            EXECUTE format($q$
                LOCK TABLE pgmq.%1$I IN ACCESS EXCLUSIVE MODE;
                WITH moved AS (DELETE FROM pgmq.%1$I d WHERE %4$s >= %5$s AND %4$s < %6$s RETURNING d.*)
                INSERT INTO pgmq.%2$I (%3$s) SELECT %3$s FROM moved$q$,
                v_default, v_name, (SELECT string_agg(quote_ident(a.attname), ', ') FROM pg_attribute a
                    WHERE a.attrelid = format('pgmq.%I', v_name)::regclass AND a.attnum > 0 AND NOT a.attisdropped), v_key, v_start, v_start + v_length);
        END IF;
        EXECUTE format('ALTER TABLE pgmq.%I ATTACH PARTITION pgmq.%I FOR VALUES FROM (%L) TO (%L)', parent, v_name,
            pgmq._bound(c.control, v_start), pgmq._bound(c.control, v_start + v_length));
        n := n + 1;
    END LOOP;
    -- The lower bound stands in the catalogue as FROM ('…').
    FOR v_old IN
        SELECT r.relname FROM (
            SELECT k.relname, substring(pg_get_expr(k.relpartbound, k.oid) FROM $r$FROM \('?([^')]*)'?\)$r$) AS low
            FROM pg_inherits i JOIN pg_class k ON k.oid = i.inhrelid
            WHERE i.inhparent = format('pgmq.%I', parent)::regclass) r
        WHERE r.low IS NOT NULL
          AND CASE WHEN c.control = 'msg_id' THEN r.low::numeric ELSE extract(epoch FROM r.low::timestamptz) END + v_length
              <= v_now - pgmq._length(c.control, c.retention)
    LOOP
        EXECUTE format('DROP TABLE pgmq.%I', v_old);
        n := n + 1;
    END LOOP;
    RETURN n;
END $$;

-- run_maintenance() keeps the partitions of all queues and archives; a table that fails, with a warning, does not keep the others from theirs.
CREATE OR REPLACE FUNCTION pgmq.run_maintenance() RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_parent text;
    n integer := 0;
BEGIN
    FOR v_parent IN SELECT p.parent_table FROM pgmq.partition_config p ORDER BY 1 LOOP
        BEGIN
            n := n + pgmq._keep_partitions(v_parent);
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'the partitions of pgmq.% are not kept: %', v_parent, SQLERRM;
        END;
    END LOOP;
    RETURN n;
END $$;

CREATE OR REPLACE FUNCTION pgmq.create_partitioned(queue_name text, partition_interval text DEFAULT '10000', retention_interval text DEFAULT '100000',
    premake integer DEFAULT 4) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    q text := pgmq.format_table_name(queue_name, 'q');
    a text := pgmq.format_table_name(queue_name, 'a');
    v_by text := pgmq._unit(partition_interval);
    v_archive_by text := CASE pgmq._unit(partition_interval) WHEN 'msg_id' THEN 'msg_id' ELSE 'archived_at' END;
BEGIN
    PERFORM pgmq.validate_queue_name(queue_name);
    PERFORM pgmq.acquire_queue_lock(queue_name);
    IF premake < 1 THEN
        RAISE EXCEPTION 'premake must be at least 1, got %', premake;
    END IF;
    INSERT INTO pgmq.meta (queue_name, is_partitioned, is_unlogged) VALUES (create_partitioned.queue_name, true, false)
    ON CONFLICT DO NOTHING;
    EXECUTE format($q$
        CREATE TABLE IF NOT EXISTS pgmq.%1$I (
            msg_id bigint GENERATED BY DEFAULT AS IDENTITY,
            read_ct integer NOT NULL DEFAULT 0,
            enqueued_at timestamptz NOT NULL DEFAULT now(),
            last_read_at timestamptz,
            vt timestamptz NOT NULL,
            message jsonb,
            headers jsonb) PARTITION BY RANGE (%2$I);
        CREATE TABLE IF NOT EXISTS pgmq.%3$I (
            msg_id bigint NOT NULL,
            read_ct integer NOT NULL DEFAULT 0,
            enqueued_at timestamptz NOT NULL DEFAULT now(),
            last_read_at timestamptz,
            archived_at timestamptz NOT NULL DEFAULT now(),
            vt timestamptz NOT NULL,
            message jsonb,
            headers jsonb) PARTITION BY RANGE (%4$I);
        CREATE INDEX IF NOT EXISTS %5$I ON pgmq.%1$I (%2$I);
        CREATE INDEX IF NOT EXISTS %6$I ON pgmq.%1$I (msg_id);
        CREATE INDEX IF NOT EXISTS %7$I ON pgmq.%1$I ((msg_id >> 14), vt);
        CREATE INDEX IF NOT EXISTS %8$I ON pgmq.%3$I (archived_at)$q$,
        q, v_by, a, v_archive_by, q || '_part_idx', q || '_id_idx', q || '_vt_idx', 'archived_at_idx_' || queue_name);
    PERFORM pgmq._partition_by(q, queue_name, v_by, partition_interval, retention_interval, premake);
    PERFORM pgmq._partition_by(a, queue_name, v_archive_by, partition_interval, retention_interval, premake);
END $$;

-- convert_archive_partitioned(queue, …) puts a partitioned archive in the place of a plain one, which stays with its rows as …_old.
CREATE OR REPLACE FUNCTION pgmq.convert_archive_partitioned(table_name text, partition_interval text DEFAULT '10000',
    retention_interval text DEFAULT '100000', leading_partition integer DEFAULT 10) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    a text := pgmq.format_table_name(table_name, 'a');
    v_kind "char" := (SELECT c.relkind FROM pg_class c WHERE c.oid = to_regclass(format('pgmq.%I', pgmq.format_table_name(table_name, 'a'))));
    v_by text := CASE pgmq._unit(partition_interval) WHEN 'msg_id' THEN 'msg_id' ELSE 'archived_at' END;
BEGIN
    IF v_kind = 'p' THEN
        RAISE NOTICE 'Table %s is already partitioned', a;
        RETURN;
    ELSIF v_kind IS DISTINCT FROM 'r' THEN
        RAISE NOTICE 'Table %s does not exists', a;
        RETURN;
    END IF;
    EXECUTE format('ALTER TABLE pgmq.%1$I RENAME TO %2$I; ALTER INDEX pgmq.%3$I RENAME TO %4$I', a, a || '_old',
        'archived_at_idx_' || table_name, 'archived_at_idx_' || table_name || '_old');
    EXECUTE format('CREATE TABLE pgmq.%I (LIKE pgmq.%I INCLUDING DEFAULTS) PARTITION BY RANGE (%I)', a, a || '_old', v_by);
    EXECUTE format('CREATE INDEX %I ON pgmq.%I (archived_at)', 'archived_at_idx_' || table_name, a);
    PERFORM pgmq._partition_by(a, table_name, v_by, partition_interval, retention_interval, leading_partition);
END $$;
