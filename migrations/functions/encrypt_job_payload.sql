-- requires: pgsodium
-- encrypt_job_payload(id, tenant) keeps the payload of a job, encrypted by pgsodium's key app_payload_encryption, beside the payload
-- itself, and returns true; false when the tenant has no such job. A payload that is only there encrypted stays as it is.
-- The text is pgsodium:<job>:<base64 of a random nonce and the ciphertext>; tenant and job are its associated data.
CREATE OR REPLACE FUNCTION encrypt_job_payload(p_id bigint, p_tenant_id uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_nonce bytea := pgsodium.crypto_aead_det_noncegen();
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    UPDATE jobs j
    SET payload_encrypted = 'pgsodium:' || j.id || ':' || translate(encode(v_nonce || pgsodium.crypto_aead_det_encrypt(
            convert_to(j.payload::text, 'UTF8'), convert_to(j.tenant_id || ':' || j.id, 'UTF8'),
            (SELECT k.id FROM pgsodium.valid_key k WHERE k.name = 'app_payload_encryption'), v_nonce), 'base64'), E'\n', ''),
        updated_at = clock_timestamp()
    WHERE j.tenant_id = p_tenant_id AND j.id = p_id AND (j.payload_encrypted IS NULL OR j.payload <> '{}');
    RETURN FOUND OR EXISTS (SELECT FROM jobs j WHERE j.tenant_id = p_tenant_id AND j.id = p_id);
END $$;
REVOKE EXECUTE ON FUNCTION encrypt_job_payload FROM PUBLIC;
GRANT EXECUTE ON FUNCTION encrypt_job_payload TO app_api;
-- The key is made once; what it is derived from is the server's, outside of the database.
SELECT pgsodium.create_key(key_type => 'aead-det', name => 'app_payload_encryption')
WHERE NOT EXISTS (SELECT FROM pgsodium.valid_key WHERE name = 'app_payload_encryption');
