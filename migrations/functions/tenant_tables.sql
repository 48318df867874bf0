-- tenant_tables() lists every table with rows of tenants, partitioned ones by their parents, parents before children of a foreign
-- key. kind says what becomes of the rows:
--   data     exported, imported, deleted
--   log      exported and deleted: what was done, to be read; importing it would do it again
--   secret   deleted; neither exported nor made again
--   derived  deleted; made from data by triggers and maintenance, or of use to requests under way only
--   record   outlives the tenant
-- It reads the catalogue, so a table that is new is data until it is named here.
CREATE OR REPLACE FUNCTION tenant_tables() RETURNS TABLE (name text, tenant_column text, kind text, ord int)
LANGUAGE sql STABLE AS $$
    WITH RECURSIVE tables AS (
        SELECT c.oid, CASE n.nspname WHEN 'public' THEN c.relname ELSE n.nspname || '.' || c.relname END AS name,
               CASE WHEN c.oid = 'tenants'::regclass THEN 'id' ELSE 'tenant_id' END AS tenant_column
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('public', 'core') AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND (c.oid = 'tenants'::regclass OR EXISTS (
              SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped))
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ), levels AS (
        SELECT t.oid, 0 AS level FROM tables t
        UNION
        SELECT f.conrelid, l.level + 1
        FROM levels l
        JOIN pg_constraint f ON f.contype = 'f' AND f.confrelid = l.oid AND f.conrelid <> f.confrelid
        JOIN tables t ON t.oid = f.conrelid
    )
    SELECT t.name, t.tenant_column, coalesce(k.kind, 'data'),
           row_number() OVER (ORDER BY t.name <> 'tenants', t.name IN ('tenant_limits', 'tenant_storage'), max(l.level), t.name)::int
    FROM tables t
    JOIN levels l USING (oid)
    LEFT JOIN (VALUES
        ('core.idempotency_keys', 'derived'), ('core.job_counts', 'derived'), ('core.outbox', 'log'),
        ('core.search_tenants', 'derived'), ('core.search_word_changes', 'derived'), ('core.search_words', 'derived'),
        ('core.tenant_deletions', 'record'), ('core.tenant_quota', 'derived'), ('job_events', 'log'),
        ('webhook_attempts', 'log'), ('webhook_deliveries', 'log'), ('webhook_secrets', 'secret')) AS k (name, kind) ON k.name = t.name
    GROUP BY t.name, t.tenant_column, k.kind
    ORDER BY 4
$$;
REVOKE EXECUTE ON FUNCTION tenant_tables FROM PUBLIC;

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

-- tenant_queue_tables(tenant) are the tables of pgmq that are the tenant's alone, as queue:<name> and archive:<name>.
CREATE OR REPLACE FUNCTION tenant_queue_tables(p_tenant_id uuid) RETURNS TABLE (name text, relation text)
LANGUAGE sql STABLE AS $$
    SELECT t.kind || ':' || q.name, format('pgmq.%I', left(t.kind, 1) || '_' || q.physical)
    FROM message_queues q, unnest(ARRAY['queue', 'archive']) AS t (kind)
    WHERE q.tenant_id = p_tenant_id
    ORDER BY 1
$$;
REVOKE EXECUTE ON FUNCTION tenant_queue_tables FROM PUBLIC;

-- tenant_row_counts(tenant) counts the tenant's rows in every table. SECURITY DEFINER because no role reads them all.
CREATE OR REPLACE FUNCTION tenant_row_counts(p_tenant_id uuid) RETURNS TABLE (name text, kind text, row_count bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    t record;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    FOR t IN SELECT * FROM tenant_tables() x WHERE x.kind <> 'record' ORDER BY x.ord LOOP
        name := t.name;
        kind := t.kind;
        EXECUTE format('SELECT count(*) FROM %s WHERE %I = $1', t.name, t.tenant_column) INTO row_count USING p_tenant_id;
        RETURN NEXT;
    END LOOP;
    kind := 'data';
    FOR t IN SELECT * FROM tenant_queue_tables(p_tenant_id) LOOP
        name := t.name;
        EXECUTE format('SELECT count(*) FROM %s', t.relation) INTO row_count;
        RETURN NEXT;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION tenant_row_counts FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant_row_counts TO app_api;
