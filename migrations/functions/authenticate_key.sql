-- authenticate_key(hash) finds the key with the SHA-256 hash (hex), whatever its tenant; no row when there is none, when it
-- has expired, or when it was revoked. The secret before a rotation opens it, too, until its overlap ends: expires_at is that
-- end then. SECURITY DEFINER because the tenant is not known yet and no role may read hashes.
CREATE OR REPLACE FUNCTION authenticate_key(p_hash text)
RETURNS TABLE (tenant_id uuid, key_id uuid, scopes text[], expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT k.tenant_id, k.id, k.scopes, k.expires_at
    FROM api_keys k
    WHERE k.key_hash = p_hash AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
    UNION ALL
    SELECT k.tenant_id, k.id, k.scopes, least(k.expires_at, k.previous_ends_at)
    FROM api_keys k
    WHERE k.previous_hash = p_hash AND k.previous_ends_at > now() AND k.revoked_at IS NULL
      AND (k.expires_at IS NULL OR k.expires_at > now())
$$;
REVOKE EXECUTE ON FUNCTION authenticate_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION authenticate_key TO app_api;
