-- pop_messages(tenant, queue, limit) reads up to limit visible messages, oldest first, and deletes them at once: delivered at most once.
-- A queue that is not there is empty. Raises ZE400.
CREATE OR REPLACE FUNCTION pop_messages(p_tenant_id uuid, p_queue text, p_limit int DEFAULT 1)
RETURNS TABLE (message_id bigint, read_count int, enqueued_at timestamptz, visible_at timestamptz, payload jsonb, headers jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_ids bigint[] := '{}';
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    FOR message_id, read_count, enqueued_at, visible_at, payload, headers IN SELECT r.* FROM read_messages(p_tenant_id, p_queue, 60, p_limit) r LOOP
        v_ids := v_ids || message_id;
        RETURN NEXT;
    END LOOP;
    IF v_ids <> '{}' THEN
        PERFORM pgmq.delete((message_queue(p_tenant_id, p_queue)).physical, v_ids);
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION pop_messages FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pop_messages TO app_api, app_worker;
