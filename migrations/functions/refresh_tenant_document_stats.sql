-- refresh_tenant_document_stats() brings the statistics of all tenants' documents up to date; readers are not blocked. Of
-- calls that wait for one another, one refreshes for all: each sees what was committed before it called.
-- SECURITY DEFINER because only the owner may refresh a materialized view.
CREATE OR REPLACE FUNCTION refresh_tenant_document_stats() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_called timestamptz := clock_timestamp();
    v_started timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('refresh_tenant_document_stats'));
    IF EXISTS (SELECT FROM core.stats_refresh WHERE started_at >= v_called) THEN
        RETURN; -- while this call waited, another one began after it and has ended
    END IF;
    v_started := clock_timestamp();
    REFRESH MATERIALIZED VIEW CONCURRENTLY tenant_document_stats;
    REFRESH MATERIALIZED VIEW CONCURRENTLY tenant_document_months;
    INSERT INTO core.stats_refresh (started_at, finished_at) VALUES (v_started, clock_timestamp())
    ON CONFLICT (one) DO UPDATE SET started_at = excluded.started_at, finished_at = excluded.finished_at;
END $$;
REVOKE EXECUTE ON FUNCTION refresh_tenant_document_stats FROM PUBLIC;
GRANT EXECUTE ON FUNCTION refresh_tenant_document_stats TO app_api, app_worker;
