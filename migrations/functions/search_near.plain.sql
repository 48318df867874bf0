-- unless: postgis
-- search_near(near) with contrib only: the index compares straight lines through the earth, which sort as the ways on its
-- surface do. Index: ix_documents_sphere.
CREATE OR REPLACE FUNCTION search_near(p_near jsonb, OUT condition text, OUT distance text, OUT ordering text)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_point text := format('%L::cube', sphere_point((p_near ->> 'longitude')::float8, (p_near ->> 'latitude')::float8));
    v_radius float8 := coalesce((p_near ->> 'radius')::float8, 10000);
BEGIN
    PERFORM near_errors(p_near);
    distance := format('sphere_distance(cube_distance(sphere_point(d.longitude, d.latitude), %s))', v_point);
    condition := CASE WHEN v_radius > 50000 THEN format(' AND %s <= %L', distance, v_radius) ELSE format(' AND sphere_point(d.longitude, d.latitude) <@ cube_enlarge(%s, %L, 3) AND %s <= %L', v_point,
        2 * 6371008.8 * sin(least(v_radius / (2 * 6371008.8), pi() / 2)), distance, v_radius) END;
    ordering := format('sphere_point(d.longitude, d.latitude) <-> %s', v_point);
END $$;
REVOKE EXECUTE ON FUNCTION search_near FROM PUBLIC;

-- search_nearest(tenant, near, offset, limit) is the page of a search that has a circle and nothing else: the columns of
-- find_documents. Its plan is kept, for it is the same for every circle. Internal. Index: ix_documents_sphere, by distance.
CREATE OR REPLACE FUNCTION search_nearest(p_tenant_id uuid, p_near jsonb, p_offset int, p_limit int)
RETURNS TABLE (id uuid, score real, distance double precision, created_at timestamptz, words real, similarity real, cursor jsonb)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_point cube := sphere_point((p_near ->> 'longitude')::float8, (p_near ->> 'latitude')::float8);
BEGIN
    RETURN QUERY
        SELECT h.id, 0::real, sphere_distance(h.near), h.created_at, NULL::real, NULL::real,
               jsonb_build_object('d', h.near, 'r', 0::real, 'c', h.created_at, 'i', h.id)
        FROM (SELECT d.id, d.created_at, sphere_point(d.longitude, d.latitude) <-> v_point AS near
              FROM documents d
              WHERE d.tenant_id = p_tenant_id AND d.longitude IS NOT NULL
              ORDER BY near FETCH FIRST (p_offset + p_limit) ROWS WITH TIES) h
        WHERE sphere_distance(h.near) <= coalesce((p_near ->> 'radius')::float8, 10000)
        ORDER BY h.near, h.created_at DESC, h.id DESC OFFSET p_offset LIMIT p_limit;
END $$;
REVOKE EXECUTE ON FUNCTION search_nearest FROM PUBLIC;
