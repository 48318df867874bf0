-- get_tenant_stats(tenant) returns the tenant's document statistics as of the last refresh; zeros for a tenant without documents.
-- Raises 42501 for another tenant. SECURITY DEFINER because a materialized view has no row-level security.
CREATE OR REPLACE FUNCTION get_tenant_stats(p_tenant_id uuid)
RETURNS TABLE (tenant_id uuid, document_count bigint, newest_document_at timestamptz, updated_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    RETURN QUERY
        SELECT p_tenant_id, coalesce(s.document_count, 0), s.newest_document_at,
               coalesce(s.refreshed_at, (SELECT max(refreshed_at) FROM tenant_document_stats))
        FROM (SELECT) one
        LEFT JOIN tenant_document_stats s ON s.tenant_id = p_tenant_id;
END $$;
REVOKE EXECUTE ON FUNCTION get_tenant_stats FROM PUBLIC;
GRANT EXECUTE ON FUNCTION get_tenant_stats TO app_api, app_worker;
