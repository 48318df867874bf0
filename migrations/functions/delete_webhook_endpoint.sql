-- delete_webhook_endpoint(tenant, id) removes an endpoint with its secrets and returns it. What waited for it is never sent: up to
-- 10,000 of its deliveries are given up now, the rest by expire_webhook_deliveries. The log of deliveries stays.
-- Raises ZE404. Locks the endpoint, then its lane.
CREATE OR REPLACE FUNCTION delete_webhook_endpoint(p_tenant_id uuid, p_id uuid) RETURNS webhook_endpoints
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_row webhook_endpoints;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    DELETE FROM webhook_endpoints WHERE tenant_id = p_tenant_id AND id = p_id RETURNING * INTO v_row;
    IF v_row.id IS NULL THEN
        RAISE EXCEPTION 'There is no such endpoint.' USING ERRCODE = 'ZE404';
    END IF;
    PERFORM give_up_webhook_deliveries(ARRAY(
        SELECT id FROM webhook_deliveries WHERE tenant_id = p_tenant_id AND endpoint_id = p_id AND status = 'pending' ORDER BY id LIMIT 10000));
    RETURN v_row;
END $$;
REVOKE EXECUTE ON FUNCTION delete_webhook_endpoint FROM PUBLIC;
GRANT EXECUTE ON FUNCTION delete_webhook_endpoint TO app_api;
