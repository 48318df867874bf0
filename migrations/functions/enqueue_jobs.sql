-- enqueue_jobs(tenant, jobs, skip) enqueues a JSON list of {type, payload, runAt, priority, queue, uniqueKey, maxAttempts}
-- and answers per row: ord (from 0), the job, duplicate (a live job with the same uniqueKey was there and is returned), or code,
-- field and message of what is wrong. Without skip one bad row raises and nothing is enqueued.
-- A payload that is encrypted comes as payloadEncrypted, with the id that it was encrypted for; its caller has judged it by job_error.
-- Raises ZE404 for a tenant that is gone, ZE409 (column limits.jobsPerDay) when a limit is reached, ZE422 for a payload that
-- breaks its type's schema, ZE403 for a foreign tenant_id in it, ZE400 otherwise. Inserts only.
CREATE OR REPLACE FUNCTION enqueue_jobs(p_tenant_id uuid, p_jobs jsonb, p_skip boolean DEFAULT false)
RETURNS TABLE (ord int, job jobs, duplicate boolean, code text, field text, message text)
LANGUAGE plpgsql AS $$
DECLARE
    v_job jsonb;
    v_prefix text;
    v_key text;
    v_payload jsonb;
    v_new bigint := 0;
BEGIN
    FOR ord, v_job IN SELECT t.o - 1, t.v FROM jsonb_array_elements(p_jobs) WITH ORDINALITY AS t (v, o) ORDER BY t.o LOOP
        v_payload := CASE WHEN v_job ? 'payloadEncrypted' THEN NULL ELSE coalesce(nullif(v_job -> 'payload', 'null'), '{}') END;
        SELECT e.code, e.field, e.message INTO code, field, message FROM job_error(p_tenant_id, v_job, v_payload) e;
        job := NULL;
        duplicate := false;
        IF code IS NOT NULL THEN
            IF NOT p_skip THEN
                v_prefix := CASE WHEN jsonb_array_length(p_jobs) = 1 THEN '' ELSE format('jobs[%s].', ord) END;
                RAISE EXCEPTION '%', message USING ERRCODE = code, COLUMN = v_prefix || field;
            END IF;
            RETURN NEXT;
            CONTINUE;
        END IF;
        -- Asking twice for a refresh that is still waiting means one refresh.
        v_key := coalesce(v_job ->> 'uniqueKey', CASE WHEN v_job ->> 'type' = 'reindex_search' THEN 'reindex_search' END);
        INSERT INTO jobs (id, tenant_id, type, payload, payload_encrypted, priority, queue, unique_key, max_attempts, run_at)
        VALUES (coalesce((v_job ->> 'id')::bigint, nextval('jobs_id_seq')), p_tenant_id, v_job ->> 'type', coalesce(v_payload, '{}'),
            v_job ->> 'payloadEncrypted', coalesce((v_job ->> 'priority')::int, 0),
            coalesce(v_job ->> 'queue', 'default'), v_key, (v_job ->> 'maxAttempts')::int,
            coalesce((v_job ->> 'runAt')::timestamptz, now()))
        ON CONFLICT DO NOTHING
        RETURNING jobs.* INTO job;
        IF job.id IS NULL THEN
            duplicate := true;
            SELECT j.* INTO job FROM jobs j
            WHERE j.tenant_id = p_tenant_id AND j.status IN ('pending', 'running') AND j.unique_key = v_key;
        ELSE
            v_new := v_new + 1;
        END IF;
        RETURN NEXT;
    END LOOP;
    PERFORM guard_jobs(p_tenant_id, v_new);
END $$;
REVOKE EXECUTE ON FUNCTION enqueue_jobs FROM PUBLIC;
GRANT EXECUTE ON FUNCTION enqueue_jobs TO app_api, app_worker;
