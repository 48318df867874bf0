-- revoke_api_key(tenant, id) ends a key at once; false when the tenant has no such key. Revoking twice keeps the first time.
CREATE OR REPLACE FUNCTION revoke_api_key(p_tenant_id uuid, p_id uuid) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE tenant_id = p_tenant_id AND id = p_id;
    RETURN FOUND;
END $$;
REVOKE EXECUTE ON FUNCTION revoke_api_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION revoke_api_key TO app_api;
