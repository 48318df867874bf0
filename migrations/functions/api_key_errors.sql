-- api_key_errors(name, scopes, expires_at) returns what is wrong with a key as a JSON list of {field, message}.
CREATE OR REPLACE FUNCTION api_key_errors(p_name text, p_scopes text[], p_expires_at timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_errors jsonb := '[]';
BEGIN
    IF length(coalesce(p_name, '')) NOT BETWEEN 1 AND 200 OR p_name !~ '\S' THEN
        v_errors := v_errors || jsonb_build_object('field', 'name', 'message', 'A name has 1 to 200 characters.');
    END IF;
    IF cardinality(p_scopes) NOT BETWEEN 1 AND 50 OR EXISTS (
        SELECT FROM unnest(p_scopes) s WHERE s IS NULL OR s !~ '^(\*|[a-z]+:(\*|[a-z]+))$') THEN
        v_errors := v_errors || jsonb_build_object('field', 'scopes', 'message', 'A scope is "*", "noun:*" or "noun:verb".');
    END IF;
    IF p_expires_at <= now() THEN
        v_errors := v_errors || jsonb_build_object('field', 'expiresAt', 'message', 'This is in the past.');
    END IF;
    RETURN v_errors;
END $$;
