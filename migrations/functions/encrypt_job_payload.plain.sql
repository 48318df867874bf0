-- unless: pgsodium
-- encrypt_job_payload(id, tenant) is for servers that have preloaded pgsodium. Raises ZE501.
CREATE OR REPLACE FUNCTION encrypt_job_payload(p_id bigint, p_tenant_id uuid) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Payloads are encrypted by the API here (encryptJobPayload, or enqueueJob with encrypt): this PostgreSQL server has not preloaded pgsodium.'
        USING ERRCODE = 'ZE501';
END $$;
REVOKE EXECUTE ON FUNCTION encrypt_job_payload FROM PUBLIC;
GRANT EXECUTE ON FUNCTION encrypt_job_payload TO app_api;
