-- tenant_queue_tables(tenant) are the tables of pgmq that are the tenant's alone, as queue:<name> and archive:<name>.
CREATE OR REPLACE FUNCTION tenant_queue_tables(p_tenant_id uuid) RETURNS TABLE (name text, relation text)
LANGUAGE sql STABLE AS $$
    SELECT t.kind || ':' || q.name, format('pgmq.%I', left(t.kind, 1) || '_' || q.physical)
    FROM message_queues q, unnest(ARRAY['queue', 'archive']) AS t (kind)
    WHERE q.tenant_id = p_tenant_id
    ORDER BY 1
$$;
REVOKE EXECUTE ON FUNCTION tenant_queue_tables FROM PUBLIC;
