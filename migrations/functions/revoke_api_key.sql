-- revoke_api_key(tenant, id, force) ends a key at once; false when the tenant has no such key. Revoking twice keeps the first
-- time. Raises ZE409 (column force) for the tenant's last key with all permissions, unless forced: nobody could make another.
-- Waits for others who end keys of the tenant.
CREATE OR REPLACE FUNCTION revoke_api_key(p_tenant_id uuid, p_id uuid, p_force boolean DEFAULT false) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(p_tenant_id::text, 12));
    IF NOT p_force THEN
        PERFORM keep_full_key(p_tenant_id, p_id);
    END IF;
    UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE tenant_id = p_tenant_id AND id = p_id;
    RETURN FOUND;
END $$;
REVOKE EXECUTE ON FUNCTION revoke_api_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION revoke_api_key TO app_api;

-- keep_full_key(tenant, id) raises ZE409 when the key is the only one left with all permissions.
CREATE OR REPLACE FUNCTION keep_full_key(p_tenant_id uuid, p_id uuid) RETURNS void
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF (SELECT array_agg(id) FROM api_keys
        WHERE tenant_id = p_tenant_id AND '*' = ANY (scopes) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())) = ARRAY[p_id] THEN
        RAISE EXCEPTION 'This is the last key with all permissions: without it nobody could make another. Make one first, or set force.'
            USING ERRCODE = 'ZE409', COLUMN = 'force';
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION keep_full_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keep_full_key TO app_api;
