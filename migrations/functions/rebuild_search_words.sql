-- rebuild_search_words(tenant) makes the vocabulary of a tenant anew from its documents, with exact counts, and returns
-- the number of words. For documents that came past the triggers. Waits for a running fold; writers of documents wait for
-- nothing: what they add meanwhile is noted and folded later. For the owner.
CREATE OR REPLACE FUNCTION rebuild_search_words(p_tenant_id uuid) RETURNS int
LANGUAGE plpgsql SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan SET work_mem = '256MB' AS $$
DECLARE
    v_words int;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('fold_search_words'));
    -- One statement, one snapshot: the documents it reads and the changes it drops are of the same moment.
    WITH dropped AS (
        DELETE FROM core.search_word_changes WHERE tenant_id = p_tenant_id
    ), old AS (
        DELETE FROM core.search_words WHERE tenant_id = p_tenant_id
    ), total AS (
        INSERT INTO core.search_tenants (tenant_id, documents)
        SELECT p_tenant_id, count(*) FROM documents WHERE tenant_id = p_tenant_id
        ON CONFLICT (tenant_id) DO UPDATE SET documents = excluded.documents
    ), counted AS (
        SELECT d.language, t.lexeme AS word, count(*)::int AS n, (count(*) FILTER (WHERE 'A' = ANY (t.weights)))::int AS titles
        FROM documents d, unnest(text_words(d.title, d.body)) AS t
        WHERE d.tenant_id = p_tenant_id
        GROUP BY d.language, t.lexeme
    )
    INSERT INTO core.search_words (tenant_id, word, language, lexeme, soundex, metaphone, documents, titles)
    SELECT p_tenant_id, c.word, c.language, (w.code).lexeme, (w.code).soundex, (w.code).metaphone, c.n, c.titles
    FROM counted c
    CROSS JOIN LATERAL (SELECT search_word_code(c.language, CASE WHEN is_search_word(c.word) THEN c.word END) AS code) w
    WHERE is_search_word(c.word) OR is_search_address(c.word);
    GET DIAGNOSTICS v_words = ROW_COUNT;
    RETURN v_words;
END $$;
REVOKE EXECUTE ON FUNCTION rebuild_search_words FROM PUBLIC;

-- Documents that were there before the vocabulary.
DO $$
BEGIN
    PERFORM rebuild_search_words(t.id)
    FROM tenants t
    WHERE NOT EXISTS (SELECT FROM core.search_tenants s WHERE s.tenant_id = t.id)
      AND EXISTS (SELECT FROM documents d WHERE d.tenant_id = t.id)
      AND NOT EXISTS (SELECT FROM core.search_word_changes c WHERE c.tenant_id = t.id);
END $$;
