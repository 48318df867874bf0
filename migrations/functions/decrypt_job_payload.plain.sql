-- unless: pgsodium
-- decrypt_job_payload(encrypted, tenant) is for servers that have preloaded pgsodium. Raises ZE501.
CREATE OR REPLACE FUNCTION decrypt_job_payload(p_encrypted text, p_tenant_id uuid) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Payloads are decrypted by the API here (decryptJobPayload): this PostgreSQL server has not preloaded pgsodium.'
        USING ERRCODE = 'ZE501';
END $$;
REVOKE EXECUTE ON FUNCTION decrypt_job_payload FROM PUBLIC;
GRANT EXECUTE ON FUNCTION decrypt_job_payload TO app_api, app_worker;
