-- requires: pgsodium
-- decrypt_job_payload(encrypted, tenant) returns a payload that pgsodium encrypted: by encrypt_job_payload, or by a program that used the
-- key app_payload_encryption with the tenant's id alone as associated data (base64 or \x hex, with or without pgsodium: before it).
-- Raises ZE404 for null, ZE501 for what the API encrypted, ZE422 for what cannot be decrypted: changed, or another tenant's.
CREATE OR REPLACE FUNCTION decrypt_job_payload(p_encrypted text, p_tenant_id uuid) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_key uuid := (SELECT k.id FROM pgsodium.valid_key k WHERE k.name = 'app_payload_encryption');
    v_parts text[] := regexp_match(p_encrypted, '^(?:pgsodium:)?(?:([0-9]+):)?([^:]*)$');
    v_bytes bytea;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    IF p_encrypted IS NULL THEN
        RAISE EXCEPTION 'Nothing is encrypted here.' USING ERRCODE = 'ZE404';
    ELSIF p_encrypted LIKE 'sf1:%' THEN
        RAISE EXCEPTION 'This payload was encrypted by the API: decryptJobPayload decrypts it.' USING ERRCODE = 'ZE501';
    END IF;
    v_bytes := CASE WHEN v_parts[2] LIKE '\\x%' THEN v_parts[2]::bytea ELSE decode(v_parts[2], 'base64') END;
    IF v_parts[1] IS NULL THEN
        RETURN convert_from(pgsodium.crypto_aead_det_decrypt(v_bytes, convert_to(p_tenant_id::text, 'UTF8'), v_key), 'UTF8')::jsonb;
    END IF;
    RETURN convert_from(pgsodium.crypto_aead_det_decrypt(substr(v_bytes, 17), convert_to(p_tenant_id || ':' || v_parts[1], 'UTF8'),
        v_key, substr(v_bytes, 1, 16)), 'UTF8')::jsonb;
EXCEPTION WHEN data_exception THEN
    RAISE EXCEPTION 'The payload cannot be decrypted.' USING ERRCODE = 'ZE422', COLUMN = 'payload';
END $$;
REVOKE EXECUTE ON FUNCTION decrypt_job_payload FROM PUBLIC;
GRANT EXECUTE ON FUNCTION decrypt_job_payload TO app_api, app_worker;
