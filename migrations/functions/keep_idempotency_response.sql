-- keep_idempotency_response(tenant, key, response) keeps the answer of the transaction that took the key.
CREATE OR REPLACE FUNCTION keep_idempotency_response(p_tenant_id uuid, p_key text, p_response bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    UPDATE core.idempotency_keys SET response = p_response WHERE tenant_id = p_tenant_id AND key = p_key;
END $$;
REVOKE EXECUTE ON FUNCTION keep_idempotency_response FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keep_idempotency_response TO app_api;
