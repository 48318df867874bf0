-- create_webhook_endpoint(tenant, id, input, secret) makes an endpoint of {name, url, description, events, jobTypes, ordering,
-- enabled} and returns it.
-- Raises ZE400, ZE409 for a name that is taken and for the tenant's 51st endpoint. Waits for others who make endpoints of the tenant.
CREATE OR REPLACE FUNCTION create_webhook_endpoint(p_tenant_id uuid, p_id uuid, p_input jsonb, p_secret text) RETURNS webhook_endpoints
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_row webhook_endpoints;
    v_enabled boolean := coalesce((p_input ->> 'enabled')::boolean, true);
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    PERFORM raise_invalid(webhook_endpoint_errors('{"name": null, "url": null}' || p_input));
    PERFORM pg_advisory_xact_lock(hashtextextended('webhook_endpoints ' || p_tenant_id, 0));
    IF (SELECT count(*) FROM webhook_endpoints WHERE tenant_id = p_tenant_id) >= 50 THEN
        RAISE EXCEPTION 'There are 50 endpoints already.' USING ERRCODE = 'ZE409';
    END IF;
    INSERT INTO webhook_endpoints (tenant_id, id, name, url, description, events, job_types, ordering, is_enabled, disabled_reason)
    VALUES (p_tenant_id, p_id, p_input ->> 'name', p_input ->> 'url', p_input ->> 'description',
        ARRAY(SELECT DISTINCT v FROM jsonb_array_elements_text(p_input -> 'events') v ORDER BY v),
        ARRAY(SELECT DISTINCT v FROM jsonb_array_elements_text(p_input -> 'jobTypes') v ORDER BY v),
        coalesce(p_input ->> 'ordering', 'parallel'), v_enabled, CASE WHEN NOT v_enabled THEN 'caller' END)
    ON CONFLICT (tenant_id, name) DO NOTHING
    RETURNING * INTO v_row;
    IF v_row.id IS NULL THEN
        RAISE EXCEPTION 'There is an endpoint of this name.' USING ERRCODE = 'ZE409', COLUMN = 'name';
    END IF;
    INSERT INTO webhook_lanes (tenant_id, endpoint_id) VALUES (p_tenant_id, p_id);
    INSERT INTO webhook_secrets (tenant_id, endpoint_id, secret) VALUES (p_tenant_id, p_id, p_secret);
    RETURN v_row;
END $$;
REVOKE EXECUTE ON FUNCTION create_webhook_endpoint FROM PUBLIC;
GRANT EXECUTE ON FUNCTION create_webhook_endpoint TO app_api;
