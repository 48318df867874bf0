-- set_message_visibility(tenant, queue, ids, vt, receipts) makes messages visible vt seconds from now, 0 for at once, and returns those that
-- were there with that moment. With a receipt for a message, one that somebody else has read since counts as not there (lock_messages).
-- Raises ZE400, and ZE404 when there is no such queue. Locks the rows.
CREATE OR REPLACE FUNCTION set_message_visibility(p_tenant_id uuid, p_queue text, p_ids bigint[], p_vt int, p_receipts int[] DEFAULT NULL)
RETURNS TABLE (message_id bigint, visible_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_queue message_queues;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    IF p_vt IS NULL OR p_vt NOT BETWEEN 0 AND 43200 THEN
        RAISE EXCEPTION 'This must be from 0 to 43,200, which is half a day.' USING ERRCODE = 'ZE400', COLUMN = 'visibilitySeconds';
    END IF;
    v_queue := message_queue(p_tenant_id, p_queue);
    RETURN QUERY EXECUTE format('UPDATE pgmq.%I m SET vt = $1 WHERE m.msg_id = ANY ($2) RETURNING m.msg_id, m.vt', 'q_' || v_queue.physical)
        USING clock_timestamp() + make_interval(secs => p_vt), lock_messages(v_queue, p_ids, p_receipts);
END $$;
REVOKE EXECUTE ON FUNCTION set_message_visibility FROM PUBLIC;
GRANT EXECUTE ON FUNCTION set_message_visibility TO app_api, app_worker;
