-- create_api_key(tenant, name, prefix, hash, scopes, expires_at) records a key that the caller has made and returns its id.
-- Raises ZE400, and 42501 for a scope of the operator unless the owner makes the key. The plaintext never reaches the database.
CREATE OR REPLACE FUNCTION create_api_key(p_tenant_id uuid, p_name text, p_prefix text, p_hash text,
    p_scopes text[] DEFAULT '{*}', p_expires_at timestamptz DEFAULT NULL) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    v_id uuid := uuid_v7();
BEGIN
    PERFORM raise_invalid(api_key_errors(p_name, p_scopes, p_expires_at));
    IF NOT pg_has_role(current_user, 'stackforge_owner', 'USAGE') AND EXISTS (SELECT FROM unnest(p_scopes) s WHERE s LIKE 'operator:%') THEN
        RAISE EXCEPTION 'Only the owner of the database can make a key for an operator.' USING ERRCODE = '42501';
    END IF;
    INSERT INTO api_keys (tenant_id, id, name, key_prefix, key_hash, scopes, expires_at)
    VALUES (p_tenant_id, v_id, p_name, p_prefix, p_hash, p_scopes, p_expires_at);
    RETURN v_id;
END $$;
REVOKE EXECUTE ON FUNCTION create_api_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION create_api_key TO app_api;
