-- similar_documents(tenant, vectors, models, conditions, exclude, limit) are the documents nearest to a text, as nearest_embeddings
-- has them; conditions are those of search_condition. Raises ZE400 naming vector or a condition, 42501 for another tenant.
-- SECURITY DEFINER: with row-level security no index of a condition could be used; the tenant is checked and part of each.
CREATE OR REPLACE FUNCTION similar_documents(p_tenant_id uuid, p_vectors real[], p_models text[], p_conditions jsonb, p_exclude uuid, p_limit int)
RETURNS TABLE (id uuid, similarity double precision, created_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    RETURN QUERY SELECT n.id, n.similarity, n.created_at
        FROM nearest_embeddings(p_tenant_id, p_vectors, p_models,
            search_condition(p_tenant_id, p_conditions) || CASE WHEN p_exclude IS NULL THEN '' ELSE format(' AND d.id <> %L', p_exclude) END, p_limit) n;
END $$;
REVOKE EXECUTE ON FUNCTION similar_documents FROM PUBLIC;
GRANT EXECUTE ON FUNCTION similar_documents TO app_api;
