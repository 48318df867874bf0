-- get_tenant_documents_pivot(tenant, months) counts the tenant's documents by month of creation (UTC) for this month and the
-- months before it, ascending, without empty ones. Raises ZE400 on months unless 1 to 60, and 42501 for another tenant.
--
-- Up to 20,000 documents are counted. Those of a larger tenant are taken from the last refresh (tenant_document_months), and
-- what is newer is counted; fresh => true counts all of them. A range of the index per month is quicker than the crosstab of
-- tablefunc, which needs one row per month first and only turns it.
CREATE OR REPLACE FUNCTION get_tenant_documents_pivot(p_tenant_id uuid, p_months int DEFAULT 6, p_fresh boolean DEFAULT false)
RETURNS TABLE (month text, count bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_this timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
    v_newest timestamptz; -- of the documents that the view has; null to count all
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    IF coalesce(p_months, 0) NOT BETWEEN 1 AND 60 THEN
        RAISE EXCEPTION 'Ask for 1 to 60 months.' USING ERRCODE = 'ZE400', COLUMN = 'months';
    END IF;
    IF NOT coalesce(p_fresh, false)
        AND (SELECT s.document_count FROM tenant_document_stats s WHERE s.tenant_id = p_tenant_id) > 20000 THEN
        SELECT max(v.newest_document_at) INTO v_newest FROM tenant_document_months v WHERE v.tenant_id = p_tenant_id;
    END IF;
    RETURN QUERY
        SELECT to_char(m.start, 'YYYY-MM'), coalesce(v.document_count, 0) + n.count
        FROM (SELECT s AS start, s AT TIME ZONE 'UTC' AS lower, (s + interval '1 month') AT TIME ZONE 'UTC' AS upper
              FROM generate_series(v_this - make_interval(months => p_months - 1), v_this, interval '1 month') s) m
        LEFT JOIN tenant_document_months v ON v_newest IS NOT NULL AND v.tenant_id = p_tenant_id AND v.month = m.start::date
        CROSS JOIN LATERAL ( -- ix_documents_created
            SELECT count(*)
            FROM documents d
            WHERE d.tenant_id = p_tenant_id AND d.created_at < m.upper
              AND d.created_at >= greatest(m.lower, v_newest + interval '1 microsecond')) n
        WHERE coalesce(v.document_count, 0) + n.count > 0
        ORDER BY m.start;
END $$;
REVOKE EXECUTE ON FUNCTION get_tenant_documents_pivot FROM PUBLIC;
GRANT EXECUTE ON FUNCTION get_tenant_documents_pivot TO app_api;
