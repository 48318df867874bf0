-- delete_messages(tenant, queue, ids, receipts) deletes messages for good, and returns the ids of those that were there. With a
-- receipt for a message, one that somebody else has read since counts as not there (lock_messages).
-- Raises ZE404 when there is no such queue. Locks the rows.
CREATE OR REPLACE FUNCTION delete_messages(p_tenant_id uuid, p_queue text, p_ids bigint[], p_receipts int[] DEFAULT NULL) RETURNS SETOF bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_queue message_queues;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    v_queue := message_queue(p_tenant_id, p_queue);
    RETURN QUERY SELECT pgmq.delete(v_queue.physical, CASE WHEN p_receipts IS NULL THEN p_ids ELSE lock_messages(v_queue, p_ids, p_receipts) END);
END $$;
REVOKE EXECUTE ON FUNCTION delete_messages FROM PUBLIC;
GRANT EXECUTE ON FUNCTION delete_messages TO app_api, app_worker;
