-- requires: postgis
-- search_near(near) is the SQL of a circle over documents d: its condition, the distance in metres, and what an index
-- gives the nearest first by. near is {longitude, latitude, radius}: degrees and metres, 10,000 without a radius.
-- Raises ZE400 with the field. Internal. Index: ix_documents_location, by distance when the circle is wide.
CREATE OR REPLACE FUNCTION search_near(p_near jsonb, OUT condition text, OUT distance text, OUT ordering text)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_point text := format('ST_SetSRID(ST_MakePoint(%L, %L), 4326)::geography', (p_near ->> 'longitude')::float8, (p_near ->> 'latitude')::float8);
BEGIN
    PERFORM near_errors(p_near);
    condition := format(' AND ST_DWithin(d.location, %s, %L)', v_point, coalesce((p_near ->> 'radius')::float8, 10000));
    distance := format('ST_Distance(d.location, %s)', v_point);
    ordering := format('d.location <-> %s', v_point);
END $$;
REVOKE EXECUTE ON FUNCTION search_near FROM PUBLIC;
