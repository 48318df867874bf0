-- search_documents_page(tenant, …) returns one page of ranked ids: every given condition must hold. With a point the
-- nearest come first, then the rank decides; ties go to the newer document, then to the greater id. The page starts
-- after the tuple of a previous hit (p_after_*).
-- Raises ZE400 for a path, a mode, a language or a location that is not valid, 42501 for another tenant.
-- SECURITY DEFINER: @@, <@, && and @> are not leakproof, so row-level security on the caller would keep them from using an
-- index. The tenant is an argument, checked, and part of every index condition.
CREATE OR REPLACE FUNCTION search_documents_page(p_tenant_id uuid, p_query text, p_limit int, p_path_prefix text DEFAULT NULL,
    p_mode text DEFAULT 'fts', p_tag_ids int[] DEFAULT NULL, p_all_tags boolean DEFAULT false, p_metadata hstore DEFAULT NULL,
    p_longitude double precision DEFAULT NULL, p_latitude double precision DEFAULT NULL, p_radius double precision DEFAULT NULL,
    p_language text DEFAULT 'en', p_after_distance double precision DEFAULT NULL, p_after_rank real DEFAULT NULL,
    p_after_created timestamptz DEFAULT NULL, p_after_id uuid DEFAULT NULL)
RETURNS TABLE (id uuid, rank real, distance double precision, created_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_query tsquery;
    v_path text := nullif(p_path_prefix, '');
    v_radius double precision := coalesce(p_radius, 10000);
    v_near boolean := p_longitude IS NOT NULL AND p_latitude IS NOT NULL;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    IF p_mode <> 'fts' THEN
        RAISE EXCEPTION 'The search mode must be fts.' USING ERRCODE = 'ZE400', COLUMN = 'mode';
    END IF;
    IF path_error(v_path) IS NOT NULL THEN
        RAISE EXCEPTION '%', path_error(v_path) USING ERRCODE = 'ZE400', COLUMN = 'pathPrefix';
    END IF;
    PERFORM raise_invalid(location_errors(jsonb_build_object('longitude', p_longitude, 'latitude', p_latitude)));
    IF NOT v_near AND p_radius IS NOT NULL THEN
        RAISE EXCEPTION 'A radius needs a longitude and a latitude.' USING ERRCODE = 'ZE400', COLUMN = 'longitude';
    END IF;
    IF v_near AND NOT (v_radius > 0 AND v_radius <= 1000000) THEN
        RAISE EXCEPTION 'A radius is more than 0 and at most 1,000,000 metres.' USING ERRCODE = 'ZE400', COLUMN = 'radius';
    END IF;
    IF length(p_query) > 1000 THEN
        RAISE EXCEPTION 'A query has at most 1,000 characters.' USING ERRCODE = 'ZE400', COLUMN = 'query';
    END IF;
    IF p_language <> 'plain' AND search_config(p_language) = 'plain_unaccent'::regconfig THEN
        RAISE EXCEPTION 'This is not a language code such as "en", or "plain" for no stemming.' USING ERRCODE = 'ZE400', COLUMN = 'language';
    END IF;

    IF p_query IS NOT NULL THEN
        BEGIN
            v_query := websearch_to_tsquery(search_config(coalesce(p_language, 'en')), p_query);
        EXCEPTION WHEN internal_error THEN -- "tsquery stack too small": more than 32 minus signs in a row, say
            RAISE EXCEPTION 'The query has too many operators in a row.' USING ERRCODE = 'ZE400', COLUMN = 'query';
        END;
        IF numnode(v_query) = 0 THEN
            RETURN; -- only stop words or operators: nothing is asked for
        END IF;
    END IF;

    -- One text per set of conditions, so that each is planned with what it has; every value is a parameter.
    RETURN QUERY EXECUTE
        'SELECT h.id, h.rank, h.distance, h.created_at FROM (
            SELECT d.id, d.created_at, '
        || CASE WHEN v_query IS NULL THEN '0::real' ELSE 'ts_rank(d.search_tsv, $2)' END || ' AS rank, '
        || CASE WHEN v_near THEN 'n.distance' ELSE 'NULL::double precision' END || ' AS distance
            FROM documents d'
        || CASE WHEN v_near THEN ' JOIN documents_near($1, $6, $7, $8) n ON n.id = d.id' ELSE '' END
        || ' WHERE d.tenant_id = $1'
        || CASE WHEN v_query IS NULL THEN '' ELSE ' AND d.search_tsv @@ $2' END
        || CASE WHEN v_path IS NULL THEN '' ELSE ' AND (d.path_text = $3 OR d.path_text >= $3 || ''.'' AND d.path_text < $3 || ''/'')' END
        || CASE WHEN p_tag_ids IS NULL THEN '' WHEN p_all_tags THEN ' AND d.tag_ids @> $4' ELSE ' AND d.tag_ids && $4' END
        || CASE WHEN p_metadata IS NULL THEN '' ELSE ' AND d.metadata @> $5' END
        || ') h'
        || CASE WHEN p_after_id IS NULL THEN '' WHEN v_near
            THEN ' WHERE (h.distance, -h.rank, $11, $12) > ($9, -$10, h.created_at, h.id)'
            ELSE ' WHERE (h.rank, h.created_at, h.id) < ($10, $11, $12)' END
        || ' ORDER BY ' || CASE WHEN v_near THEN 'h.distance, ' ELSE '' END || 'h.rank DESC, h.created_at DESC, h.id DESC LIMIT $13'
        USING p_tenant_id, v_query, v_path, p_tag_ids, p_metadata, p_longitude, p_latitude, v_radius,
            p_after_distance, p_after_rank, p_after_created, p_after_id, p_limit;
END $$;
REVOKE EXECUTE ON FUNCTION search_documents_page FROM PUBLIC;
GRANT EXECUTE ON FUNCTION search_documents_page TO app_api;
