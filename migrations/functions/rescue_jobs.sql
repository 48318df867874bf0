-- rescue_jobs(older_than, dead_after) takes back runs whose worker is dead and returns how many: the worker's heartbeat is older
-- than dead_after, or it has none, and the run is older than older_than. Without older_than it asks nothing of a run's age and
-- leaves runs alone that belong to no worker process (claim_job), since only their age can tell. A rescue is no failure
-- and gives the attempt back; a job that has brought down five workers fails, so that it cannot do so for ever.
-- Locks the rows it takes, and skips those that others have locked.
CREATE OR REPLACE FUNCTION rescue_jobs(p_older_than interval, p_dead_after interval DEFAULT '30 seconds') RETURNS int
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
        WHERE s.status = 'running'
          AND CASE WHEN p_older_than IS NULL THEN s.worker_id IS NOT NULL ELSE s.started_at < now() - p_older_than END
          AND (w.id IS NULL OR w.heartbeat_at < now() - p_dead_after)
        ORDER BY s.id
        LIMIT 5000
        FOR UPDATE OF s SKIP LOCKED) stale
    WHERE j.status = 'running' AND j.id = stale.id;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END $$;
REVOKE EXECUTE ON FUNCTION rescue_jobs FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rescue_jobs TO app_worker;
