-- update_webhook_endpoint(tenant, id, input) changes what is given of {name, url, description, events, jobTypes, ordering,
-- enabled} and returns the endpoint. Whoever switches it on, or gives it another URL, has its circuit closed: it is tried at once.
-- Raises ZE400, ZE404, ZE409 for a name that is taken. Locks the endpoint, then its lane.
CREATE OR REPLACE FUNCTION update_webhook_endpoint(p_tenant_id uuid, p_id uuid, p_input jsonb) RETURNS webhook_endpoints
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_old webhook_endpoints;
    v_row webhook_endpoints;
    v_enabled boolean;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    SELECT * INTO v_old FROM webhook_endpoints WHERE tenant_id = p_tenant_id AND id = p_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no such endpoint.' USING ERRCODE = 'ZE404';
    END IF;
    PERFORM raise_invalid(webhook_endpoint_errors(p_input));
    v_enabled := coalesce((p_input ->> 'enabled')::boolean, v_old.is_enabled);
    BEGIN
        UPDATE webhook_endpoints e
        SET name = coalesce(p_input ->> 'name', e.name), url = coalesce(p_input ->> 'url', e.url),
            description = CASE WHEN p_input ? 'description' THEN p_input ->> 'description' ELSE e.description END,
            events = CASE WHEN p_input ? 'events' THEN ARRAY(SELECT DISTINCT v FROM jsonb_array_elements_text(p_input -> 'events') v ORDER BY v) ELSE e.events END,
            job_types = CASE WHEN p_input ? 'jobTypes' THEN ARRAY(SELECT DISTINCT v FROM jsonb_array_elements_text(p_input -> 'jobTypes') v ORDER BY v) ELSE e.job_types END,
            ordering = coalesce(p_input ->> 'ordering', e.ordering), is_enabled = v_enabled,
            disabled_reason = CASE WHEN v_enabled THEN NULL ELSE coalesce(e.disabled_reason, 'caller') END, updated_at = clock_timestamp()
        WHERE e.tenant_id = p_tenant_id AND e.id = p_id
        RETURNING * INTO v_row;
    EXCEPTION WHEN unique_violation THEN
        RAISE EXCEPTION 'There is an endpoint of this name.' USING ERRCODE = 'ZE409', COLUMN = 'name';
    END;
    IF v_row.is_enabled AND (NOT v_old.is_enabled OR v_row.url <> v_old.url) THEN
        UPDATE webhook_lanes SET due_at = now(), resume_at = NULL, failures = 0, trips = 0 WHERE tenant_id = p_tenant_id AND endpoint_id = p_id;
    ELSIF v_row.ordering <> v_old.ordering THEN
        UPDATE webhook_lanes SET due_at = now() WHERE tenant_id = p_tenant_id AND endpoint_id = p_id;
    END IF;
    RETURN v_row;
END $$;
REVOKE EXECUTE ON FUNCTION update_webhook_endpoint FROM PUBLIC;
GRANT EXECUTE ON FUNCTION update_webhook_endpoint TO app_api;
