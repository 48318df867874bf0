-- requires: postgis
-- search_near(near) is the SQL of a circle over documents d: its condition, the distance in metres, and what an index
-- gives the nearest first by. A wide circle is no index condition: it would be taken for a selective one. near is {longitude, latitude, radius}: degrees and metres, 10,000 without a radius.
-- Raises ZE400 with the field. Internal. Index: ix_documents_location, by distance when the circle is wide.
CREATE OR REPLACE FUNCTION search_near(p_near jsonb, OUT condition text, OUT distance text, OUT ordering text)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_point text := format('ST_SetSRID(ST_MakePoint(%L, %L), 4326)::geography', (p_near ->> 'longitude')::float8, (p_near ->> 'latitude')::float8);
    v_radius float8 := coalesce((p_near ->> 'radius')::float8, 10000);
BEGIN
    PERFORM near_errors(p_near);
    distance := format('ST_Distance(d.location, %s)', v_point);
    condition := CASE WHEN v_radius > 50000 THEN format(' AND %s <= %L', distance, v_radius) ELSE format(' AND ST_DWithin(d.location, %s, %L)', v_point, v_radius) END;
    ordering := format('d.location <-> %s', v_point);
END $$;
REVOKE EXECUTE ON FUNCTION search_near FROM PUBLIC;

-- search_nearest(tenant, near, offset, limit) is the page of a search that has a circle and nothing else: the columns of
-- find_documents. Its plan is kept, for it is the same for every circle. Internal. Index: ix_documents_location, by distance.
CREATE OR REPLACE FUNCTION search_nearest(p_tenant_id uuid, p_near jsonb, p_offset int, p_limit int)
RETURNS TABLE (id uuid, score real, distance double precision, created_at timestamptz, words real, similarity real, cursor jsonb)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_point geography := ST_SetSRID(ST_MakePoint((p_near ->> 'longitude')::float8, (p_near ->> 'latitude')::float8), 4326)::geography;
BEGIN
    RETURN QUERY
        SELECT h.id, 0::real, h.metres, h.created_at, NULL::real, NULL::real,
               jsonb_build_object('d', h.near, 'r', 0::real, 'c', h.created_at, 'i', h.id)
        FROM (SELECT d.id, d.created_at, ST_Distance(d.location, v_point) AS metres, d.location <-> v_point AS near
              FROM documents d
              WHERE d.tenant_id = p_tenant_id AND d.longitude IS NOT NULL
              ORDER BY near FETCH FIRST (p_offset + p_limit) ROWS WITH TIES) h
        WHERE h.metres <= coalesce((p_near ->> 'radius')::float8, 10000)
        ORDER BY h.near, h.created_at DESC, h.id DESC OFFSET p_offset LIMIT p_limit;
END $$;
REVOKE EXECUTE ON FUNCTION search_nearest FROM PUBLIC;
