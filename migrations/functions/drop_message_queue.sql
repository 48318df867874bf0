-- drop_message_queue(tenant, name) drops a queue with its messages and its archive, and returns what it was.
-- Raises ZE404 when there is none, ZE409 when it is another queue's dead letter queue. Waits for whoever uses the queue.
CREATE OR REPLACE FUNCTION drop_message_queue(p_tenant_id uuid, p_name text) RETURNS message_queues
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_queue message_queues;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    v_queue := message_queue(p_tenant_id, p_name, 'name');
    IF EXISTS (SELECT FROM message_queues WHERE tenant_id = p_tenant_id AND dead_letter_queue = p_name) THEN
        RAISE EXCEPTION 'It is the dead letter queue of another queue.' USING ERRCODE = 'ZE409', COLUMN = 'name';
    END IF;
    DELETE FROM message_queues WHERE tenant_id = p_tenant_id AND name = p_name;
    PERFORM pgmq.drop_queue(v_queue.physical);
    RETURN v_queue;
END $$;
REVOKE EXECUTE ON FUNCTION drop_message_queue FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_message_queue TO app_api;
