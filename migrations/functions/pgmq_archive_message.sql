-- pgmq_archive_message(queue, id) archives a message of a queue of the setting's tenant; false when it is not there.
-- Raises 42501 without a tenant, and ZE404 when there is no such queue.
CREATE OR REPLACE FUNCTION pgmq_archive_message(p_queue text, p_msg_id bigint) RETURNS boolean
LANGUAGE sql AS $$
    SELECT EXISTS (SELECT FROM archive_messages(current_tenant(), p_queue, ARRAY[p_msg_id]))
$$;
REVOKE EXECUTE ON FUNCTION pgmq_archive_message FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pgmq_archive_message TO app_api, app_worker;
