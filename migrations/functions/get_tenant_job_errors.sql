-- error_pattern(text) is an error without what differs from one job to the next: ids, numbers and quoted text become signs.
CREATE OR REPLACE FUNCTION error_pattern(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT left(btrim(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(left(p_text, 1000),
        '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}', '<id>', 'g'),
        '"[^"]*"|''[^'']*''', '<text>', 'g'),
        '\m(0x[0-9a-fA-F]+|[0-9a-fA-F]{16,})\M', '<hex>', 'g'),
        '\d+([.,:]\d+)*', '<n>', 'g'),
        '\s+', ' ', 'g')), 200)
$$;

-- get_tenant_job_errors(tenant, days, limit) groups the jobs that failed within some days by type and by the pattern of their
-- last error, the most frequent first, with an example and when it last happened. Cancelled jobs are not among them. At
-- most the last 10,000 failures are read. Raises ZE400 on days and first, and 42501 for another tenant.
CREATE OR REPLACE FUNCTION get_tenant_job_errors(p_tenant_id uuid, p_days int DEFAULT 7, p_limit int DEFAULT 10)
RETURNS TABLE (type text, pattern text, count bigint, last_at timestamptz, last_job_id bigint, example text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_errors jsonb := '[]';
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    IF coalesce(p_days, 0) NOT BETWEEN 1 AND 90 THEN
        v_errors := v_errors || jsonb_build_object('field', 'days', 'message', 'Ask for 1 to 90 days.');
    END IF;
    IF coalesce(p_limit, 0) NOT BETWEEN 1 AND 100 THEN
        v_errors := v_errors || jsonb_build_object('field', 'first', 'message', 'Ask for 1 to 100.');
    END IF;
    PERFORM raise_invalid(v_errors);
    RETURN QUERY
        SELECT f.type, error_pattern(f.last_error), count(*), max(f.finished_at),
               (array_agg(f.id ORDER BY f.finished_at DESC, f.id DESC))[1],
               (array_agg(left(f.last_error, 500) ORDER BY f.finished_at DESC, f.id DESC))[1]
        FROM (
            SELECT j.id, j.type, j.last_error, j.finished_at
            FROM jobs_finished j -- ix_jobs_finished_failed
            WHERE j.tenant_id = p_tenant_id AND j.status = 'failed' AND j.finished_at >= now() - make_interval(days => p_days)
              AND j.reason IS DISTINCT FROM 'cancelled' AND j.last_error IS NOT NULL
            ORDER BY j.finished_at DESC
            LIMIT 10000) f
        GROUP BY 1, 2
        ORDER BY 3 DESC, 4 DESC, 1, 2
        LIMIT p_limit;
END $$;
REVOKE EXECUTE ON FUNCTION get_tenant_job_errors FROM PUBLIC;
GRANT EXECUTE ON FUNCTION get_tenant_job_errors TO app_api;
