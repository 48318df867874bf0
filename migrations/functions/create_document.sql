-- create_document(tenant, author, title, body, …) creates one document and returns it.
-- Raises ZE400 naming the field.
CREATE OR REPLACE FUNCTION create_document(p_tenant_id uuid, p_author_id uuid, p_title text, p_body text,
    p_metadata hstore DEFAULT NULL, p_path text DEFAULT NULL, p_tag_ids int[] DEFAULT NULL,
    p_longitude double precision DEFAULT NULL, p_latitude double precision DEFAULT NULL) RETURNS documents
LANGUAGE plpgsql AS $$
DECLARE
    v_row documents;
BEGIN
    SELECT (c.document).* INTO v_row
    FROM create_documents(p_tenant_id, jsonb_build_array(jsonb_build_object('authorId', p_author_id, 'title', p_title,
        'body', p_body, 'metadata', hstore_to_jsonb(p_metadata), 'path', p_path, 'tagIds', to_jsonb(p_tag_ids),
        'longitude', p_longitude, 'latitude', p_latitude))) AS c;
    RETURN v_row;
END $$;
REVOKE EXECUTE ON FUNCTION create_document FROM PUBLIC;
GRANT EXECUTE ON FUNCTION create_document TO app_api;
