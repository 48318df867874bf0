-- read_messages(tenant, queue, vt, limit) reads up to limit visible messages, oldest first, and hides them for vt seconds. Those that have been
-- read as often as the queue's redrive rule allows go to its dead letter queue instead. A queue that is not there is empty,
-- unless there cannot be one of that name.
-- Raises ZE400. Locks the rows it returns; those that others lock are left out.
CREATE OR REPLACE FUNCTION read_messages(p_tenant_id uuid, p_queue text, p_vt int DEFAULT 300, p_limit int DEFAULT 10)
RETURNS TABLE (message_id bigint, read_count int, enqueued_at timestamptz, visible_at timestamptz, payload jsonb, headers jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_queue message_queues;
    v_left int := p_limit;
    v_dead bigint[];
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    IF p_vt IS NULL OR p_vt NOT BETWEEN 0 AND 43200 THEN
        RAISE EXCEPTION 'This must be from 0 to 43,200, which is half a day.' USING ERRCODE = 'ZE400', COLUMN = 'visibilitySeconds';
    ELSIF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 100 THEN
        RAISE EXCEPTION 'This must be from 1 to 100.' USING ERRCODE = 'ZE400', COLUMN = 'limit';
    END IF;
    SELECT * INTO v_queue FROM message_queues q WHERE q.tenant_id = p_tenant_id AND q.name = p_queue;
    IF NOT FOUND THEN
        IF p_queue ~ '^[a-z][a-z0-9_]{0,30}$' IS NOT TRUE THEN
            RAISE EXCEPTION 'A queue''s name has 1 to 31 characters: a small letter, then small letters, digits or _.'
                USING ERRCODE = 'ZE400', COLUMN = 'queue';
        END IF;
        RETURN;
    END IF;
    IF v_queue.max_reads IS NULL THEN
        RETURN QUERY SELECT r.msg_id, r.read_ct, r.enqueued_at, r.vt, r.message, r.headers FROM pgmq.read(v_queue.physical, p_vt, p_limit) r ORDER BY r.msg_id;
        RETURN;
    END IF;
    WHILE v_left > 0 LOOP
        v_dead := '{}';
        FOR message_id, read_count, enqueued_at, visible_at, payload, headers IN
            SELECT r.msg_id, r.read_ct, r.enqueued_at, r.vt, r.message, r.headers FROM pgmq.read(v_queue.physical, p_vt, v_left) r ORDER BY r.msg_id
        LOOP
            IF read_count > v_queue.max_reads THEN
                v_dead := v_dead || message_id;
            ELSE
                v_left := v_left - 1;
                RETURN NEXT;
            END IF;
        END LOOP;
        -- Where nothing was put aside there is no more to be had; with vt 0 the same would come again.
        EXIT WHEN cardinality(v_dead) = 0;
        PERFORM bury_messages(v_queue, v_dead);
        EXIT WHEN p_vt = 0;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION read_messages FROM PUBLIC;
GRANT EXECUTE ON FUNCTION read_messages TO app_api, app_worker;
