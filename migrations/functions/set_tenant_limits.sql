-- set_tenant_limits(tenant, limits) sets what a tenant may have, from a JSON object of {documents, users, apiKeys, messageQueues,
-- webhookEndpoints, jobsPerDay, requestsPerMinute, files, storageBytes}: absent keeps, null is no limit. A limit below what is in use refuses what is
-- new and takes nothing away. Returns the limits. Only the owner may: operators call it, not the API.
-- Raises ZE400, ZE404. Waits for the tenant's writers, and lets new ones wait while it counts.
CREATE OR REPLACE FUNCTION set_tenant_limits(p_tenant_id uuid, p_limits jsonb) RETURNS tenant_limits
LANGUAGE plpgsql AS $$
DECLARE
    v_errors jsonb;
    v_row tenant_limits;
BEGIN
    SELECT coalesce(jsonb_agg(e ORDER BY e ->> 'field'), '[]') INTO v_errors
    FROM (
        SELECT jsonb_build_object('field', l.key, 'message', CASE
            WHEN l.key NOT IN ('documents', 'users', 'apiKeys', 'messageQueues', 'webhookEndpoints', 'jobsPerDay', 'requestsPerMinute', 'files', 'storageBytes')
                THEN 'There is no such limit.'
            ELSE 'A limit is a whole number, not negative, or null for none.' END) AS e
        FROM jsonb_each(p_limits) l
        WHERE l.key NOT IN ('documents', 'users', 'apiKeys', 'messageQueues', 'webhookEndpoints', 'jobsPerDay', 'requestsPerMinute', 'files', 'storageBytes')
           OR jsonb_typeof(l.value) NOT IN ('number', 'null')
           OR jsonb_typeof(l.value) = 'number' AND (l.value::numeric % 1 <> 0 OR l.value::numeric NOT BETWEEN 0 AND 1e15
               OR l.key = 'requestsPerMinute' AND l.value::numeric NOT BETWEEN 1 AND 1e9)) x;
    PERFORM raise_invalid(v_errors);
    PERFORM pg_advisory_xact_lock(hashtextextended(p_tenant_id::text, 11));
    IF NOT EXISTS (SELECT FROM tenants WHERE id = p_tenant_id AND deleting_at IS NULL) THEN
        RAISE EXCEPTION 'There is no such tenant.' USING ERRCODE = 'ZE404';
    END IF;
    INSERT INTO tenant_limits (tenant_id) VALUES (p_tenant_id) ON CONFLICT DO NOTHING;
    UPDATE tenant_limits SET
        documents = CASE WHEN p_limits ? 'documents' THEN (p_limits ->> 'documents')::bigint ELSE documents END,
        users = CASE WHEN p_limits ? 'users' THEN (p_limits ->> 'users')::bigint ELSE users END,
        api_keys = CASE WHEN p_limits ? 'apiKeys' THEN (p_limits ->> 'apiKeys')::bigint ELSE api_keys END,
        queues = CASE WHEN p_limits ? 'messageQueues' THEN (p_limits ->> 'messageQueues')::bigint ELSE queues END,
        webhook_endpoints = CASE WHEN p_limits ? 'webhookEndpoints' THEN (p_limits ->> 'webhookEndpoints')::bigint ELSE webhook_endpoints END,
        jobs_per_day = CASE WHEN p_limits ? 'jobsPerDay' THEN (p_limits ->> 'jobsPerDay')::bigint ELSE jobs_per_day END,
        requests_per_minute = CASE WHEN p_limits ? 'requestsPerMinute' THEN (p_limits ->> 'requestsPerMinute')::int ELSE requests_per_minute END,
        updated_at = now()
    WHERE tenant_id = p_tenant_id
    RETURNING * INTO v_row;
    IF p_limits ? 'requestsPerMinute' THEN
        PERFORM pg_notify('api_keys_changed', ''); -- processes remember it with the keys
    END IF;
    IF p_limits ?| '{files,storageBytes}' THEN
        -- The sums of files are kept beside their limits; see count_files.
        INSERT INTO tenant_storage AS s (tenant_id, files_limit, bytes_limit)
        VALUES (p_tenant_id, (p_limits ->> 'files')::bigint, (p_limits ->> 'storageBytes')::bigint)
        ON CONFLICT (tenant_id) DO UPDATE SET
            files_limit = CASE WHEN p_limits ? 'files' THEN excluded.files_limit ELSE s.files_limit END,
            bytes_limit = CASE WHEN p_limits ? 'storageBytes' THEN excluded.bytes_limit ELSE s.bytes_limit END;
    END IF;
    PERFORM reset_tenant_quota(p_tenant_id);
    RETURN v_row;
END $$;
REVOKE EXECUTE ON FUNCTION set_tenant_limits FROM PUBLIC;
