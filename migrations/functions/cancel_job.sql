-- cancel_job(tenant, id) ends a job that has not finished, as failed with the reason cancelled, and returns it. A run under way
-- goes on in its worker, but its outcome no longer counts.
-- Raises ZE404, ZE409 when it has finished. Locks the row.
CREATE OR REPLACE FUNCTION cancel_job(p_tenant_id uuid, p_id bigint) RETURNS jobs
LANGUAGE plpgsql AS $$
DECLARE
    v_job jobs;
BEGIN
    UPDATE jobs
    SET status = 'failed', reason = 'cancelled', finished_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE tenant_id = p_tenant_id AND id = p_id AND status IN ('pending', 'running')
    RETURNING * INTO v_job;
    IF v_job.id IS NULL THEN
        PERFORM FROM jobs WHERE tenant_id = p_tenant_id AND id = p_id;
        IF FOUND THEN
            RAISE EXCEPTION 'The job has already finished.' USING ERRCODE = 'ZE409';
        END IF;
        RAISE EXCEPTION 'There is no such job.' USING ERRCODE = 'ZE404';
    END IF;
    RETURN v_job;
END $$;
REVOKE EXECUTE ON FUNCTION cancel_job FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cancel_job TO app_api;
