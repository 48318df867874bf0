-- cleanup_files(tenant, hours) forgets the tenant's uploads that were not finished within that time and returns how many. It is for
-- servers without storage; with it the worker removes their objects first.
CREATE OR REPLACE FUNCTION cleanup_files(p_tenant_id uuid, p_older_than_hours int) RETURNS bigint
LANGUAGE sql AS $$
    WITH gone AS (
        DELETE FROM files
        WHERE tenant_id = p_tenant_id AND status <> 'ready' AND created_at < now() - make_interval(hours => p_older_than_hours)
        RETURNING 1)
    SELECT count(*) FROM gone
$$;
REVOKE EXECUTE ON FUNCTION cleanup_files FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cleanup_files TO app_worker;
