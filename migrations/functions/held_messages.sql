-- held_messages(tenant, queue, ids, receipts) are those of the messages that are still in the queue and have not been read since: for a list
-- of receipts, which are read counts, those whose count is the one given; without it all that are there. Each with the moment at which
-- it is visible. Raises ZE400 for lists that do not fit together.
CREATE OR REPLACE FUNCTION held_messages(p_tenant_id uuid, p_queue text, p_ids bigint[], p_receipts int[] DEFAULT NULL)
RETURNS TABLE (message_id bigint, visible_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    RETURN QUERY EXECUTE format($q$
        SELECT m.msg_id, m.vt
        FROM unnest($1, $2) AS i (id, receipt)
        JOIN pgmq.%I m ON m.msg_id = i.id
        WHERE i.receipt IS NULL OR m.read_ct = i.receipt
        ORDER BY m.msg_id$q$, 'q_' || (message_queue(p_tenant_id, p_queue)).physical) USING p_ids, p_receipts;
END $$;
REVOKE EXECUTE ON FUNCTION held_messages FROM PUBLIC;
GRANT EXECUTE ON FUNCTION held_messages TO app_api, app_worker;
