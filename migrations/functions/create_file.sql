-- create_file(tenant, uploader, filename, content type, size, checksum, lifetime, or less) makes the record of an upload that begins
-- and returns it: pending, with the key to store its bytes under. The size is set aside from what the tenant may store; with
-- "or less" the rest of that is, when it is less. The uploader may be told by complete_file instead.
-- Raises ZE400, ZE413. Locks the tenant's row in tenant_storage.
CREATE OR REPLACE FUNCTION create_file(p_tenant_id uuid, p_uploader_id uuid, p_filename text, p_content_type text, p_size_bytes bigint,
    p_checksum text DEFAULT NULL, p_lifetime interval DEFAULT NULL, p_or_less boolean DEFAULT false) RETURNS files
LANGUAGE plpgsql AS $$
DECLARE
    v_id uuid := uuid_v7();
    v_file files;
BEGIN
    PERFORM raise_invalid(file_errors(p_tenant_id, p_uploader_id, p_filename, p_content_type, p_size_bytes, p_checksum));
    IF p_or_less THEN
        p_size_bytes := least(p_size_bytes, tenant_storage_left(p_tenant_id));
    END IF;
    INSERT INTO files (tenant_id, id, uploader_id, filename, content_type, size_bytes, checksum, storage_key, expires_at)
    VALUES (p_tenant_id, v_id, p_uploader_id, p_filename, p_content_type, p_size_bytes, p_checksum,
        format('tenants/%s/%s/%s', p_tenant_id, to_char(now() AT TIME ZONE 'UTC', 'YYYY/MM'), v_id), now() + p_lifetime)
    RETURNING * INTO v_file;
    RETURN v_file;
END $$;
REVOKE EXECUTE ON FUNCTION create_file FROM PUBLIC;
GRANT EXECUTE ON FUNCTION create_file TO app_api;
