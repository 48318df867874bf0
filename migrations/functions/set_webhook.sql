-- set_webhook(tenant, url, new_id, new_secret) gives the tenant's endpoint named default this URL and switches it on, or makes it
-- with that id and secret when there is none, and returns it: whoever gets the new id back knows that the secret counts.
-- Raises ZE400, ZE409 for the tenant's 51st endpoint.
CREATE OR REPLACE FUNCTION set_webhook(p_tenant_id uuid, p_url text, p_new_id uuid, p_new_secret text) RETURNS webhook_endpoints
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_id uuid;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    PERFORM pg_advisory_xact_lock(hashtextextended('webhook_endpoints ' || p_tenant_id, 0));
    SELECT id INTO v_id FROM webhook_endpoints WHERE tenant_id = p_tenant_id AND name = 'default';
    IF FOUND THEN
        RETURN update_webhook_endpoint(p_tenant_id, v_id, jsonb_build_object('url', p_url, 'enabled', true));
    END IF;
    RETURN create_webhook_endpoint(p_tenant_id, p_new_id, jsonb_build_object('name', 'default', 'url', p_url), p_new_secret);
END $$;
REVOKE EXECUTE ON FUNCTION set_webhook FROM PUBLIC;
GRANT EXECUTE ON FUNCTION set_webhook TO app_api;
