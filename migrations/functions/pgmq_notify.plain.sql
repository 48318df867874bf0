-- unless: pgmq
-- pgmq: notifications of inserts on the channel pgmq.q_<queue>.INSERT, at most one in an interval.
-- Raise P0001 for a queue that is not there and for a negative interval.

-- notify_queue_listeners() is the trigger. It runs at the end of the transaction, and a sender who meets another one at the
-- throttle's row says nothing rather than wait: that one is notifying at this moment.
CREATE OR REPLACE FUNCTION pgmq.notify_queue_listeners() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_queue text := coalesce(TG_ARGV[0], substr(TG_TABLE_NAME, 3));
BEGIN
    UPDATE pgmq.notify_insert_throttle t
    SET last_notified_at = clock_timestamp()
    WHERE t.ctid = (
        SELECT d.ctid FROM pgmq.notify_insert_throttle d
        WHERE d.queue_name = v_queue
          AND (d.throttle_interval_ms = 0 OR d.last_notified_at <= clock_timestamp() - make_interval(secs => d.throttle_interval_ms / 1000.0))
        FOR UPDATE SKIP LOCKED);
    -- Without a throttle every sender notifies, whoever has the row.
    IF FOUND OR EXISTS (SELECT FROM pgmq.notify_insert_throttle t WHERE t.queue_name = v_queue AND t.throttle_interval_ms = 0) THEN
        PERFORM pg_notify('pgmq.q_' || v_queue || '.' || TG_OP, NULL);
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION pgmq.enable_notify_insert(queue_name text, throttle_interval_ms integer DEFAULT 250) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    q text := pgmq.format_table_name(queue_name, 'q');
BEGIN
    IF throttle_interval_ms < 0 THEN
        RAISE EXCEPTION 'throttle_interval_ms must be non-negative';
    END IF;
    IF to_regclass(format('pgmq.%I', q)) IS NULL THEN
        RAISE EXCEPTION 'Queue "%" does not exist. Create it first using pgmq.create()', queue_name;
    END IF;
    PERFORM pgmq.disable_notify_insert(queue_name);
    INSERT INTO pgmq.notify_insert_throttle VALUES (queue_name, throttle_interval_ms);
    EXECUTE format($q$
        CREATE CONSTRAINT TRIGGER trigger_notify_queue_insert_listeners AFTER INSERT ON pgmq.%I DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION pgmq.notify_queue_listeners(%L)$q$, q, queue_name);
END $$;

CREATE OR REPLACE FUNCTION pgmq.disable_notify_insert(queue_name text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgmq._settle(queue_name);
    EXECUTE format('DROP TRIGGER IF EXISTS trigger_notify_queue_insert_listeners ON pgmq.%I', pgmq.format_table_name(queue_name, 'q'));
    DELETE FROM pgmq.notify_insert_throttle t WHERE t.queue_name = disable_notify_insert.queue_name;
END $$;

CREATE OR REPLACE FUNCTION pgmq.update_notify_insert(queue_name text, throttle_interval_ms integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF throttle_interval_ms < 0 THEN
        RAISE EXCEPTION 'throttle_interval_ms must be non-negative, got: %', throttle_interval_ms;
    END IF;
    IF NOT EXISTS (SELECT FROM pgmq.meta m WHERE m.queue_name = update_notify_insert.queue_name) THEN
        RAISE EXCEPTION 'Queue "%" does not exist. Create the queue first using pgmq.create()', queue_name;
    END IF;
    UPDATE pgmq.notify_insert_throttle t
    SET throttle_interval_ms = update_notify_insert.throttle_interval_ms, last_notified_at = to_timestamp(0)
    WHERE t.queue_name = update_notify_insert.queue_name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Queue "%" does not have notify_insert enabled. Enable it first using pgmq.enable_notify_insert()', queue_name;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION pgmq.list_notify_insert_throttles()
RETURNS TABLE (queue_name text, throttle_interval_ms integer, last_notified_at timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT t.queue_name, t.throttle_interval_ms, t.last_notified_at FROM pgmq.notify_insert_throttle t ORDER BY t.queue_name
$$;
