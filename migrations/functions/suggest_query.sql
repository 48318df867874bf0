-- suggest_query(tenant, search) is the text of a search with each word that no document of the tenant has replaced by the
-- nearest that one has ("did you mean"), null when there is nothing to replace or nothing to offer. Words of quoted
-- phrases count, words after a minus do not. Raises what find_documents raises.
CREATE OR REPLACE FUNCTION suggest_query(p_tenant_id uuid, p_search jsonb) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_text text := p_search ->> 'query';
    v_language text := coalesce(p_search ->> 'language', 'en');
    v_words text[];
    v_better text;
    w text;
    v_word text;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    IF v_text IS NULL OR length(v_text) > 1000 THEN
        RETURN NULL;
    END IF;
    v_words := ARRAY(SELECT DISTINCT m[1] FROM regexp_matches(v_text, '(?<![-[:alnum:]])([[:alnum:]]{3,40})(?![[:alnum:]*])', 'g') AS m LIMIT 8);
    FOREACH w IN ARRAY v_words LOOP
        v_word := (tsvector_to_array(to_tsvector('public.plain_unaccent', w)))[1];
        CONTINUE WHEN v_word IS NULL OR NOT is_search_word(v_word)
            OR EXISTS (SELECT FROM core.search_words x WHERE x.tenant_id = p_tenant_id AND x.word = v_word COLLATE "C")
            OR EXISTS (SELECT FROM core.search_words x WHERE x.tenant_id = p_tenant_id
                AND x.lexeme = (search_word_code(v_language, v_word)).lexeme COLLATE "C");
        v_better := (SELECT m.word FROM search_word_matches(p_tenant_id, v_word, 'fuzzy', 20) m
                     WHERE m.near > 0.3 ORDER BY m.near + 0.03 * ln(1 + m.documents) DESC, m.word LIMIT 1);
        IF v_better IS NOT NULL THEN
            v_text := regexp_replace(v_text, '(?<![-[:alnum:]])' || w || '(?![[:alnum:]])', v_better, 'g');
        END IF;
    END LOOP;
    RETURN nullif(v_text, p_search ->> 'query');
END $$;
REVOKE EXECUTE ON FUNCTION suggest_query FROM PUBLIC;
GRANT EXECUTE ON FUNCTION suggest_query TO app_api;
