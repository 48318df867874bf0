-- message_queue_physical(tenant, name) is the name in pgmq of a tenant's queue: 47 characters at most, which is what pgmq takes.
CREATE OR REPLACE FUNCTION message_queue_physical(p_tenant_id uuid, p_name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT 't' || left(md5(p_tenant_id::text), 14) || '_' || p_name
$$;
