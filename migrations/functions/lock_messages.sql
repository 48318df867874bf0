-- lock_messages(queue, ids, receipts) locks those of the messages that are in the queue and returns their ids. A receipt is the read count of
-- the read that returned the message: with one, a message that somebody else has read since is not there. Receipts may be null, in part
-- or as a whole. Not for the roles of the product.
CREATE OR REPLACE FUNCTION lock_messages(p_queue message_queues, p_ids bigint[], p_receipts int[]) RETURNS bigint[]
LANGUAGE plpgsql AS $$
DECLARE
    v_ids bigint[];
BEGIN
    EXECUTE format($q$
        SELECT array_agg(l.msg_id) FROM (
            SELECT m.msg_id
            FROM unnest($1, $2) AS i (id, receipt)
            JOIN pgmq.%I m ON m.msg_id = i.id
            WHERE i.receipt IS NULL OR m.read_ct = i.receipt
            ORDER BY m.msg_id
            FOR UPDATE OF m) l$q$, 'q_' || p_queue.physical) INTO v_ids USING p_ids, p_receipts;
    RETURN coalesce(v_ids, '{}');
END $$;
REVOKE EXECUTE ON FUNCTION lock_messages FROM PUBLIC;
