-- highlight_documents(tenant, search, ids, fragments, words) returns what to show of documents that a search found: the
-- whole title and up to that many fragments of the body, each of about so many words, those with a match first. What
-- matches stands between U+0002 and U+0003, which are taken out of the text itself; U+0005 stands for '<' meanwhile, because
-- ts_headline drops what looks like a tag. A field without a match is left out.
-- Raises what find_documents raises. Reads the documents by their key and parses their text again: for a page, not for a list.
CREATE OR REPLACE FUNCTION highlight_documents(p_tenant_id uuid, p_search jsonb, p_ids uuid[], p_fragments int DEFAULT 2, p_words int DEFAULT 20)
RETURNS TABLE (id uuid, field text, fragment int, text text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_query tsquery;
    v_options text := format('StartSel=%s, StopSel=%s', chr(2), chr(3));
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    IF p_fragments NOT BETWEEN 1 AND 10 THEN
        RAISE EXCEPTION 'Fragments are 1 to 10.' USING ERRCODE = 'ZE400', COLUMN = 'fragments';
    END IF;
    IF p_words NOT BETWEEN 5 AND 100 THEN
        RAISE EXCEPTION 'A fragment has 5 to 100 words.' USING ERRCODE = 'ZE400', COLUMN = 'words';
    END IF;
    IF p_search ->> 'mode' = 'hybrid' THEN -- the words as they are after all
        v_query := (SELECT t.best FROM search_text(p_tenant_id, p_search || '{"mode": "loose"}') t);
    ELSE
        v_query := (SELECT t.query FROM search_text(p_tenant_id, p_search) t);
    END IF;
    -- ts_headline weighs every stretch of the text against the whole query: dozens of operands take it seconds for a page. Of
    -- a long query each word is marked wherever it stands.
    IF numnode(v_query) > 15 THEN
        v_query := search_lexemes(ARRAY(
            SELECT DISTINCT replace(replace(substr(m[1], 2, length(m[1]) - 2), '''''', ''''), '\\', '\')
            FROM regexp_matches(querytree(v_query), '(''(?:[^''\\]|''''|\\.)*'')', 'g') AS m LIMIT 100));
    END IF;
    IF v_query IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT h.id, h.field, h.fragment, translate(h.text, chr(5), '<')
        FROM (SELECT d.id, 'title' AS field, 1 AS fragment,
                     ts_headline(search_config(d.language), translate(d.title, '<' || chr(2) || chr(3) || chr(4) || chr(5), chr(5) || '    '), v_query, v_options || ', HighlightAll=true') AS text
              FROM documents d
              WHERE d.tenant_id = p_tenant_id AND d.id = ANY (p_ids)
              UNION ALL
              SELECT d.id, 'body', f.fragment::int, f.text
              FROM documents d
              CROSS JOIN LATERAL unnest(string_to_array(
                  ts_headline(search_config(d.language), translate(left(d.body, 100000), '<' || chr(2) || chr(3) || chr(4) || chr(5), chr(5) || '    '), v_query,
                      v_options || format(', MaxFragments=%s, MinWords=%s, MaxWords=%s, FragmentDelimiter=%s', p_fragments, greatest(p_words / 2, 2), p_words, chr(4))),
                  chr(4))) WITH ORDINALITY AS f (text, fragment)
              WHERE d.tenant_id = p_tenant_id AND d.id = ANY (p_ids)) h
        WHERE strpos(h.text, chr(2)) > 0
        ORDER BY h.id, h.field DESC, h.fragment;
END $$;
REVOKE EXECUTE ON FUNCTION highlight_documents FROM PUBLIC;
GRANT EXECUTE ON FUNCTION highlight_documents TO app_api;
