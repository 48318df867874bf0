-- import_document(tenant, author, input) is one line of import_documents: outcome is created, updated, unchanged or
-- rejected; then errors says why, as document_errors does.
-- Raises what import_documents raises. Locks the document it changes.
-- The lookup is by documents_pkey or documents_external_id_key.
CREATE OR REPLACE FUNCTION import_document(p_tenant_id uuid, p_author_id uuid, p_input jsonb, OUT outcome text, OUT errors jsonb)
LANGUAGE plpgsql AS $$
DECLARE
    v_uuid constant text := '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$';
    v_id uuid := CASE WHEN p_input ->> 'id' ~ v_uuid THEN (p_input ->> 'id')::uuid END;
    v_external text := p_input ->> 'externalId';
    v_found uuid;
    v_version int;
    v_equal boolean;
    v_row documents;
BEGIN
    -- A document that another session creates meanwhile is found in the second round.
    FOR v_try IN 1 .. 3 LOOP
        v_found := NULL;
        IF v_id IS NOT NULL THEN
            SELECT d.id, d.version, document_equals(d, p_input) INTO v_found, v_version, v_equal
            FROM documents d WHERE d.tenant_id = p_tenant_id AND d.id = v_id;
        ELSIF v_external IS NOT NULL THEN
            SELECT d.id, d.version, document_equals(d, p_input) INTO v_found, v_version, v_equal
            FROM documents d WHERE d.tenant_id = p_tenant_id AND d.external_id = v_external;
        END IF;
        IF v_found IS NOT NULL AND v_equal THEN
            outcome := 'unchanged';
            RETURN;
        END IF;

        outcome := 'rejected';
        errors := document_errors(p_tenant_id,
            CASE WHEN p_input ? 'authorId' THEN p_input ELSE p_input || jsonb_build_object('authorId', p_author_id) END, true);
        IF v_id IS NOT NULL AND v_external IS NOT NULL AND EXISTS (
            SELECT FROM documents d WHERE d.tenant_id = p_tenant_id AND d.external_id = v_external AND d.id <> v_id) THEN
            errors := errors || jsonb_build_object('field', 'externalId', 'code', 'CONFLICT',
                'message', 'Another document has this externalId.');
        END IF;
        IF errors <> '[]' THEN
            RETURN;
        END IF;

        IF v_found IS NOT NULL THEN
            v_row := patch_document(p_tenant_id, v_found, p_input);
            outcome := CASE WHEN v_row.version = v_version THEN 'unchanged' ELSE 'updated' END;
            RETURN;
        END IF;

        v_row := NULL;
        v_row.author_id := p_author_id;
        v_row.language := 'en';
        v_row.metadata := '';
        v_row.tag_ids := '{}';
        v_row := document_from_input(v_row, p_input);
        INSERT INTO documents (tenant_id, id, author_id, external_id, title, body, language, metadata, path, tag_ids,
            longitude, latitude)
        VALUES (p_tenant_id, coalesce(v_id, uuid_v7()), v_row.author_id, v_row.external_id, v_row.title, v_row.body,
            v_row.language, v_row.metadata, v_row.path, v_row.tag_ids, v_row.longitude, v_row.latitude)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            outcome := 'created';
            RETURN;
        END IF;
    END LOOP;
    outcome := 'rejected';
    errors := jsonb_build_array(jsonb_build_object('field', CASE WHEN v_id IS NULL THEN 'externalId' ELSE 'id' END,
        'code', 'CONFLICT', 'message', 'The document is being changed by somebody else; try again.'));
END $$;
REVOKE EXECUTE ON FUNCTION import_document FROM PUBLIC;
GRANT EXECUTE ON FUNCTION import_document TO app_api;
