-- explain_search(tenant, search, vector, limit) runs a search and says how, in steps: what became of the text, the
-- server's plan of each statement with times and buffers, and how often each index was read (by functions within the plan, too). For
-- operators: the caller checks the right. Raises what find_documents raises. VOLATILE, because EXPLAIN asks for it.

-- search_index_scans() counts how often this transaction has read each index of documents and of the vocabulary.
CREATE OR REPLACE FUNCTION search_index_scans() RETURNS jsonb
LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(jsonb_object_agg(i.indexrelid::regclass::text, s.scans), '{}')
    FROM pg_index i
    CROSS JOIN LATERAL (SELECT pg_stat_get_xact_numscans(i.indexrelid) AS scans) s
    WHERE (i.indrelid = 'public.documents'::regclass OR i.indrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'core.search_words'::regclass))
      AND s.scans > 0
$$;
REVOKE EXECUTE ON FUNCTION search_index_scans FROM PUBLIC;

CREATE OR REPLACE FUNCTION explain_search(p_tenant_id uuid, p_search jsonb, p_vector real[] DEFAULT NULL, p_limit int DEFAULT 20)
RETURNS TABLE (step text, sql text, plan jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_start timestamptz := clock_timestamp();
    v_before jsonb;
    v_after jsonb;
    v_text record;
    v_statements text[];
    v_limit int := coalesce((p_search ->> 'offset')::int, 0) + p_limit; -- what is skipped is found, too
    v_plan json;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    v_before := search_index_scans();
    SELECT * INTO v_text FROM search_text(p_tenant_id, p_search);
    v_statements := search_statements(p_tenant_id, p_search, p_limit, NULL);
    RETURN QUERY SELECT 'read the query', NULL::text, jsonb_build_object(
        'query', v_text.query::text, 'best', v_text.best::text, 'estimatedRows', v_text.rows, 'estimatedTitles', v_text.titles,
        'milliseconds', round((extract(epoch FROM clock_timestamp() - v_start) * 1000)::numeric, 3));
    FOR i IN 1 .. coalesce(cardinality(v_statements), 0) LOOP
        EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ' || v_statements[i] INTO v_plan USING p_vector, 0, v_limit;
        RETURN QUERY SELECT CASE i WHEN 1 THEN 'find the documents' ELSE 'find more documents' END, v_statements[i], v_plan::jsonb;
        v_limit := v_limit - (v_plan -> 0 -> 'Plan' ->> 'Actual Rows')::numeric::int;
        EXIT WHEN v_limit <= 0;
    END LOOP;
    IF v_plan IS NULL THEN
        RETURN; -- only stop words or operators
    END IF;
    v_after := search_index_scans();
    RETURN QUERY SELECT 'indexes', NULL::text, (
        SELECT coalesce(jsonb_object_agg(a.key, a.value::bigint - coalesce((v_before ->> a.key)::bigint, 0)), '{}')
        FROM jsonb_each_text(v_after) a
        WHERE a.value::bigint > coalesce((v_before ->> a.key)::bigint, 0));
END $$;
REVOKE EXECUTE ON FUNCTION explain_search FROM PUBLIC;
GRANT EXECUTE ON FUNCTION explain_search TO app_api;
