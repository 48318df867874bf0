-- guard_jobs(tenant, n) is guard_tenant for n new jobs. enqueue_jobs calls it once for all of its jobs: a trigger cost a sixth of
-- enqueuing one.
CREATE OR REPLACE FUNCTION guard_jobs(p_tenant_id uuid, p_n bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_limited boolean;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    IF NOT pg_try_advisory_xact_lock_shared(hashtextextended(p_tenant_id::text, 11)) THEN
        PERFORM pg_advisory_xact_lock_shared(hashtextextended(p_tenant_id::text, 11));
    END IF;
    SELECT EXISTS (SELECT FROM core.tenant_quota q WHERE q.tenant_id = t.id AND q.resource = 'jobs_per_day') INTO v_limited
    FROM tenants t WHERE t.id = p_tenant_id AND t.deleting_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no such tenant.' USING ERRCODE = 'ZE404';
    END IF;
    IF v_limited AND p_n > 0 THEN
        PERFORM take_quota(p_tenant_id, 'jobs_per_day', p_n);
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION guard_jobs FROM PUBLIC;
GRANT EXECUTE ON FUNCTION guard_jobs TO app_api, app_worker;
