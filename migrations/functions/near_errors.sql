-- near_errors(near) raises ZE400 for a circle that is none: {longitude, latitude, radius}, degrees and metres.
CREATE OR REPLACE FUNCTION near_errors(p_near jsonb) RETURNS void
LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM raise_invalid(location_errors(p_near));
    IF p_near ->> 'longitude' IS NULL THEN
        RAISE EXCEPTION 'A circle needs a longitude and a latitude.' USING ERRCODE = 'ZE400', COLUMN = 'longitude';
    END IF;
    IF NOT coalesce((p_near ->> 'radius')::float8 > 0 AND (p_near ->> 'radius')::float8 <= 1000000, true) THEN
        RAISE EXCEPTION 'A radius is more than 0 and at most 1,000,000 metres.' USING ERRCODE = 'ZE400', COLUMN = 'radius';
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION near_errors FROM PUBLIC;
