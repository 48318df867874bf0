-- purge_message_queue(tenant, name) deletes all messages of a queue, hidden ones too, and returns how many. The archive stays.
-- Raises ZE404 when there is no such queue. Waits for whoever uses the queue.
CREATE OR REPLACE FUNCTION purge_message_queue(p_tenant_id uuid, p_name text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    RETURN pgmq.purge_queue((message_queue(p_tenant_id, p_name, 'name')).physical);
END $$;
REVOKE EXECUTE ON FUNCTION purge_message_queue FROM PUBLIC;
GRANT EXECUTE ON FUNCTION purge_message_queue TO app_api;
