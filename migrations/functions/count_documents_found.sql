-- count_documents_found(tenant, search, limit) counts what find_documents finds, up to a limit: for semantic the documents
-- with a vector, for hybrid those that match the text. Raises what find_documents raises.
DROP FUNCTION IF EXISTS count_documents_found(uuid, text, int, text, text, int[], boolean, hstore, double precision, double precision, double precision, text);
CREATE OR REPLACE FUNCTION count_documents_found(p_tenant_id uuid, p_search jsonb, p_limit int DEFAULT 10000) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off AS $$ -- a LIMIT makes reading everybody's documents look cheap
DECLARE
    v_count bigint;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    EXECUTE format('SELECT count(*) FROM (SELECT %s LIMIT %s) x', search_matches(p_tenant_id, p_search), p_limit) INTO v_count;
    RETURN v_count;
END $$;
REVOKE EXECUTE ON FUNCTION count_documents_found FROM PUBLIC;
GRANT EXECUTE ON FUNCTION count_documents_found TO app_api;

-- search_matches(tenant, search) is 'FROM documents d WHERE …' for all that a search matches. Internal.
CREATE OR REPLACE FUNCTION search_matches(p_tenant_id uuid, p_search jsonb) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_query tsquery;
    v_sql text := format('FROM documents d WHERE d.tenant_id = %L', p_tenant_id) || search_condition(p_tenant_id, p_search || jsonb_build_object('circle', p_search -> 'near'));
BEGIN
    v_query := (SELECT t.query FROM search_text(p_tenant_id, p_search) t);
    IF p_search ->> 'mode' = 'semantic' THEN
        v_sql := v_sql || ' AND d.embedding IS NOT NULL';
    ELSIF v_query IS NOT NULL THEN
        v_sql := v_sql || format(' AND d.search_tsv @@ %L::tsquery', v_query);
    ELSIF p_search ->> 'query' IS NOT NULL THEN
        v_sql := v_sql || ' AND false'; -- only stop words or operators
    END IF;
    RETURN v_sql;
END $$;
REVOKE EXECUTE ON FUNCTION search_matches FROM PUBLIC;
