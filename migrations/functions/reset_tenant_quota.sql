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
