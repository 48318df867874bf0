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
