-- update_api_key(tenant, id, input, allowed) changes a key, from a JSON object of {name, scopes, expiresAt, force}: absent keeps, a
-- null expiresAt is never. allowed are the caller's permissions. Returns the id.
-- Raises ZE400, ZE404, ZE409 for a key that has ended and for taking permissions from the last key that has all (unless force),
-- ZE403 (column scopes) when the key has, or would get, more than the caller. SECURITY DEFINER: the API's role may not write keys.
CREATE OR REPLACE FUNCTION update_api_key(p_tenant_id uuid, p_id uuid, p_input jsonb, p_allowed text[]) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    k api_keys;
    v_before text[];
    v_errors jsonb;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    k := changeable_key(p_tenant_id, p_id, p_allowed);
    v_before := k.scopes;
    IF p_input ? 'name' THEN k.name := p_input ->> 'name'; END IF;
    IF p_input ? 'scopes' THEN k.scopes := ARRAY(SELECT jsonb_array_elements_text(nullif(p_input -> 'scopes', 'null'))); END IF;
    IF p_input ? 'expiresAt' THEN k.expires_at := (p_input ->> 'expiresAt')::timestamptz; END IF;
    v_errors := api_key_errors(k.name, k.scopes, CASE WHEN p_input ? 'expiresAt' THEN k.expires_at END);
    PERFORM raise_invalid(v_errors);
    IF p_input ? 'scopes' THEN
        PERFORM assert_scopes(k.scopes, p_allowed);
        IF EXISTS (SELECT FROM unnest(k.scopes) s WHERE s LIKE 'operator:%' AND s <> ALL (v_before)) THEN
            RAISE EXCEPTION 'Only the owner of the database can make a key for an operator.' USING ERRCODE = '42501', COLUMN = 'scopes';
        END IF;
        IF '*' <> ALL (k.scopes) AND NOT coalesce((p_input ->> 'force')::boolean, false) THEN
            PERFORM keep_full_key(p_tenant_id, p_id);
        END IF;
    END IF;
    UPDATE api_keys SET name = k.name, scopes = k.scopes, expires_at = k.expires_at WHERE tenant_id = p_tenant_id AND id = p_id;
    RETURN p_id;
END $$;
REVOKE EXECUTE ON FUNCTION update_api_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION update_api_key TO app_api;

-- changeable_key(tenant, id, allowed) locks a key that a caller with those permissions may change, and returns it.
-- Raises ZE404, ZE409 when it has ended, ZE403.
CREATE OR REPLACE FUNCTION changeable_key(p_tenant_id uuid, p_id uuid, p_allowed text[]) RETURNS api_keys
LANGUAGE plpgsql AS $$
DECLARE
    k api_keys;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(p_tenant_id::text, 12));
    SELECT * INTO k FROM api_keys WHERE tenant_id = p_tenant_id AND id = p_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no such key.' USING ERRCODE = 'ZE404';
    END IF;
    IF k.revoked_at IS NOT NULL OR k.expires_at <= now() THEN
        RAISE EXCEPTION 'The key has ended; make a new one.' USING ERRCODE = 'ZE409', COLUMN = 'id';
    END IF;
    PERFORM assert_scopes(k.scopes, p_allowed);
    RETURN k;
END $$;
REVOKE EXECUTE ON FUNCTION changeable_key FROM PUBLIC;

-- assert_scopes(scopes, allowed) raises ZE403 (column scopes) unless a holder of the allowed ones has all of the scopes.
CREATE OR REPLACE FUNCTION assert_scopes(p_scopes text[], p_allowed text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF EXISTS (
        SELECT FROM unnest(p_scopes) s
        WHERE NOT EXISTS (
            SELECT FROM unnest(p_allowed) a
            WHERE a = s OR a = '*' AND s NOT LIKE 'operator:%' OR a LIKE '%:*' AND s LIKE '%_:%' AND split_part(s, ':', 1) = split_part(a, ':', 1))) THEN
        RAISE EXCEPTION 'A key cannot give permissions that its maker lacks.' USING ERRCODE = 'ZE403', COLUMN = 'scopes';
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION assert_scopes FROM PUBLIC;
