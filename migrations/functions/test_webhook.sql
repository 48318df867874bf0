-- test_webhook(tenant, endpoint) puts an event webhook.test before the endpoint and returns the id of the delivery. It is sent at
-- once, also while the circuit is open, and only once.
-- Raises ZE404, ZE409 when the endpoint is switched off or has 10 tests waiting. Locks the lane.
CREATE OR REPLACE FUNCTION test_webhook(p_tenant_id uuid, p_id uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_enabled boolean;
    v_event bigint;
    v_delivery bigint;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    SELECT is_enabled INTO v_enabled FROM webhook_endpoints WHERE tenant_id = p_tenant_id AND id = p_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no such endpoint.' USING ERRCODE = 'ZE404';
    END IF;
    IF NOT v_enabled THEN
        RAISE EXCEPTION 'The endpoint is switched off.' USING ERRCODE = 'ZE409';
    END IF;
    IF (SELECT count(*) FROM webhook_deliveries WHERE tenant_id = p_tenant_id AND endpoint_id = p_id AND is_test AND status = 'pending') >= 10 THEN
        RAISE EXCEPTION 'There are 10 tests waiting already.' USING ERRCODE = 'ZE409';
    END IF;
    INSERT INTO core.outbox (tenant_id, aggregate_type, aggregate_id, topic, payload, routed_at)
    VALUES (p_tenant_id, 'webhook', p_id::text, 'webhook.test', jsonb_build_object('event', 'webhook.test', 'tenant_id', p_tenant_id,
        'endpoint_id', p_id, 'created_at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')), now())
    RETURNING id INTO v_event;
    INSERT INTO webhook_deliveries (tenant_id, endpoint_id, event_id, event, is_test) VALUES (p_tenant_id, p_id, v_event, 'webhook.test', true)
    RETURNING id INTO v_delivery;
    PERFORM wake_webhook_lanes(ARRAY[p_id]);
    RETURN v_delivery;
END $$;
REVOKE EXECUTE ON FUNCTION test_webhook FROM PUBLIC;
GRANT EXECUTE ON FUNCTION test_webhook TO app_api;
