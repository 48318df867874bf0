-- claim_job() gives the caller the next due job, or none. Its run belongs to no worker process: it is over when
-- complete_job, fail_job or retry_job is called, or when recover_stale_jobs takes it back.
CREATE OR REPLACE FUNCTION claim_job() RETURNS SETOF jobs
LANGUAGE sql AS $$
    SELECT * FROM claim_jobs(NULL, NULL, 1)
$$;
REVOKE EXECUTE ON FUNCTION claim_job FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claim_job TO app_worker;
