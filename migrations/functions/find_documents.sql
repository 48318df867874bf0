-- find_documents(tenant, search, vector, limit, after) returns a page of what a search finds, the best first (the nearest
-- with a circle). search is a JSON object, every key optional, all given conditions must hold:
--   query, mode (fts, fuzzy, soundex, metaphone, semantic, hybrid), language, pathPrefix, tagIds, tagMatch (any, all), metadata,
--   authorId, createdFrom, createdTo, near {longitude, latitude, radius}, within {west, south, east, north},
--   weights {words, vector} of mode hybrid, models [text], offset (0 to 10,000).
-- vector is that of the query, for semantic and hybrid; with models, one after the other for each (nearest_embeddings). after is the cursor of a hit of the same search.
-- score decides the order, words is the part of the text in it, similarity that of the vector (1 - cosine distance).
-- Raises ZE400 with the field, 42501 for another tenant. Order and indexes: search_statements.
-- SECURITY DEFINER: @@, &&, @> and their like are not leakproof, so row-level security on the caller would keep them from
-- using an index. The tenant is an argument, checked, and part of every index condition.
DROP FUNCTION IF EXISTS search_documents_page; -- its forerunners
DROP FUNCTION IF EXISTS search_hits;
CREATE OR REPLACE FUNCTION find_documents(p_tenant_id uuid, p_search jsonb, p_vector real[] DEFAULT NULL, p_limit int DEFAULT 20, p_after jsonb DEFAULT NULL)
RETURNS TABLE (id uuid, score real, distance double precision, created_at timestamptz, words real, similarity real, cursor jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off AS $$ -- a LIMIT makes reading everybody's documents look cheap
DECLARE
    v_statements text[];
    v_offset int := coalesce((p_search ->> 'offset')::int, 0);
    v_limit int := p_limit;
    v_found int;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    IF p_limit < 1 OR p_limit > 1001 THEN
        RAISE EXCEPTION 'A page has 1 to 1,000 hits.' USING ERRCODE = 'ZE400', COLUMN = 'first';
    END IF;
    IF v_offset NOT BETWEEN 0 AND 10000 THEN
        RAISE EXCEPTION 'An offset is 0 to 10,000.' USING ERRCODE = 'ZE400', COLUMN = 'offset';
    END IF;
    v_statements := search_statements(p_tenant_id, p_search, p_limit, p_after);
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
REVOKE EXECUTE ON FUNCTION find_documents FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_documents TO app_api;
