-- rotate_webhook_secret(tenant, endpoint, secret, overlap) makes this the endpoint's secret and returns the endpoint. Former ones
-- go on signing beside it until overlap is over, the newest three of them.
-- Raises ZE404. Locks the endpoint.
CREATE OR REPLACE FUNCTION rotate_webhook_secret(p_tenant_id uuid, p_id uuid, p_secret text, p_overlap interval) RETURNS webhook_endpoints
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_row webhook_endpoints;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    UPDATE webhook_endpoints SET updated_at = clock_timestamp() WHERE tenant_id = p_tenant_id AND id = p_id RETURNING * INTO v_row;
    IF v_row.id IS NULL THEN
        RAISE EXCEPTION 'There is no such endpoint.' USING ERRCODE = 'ZE404';
    END IF;
    UPDATE webhook_secrets SET expires_at = now() + p_overlap
    WHERE tenant_id = p_tenant_id AND endpoint_id = p_id AND (expires_at IS NULL OR expires_at > now() + p_overlap);
    DELETE FROM webhook_secrets
    WHERE tenant_id = p_tenant_id AND endpoint_id = p_id AND (expires_at <= now() OR id NOT IN (
        SELECT id FROM webhook_secrets WHERE tenant_id = p_tenant_id AND endpoint_id = p_id ORDER BY id DESC LIMIT 3));
    INSERT INTO webhook_secrets (tenant_id, endpoint_id, secret) VALUES (p_tenant_id, p_id, p_secret);
    RETURN v_row;
END $$;
REVOKE EXECUTE ON FUNCTION rotate_webhook_secret FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rotate_webhook_secret TO app_api;
