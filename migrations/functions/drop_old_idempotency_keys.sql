-- drop_old_idempotency_keys() forgets the keys, of all tenants, that are older than 7 days, and returns how many.
CREATE OR REPLACE FUNCTION drop_old_idempotency_keys() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_count bigint;
BEGIN
    DELETE FROM core.idempotency_keys WHERE created_at < now() - interval '7 days';
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END $$;
REVOKE EXECUTE ON FUNCTION drop_old_idempotency_keys FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_old_idempotency_keys TO app_worker;
