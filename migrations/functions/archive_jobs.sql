-- archive_jobs(age, limit) moves jobs that were done at least that long ago from jobs to jobs_archive, up to limit at a
-- time, and returns how many; call it until it moves fewer. A shorter retention of jobs_finished in core.partition_config
-- goes before the age. Jobs that have not finished are in another partition and never met.
CREATE OR REPLACE FUNCTION archive_jobs(p_age interval DEFAULT '90 days', p_limit int DEFAULT 20000) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_before timestamptz := now() - least(p_age, (SELECT retention FROM core.partition_config WHERE parent = 'jobs_finished'));
    -- By name, so that a column that is new in one of them cannot end up in another.
    v_columns text := (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
        WHERE attrelid = 'jobs_archive'::regclass AND attnum > 0 AND NOT attisdropped);
    v_name text;
    v_month timestamp;
    v_moved int;
    v_count int := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('archive_jobs'));
    FOR v_name IN SELECT name FROM finished_partitions(v_before) LOOP
        EXIT WHEN v_count >= p_limit;
        -- The archive's months first: rows in its default partition could not be dropped with their month.
        FOR v_month IN EXECUTE format($q$SELECT DISTINCT date_trunc('month', finished_at AT TIME ZONE 'UTC') FROM %I WHERE status = 'done' AND finished_at < $1$q$, v_name)
            USING v_before LOOP
            PERFORM make_partition('jobs_archive', v_month);
        END LOOP;
        EXECUTE format($q$
            WITH gone AS (
                DELETE FROM %1$I WHERE ctid = ANY (ARRAY(SELECT ctid FROM %1$I WHERE status = 'done' AND finished_at < $1 LIMIT $2))
                RETURNING %2$s),
            kept AS (INSERT INTO jobs_archive (%2$s) SELECT %2$s FROM gone),
            counted AS (
                UPDATE core.job_counts c SET done = greatest(c.done - g.n, 0)
                FROM (SELECT tenant_id, type, count(*) AS n FROM gone WHERE finished_at < (SELECT until FROM core.job_counted) GROUP BY 1, 2) g
                WHERE c.tenant_id = g.tenant_id AND c.type = g.type)
            SELECT count(*) FROM gone$q$, v_name, v_columns) INTO v_moved USING v_before, p_limit - v_count;
        v_count := v_count + v_moved;
    END LOOP;
    RETURN v_count;
END $$;
REVOKE EXECUTE ON FUNCTION archive_jobs FROM PUBLIC;
GRANT EXECUTE ON FUNCTION archive_jobs TO app_worker;
