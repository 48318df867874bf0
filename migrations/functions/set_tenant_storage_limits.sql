-- set_tenant_storage_limits(tenant, bytes, files) says how much a tenant may store; null is no limit. A tenant that has more keeps
-- it and can add nothing. Only the owner may.
-- Raises ZE400, ZE404.
CREATE OR REPLACE FUNCTION set_tenant_storage_limits(p_tenant_id uuid, p_bytes bigint, p_files bigint) RETURNS tenant_storage
LANGUAGE plpgsql AS $$
DECLARE
    v tenant_storage;
BEGIN
    IF p_bytes < 0 OR p_files < 0 THEN
        RAISE EXCEPTION 'A limit is not negative.' USING ERRCODE = 'ZE400', COLUMN = CASE WHEN p_bytes < 0 THEN 'bytes' ELSE 'files' END;
    END IF;
    IF NOT EXISTS (SELECT FROM tenants WHERE id = p_tenant_id) THEN
        RAISE EXCEPTION 'There is no such tenant.' USING ERRCODE = 'ZE404';
    END IF;
    INSERT INTO tenant_storage AS s (tenant_id, bytes_limit, files_limit) VALUES (p_tenant_id, p_bytes, p_files)
    ON CONFLICT (tenant_id) DO UPDATE SET bytes_limit = excluded.bytes_limit, files_limit = excluded.files_limit
    RETURNING * INTO v;
    RETURN v;
END $$;
REVOKE EXECUTE ON FUNCTION set_tenant_storage_limits FROM PUBLIC;
