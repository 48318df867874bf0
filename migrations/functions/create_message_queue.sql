-- create_message_queue(tenant, name, kind, interval, retention) makes a queue: standard, unlogged or partitioned, the latter by a number of
-- messages or a time. A tenant has at most 100.
-- Raises ZE400 for a name or interval that cannot be, ZE409 when there is such a queue, ZE501 where this server cannot make one.
-- Waits for others who make queues of the tenant.
CREATE OR REPLACE FUNCTION create_message_queue(p_tenant_id uuid, p_name text, p_kind text DEFAULT 'standard', p_interval text DEFAULT NULL,
    p_retention text DEFAULT NULL) RETURNS message_queues
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET client_min_messages = warning AS $$
DECLARE
    v_queue message_queues;
    v_physical text := message_queue_physical(p_tenant_id, p_name);
    v_message text;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    IF p_name IS NULL OR p_name !~ '^[a-z][a-z0-9_]{0,30}$' THEN
        RAISE EXCEPTION 'A queue''s name has 1 to 31 characters: a small letter, then small letters, digits or _.' USING ERRCODE = 'ZE400', COLUMN = 'name';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('message_queues ' || p_tenant_id, 0));
    IF EXISTS (SELECT FROM message_queues WHERE tenant_id = p_tenant_id AND name = p_name) THEN
        RAISE EXCEPTION 'There is such a queue already.' USING ERRCODE = 'ZE409', COLUMN = 'name';
    ELSIF (SELECT count(*) FROM message_queues WHERE tenant_id = p_tenant_id) >= 100 THEN
        RAISE EXCEPTION 'There are 100 queues already.' USING ERRCODE = 'ZE409', COLUMN = 'name';
    END IF;
    INSERT INTO message_queues (tenant_id, name, physical, kind) VALUES (p_tenant_id, p_name, v_physical, p_kind) RETURNING * INTO v_queue;
    CASE p_kind
        WHEN 'standard' THEN PERFORM pgmq.create(v_physical);
        WHEN 'unlogged' THEN PERFORM pgmq.create_unlogged(v_physical);
        ELSE
            BEGIN
                PERFORM pgmq.create_partitioned(v_physical, coalesce(p_interval, '10000'), coalesce(p_retention, '1000000'));
            EXCEPTION WHEN data_exception THEN
                RAISE EXCEPTION 'This is neither a number of messages nor a time.' USING ERRCODE = 'ZE400', COLUMN = 'partitionInterval';
            WHEN raise_exception THEN
                GET STACKED DIAGNOSTICS v_message = MESSAGE_TEXT;
                IF v_message LIKE 'pg_partman%' THEN
                    RAISE EXCEPTION 'Partitioned queues need the extension pg_partman here.' USING ERRCODE = 'ZE501', COLUMN = 'kind';
                END IF;
                RAISE EXCEPTION 'The interval must be positive and the retention not negative.' USING ERRCODE = 'ZE400', COLUMN = 'partitionInterval';
            END;
    END CASE;
    RETURN v_queue;
END $$;
REVOKE EXECUTE ON FUNCTION create_message_queue FROM PUBLIC;
GRANT EXECUTE ON FUNCTION create_message_queue TO app_api, app_worker;
