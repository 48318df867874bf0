-- report_job_progress(id, lease, percent) records how far a run is, 0 to 100; false when the run is no longer the lease's.
-- The setting keeps a plan from when the queue was short from reading the whole queue; see claim_jobs.
CREATE OR REPLACE FUNCTION report_job_progress(p_id bigint, p_lease_id bigint, p_percent int) RETURNS boolean
LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    UPDATE jobs SET progress = p_percent, updated_at = clock_timestamp()
    WHERE status = 'running' AND id = p_id AND lease_id = p_lease_id;
    RETURN FOUND;
END $$;
REVOKE EXECUTE ON FUNCTION report_job_progress FROM PUBLIC;
GRANT EXECUTE ON FUNCTION report_job_progress TO app_worker;
