-- rotate_api_key(tenant, id, prefix, hash, overlap, allowed) gives a key a new secret, of which the caller has made prefix and
-- hash. The old one opens it until the overlap is over; one from before that ends at once. Returns that end.
-- Raises ZE400 (column overlapSeconds), ZE404, ZE409 when the key has ended, ZE403 when it may do more than the caller.
-- SECURITY DEFINER: the API's role may not write hashes.
CREATE OR REPLACE FUNCTION rotate_api_key(p_tenant_id uuid, p_id uuid, p_prefix text, p_hash text, p_overlap interval, p_allowed text[])
RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_end timestamptz;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    IF p_overlap NOT BETWEEN interval '0' AND interval '30 days' THEN
        RAISE EXCEPTION 'An overlap is from 0 to 2592000 seconds, which are 30 days.' USING ERRCODE = 'ZE400', COLUMN = 'overlapSeconds';
    END IF;
    PERFORM changeable_key(p_tenant_id, p_id, p_allowed);
    UPDATE api_keys
    SET previous_hash = key_hash, previous_ends_at = now() + p_overlap, key_hash = p_hash, key_prefix = p_prefix
    WHERE tenant_id = p_tenant_id AND id = p_id
    RETURNING previous_ends_at INTO v_end;
    RETURN v_end;
END $$;
REVOKE EXECUTE ON FUNCTION rotate_api_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rotate_api_key TO app_api;
