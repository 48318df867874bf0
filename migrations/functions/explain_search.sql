-- explain_search(tenant, search, vector, limit) runs a search and says how: for each step a name and the server's plan as
-- JSON, with times and buffers. For operators: the caller checks the right. Raises what find_documents raises.
CREATE OR REPLACE FUNCTION explain_search(p_tenant_id uuid, p_search jsonb, p_vector real[] DEFAULT NULL, p_limit int DEFAULT 20)
RETURNS TABLE (step text, sql text, plan jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_start timestamptz := clock_timestamp();
    v_text record;
    v_sql text;
    v_plan json;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    SELECT * INTO v_text FROM search_text(p_tenant_id, p_search);
    RETURN QUERY SELECT 'read the query', NULL::text, jsonb_build_object(
        'query', v_text.query::text, 'estimatedRows', v_text.rows, 'estimatedTitles', v_text.titles,
        'milliseconds', extract(epoch FROM clock_timestamp() - v_start) * 1000);
    v_sql := search_statement(p_tenant_id, p_search, p_limit, NULL);
    IF v_sql IS NULL THEN
        RETURN;
    END IF;
    EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ' || v_sql INTO v_plan USING p_vector;
    RETURN QUERY SELECT 'find the documents', v_sql, v_plan::jsonb;
END $$;
REVOKE EXECUTE ON FUNCTION explain_search FROM PUBLIC;
GRANT EXECUTE ON FUNCTION explain_search TO app_api;
