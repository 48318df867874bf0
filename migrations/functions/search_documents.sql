-- search_documents(tenant, query, limit, path_prefix, mode, tag_ids, longitude, latitude, radius) returns the best hits;
-- the conditions combine by AND, tags by any, radius in metres. Rules and errors are those of search_documents_page.
CREATE OR REPLACE FUNCTION search_documents(p_tenant_id uuid, p_query text, p_limit int DEFAULT 20, p_path_prefix text DEFAULT NULL,
    p_mode text DEFAULT 'fts', p_tag_ids int[] DEFAULT NULL, p_longitude double precision DEFAULT NULL,
    p_latitude double precision DEFAULT NULL, p_radius double precision DEFAULT NULL)
RETURNS TABLE (id uuid, title text, fts_rank real, trigram_score real, created_at timestamptz, path ltree, distance_m double precision)
LANGUAGE sql STABLE AS $$
    SELECT d.id, d.title, h.rank, similarity(d.title, p_query), d.created_at, d.path, h.distance
    FROM search_documents_page(p_tenant_id, p_query, least(greatest(p_limit, 1), 100), p_path_prefix, p_mode, p_tag_ids, false, NULL,
        p_longitude, p_latitude, p_radius) WITH ORDINALITY AS h (id, rank, distance, created_at, ord)
    JOIN documents d ON d.tenant_id = p_tenant_id AND d.id = h.id
    ORDER BY h.ord
$$;
REVOKE EXECUTE ON FUNCTION search_documents FROM PUBLIC;
GRANT EXECUTE ON FUNCTION search_documents TO app_api;
