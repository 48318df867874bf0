-- count_finished_jobs(all) adds to core.job_counts the jobs that were done since its last call, or with all => true counts
-- them anew, and returns how many rows it wrote. Jobs of the last minute are left for the next call, because a transaction may
-- commit later than its jobs say that they ended; what is later still, the next full count finds.
CREATE OR REPLACE FUNCTION count_finished_jobs(p_all boolean DEFAULT false) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_to timestamptz;
    v_from timestamptz;
    v_count bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('count_finished_jobs'));
    SELECT until INTO v_from FROM core.job_counted;
    v_to := greatest(clock_timestamp() - interval '1 minute', v_from);
    IF p_all OR v_from IS NULL THEN
        DELETE FROM core.job_counts;
        INSERT INTO core.job_counts (tenant_id, type, done)
            SELECT tenant_id, type, count(*)
            FROM jobs_finished
            WHERE status = 'done' AND (finished_at < v_to OR finished_at IS NULL)
            GROUP BY tenant_id, type;
    ELSE
        INSERT INTO core.job_counts AS c (tenant_id, type, done)
            SELECT t.id, f.type, f.done
            FROM tenants t
            CROSS JOIN LATERAL ( -- ix_jobs_finished_ended
                SELECT j.type, count(*) AS done
                FROM jobs_finished j
                WHERE j.tenant_id = t.id AND j.status = 'done' AND j.finished_at >= v_from AND j.finished_at < v_to
                GROUP BY j.type) f
        ON CONFLICT (tenant_id, type) DO UPDATE SET done = c.done + excluded.done;
    END IF;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    INSERT INTO core.job_counted (until) VALUES (v_to) ON CONFLICT (one) DO UPDATE SET until = excluded.until;
    RETURN v_count;
END $$;
REVOKE EXECUTE ON FUNCTION count_finished_jobs FROM PUBLIC;
GRANT EXECUTE ON FUNCTION count_finished_jobs TO app_worker;
