-- get_tenant_jobs_breakdown(tenant) counts the tenant's jobs by type and status, zeros included, by type. Jobs in the archive
-- are not among them. Raises 42501 for another tenant.
--
-- All are counted, except the done jobs of a tenant with more than 10,000 of them: those before core.job_counted.until are
-- known from core.job_counts, and only what ended since is counted. fresh => true counts all.
CREATE OR REPLACE FUNCTION get_tenant_jobs_breakdown(p_tenant_id uuid, p_fresh boolean DEFAULT false)
RETURNS TABLE (type text, pending bigint, running bigint, done bigint, failed bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_until timestamptz; -- null to count all
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    IF NOT coalesce(p_fresh, false)
        AND (SELECT sum(c.done) FROM core.job_counts c WHERE c.tenant_id = p_tenant_id) > 10000 THEN
        SELECT j.until INTO v_until FROM core.job_counted j;
    END IF;
    RETURN QUERY
        SELECT n.type, sum(n.pending)::bigint, sum(n.running)::bigint, sum(n.done)::bigint, sum(n.failed)::bigint
        FROM (
            SELECT l.type, count(*) FILTER (WHERE l.status = 'pending') AS pending, count(*) FILTER (WHERE l.status = 'running') AS running,
                   0 AS done, 0 AS failed
            FROM jobs_live l -- ix_jobs_live_tenant
            WHERE l.tenant_id = p_tenant_id
            GROUP BY l.type
            UNION ALL
            SELECT f.type, 0, 0, 0, count(*)
            FROM jobs_finished f -- ix_jobs_finished_failed
            WHERE f.tenant_id = p_tenant_id AND f.status = 'failed'
            GROUP BY f.type
            UNION ALL
            SELECT c.type, 0, 0, c.done, 0
            FROM core.job_counts c
            WHERE v_until IS NOT NULL AND c.tenant_id = p_tenant_id AND c.done > 0
            UNION ALL
            SELECT f.type, 0, 0, count(*), 0
            FROM jobs_finished f -- ix_jobs_finished_ended
            WHERE v_until IS NOT NULL AND f.tenant_id = p_tenant_id AND f.status = 'done' AND f.finished_at >= v_until
            GROUP BY f.type
            UNION ALL
            SELECT f.type, 0, 0, count(*), 0
            FROM jobs_finished f
            WHERE v_until IS NULL AND f.tenant_id = p_tenant_id AND f.status = 'done'
            GROUP BY f.type) n
        GROUP BY n.type
        ORDER BY n.type COLLATE "C";
END $$;
REVOKE EXECUTE ON FUNCTION get_tenant_jobs_breakdown FROM PUBLIC;
GRANT EXECUTE ON FUNCTION get_tenant_jobs_breakdown TO app_api;
