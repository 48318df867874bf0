-- message_queue_metrics(tenant, names) counts what is in queues of the tenant: one row for each that is there. Reads all messages.
CREATE OR REPLACE FUNCTION message_queue_metrics(p_tenant_id uuid, p_names text[])
RETURNS TABLE (name text, length bigint, visible bigint, oldest_age_seconds int, newest_age_seconds int, total bigint, archived bigint, at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_physical text;
    m record;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    FOR name, v_physical IN SELECT q.name, q.physical FROM message_queues q WHERE q.tenant_id = p_tenant_id AND q.name = ANY (p_names) ORDER BY q.name LOOP
        m := pgmq.metrics(v_physical);
        length := m.queue_length;
        visible := m.queue_visible_length;
        oldest_age_seconds := m.oldest_msg_age_sec;
        newest_age_seconds := m.newest_msg_age_sec;
        total := m.total_messages;
        at := m.scrape_time;
        EXECUTE format('SELECT count(*) FROM pgmq.%I', 'a_' || v_physical) INTO archived;
        RETURN NEXT;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION message_queue_metrics FROM PUBLIC;
GRANT EXECUTE ON FUNCTION message_queue_metrics TO app_api, app_readonly;
