-- patch_document(tenant, id, input, expected_version) changes a document: absent fields keep, null clears. A change of the
-- text drops the vector, which no longer fits it. Returns the row.
-- Raises ZE400, ZE404, ZE409 when the version is not the expected one. Locks the row.
CREATE OR REPLACE FUNCTION patch_document(p_tenant_id uuid, p_id uuid, p_input jsonb, p_expected_version int DEFAULT NULL)
RETURNS documents
LANGUAGE plpgsql AS $$
DECLARE
    v_old documents;
    v_new documents;
    v_merged jsonb;
BEGIN
    SELECT * INTO v_old FROM documents WHERE tenant_id = p_tenant_id AND id = p_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no such document.' USING ERRCODE = 'ZE404';
    END IF;
    IF v_old.version <> p_expected_version THEN
        RAISE EXCEPTION 'The document was changed in the meantime; it is now at version %.', v_old.version
            USING ERRCODE = 'ZE409', COLUMN = 'expectedVersion';
    END IF;
    -- A point is judged as it will be: one half given with the other half in place is whole.
    v_merged := jsonb_build_object('longitude', v_old.longitude, 'latitude', v_old.latitude) || p_input;
    IF NOT (p_input ? 'longitude' OR p_input ? 'latitude') THEN
        v_merged := p_input;
    END IF;
    PERFORM raise_invalid(document_errors(p_tenant_id, v_merged, false));
    v_new := document_from_input(v_old, p_input);
    IF v_new IS NOT DISTINCT FROM v_old THEN
        RETURN v_old;
    END IF;
    UPDATE documents SET
        author_id = v_new.author_id, external_id = v_new.external_id, title = v_new.title, body = v_new.body,
        language = v_new.language, metadata = v_new.metadata, path = v_new.path, tag_ids = v_new.tag_ids,
        longitude = v_new.longitude, latitude = v_new.latitude,
        embedding = CASE WHEN (v_new.title, v_new.body) = (v_old.title, v_old.body) THEN embedding END,
        embedding_model = CASE WHEN (v_new.title, v_new.body) = (v_old.title, v_old.body) THEN embedding_model END,
        version = version + 1, updated_at = greatest(clock_timestamp(), v_old.updated_at + interval '1 microsecond')
    WHERE tenant_id = p_tenant_id AND id = p_id
    RETURNING * INTO v_new;
    RETURN v_new;
END $$;
REVOKE EXECUTE ON FUNCTION patch_document FROM PUBLIC;
GRANT EXECUTE ON FUNCTION patch_document TO app_api;
