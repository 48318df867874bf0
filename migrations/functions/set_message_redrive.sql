-- set_message_redrive(tenant, queue, max_reads, dead_letter_queue) moves messages that were read max_reads times to another queue when
-- they would be read once more; both null end that. The other queue is made when it is not there.
-- Raises ZE400, and ZE404 when there is no such queue.
CREATE OR REPLACE FUNCTION set_message_redrive(p_tenant_id uuid, p_queue text, p_max_reads int, p_dead_letter_queue text) RETURNS message_queues
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_queue message_queues;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    PERFORM message_queue(p_tenant_id, p_queue);
    IF (p_max_reads IS NULL) <> (p_dead_letter_queue IS NULL) THEN
        RAISE EXCEPTION 'Give both maxReads and deadLetterQueue, or neither.' USING ERRCODE = 'ZE400', COLUMN = 'maxReads';
    ELSIF p_max_reads NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION 'This must be from 1 to 1,000.' USING ERRCODE = 'ZE400', COLUMN = 'maxReads';
    ELSIF p_dead_letter_queue = p_queue THEN
        RAISE EXCEPTION 'A queue cannot be its own dead letter queue.' USING ERRCODE = 'ZE400', COLUMN = 'deadLetterQueue';
    END IF;
    IF p_dead_letter_queue IS NOT NULL THEN
        PERFORM ensure_message_queue(p_tenant_id, p_dead_letter_queue, 'deadLetterQueue');
    END IF;
    UPDATE message_queues SET max_reads = p_max_reads, dead_letter_queue = p_dead_letter_queue
    WHERE tenant_id = p_tenant_id AND name = p_queue
    RETURNING * INTO v_queue;
    RETURN v_queue;
END $$;
REVOKE EXECUTE ON FUNCTION set_message_redrive FROM PUBLIC;
GRANT EXECUTE ON FUNCTION set_message_redrive TO app_api;
