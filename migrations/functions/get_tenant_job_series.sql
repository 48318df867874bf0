-- get_tenant_job_series(tenant, bucket, last, type) is what became of the tenant's jobs in each of the last minutes, hours or
-- days (UTC; the current one is not over) by type, ascending, without empty ones: how many were done and how many failed,
-- and in milliseconds the median and the 95th percentile of their last attempt: how long it waited after it was due, and
-- how long it ran. Reads every job that ended within that time.
-- Raises ZE400 on bucket, last (180 minutes, 168 hours or 92 days at most) and type, and 42501 for another tenant.
CREATE OR REPLACE FUNCTION get_tenant_job_series(p_tenant_id uuid, p_bucket text DEFAULT 'hour', p_last int DEFAULT 24, p_type text DEFAULT NULL)
RETURNS TABLE (at timestamptz, type text, done bigint, failed bigint,
    wait_p50 double precision, wait_p95 double precision, run_p50 double precision, run_p95 double precision)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_most int := CASE p_bucket WHEN 'minute' THEN 180 WHEN 'hour' THEN 168 WHEN 'day' THEN 92 END;
    v_errors jsonb := '[]';
    v_from timestamptz;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    IF v_most IS NULL THEN
        v_errors := v_errors || jsonb_build_object('field', 'bucket', 'message', 'A bucket is a minute, an hour or a day.');
    ELSIF coalesce(p_last, 0) NOT BETWEEN 1 AND v_most THEN
        v_errors := v_errors || jsonb_build_object('field', 'last', 'message', format('Ask for the last 1 to %s of these.', v_most));
    END IF;
    IF length(p_type) > 64 THEN
        v_errors := v_errors || jsonb_build_object('field', 'type', 'message', 'A type has at most 64 characters.');
    END IF;
    PERFORM raise_invalid(v_errors);
    v_from := (date_trunc(p_bucket, now() AT TIME ZONE 'UTC') - (p_last - 1) * ('1 ' || p_bucket)::interval) AT TIME ZONE 'UTC';
    RETURN QUERY
        SELECT n.at AT TIME ZONE 'UTC', n.type, n.done, n.failed, n.waited[1], n.waited[2], n.ran[1], n.ran[2]
        FROM (
            SELECT j.at, j.type, count(*) FILTER (WHERE j.status = 'done') AS done, count(*) FILTER (WHERE j.status = 'failed') AS failed,
                   percentile_cont('{0.5,0.95}'::float8[]) WITHIN GROUP (ORDER BY j.waited) AS waited,
                   percentile_cont('{0.5,0.95}'::float8[]) WITHIN GROUP (ORDER BY j.ran) AS ran
            FROM (
                SELECT date_trunc(p_bucket, f.finished_at AT TIME ZONE 'UTC') AS at, f.type, f.status,
                       1000 * extract(epoch FROM f.started_at - f.run_at)::float8 AS waited,
                       1000 * extract(epoch FROM f.finished_at - f.started_at)::float8 AS ran
                FROM jobs_finished f -- ix_jobs_finished_ended
                WHERE f.tenant_id = p_tenant_id AND f.finished_at >= v_from AND (p_type IS NULL OR f.type = p_type)) j
            GROUP BY j.at, j.type) n
        ORDER BY n.at, n.type COLLATE "C";
END $$;
REVOKE EXECUTE ON FUNCTION get_tenant_job_series FROM PUBLIC;
GRANT EXECUTE ON FUNCTION get_tenant_job_series TO app_api;
