-- authenticate_key_id(id) is authenticate_key for a token, which names the key it was made from by its id.
CREATE OR REPLACE FUNCTION authenticate_key_id(p_id uuid)
RETURNS TABLE (tenant_id uuid, key_id uuid, scopes text[], expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT k.tenant_id, k.id, k.scopes, k.expires_at
    FROM api_keys k
    WHERE k.id = p_id AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
$$;
REVOKE EXECUTE ON FUNCTION authenticate_key_id FROM PUBLIC;
GRANT EXECUTE ON FUNCTION authenticate_key_id TO app_api;
