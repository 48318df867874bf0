-- delete_user(tenant, id, reassign_to) deletes a user. Documents and files that are the user's go to the user reassign_to; how
-- many is returned. Raises ZE409 (column reassignTo) with their number when nobody is named, ZE404, ZE400 (column reassignTo).
-- SECURITY DEFINER: the API's role may not delete users otherwise. Locks the two users, then what is reassigned.
-- Documents are found by ix_documents_author, files by the tenant.
CREATE OR REPLACE FUNCTION delete_user(p_tenant_id uuid, p_id uuid, p_reassign_to uuid DEFAULT NULL, OUT documents bigint, OUT files bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    -- FOR UPDATE keeps others from making the user an author meanwhile.
    PERFORM FROM app_users WHERE tenant_id = p_tenant_id AND id IN (p_id, p_reassign_to) ORDER BY id FOR UPDATE;
    IF NOT EXISTS (SELECT FROM app_users WHERE tenant_id = p_tenant_id AND id = p_id) THEN
        RAISE EXCEPTION 'There is no such user.' USING ERRCODE = 'ZE404';
    END IF;
    IF p_reassign_to = p_id OR p_reassign_to IS NOT NULL
        AND NOT EXISTS (SELECT FROM app_users WHERE tenant_id = p_tenant_id AND id = p_reassign_to) THEN
        RAISE EXCEPTION 'There is no such other user.' USING ERRCODE = 'ZE400', COLUMN = 'reassignTo';
    END IF;
    IF p_reassign_to IS NULL THEN
        documents := (SELECT count(*) FROM documents d WHERE d.tenant_id = p_tenant_id AND d.author_id = p_id);
        files := (SELECT count(*) FROM files f WHERE f.tenant_id = p_tenant_id AND f.uploader_id = p_id);
        IF documents + files > 0 THEN
            RAISE EXCEPTION '%', format('The user has %s documents and %s files; name another user in reassignTo, who gets them.', documents, files)
                USING ERRCODE = 'ZE409', COLUMN = 'reassignTo';
        END IF;
    ELSE
        UPDATE documents SET author_id = p_reassign_to, version = version + 1, updated_at = clock_timestamp()
        WHERE tenant_id = p_tenant_id AND author_id = p_id;
        GET DIAGNOSTICS documents = ROW_COUNT;
        UPDATE files SET uploader_id = p_reassign_to WHERE tenant_id = p_tenant_id AND uploader_id = p_id;
        GET DIAGNOSTICS files = ROW_COUNT;
    END IF;
    DELETE FROM app_users WHERE tenant_id = p_tenant_id AND id = p_id;
END $$;
REVOKE EXECUTE ON FUNCTION delete_user FROM PUBLIC;
GRANT EXECUTE ON FUNCTION delete_user TO app_api;
