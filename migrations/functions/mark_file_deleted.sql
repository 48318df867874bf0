-- mark_file_deleted(tenant, id) is the first step of a deletion: nobody can download the file from then on. The second is to delete
-- the object, the third remove_file. Returns the file; one that is marked already is returned, too.
-- Raises ZE404.
CREATE OR REPLACE FUNCTION mark_file_deleted(p_tenant_id uuid, p_id uuid) RETURNS files
LANGUAGE plpgsql AS $$
DECLARE
    v files;
BEGIN
    UPDATE files SET status = 'deleting', expires_at = NULL WHERE tenant_id = p_tenant_id AND id = p_id RETURNING * INTO v;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no such file.' USING ERRCODE = 'ZE404';
    END IF;
    RETURN v;
END $$;
REVOKE EXECUTE ON FUNCTION mark_file_deleted FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mark_file_deleted TO app_api;
