-- remove_search_synonyms(tenant, term) takes the synonyms of a term away and returns them. Where the term is a synonym of
-- others it stays.
-- Raises ZE404.
CREATE OR REPLACE FUNCTION remove_search_synonyms(p_tenant_id uuid, p_term text) RETURNS search_synonyms
LANGUAGE plpgsql AS $$
DECLARE
    v_row search_synonyms;
BEGIN
    DELETE FROM search_synonyms WHERE tenant_id = p_tenant_id AND term = search_phrase(p_term) COLLATE "C" RETURNING * INTO v_row;
    IF v_row.id IS NULL THEN
        RAISE EXCEPTION 'This term has no synonyms.' USING ERRCODE = 'ZE404', COLUMN = 'term';
    END IF;
    RETURN v_row;
END $$;
REVOKE EXECUTE ON FUNCTION remove_search_synonyms FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remove_search_synonyms TO app_api;
