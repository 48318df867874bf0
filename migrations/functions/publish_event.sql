-- publish_event(tenant, topic, payload, aggregate_type, aggregate_id) writes an event of the tenant to the outbox, as a part of
-- the caller's transaction, and returns its id. Endpoints that want the topic get the payload, a JSON object of at most 256 KiB.
-- Raises ZE400.
CREATE OR REPLACE FUNCTION publish_event(p_tenant_id uuid, p_topic text, p_payload jsonb, p_aggregate_type text DEFAULT 'event',
    p_aggregate_id text DEFAULT '') RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_errors jsonb := '[]';
    v_id bigint;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    IF p_topic IS NULL OR length(p_topic) > 100 OR p_topic !~ '^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$' OR p_topic LIKE 'job.%' OR p_topic LIKE 'webhook.%' THEN
        v_errors := v_errors || jsonb_build_object('field', 'topic', 'message',
            'A topic has words of small letters with dots between, such as order.paid, and is none of job.* and webhook.*.');
    END IF;
    IF jsonb_typeof(p_payload) IS DISTINCT FROM 'object' OR octet_length(p_payload::text) > 262144 THEN
        v_errors := v_errors || jsonb_build_object('field', 'payload', 'message', 'A payload is a JSON object of at most 256 KiB.');
    END IF;
    IF coalesce(length(p_aggregate_type), 0) NOT BETWEEN 1 AND 100 OR coalesce(length(p_aggregate_id), 201) > 200 THEN
        v_errors := v_errors || jsonb_build_object('field', 'aggregateId', 'message', 'This is too long.');
    END IF;
    PERFORM raise_invalid(v_errors);
    INSERT INTO core.outbox (tenant_id, aggregate_type, aggregate_id, topic, payload)
    VALUES (p_tenant_id, p_aggregate_type, p_aggregate_id, p_topic, p_payload)
    RETURNING id INTO v_id;
    RETURN v_id;
END $$;
REVOKE EXECUTE ON FUNCTION publish_event FROM PUBLIC;
GRANT EXECUTE ON FUNCTION publish_event TO app_api, app_worker;
