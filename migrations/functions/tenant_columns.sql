-- tenant_columns(table) are the columns that an export holds, each with the expression of its JSON: what is no type of
-- PostgreSQL itself as the text that its type reads again, a vector as a list of numbers, which reads as either type of vector.
-- Left out: what is computed, secrets, and what means something on one server only.
CREATE OR REPLACE FUNCTION tenant_columns(p_table text) RETURNS TABLE (name text, expression text)
LANGUAGE sql STABLE AS $$
    SELECT a.attname::text, CASE
            WHEN t.typname = 'vector' THEN format('(x.%I::text)::json', a.attname)
            WHEN coalesce(e.typnamespace, t.typnamespace) = 'pg_catalog'::regnamespace THEN format('x.%I', a.attname)
            ELSE format('x.%I::text', a.attname) END
    FROM pg_attribute a
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
    WHERE a.attrelid = p_table::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
      AND (p_table, a.attname) NOT IN (
          ('api_keys', 'key_hash'), ('api_keys', 'previous_hash'), ('api_keys', 'previous_ends_at'),
          ('job_events', 'xid'), ('tenant_storage', 'bytes_used'), ('tenant_storage', 'files_used'), ('tenants', 'deleting_at'))
    ORDER BY a.attnum
$$;
REVOKE EXECUTE ON FUNCTION tenant_columns FROM PUBLIC;
