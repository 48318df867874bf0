-- claim_idempotency_key(tenant, key, hash) takes a key for the caller's transaction: is_new is true, and what the transaction
-- does is done once. When it was taken within 7 days, is_new is false and response is the answer of then, null when that
-- was not kept. It waits up to 10 s for a transaction that holds the key.
-- Raises ZE400 for a key that is none; ZE409 when the key stands for another request, or is still held. Locks the key's row.
CREATE OR REPLACE FUNCTION claim_idempotency_key(p_tenant_id uuid, p_key text, p_hash bytea, OUT is_new boolean, OUT response bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '10s' AS $$
DECLARE
    v_hash bytea;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    IF coalesce(p_key, '') !~ '^[!-~]{1,255}$' THEN
        RAISE EXCEPTION 'An idempotency key is 1 to 255 visible ASCII characters.' USING ERRCODE = 'ZE400', COLUMN = 'idempotencyKey';
    END IF;
    INSERT INTO core.idempotency_keys AS k (tenant_id, key, request_hash)
    VALUES (p_tenant_id, p_key, p_hash)
    ON CONFLICT ON CONSTRAINT idempotency_keys_pkey DO UPDATE
        SET request_hash = excluded.request_hash, response = NULL, created_at = now()
        WHERE k.created_at < now() - interval '7 days';
    is_new := FOUND;
    IF NOT is_new THEN
        SELECT k.request_hash, k.response INTO v_hash, response
        FROM core.idempotency_keys k
        WHERE k.tenant_id = p_tenant_id AND k.key = p_key;
        IF v_hash IS DISTINCT FROM p_hash THEN
            RAISE EXCEPTION 'This idempotency key was used for another request.' USING ERRCODE = 'ZE409', COLUMN = 'idempotencyKey';
        END IF;
    END IF;
EXCEPTION WHEN lock_not_available THEN
    RAISE EXCEPTION 'A request with this idempotency key is still under way; try again.' USING ERRCODE = 'ZE409', COLUMN = 'idempotencyKey';
END $$;
REVOKE EXECUTE ON FUNCTION claim_idempotency_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claim_idempotency_key TO app_api;
