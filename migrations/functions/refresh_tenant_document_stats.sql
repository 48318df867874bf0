-- refresh_tenant_document_stats() brings the statistics of all tenants up to date; readers are not blocked.
-- SECURITY DEFINER because only the owner may refresh a materialized view.
CREATE OR REPLACE FUNCTION refresh_tenant_document_stats() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    -- A second refresh waits, so that its caller sees what was written before it asked.
    PERFORM pg_advisory_xact_lock(hashtext('refresh_tenant_document_stats'));
    REFRESH MATERIALIZED VIEW CONCURRENTLY tenant_document_stats;
END $$;
REVOKE EXECUTE ON FUNCTION refresh_tenant_document_stats FROM PUBLIC;
GRANT EXECUTE ON FUNCTION refresh_tenant_document_stats TO app_worker;
