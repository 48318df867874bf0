-- get_tenant_stats_fresh(tenant) is get_tenant_stats counted now: it reads an index entry per document.
-- Raises 42501 for another tenant.
CREATE OR REPLACE FUNCTION get_tenant_stats_fresh(p_tenant_id uuid)
RETURNS TABLE (tenant_id uuid, document_count bigint, newest_document_at timestamptz, updated_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    -- ix_documents_created answers both from the index alone.
    RETURN QUERY
        SELECT p_tenant_id, (SELECT count(*) FROM documents d WHERE d.tenant_id = p_tenant_id),
               (SELECT max(d.created_at) FROM documents d WHERE d.tenant_id = p_tenant_id), now();
END $$;
REVOKE EXECUTE ON FUNCTION get_tenant_stats_fresh FROM PUBLIC;
GRANT EXECUTE ON FUNCTION get_tenant_stats_fresh TO app_api;
