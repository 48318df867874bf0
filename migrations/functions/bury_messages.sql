-- bury_messages(queue, ids) moves messages to the dead letter queue of their queue, visible at once, and returns how many. Headers of theirs
-- tell where they came from: x-source-queue, x-source-id, x-source-reads, x-source-enqueued-at. Not for the roles of the product.
CREATE OR REPLACE FUNCTION bury_messages(p_queue message_queues, p_ids bigint[]) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    n int;
BEGIN
    EXECUTE format($q$
        WITH gone AS (DELETE FROM pgmq.%I m WHERE m.msg_id = ANY ($1) RETURNING m.msg_id, m.read_ct, m.enqueued_at, m.message, m.headers)
        INSERT INTO pgmq.%I (vt, message, headers)
        SELECT clock_timestamp(), g.message, coalesce(g.headers, '{}') || jsonb_build_object('x-source-queue', $2::text, 'x-source-id', g.msg_id,
            'x-source-reads', g.read_ct - 1, 'x-source-enqueued-at', g.enqueued_at)
        FROM gone g ORDER BY g.msg_id$q$, 'q_' || p_queue.physical, 'q_' || message_queue_physical(p_queue.tenant_id, p_queue.dead_letter_queue))
    USING p_ids, p_queue.name;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;
REVOKE EXECUTE ON FUNCTION bury_messages FROM PUBLIC;
