-- tenant_storage_left(tenant) is how many bytes the tenant may still store, null for no limit, and keeps that so until the end of
-- the transaction: it locks the tenant's row. SECURITY DEFINER: the lock needs a right that no role has.
CREATE OR REPLACE FUNCTION tenant_storage_left(p_tenant_id uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v tenant_storage;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    SELECT * INTO v FROM tenant_storage WHERE tenant_id = p_tenant_id FOR UPDATE;
    RETURN CASE WHEN v.bytes_limit IS NOT NULL THEN greatest(v.bytes_limit - v.bytes_used, 0) END;
END $$;
REVOKE EXECUTE ON FUNCTION tenant_storage_left FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant_storage_left TO app_api;
