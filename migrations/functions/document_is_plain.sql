-- document_is_plain(input) tells at first sight that a new document is valid: true only where document_errors finds
-- nothing, whatever the tenant; false means that nobody knows yet. An input that names an author is never plain.
CREATE OR REPLACE FUNCTION document_is_plain(p_input jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    v_title text := p_input ->> 'title';
    v_path text := p_input ->> 'path';
    v_external text := p_input ->> 'externalId';
    v_longitude jsonb := p_input -> 'longitude';
    v_latitude jsonb := p_input -> 'latitude';
BEGIN
    RETURN coalesce(CASE
        WHEN p_input ? 'authorId' THEN false
        WHEN jsonb_typeof(p_input -> 'title') IS DISTINCT FROM 'string' OR length(v_title) > 500 OR v_title !~ '\S' THEN false
        WHEN jsonb_typeof(p_input -> 'body') IS DISTINCT FROM 'string' THEN false
        WHEN p_input ? 'language' AND p_input -> 'language' NOT IN ('"en"', '"de"', '"fr"', '"es"', '"it"', '"pt"', '"nl"') THEN false
        WHEN v_path IS NOT NULL AND (jsonb_typeof(p_input -> 'path') <> 'string' OR length(v_path) > 255
            OR v_path !~ '^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$') THEN false
        WHEN v_external IS NOT NULL AND (jsonb_typeof(p_input -> 'externalId') <> 'string' OR length(v_external) NOT BETWEEN 1 AND 200) THEN false
        WHEN p_input ? 'id' AND p_input ->> 'id' !~ '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$' THEN false
        WHEN p_input ? 'metadata' AND (length((p_input -> 'metadata')::text) > 200 AND EXISTS (
                SELECT FROM jsonb_each_text(CASE WHEN jsonb_typeof(p_input -> 'metadata') = 'object' THEN p_input -> 'metadata' END)
                WHERE length(key) > 200 OR length(value) > 2000)
            OR jsonb_typeof(p_input -> 'metadata') <> 'object'
            OR p_input @? 'strict $.metadata.* ? (@.type() <> "string")'
            OR jsonb_array_length(jsonb_path_query_array(p_input, '$.metadata.*')) > 200) THEN false
        WHEN p_input ? 'tagIds' AND (jsonb_typeof(p_input -> 'tagIds') <> 'array' OR jsonb_array_length(p_input -> 'tagIds') > 1000
            OR p_input @? 'strict $.tagIds[*] ? (@.type() <> "number" || @ < -2147483648 || @ > 2147483647 || @ % 1 <> 0)') THEN false
        WHEN v_longitude IS NULL AND v_latitude IS NULL THEN true
        ELSE jsonb_typeof(v_longitude) = 'number' AND jsonb_typeof(v_latitude) = 'number'
            AND v_longitude BETWEEN '-180' AND '180' AND v_latitude BETWEEN '-90' AND '90'
        END, false);
END $$;
