-- search_hits(tenant, search, vector, limit, after, extra) is find_documents for who has checked the tenant; extra is one more condition,
-- SQL over documents d. It runs the statements of the search one after the other until the page is full. Internal.
CREATE OR REPLACE FUNCTION search_hits(p_tenant_id uuid, p_search jsonb, p_vector real[], p_limit int, p_after jsonb, p_extra text)
RETURNS TABLE (id uuid, score real, distance double precision, created_at timestamptz, words real, similarity real, cursor jsonb)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_statements text[] := search_statements(p_tenant_id, p_search, p_limit, p_after, p_extra);
    v_offset int := coalesce((p_search ->> 'offset')::int, 0);
    v_limit int := p_limit;
    v_found int;
BEGIN
    FOR i IN 1 .. coalesce(cardinality(v_statements), 0) LOOP
        RETURN QUERY EXECUTE v_statements[i] USING p_vector, v_offset, v_limit;
        GET DIAGNOSTICS v_found = ROW_COUNT;
        v_limit := v_limit - v_found;
        EXIT WHEN v_limit = 0 OR i = cardinality(v_statements);
        IF v_found > 0 THEN
            v_offset := 0;
        ELSIF v_offset > 0 THEN -- how many it would have skipped
            EXECUTE format('SELECT count(*) FROM (%s) x', v_statements[i]) INTO v_found USING p_vector, 0, v_offset;
            v_offset := v_offset - v_found;
        END IF;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION search_hits FROM PUBLIC;
