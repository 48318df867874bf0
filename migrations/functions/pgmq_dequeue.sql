-- pgmq_dequeue(queue, limit) reads up to limit messages of a queue of the setting's tenant and hides them for five minutes.
-- Raises 42501 without a tenant, and what read_messages raises.
CREATE OR REPLACE FUNCTION pgmq_dequeue(p_queue text, p_limit int DEFAULT 10)
RETURNS TABLE (msg_id bigint, read_ct int, enqueued_at timestamptz, vt timestamptz, message jsonb)
LANGUAGE sql AS $$
    SELECT message_id, read_count, enqueued_at, visible_at, payload FROM read_messages(current_tenant(), p_queue, 300, p_limit)
$$;
REVOKE EXECUTE ON FUNCTION pgmq_dequeue FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pgmq_dequeue TO app_api, app_worker;
