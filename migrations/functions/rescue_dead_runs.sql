-- rescue_dead_runs(dead_after) takes back the runs of worker processes whose heartbeat is older than dead_after or that have left,
-- and returns how many. Unlike rescue_jobs it asks nothing of a run's age, and leaves runs alone that belong to no worker
-- process (claim_job): only recover_stale_jobs can judge those. A rescue is no failure and gives the attempt back; a job that has
-- brought down five workers fails, so that it cannot do so for ever.
-- Locks the rows it takes, and skips those that others have locked.
CREATE OR REPLACE FUNCTION rescue_dead_runs(p_dead_after interval) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    v_count int;
BEGIN
    UPDATE jobs j
    SET status = CASE WHEN j.rescues >= 4 THEN 'failed' ELSE 'pending' END,
        reason = CASE WHEN j.rescues >= 4 THEN 'crashed' END,
        finished_at = CASE WHEN j.rescues >= 4 THEN clock_timestamp() END,
        last_error = CASE WHEN j.rescues >= 4 THEN 'The worker died five times while it ran this job.'
            ELSE 'The worker died while it ran this job.' END,
        attempts = CASE WHEN j.rescues >= 4 THEN j.attempts ELSE greatest(j.attempts - 1, 0) END,
        rescues = j.rescues + 1, worker_id = NULL, updated_at = clock_timestamp()
    FROM (
        SELECT s.id
        FROM jobs s
        LEFT JOIN job_workers w ON w.id = s.worker_id
        WHERE s.status = 'running' AND s.worker_id IS NOT NULL
          AND (w.id IS NULL OR w.heartbeat_at < now() - p_dead_after)
        ORDER BY s.id
        LIMIT 5000
        FOR UPDATE OF s SKIP LOCKED) dead
    WHERE j.status = 'running' AND j.id = dead.id;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END $$;
REVOKE EXECUTE ON FUNCTION rescue_dead_runs FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rescue_dead_runs TO app_worker;
