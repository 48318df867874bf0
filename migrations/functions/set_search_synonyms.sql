-- set_search_synonyms(tenant, term, synonyms, both_ways) makes these the synonyms of the term and returns them. With
-- both_ways the term becomes a synonym of each of them, too, beside those that they have.
-- Raises ZE400. Waits for others who set synonyms of the tenant; locks the rows of the term and, with both_ways, of the synonyms.
CREATE OR REPLACE FUNCTION set_search_synonyms(p_tenant_id uuid, p_term text, p_synonyms text[], p_both_ways boolean DEFAULT false)
RETURNS search_synonyms
LANGUAGE plpgsql AS $$
DECLARE
    v_row search_synonyms;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('search_synonyms ' || p_tenant_id, 0));
    INSERT INTO search_synonyms AS s (tenant_id, term, synonyms) VALUES (p_tenant_id, p_term, p_synonyms)
    ON CONFLICT (tenant_id, term) DO UPDATE SET synonyms = excluded.synonyms
    RETURNING s.* INTO v_row;
    IF p_both_ways THEN
        PERFORM raise_invalid(coalesce((
            SELECT jsonb_agg(jsonb_build_object('field', format('synonyms[%s]', t.ord - 1), 'message', 'This has 50 synonyms already.') ORDER BY t.ord)
            FROM unnest(p_synonyms) WITH ORDINALITY AS t (v, ord)
            JOIN search_synonyms s ON s.tenant_id = p_tenant_id AND s.term = search_phrase(t.v) COLLATE "C"
            WHERE cardinality(s.synonyms) >= 50 AND v_row.term <> ALL (s.synonyms)), '[]'));
        INSERT INTO search_synonyms AS s (tenant_id, term, synonyms)
        SELECT p_tenant_id, v, ARRAY[v_row.term] FROM unnest(v_row.synonyms) AS t (v)
        ON CONFLICT (tenant_id, term) DO UPDATE SET synonyms = s.synonyms || excluded.synonyms
        WHERE v_row.term <> ALL (s.synonyms);
    END IF;
    RETURN v_row;
END $$;
REVOKE EXECUTE ON FUNCTION set_search_synonyms FROM PUBLIC;
GRANT EXECUTE ON FUNCTION set_search_synonyms TO app_api;
