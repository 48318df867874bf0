-- fail_job(id, error, lease, reason) ends a running job for good; false when it does not run, or not under that lease.
-- The error is cut at 2,000 characters.
-- The setting keeps a plan from when the queue was short from reading the whole queue; see claim_jobs.
CREATE OR REPLACE FUNCTION fail_job(p_id bigint, p_error text, p_lease_id bigint DEFAULT NULL, p_reason text DEFAULT 'permanent')
RETURNS boolean
LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    UPDATE jobs
    SET status = 'failed', reason = p_reason, last_error = left(p_error, 2000),
        finished_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE status = 'running' AND id = p_id AND (p_lease_id IS NULL OR lease_id = p_lease_id);
    RETURN FOUND;
END $$;
REVOKE EXECUTE ON FUNCTION fail_job FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fail_job TO app_worker;
