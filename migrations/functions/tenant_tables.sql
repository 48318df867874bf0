-- tenant_tables() lists every table with rows of tenants, partitioned ones by their parents, parents before children of a foreign
-- key. kind says what becomes of the rows:
--   data     exported, imported, deleted
--   log      exported and deleted: what was done, to be read; importing it would do it again
--   secret   deleted; neither exported nor made again
--   derived  deleted; made from data by triggers and maintenance, or of use to requests under way only
--   gone     deleted: months that a retention took out of their table, until their objects are removed
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
    SELECT t.name, t.tenant_column,
           CASE WHEN t.name IN (SELECT p.name FROM core.detached_partitions p) THEN 'gone' ELSE coalesce(k.kind, 'data') END,
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
