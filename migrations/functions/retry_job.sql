-- retry_job(id, run_at, max_attempts, error, lease) puts a running job back for run_at, or ends it as failed when its
-- attempts are used up (the job's own max_attempts goes before the argument). Returns the new status, null when the job
-- does not run, or not under that lease. The error is cut at 2,000 characters.
-- The setting keeps a plan from when the queue was short from reading the whole queue; see claim_jobs.
CREATE OR REPLACE FUNCTION retry_job(p_id bigint, p_run_at timestamptz, p_max_attempts int, p_error text DEFAULT NULL,
    p_lease_id bigint DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    v_status text;
BEGIN
    UPDATE jobs
    SET status = CASE WHEN attempts >= coalesce(max_attempts, p_max_attempts) THEN 'failed' ELSE 'pending' END,
        reason = CASE WHEN attempts >= coalesce(max_attempts, p_max_attempts) THEN 'exhausted' END,
        finished_at = CASE WHEN attempts >= coalesce(max_attempts, p_max_attempts) THEN clock_timestamp() END,
        run_at = p_run_at, worker_id = NULL, last_error = coalesce(left(p_error, 2000), last_error), updated_at = clock_timestamp()
    WHERE status = 'running' AND id = p_id AND (p_lease_id IS NULL OR lease_id = p_lease_id)
    RETURNING status INTO v_status;
    RETURN v_status;
END $$;
REVOKE EXECUTE ON FUNCTION retry_job FROM PUBLIC;
GRANT EXECUTE ON FUNCTION retry_job TO app_worker;
