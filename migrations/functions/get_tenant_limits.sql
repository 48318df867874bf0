-- get_tenant_limits(tenant) are the tenant's limits, all null when none is set. Always one row.
CREATE OR REPLACE FUNCTION get_tenant_limits(p_tenant_id uuid, OUT documents bigint, OUT users bigint, OUT api_keys bigint, OUT files bigint,
    OUT storage_bytes bigint, OUT queues bigint, OUT webhook_endpoints bigint, OUT jobs_per_day bigint, OUT requests_per_minute int,
    OUT updated_at timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT l.documents, l.users, l.api_keys, s.files_limit, s.bytes_limit, l.queues, l.webhook_endpoints, l.jobs_per_day, l.requests_per_minute,
           l.updated_at
    FROM (SELECT) AS one
    LEFT JOIN tenant_limits l ON l.tenant_id = p_tenant_id
    LEFT JOIN tenant_storage s ON s.tenant_id = p_tenant_id
$$;
REVOKE EXECUTE ON FUNCTION get_tenant_limits FROM PUBLIC;
GRANT EXECUTE ON FUNCTION get_tenant_limits TO app_api, app_worker;
