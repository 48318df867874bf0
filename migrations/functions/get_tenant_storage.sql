-- get_tenant_storage(tenant) is what the tenant's data take, by kind: rows, and bytes without indexes. An estimate is the number
-- of rows (of documents as of the last refresh) times the mean size of a row of the whole table. Raises 42501 for another
-- tenant.
CREATE OR REPLACE FUNCTION get_tenant_storage(p_tenant_id uuid)
RETURNS TABLE (kind text, row_count bigint, bytes bigint, is_estimate boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    RETURN QUERY
        WITH sizes AS (
            SELECT r.parent, sum(pg_table_size(c.oid))::float8 AS bytes, sum(greatest(c.reltuples, 0)) AS n
            FROM (VALUES ('documents'), ('jobs')) r (parent)
            JOIN pg_class c ON c.oid = r.parent::regclass OR c.oid IN (SELECT t.relid FROM pg_partition_tree(r.parent::regclass) t)
            WHERE c.relkind = 'r'
            GROUP BY r.parent),
        counted AS (
            SELECT 'documents' AS kind, 'documents' AS parent, coalesce((SELECT s.document_count FROM tenant_document_stats s WHERE s.tenant_id = p_tenant_id), 0) AS n
            UNION ALL
            SELECT 'jobs', 'jobs', coalesce((SELECT sum(b.pending + b.running + b.done + b.failed) FROM get_tenant_jobs_breakdown(p_tenant_id) b), 0)::bigint)
        SELECT c.kind, c.n, coalesce(c.n * s.bytes / nullif(greatest(s.n, c.n), 0), 0)::bigint, true
        FROM counted c
        LEFT JOIN sizes s USING (parent);
    RETURN QUERY -- kept with every upload
        SELECT 'files', u.files_used, u.bytes_used, false FROM tenant_storage_usage(p_tenant_id) u;
END $$;
REVOKE EXECUTE ON FUNCTION get_tenant_storage FROM PUBLIC;
GRANT EXECUTE ON FUNCTION get_tenant_storage TO app_api;
