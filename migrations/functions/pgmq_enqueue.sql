-- pgmq_enqueue(queue, payload) sends a message to a queue of the setting's tenant and returns its id. The queue is made on its first use.
-- Raises 42501 without a tenant, and what send_messages raises.
CREATE OR REPLACE FUNCTION pgmq_enqueue(p_queue text, p_payload jsonb) RETURNS bigint
LANGUAGE sql AS $$
    SELECT message_id FROM send_messages(current_tenant(), p_queue, jsonb_build_array(jsonb_build_object('payload', p_payload)))
$$;
REVOKE EXECUTE ON FUNCTION pgmq_enqueue FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pgmq_enqueue TO app_api, app_worker;

-- The queue of that name which the documentation promises; no tenant's.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pgmq.meta WHERE queue_name = 'job_queue') THEN
        PERFORM pgmq.create('job_queue');
    END IF;
END $$;
