-- guard_tenant(resource) is the trigger behind every INSERT that a limit or the deletion of a tenant may forbid. It runs once
-- per statement. Raises ZE404 when the tenant is gone or being deleted, ZE409 (column limits.<resource>) when a limit is reached.
-- The shared advisory lock of the tenant lets set_tenant_limits and begin_tenant_deletion wait for the writers that are under
-- way; writers do not wait for each other. SECURITY DEFINER: nobody reads or writes quotas but through functions.
CREATE OR REPLACE FUNCTION guard_tenant() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    -- Who calls for a tenant writes rows of that one. It is a guess, which the second statement checks, and saves reading the rows.
    v_tenant uuid := nullif(current_setting('app.tenant_id', true), '');
    v_alive boolean;
    v_limited boolean;
    v_mixed boolean;
    c record;
BEGIN
    IF v_tenant IS NULL THEN
        SELECT n.tenant_id INTO v_tenant FROM new_rows n LIMIT 1;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    -- An expression, because a statement costs ten times as much.
    IF NOT pg_try_advisory_xact_lock_shared(hashtextextended(v_tenant::text, 11)) THEN
        PERFORM pg_advisory_xact_lock_shared(hashtextextended(v_tenant::text, 11));
    END IF;
    -- A statement of its own, so that it sees what was committed before the lock was had.
    SELECT EXISTS (SELECT FROM tenants t WHERE t.id = v_tenant AND t.deleting_at IS NULL),
           EXISTS (SELECT FROM core.tenant_quota q WHERE q.tenant_id = v_tenant AND q.resource = TG_ARGV[0]),
           EXISTS (SELECT FROM new_rows n WHERE n.tenant_id <> v_tenant)
    INTO v_alive, v_limited, v_mixed;
    IF NOT v_mixed THEN
        IF NOT v_alive THEN
            RAISE EXCEPTION 'There is no such tenant.' USING ERRCODE = 'ZE404';
        ELSIF v_limited THEN
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
CREATE OR REPLACE TRIGGER tenant_guarded AFTER INSERT ON app_users REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION guard_tenant('users');
CREATE OR REPLACE TRIGGER tenant_guarded AFTER INSERT ON documents REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION guard_tenant('documents');
CREATE OR REPLACE TRIGGER tenant_guarded AFTER INSERT ON files REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION guard_tenant('files');
CREATE OR REPLACE TRIGGER tenant_guarded AFTER INSERT ON message_queues REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION guard_tenant('queues');
CREATE OR REPLACE TRIGGER tenant_guarded AFTER INSERT ON webhook_endpoints REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION guard_tenant('webhook_endpoints');
