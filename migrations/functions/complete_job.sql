-- complete_job(id, lease) ends a running job with success; false when it does not run, or not under that lease.
-- The setting keeps a plan from when the queue was short from reading the whole queue; see claim_jobs.
CREATE OR REPLACE FUNCTION complete_job(p_id bigint, p_lease_id bigint DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    UPDATE jobs
    SET status = 'done', last_error = NULL, finished_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE status = 'running' AND id = p_id AND (p_lease_id IS NULL OR lease_id = p_lease_id);
    RETURN FOUND;
END $$;
REVOKE EXECUTE ON FUNCTION complete_job FROM PUBLIC;
GRANT EXECUTE ON FUNCTION complete_job TO app_worker;
