-- update_document(id, tenant, title, …) changes what is given; null keeps. Returns the row, none when there is no such document.
-- Raises ZE400. Locks the row.
CREATE OR REPLACE FUNCTION update_document(p_id uuid, p_tenant_id uuid, p_title text DEFAULT NULL, p_body text DEFAULT NULL,
    p_metadata hstore DEFAULT NULL, p_path text DEFAULT NULL, p_tag_ids int[] DEFAULT NULL,
    p_longitude double precision DEFAULT NULL, p_latitude double precision DEFAULT NULL) RETURNS SETOF documents
LANGUAGE plpgsql AS $$
BEGIN
    RETURN NEXT patch_document(p_tenant_id, p_id, jsonb_strip_nulls(jsonb_build_object('title', p_title, 'body', p_body,
        'metadata', hstore_to_jsonb(p_metadata), 'path', p_path, 'tagIds', to_jsonb(p_tag_ids),
        'longitude', p_longitude, 'latitude', p_latitude)));
EXCEPTION WHEN SQLSTATE 'ZE404' THEN
    RETURN;
END $$;
REVOKE EXECUTE ON FUNCTION update_document FROM PUBLIC;
GRANT EXECUTE ON FUNCTION update_document TO app_api;
