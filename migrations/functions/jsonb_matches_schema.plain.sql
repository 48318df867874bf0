-- unless: pg_jsonschema
-- jsonb_matches_schema(schema, instance) reports whether a document fits a JSON Schema; the extension has the same function.
CREATE OR REPLACE FUNCTION jsonb_matches_schema(schema json, instance jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT jsonb_schema_error(schema::jsonb, instance) IS NULL
$$;
