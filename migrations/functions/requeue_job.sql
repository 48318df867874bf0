-- requeue_job(tenant, id) gives a failed job a new life: pending now, attempts from zero. Returns it.
-- Raises ZE404, ZE409 when it has not failed, or when a live job has its unique key. Locks the row.
CREATE OR REPLACE FUNCTION requeue_job(p_tenant_id uuid, p_id bigint) RETURNS jobs
LANGUAGE plpgsql AS $$
DECLARE
    v_job jobs;
BEGIN
    UPDATE jobs
    SET status = 'pending', reason = NULL, attempts = 0, rescues = 0, run_at = now(), started_at = NULL, finished_at = NULL,
        progress = NULL, worker_id = NULL, lease_id = NULL, updated_at = clock_timestamp()
    WHERE tenant_id = p_tenant_id AND id = p_id AND status = 'failed'
    RETURNING * INTO v_job;
    IF v_job.id IS NULL THEN
        PERFORM FROM jobs WHERE tenant_id = p_tenant_id AND id = p_id;
        IF FOUND THEN
            RAISE EXCEPTION 'Only a failed job can be run again.' USING ERRCODE = 'ZE409';
        END IF;
        RAISE EXCEPTION 'There is no such job.' USING ERRCODE = 'ZE404';
    END IF;
    RETURN v_job;
END $$;
REVOKE EXECUTE ON FUNCTION requeue_job FROM PUBLIC;
GRANT EXECUTE ON FUNCTION requeue_job TO app_api;
