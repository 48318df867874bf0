-- search_documents(tenant, query, limit, path_prefix, mode, tag_ids, longitude, latitude, radius) returns the best hits;
-- the conditions combine by AND, tags by any, radius in metres. mode is fts, fuzzy, soundex or metaphone. Rules and errors are
-- those of find_documents.
CREATE OR REPLACE FUNCTION search_documents(p_tenant_id uuid, p_query text, p_limit int DEFAULT 20, p_path_prefix text DEFAULT NULL,
    p_mode text DEFAULT 'fts', p_tag_ids int[] DEFAULT NULL, p_longitude double precision DEFAULT NULL,
    p_latitude double precision DEFAULT NULL, p_radius double precision DEFAULT NULL)
RETURNS TABLE (id uuid, title text, fts_rank real, trigram_score real, created_at timestamptz, path ltree, distance_m double precision)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF p_longitude IS NULL AND p_latitude IS NULL AND p_radius IS NOT NULL THEN
        RAISE EXCEPTION 'A radius needs a longitude and a latitude.' USING ERRCODE = 'ZE400', COLUMN = 'longitude';
    END IF;
    IF p_mode IN ('semantic', 'hybrid') THEN
        RAISE EXCEPTION 'The search mode must be one of fts, fuzzy, soundex and metaphone.' USING ERRCODE = 'ZE400', COLUMN = 'mode';
    END IF;
    RETURN QUERY
        SELECT h.id, d.title, h.score, similarity(d.title, p_query), h.created_at, d.path, h.distance
        FROM find_documents(p_tenant_id, jsonb_strip_nulls(jsonb_build_object('query', p_query, 'mode', p_mode, 'pathPrefix', p_path_prefix, 'tagIds', p_tag_ids,
            'near', CASE WHEN p_longitude IS NOT NULL OR p_latitude IS NOT NULL THEN jsonb_strip_nulls(jsonb_build_object('longitude', p_longitude, 'latitude', p_latitude, 'radius', p_radius)) END)),
            NULL, least(greatest(p_limit, 1), 100)) WITH ORDINALITY AS h (id, score, distance, created_at, words, similarity, cursor, ord)
        -- One probe of documents_pkey for each hit: as a join it read all documents of the tenant.
        CROSS JOIN LATERAL (SELECT t.title, t.path FROM documents t WHERE t.tenant_id = p_tenant_id AND t.id = h.id OFFSET 0) d
        ORDER BY h.ord;
END $$;
REVOKE EXECUTE ON FUNCTION search_documents FROM PUBLIC;
GRANT EXECUTE ON FUNCTION search_documents TO app_api;
