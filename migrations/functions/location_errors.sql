-- location_errors(input) returns what is wrong with longitude and latitude: a list as document_errors gives it.
-- A point needs both, in degrees, -180..180 and -90..90.
CREATE OR REPLACE FUNCTION location_errors(p_input jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    v_errors jsonb := '[]';
    v_field text;
    v_limit int;
BEGIN
    FOR v_field, v_limit IN VALUES ('longitude', 180), ('latitude', 90) LOOP
        IF coalesce(jsonb_typeof(p_input -> v_field), 'null') = 'null' THEN
            CONTINUE;
        END IF;
        IF jsonb_typeof(p_input -> v_field) <> 'number' OR (p_input -> v_field)::numeric NOT BETWEEN -v_limit AND v_limit THEN
            v_errors := v_errors || jsonb_build_object('field', v_field, 'message',
                format('This must be a number from %s to %s.', -v_limit, v_limit));
        END IF;
    END LOOP;
    IF (coalesce(jsonb_typeof(p_input -> 'longitude'), 'null') = 'null') <> (coalesce(jsonb_typeof(p_input -> 'latitude'), 'null') = 'null') THEN
        v_errors := v_errors || jsonb_build_object('field',
            CASE WHEN coalesce(jsonb_typeof(p_input -> 'longitude'), 'null') = 'null' THEN 'longitude' ELSE 'latitude' END,
            'message', 'Longitude and latitude must be given together.');
    END IF;
    RETURN v_errors;
END $$;
