-- delete_document(id, tenant) deletes a document; false when there is none.
CREATE OR REPLACE FUNCTION delete_document(p_id uuid, p_tenant_id uuid) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM documents WHERE tenant_id = p_tenant_id AND id = p_id;
    RETURN FOUND;
END $$;
REVOKE EXECUTE ON FUNCTION delete_document FROM PUBLIC;
GRANT EXECUTE ON FUNCTION delete_document TO app_api;
