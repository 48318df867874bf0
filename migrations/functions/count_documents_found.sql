-- count_documents_found(…) counts the hits of search_documents_page up to a limit, and says no more than "at least" beyond it.
-- Raises what search_documents_page raises.
CREATE OR REPLACE FUNCTION count_documents_found(p_tenant_id uuid, p_query text, p_limit int, p_path_prefix text DEFAULT NULL,
    p_mode text DEFAULT 'fts', p_tag_ids int[] DEFAULT NULL, p_all_tags boolean DEFAULT false, p_metadata hstore DEFAULT NULL,
    p_longitude double precision DEFAULT NULL, p_latitude double precision DEFAULT NULL, p_radius double precision DEFAULT NULL,
    p_language text DEFAULT 'en') RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT count(*) FROM search_documents_page(p_tenant_id, p_query, p_limit, p_path_prefix, p_mode, p_tag_ids, p_all_tags,
        p_metadata, p_longitude, p_latitude, p_radius, p_language)
$$;
REVOKE EXECUTE ON FUNCTION count_documents_found FROM PUBLIC;
GRANT EXECUTE ON FUNCTION count_documents_found TO app_api;
