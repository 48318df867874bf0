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
