-- guard_tenant(resource) is the trigger behind every INSERT that a limit or the deletion of a tenant may forbid. It runs once
-- per statement. Raises ZE404 when the tenant is gone or being deleted, ZE409 (column limits.<resource>) when a limit is reached.
-- The shared advisory lock of the tenant lets set_tenant_limits and begin_tenant_deletion wait for the writers that are under
-- way; writers do not wait for each other. SECURITY DEFINER: nobody reads or writes quotas but through functions.
CREATE OR REPLACE FUNCTION guard_tenant() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_tenant uuid;
    v_limited boolean;
    v_mixed boolean;
    c record;
BEGIN
    SELECT n.tenant_id INTO v_tenant FROM new_rows n LIMIT 1;
    IF v_tenant IS NULL THEN
        RETURN NULL;
    END IF;
    -- An expression, because a statement costs ten times as much.
    IF NOT pg_try_advisory_xact_lock_shared(hashtextextended(v_tenant::text, 11)) THEN
        PERFORM pg_advisory_xact_lock_shared(hashtextextended(v_tenant::text, 11));
    END IF;
    -- A statement of its own, so that it sees what was committed before the lock was had.
    SELECT EXISTS (SELECT FROM core.tenant_quota q WHERE q.tenant_id = t.id AND q.resource = TG_ARGV[0]),
           EXISTS (SELECT FROM new_rows n WHERE n.tenant_id <> v_tenant)
    INTO v_limited, v_mixed
    FROM tenants t
    WHERE t.id = v_tenant AND t.deleting_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no such tenant.' USING ERRCODE = 'ZE404';
    END IF;
    IF NOT v_mixed THEN
        IF v_limited THEN
            PERFORM take_quota(v_tenant, TG_ARGV[0], (SELECT count(*) FROM new_rows));
        END IF;
        RETURN NULL;
    END IF;
    -- Rows of several tenants: only the owner writes such a statement.
    FOR c IN SELECT n.tenant_id, count(*) AS n FROM new_rows n GROUP BY n.tenant_id ORDER BY n.tenant_id LOOP
        PERFORM pg_advisory_xact_lock_shared(hashtextextended(c.tenant_id::text, 11));
        IF NOT EXISTS (SELECT FROM tenants t WHERE t.id = c.tenant_id AND t.deleting_at IS NULL) THEN
            RAISE EXCEPTION 'There is no such tenant.' USING ERRCODE = 'ZE404';
        END IF;
        IF EXISTS (SELECT FROM core.tenant_quota q WHERE q.tenant_id = c.tenant_id AND q.resource = TG_ARGV[0]) THEN
            PERFORM take_quota(c.tenant_id, TG_ARGV[0], c.n);
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION guard_tenant FROM PUBLIC;

-- release_tenant_quota(resource) is the trigger behind every DELETE of what is limited: it gives the room back.
CREATE OR REPLACE FUNCTION release_tenant_quota() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM give_quota(c.tenant_id, TG_ARGV[0], c.n)
    FROM (SELECT o.tenant_id, count(*) AS n FROM old_rows o GROUP BY o.tenant_id ORDER BY o.tenant_id) c;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION release_tenant_quota FROM PUBLIC;

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

DO $$
DECLARE
    r record;
BEGIN
    FOR r IN SELECT * FROM (VALUES
            ('documents', 'documents', true), ('app_users', 'users', true), ('files', 'files', false),
            ('message_queues', 'queues', true), ('webhook_endpoints', 'webhook_endpoints', true)) AS t (name, resource, counted)
        WHERE to_regclass(t.name) IS NOT NULL
    LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER tenant_guarded AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION guard_tenant(%L)', r.name, r.resource);
        IF r.counted THEN
            EXECUTE format('CREATE OR REPLACE TRIGGER tenant_released AFTER DELETE ON %s REFERENCING OLD TABLE AS old_rows
                FOR EACH STATEMENT EXECUTE FUNCTION release_tenant_quota(%L)', r.name, r.resource);
        END IF;
    END LOOP;
END $$;
