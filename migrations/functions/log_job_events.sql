-- log_job_events() writes one event for each job whose status, attempt or progress a statement changed. It runs once per
-- statement and sends no notification: the writer's process nudges after its commit, and readers poll besides.
-- The settings keep old and new rows joined by hash: a plan made for one job would else compare each job with each other
-- when a statement changes a thousand. They undo those of the functions that call it, such as claim_jobs.
CREATE OR REPLACE FUNCTION log_job_events() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    SET enable_nestloop = off SET enable_hashjoin = on AS $$
BEGIN
    INSERT INTO job_events (tenant_id, job_id, type, status, reason, attempts, progress, last_error)
    SELECT n.tenant_id, n.id, n.type, n.status, n.reason, n.attempts, n.progress, n.last_error
    FROM new_jobs n
    JOIN old_jobs o USING (id)
    WHERE (n.status, n.attempts, n.progress, n.lease_id) IS DISTINCT FROM (o.status, o.attempts, o.progress, o.lease_id)
    ORDER BY n.id;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION log_job_events FROM PUBLIC;
CREATE OR REPLACE TRIGGER jobs_events AFTER UPDATE ON jobs REFERENCING OLD TABLE AS old_jobs NEW TABLE AS new_jobs
    FOR EACH STATEMENT EXECUTE FUNCTION log_job_events();
