-- redeliver_webhook(tenant, id) has one delivery sent again; see redeliver_webhooks.
-- Raises ZE404, ZE409 while it is being sent, for a test, and when its endpoint is gone or switched off.
CREATE OR REPLACE FUNCTION redeliver_webhook(p_tenant_id uuid, p_id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    IF redeliver_webhooks(p_tenant_id, ARRAY[p_id], NULL, NULL, NULL, NULL, 1) = 1 THEN
        RETURN;
    END IF;
    PERFORM FROM webhook_deliveries WHERE tenant_id = p_tenant_id AND id = p_id;
    IF FOUND THEN
        RAISE EXCEPTION 'It is being sent at this moment, is a test, or its endpoint is gone or switched off.' USING ERRCODE = 'ZE409';
    END IF;
    RAISE EXCEPTION 'There is no such delivery.' USING ERRCODE = 'ZE404';
END $$;
REVOKE EXECUTE ON FUNCTION redeliver_webhook FROM PUBLIC;
GRANT EXECUTE ON FUNCTION redeliver_webhook TO app_api;
