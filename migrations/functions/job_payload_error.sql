-- job_payload_error(type, payload) says why a payload does not fit its type, null when it does or the type has no schema.
CREATE OR REPLACE FUNCTION job_payload_error(p_type text, p_payload jsonb) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT format('The payload of %s is not valid: %s.', p_type,
               jsonb_schema_error(t.payload_schema, coalesce(p_payload, 'null')))
    FROM job_types t
    WHERE t.type = p_type AND jsonb_schema_error(t.payload_schema, coalesce(p_payload, 'null')) IS NOT NULL
$$;
