-- search_queries(tenant, search) is what the text of a search became: the query that documents must match and the part of
-- it that counts most; no row without one. Raises what find_documents raises.
CREATE OR REPLACE FUNCTION search_queries(p_tenant_id uuid, p_search jsonb) RETURNS TABLE (query tsquery, best tsquery)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    RETURN QUERY SELECT t.query, t.best FROM search_text(p_tenant_id, p_search) t WHERE t.query IS NOT NULL;
END $$;
REVOKE EXECUTE ON FUNCTION search_queries FROM PUBLIC;
GRANT EXECUTE ON FUNCTION search_queries TO app_api;
