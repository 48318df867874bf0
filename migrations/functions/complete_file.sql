-- complete_file(tenant, id, uploader, content type, size, checksum) records that the bytes of a pending file are stored, and returns
-- it: ready. What is null stays as it was. A file that is ready with the same checksum is returned as it is.
-- Raises ZE400 (the uploader; a size or checksum that is not the one told before), ZE404, ZE409, ZE413. Locks the row.
CREATE OR REPLACE FUNCTION complete_file(p_tenant_id uuid, p_id uuid, p_uploader_id uuid, p_content_type text, p_size_bytes bigint, p_checksum text)
RETURNS files
LANGUAGE plpgsql AS $$
DECLARE
    v files;
BEGIN
    SELECT * INTO v FROM files WHERE tenant_id = p_tenant_id AND id = p_id FOR UPDATE;
    IF NOT FOUND OR v.status = 'deleting' THEN
        RAISE EXCEPTION 'There is no such file.' USING ERRCODE = 'ZE404';
    END IF;
    IF v.status = 'ready' THEN
        IF v.checksum IS DISTINCT FROM p_checksum THEN
            RAISE EXCEPTION 'The file is complete already, with other bytes.' USING ERRCODE = 'ZE409';
        END IF;
        RETURN v;
    END IF;
    v.uploader_id := coalesce(p_uploader_id, v.uploader_id);
    IF v.uploader_id IS NULL THEN
        RAISE EXCEPTION 'This must be a user of the tenant.' USING ERRCODE = 'ZE400', COLUMN = 'uploaderId';
    END IF;
    PERFORM raise_invalid(file_errors(p_tenant_id, v.uploader_id, v.filename, coalesce(p_content_type, v.content_type), p_size_bytes, p_checksum));
    IF v.checksum <> p_checksum THEN
        RAISE EXCEPTION 'The bytes have another checksum: %.', p_checksum USING ERRCODE = 'ZE400', COLUMN = 'checksum';
    END IF;
    UPDATE files SET status = 'ready', uploader_id = v.uploader_id, content_type = coalesce(p_content_type, content_type),
        size_bytes = p_size_bytes, checksum = p_checksum, expires_at = NULL, claimed_at = NULL, completed_at = now()
    WHERE tenant_id = p_tenant_id AND id = p_id
    RETURNING * INTO v;
    RETURN v;
END $$;
REVOKE EXECUTE ON FUNCTION complete_file FROM PUBLIC;
GRANT EXECUTE ON FUNCTION complete_file TO app_api;
