-- tenant_storage_usage(tenant) is what the tenant has stored and may store, in bytes and files; what unfinished uploads have set
-- aside counts. A limit that is null is none. Always one row.
CREATE OR REPLACE FUNCTION tenant_storage_usage(p_tenant_id uuid, OUT bytes_used bigint, OUT files_used bigint, OUT bytes_limit bigint, OUT files_limit bigint)
LANGUAGE sql STABLE AS $$
    SELECT coalesce(s.bytes_used, 0), coalesce(s.files_used, 0), s.bytes_limit, s.files_limit
    FROM (SELECT) AS one
    LEFT JOIN tenant_storage s ON s.tenant_id = p_tenant_id
$$;
REVOKE EXECUTE ON FUNCTION tenant_storage_usage FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant_storage_usage TO app_api, app_worker, app_readonly;
