-- enqueue_job(tenant, type, payload, run_at, priority) enqueues one job and returns it.
-- Raises ZE400, ZE403, ZE422 as enqueue_jobs does.
CREATE OR REPLACE FUNCTION enqueue_job(p_tenant_id uuid, p_type text, p_payload jsonb DEFAULT '{}',
    p_run_at timestamptz DEFAULT NULL, p_priority int DEFAULT 0) RETURNS jobs
LANGUAGE plpgsql AS $$
DECLARE
    v_job jobs;
BEGIN
    SELECT (e.job).* INTO v_job
    FROM enqueue_jobs(p_tenant_id, jsonb_build_array(jsonb_build_object('type', p_type, 'payload', p_payload,
        'runAt', p_run_at, 'priority', p_priority))) AS e;
    RETURN v_job;
END $$;
REVOKE EXECUTE ON FUNCTION enqueue_job FROM PUBLIC;
GRANT EXECUTE ON FUNCTION enqueue_job TO app_api, app_worker;
