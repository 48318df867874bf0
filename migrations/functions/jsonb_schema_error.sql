-- jsonb_schema_error(schema, instance, at) says where and why a document does not fit a JSON Schema, null when it does.
-- Keywords: type enum const required properties additionalProperties items minItems maxItems uniqueItems minProperties
-- maxProperties minLength maxLength pattern format minimum maximum exclusiveMinimum exclusiveMaximum multipleOf
-- allOf anyOf oneOf not; formats email, uuid, date-time, date, uri. Other keywords are ignored, as the standard asks.
CREATE OR REPLACE FUNCTION jsonb_schema_error(p_schema jsonb, p_instance jsonb, p_at text DEFAULT '') RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    v_type text := jsonb_typeof(p_instance);
    v_at text := CASE WHEN p_at = '' THEN 'the payload' ELSE p_at END;
    v_text text;
    v_number numeric;
    v_error text;
    v_key text;
    v_value jsonb;
    v_count int;
BEGIN
    IF p_schema = 'true' OR p_schema = '{}' THEN RETURN NULL; END IF;
    IF p_schema = 'false' THEN RETURN v_at || ' is not allowed'; END IF;

    IF p_schema ? 'type' THEN
        IF NOT EXISTS (
            SELECT FROM jsonb_array_elements_text(CASE WHEN jsonb_typeof(p_schema -> 'type') = 'array'
                THEN p_schema -> 'type' ELSE jsonb_build_array(p_schema -> 'type') END) AS t (name)
            WHERE name = v_type OR name = 'integer' AND v_type = 'number' AND p_instance::numeric % 1 = 0) THEN
            RETURN format('%s must be of type %s', v_at, replace(btrim((p_schema -> 'type')::text, '[]'), '"', ''));
        END IF;
    END IF;
    IF p_schema ? 'enum' AND NOT EXISTS (SELECT FROM jsonb_array_elements(p_schema -> 'enum') AS t (v) WHERE v = p_instance) THEN
        RETURN format('%s must be one of %s', v_at, p_schema -> 'enum');
    END IF;
    IF p_schema ? 'const' AND p_schema -> 'const' <> p_instance THEN
        RETURN format('%s must be %s', v_at, p_schema -> 'const');
    END IF;

    IF v_type = 'object' THEN
        FOR v_key IN SELECT jsonb_array_elements_text(coalesce(p_schema -> 'required', '[]')) LOOP
            IF NOT p_instance ? v_key THEN
                RETURN format('%s is required', ltrim(p_at || '.' || v_key, '.'));
            END IF;
        END LOOP;
        FOR v_key, v_value IN SELECT * FROM jsonb_each(coalesce(p_schema -> 'properties', '{}')) LOOP
            IF p_instance ? v_key THEN
                v_error := jsonb_schema_error(v_value, p_instance -> v_key, ltrim(p_at || '.' || v_key, '.'));
                IF v_error IS NOT NULL THEN RETURN v_error; END IF;
            END IF;
        END LOOP;
        IF p_schema ? 'additionalProperties' THEN
            FOR v_key, v_value IN SELECT * FROM jsonb_each(p_instance) LOOP
                IF NOT coalesce(p_schema -> 'properties', '{}') ? v_key THEN
                    v_error := jsonb_schema_error(p_schema -> 'additionalProperties', v_value, ltrim(p_at || '.' || v_key, '.'));
                    IF v_error IS NOT NULL THEN RETURN v_error; END IF;
                END IF;
            END LOOP;
        END IF;
        IF p_schema ?| ARRAY['minProperties', 'maxProperties'] THEN
            v_count := (SELECT count(*) FROM jsonb_object_keys(p_instance));
            IF v_count < (p_schema ->> 'minProperties')::numeric THEN
                RETURN format('%s needs at least %s properties', v_at, p_schema ->> 'minProperties');
            END IF;
            IF v_count > (p_schema ->> 'maxProperties')::numeric THEN
                RETURN format('%s may have at most %s properties', v_at, p_schema ->> 'maxProperties');
            END IF;
        END IF;
    ELSIF v_type = 'array' THEN
        IF jsonb_array_length(p_instance) < (p_schema ->> 'minItems')::numeric THEN
            RETURN format('%s needs at least %s items', v_at, p_schema ->> 'minItems');
        END IF;
        IF jsonb_array_length(p_instance) > (p_schema ->> 'maxItems')::numeric THEN
            RETURN format('%s may have at most %s items', v_at, p_schema ->> 'maxItems');
        END IF;
        IF p_schema -> 'uniqueItems' = 'true' AND jsonb_array_length(p_instance)
            > (SELECT count(DISTINCT v) FROM jsonb_array_elements(p_instance) AS t (v)) THEN
            RETURN format('%s must not have equal items', v_at);
        END IF;
        IF p_schema ? 'items' THEN
            FOR v_value, v_count IN SELECT t.v, t.o - 1 FROM jsonb_array_elements(p_instance) WITH ORDINALITY AS t (v, o) LOOP
                v_error := jsonb_schema_error(p_schema -> 'items', v_value, format('%s[%s]', p_at, v_count));
                IF v_error IS NOT NULL THEN RETURN v_error; END IF;
            END LOOP;
        END IF;
    ELSIF v_type = 'string' THEN
        v_text := p_instance #>> '{}';
        IF length(v_text) < (p_schema ->> 'minLength')::numeric THEN
            RETURN format('%s needs at least %s characters', v_at, p_schema ->> 'minLength');
        END IF;
        IF length(v_text) > (p_schema ->> 'maxLength')::numeric THEN
            RETURN format('%s may have at most %s characters', v_at, p_schema ->> 'maxLength');
        END IF;
        IF v_text !~ coalesce(p_schema ->> 'pattern', '') THEN
            RETURN format('%s does not match the pattern %s', v_at, p_schema ->> 'pattern');
        END IF;
        IF v_text !~ (CASE p_schema ->> 'format'
            WHEN 'email' THEN '^[^@\s]+@[^@\s.]+(\.[^@\s.]+)*$'
            WHEN 'uuid' THEN '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$'
            WHEN 'date' THEN '^\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])$'
            WHEN 'date-time' THEN '^\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])[Tt ]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([Zz]|[+-]\d\d:\d\d)$'
            WHEN 'uri' THEN '^[A-Za-z][A-Za-z0-9+.-]*:\S+$'
            ELSE '' END) THEN
            RETURN format('%s is not a valid %s', v_at, p_schema ->> 'format');
        END IF;
    ELSIF v_type = 'number' THEN
        v_number := p_instance::numeric;
        IF v_number < (p_schema ->> 'minimum')::numeric OR v_number <= (p_schema ->> 'exclusiveMinimum')::numeric THEN
            RETURN format('%s must be %s', v_at, coalesce('at least ' || (p_schema ->> 'minimum'), 'more than ' || (p_schema ->> 'exclusiveMinimum')));
        END IF;
        IF v_number > (p_schema ->> 'maximum')::numeric OR v_number >= (p_schema ->> 'exclusiveMaximum')::numeric THEN
            RETURN format('%s must be %s', v_at, coalesce('at most ' || (p_schema ->> 'maximum'), 'less than ' || (p_schema ->> 'exclusiveMaximum')));
        END IF;
        IF v_number % (p_schema ->> 'multipleOf')::numeric <> 0 THEN
            RETURN format('%s must be a multiple of %s', v_at, p_schema ->> 'multipleOf');
        END IF;
    END IF;

    FOR v_value IN SELECT jsonb_array_elements(coalesce(p_schema -> 'allOf', '[]')) LOOP
        v_error := jsonb_schema_error(v_value, p_instance, p_at);
        IF v_error IS NOT NULL THEN RETURN v_error; END IF;
    END LOOP;
    IF p_schema ?| ARRAY['anyOf', 'oneOf'] THEN
        v_count := (SELECT count(*) FILTER (WHERE jsonb_schema_error(v, p_instance, p_at) IS NULL)
            FROM jsonb_array_elements(coalesce(p_schema -> 'anyOf', p_schema -> 'oneOf')) AS t (v));
        IF v_count = 0 OR v_count > 1 AND NOT p_schema ? 'anyOf' THEN
            RETURN format('%s fits %s of the allowed forms', v_at, CASE v_count WHEN 0 THEN 'none' ELSE 'more than one' END);
        END IF;
    END IF;
    IF p_schema ? 'not' AND jsonb_schema_error(p_schema -> 'not', p_instance, p_at) IS NULL THEN
        RETURN v_at || ' has a form that is not allowed';
    END IF;
    RETURN NULL;
END $$;
