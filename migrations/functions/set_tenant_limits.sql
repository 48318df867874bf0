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
    IF p_limits ?| '{files,storageBytes}' THEN
        -- The sums of files are kept beside their limits; see count_files.
        IF to_regclass('tenant_storage') IS NULL THEN
            RAISE EXCEPTION 'This database has no files to limit: migrate first.' USING ERRCODE = 'ZE501', COLUMN = 'storageBytes';
        END IF;
        EXECUTE format('INSERT INTO %s AS s (tenant_id, files_limit, bytes_limit) VALUES ($1, ($2 ->> ''files'')::bigint, ($2 ->> ''storageBytes'')::bigint)
            ON CONFLICT (tenant_id) DO UPDATE SET
                files_limit = CASE WHEN $2 ? ''files'' THEN excluded.files_limit ELSE s.files_limit END,
                bytes_limit = CASE WHEN $2 ? ''storageBytes'' THEN excluded.bytes_limit ELSE s.bytes_limit END', to_regclass('tenant_storage'))
            USING p_tenant_id, p_limits;
    END IF;
    PERFORM reset_tenant_quota(p_tenant_id);
    RETURN v_row;
END $$;
REVOKE EXECUTE ON FUNCTION set_tenant_limits FROM PUBLIC;

-- reset_tenant_quota(tenant) counts what the tenant has and deals out the room under its limits anew. The caller holds the
-- tenant's advisory lock, so nobody writes meanwhile. Sixteen slots: as many writers at a time do not meet.
CREATE OR REPLACE FUNCTION reset_tenant_quota(p_tenant_id uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_today date := (now() AT TIME ZONE 'UTC')::date;
    l tenant_limits;
    r record;
BEGIN
    DELETE FROM core.tenant_quota WHERE tenant_id = p_tenant_id;
    SELECT * INTO l FROM tenant_limits WHERE tenant_id = p_tenant_id;
    FOR r IN
        SELECT x.resource, x.most, x.name, 0::bigint AS used
        FROM (VALUES ('documents', l.documents, 'documents'), ('users', l.users, 'app_users'), ('jobs_per_day', l.jobs_per_day, 'jobs'),
            ('queues', l.queues, 'message_queues'), ('webhook_endpoints', l.webhook_endpoints, 'webhook_endpoints')) AS x (resource, most, name)
        WHERE x.most IS NOT NULL AND to_regclass(x.name) IS NOT NULL
    LOOP
        EXECUTE format('SELECT count(*) FROM %s WHERE tenant_id = $1%s', r.name,
            CASE r.resource WHEN 'jobs_per_day' THEN $x$ AND created_at >= date_trunc('day', now(), 'UTC')$x$ ELSE '' END)
            INTO r.used USING p_tenant_id;
        INSERT INTO core.tenant_quota (tenant_id, resource, slot, room, share, day)
        SELECT p_tenant_id, r.resource, s,
               CASE WHEN r.most < r.used THEN CASE WHEN s = 0 THEN r.most - r.used ELSE 0 END
                    ELSE (r.most - r.used) / 16 + CASE WHEN s < (r.most - r.used) % 16 THEN 1 ELSE 0 END END,
               r.most / 16 + CASE WHEN s < r.most % 16 THEN 1 ELSE 0 END,
               CASE WHEN r.resource = 'jobs_per_day' THEN v_today END
        FROM generate_series(0, 15) AS s;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION reset_tenant_quota FROM PUBLIC;
