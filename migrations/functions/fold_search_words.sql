-- fold_search_words(limit) adds up to that many noted changes to the counts of the vocabulary, removes doubles and words
-- that no document has any more, and returns how many changes it folded; 0 when another fold runs.
-- Locks rows of the vocabulary, which nobody else changes. Words are found by ix_search_words_word.
CREATE OR REPLACE FUNCTION fold_search_words(p_limit int DEFAULT 50) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    v_folded int := 0;
    c record;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('fold_search_words')) THEN
        RETURN 0;
    END IF;
    FOR c IN
        WITH gone AS ( -- whatever can be seen now: the order of ids is not that of commits
            DELETE FROM core.search_word_changes
            WHERE id = ANY (ARRAY(SELECT id FROM core.search_word_changes ORDER BY id LIMIT p_limit))
            RETURNING tenant_id, language, documents, words, counts, titles
        ), sums AS (
            SELECT g.tenant_id, g.language, x.word, sum(x.n)::int AS n, sum(x.t)::int AS t
            FROM gone g, unnest(g.words, g.counts, g.titles) AS x (word, n, t)
            GROUP BY g.tenant_id, g.language, x.word
        )
        SELECT g.tenant_id, g.language, g.documents, g.changes, s.words, s.counts, s.titles
        FROM (SELECT tenant_id, language, sum(documents) AS documents, count(*)::int AS changes FROM gone GROUP BY tenant_id, language) g
        JOIN (SELECT tenant_id, language, array_agg(word) AS words, array_agg(n) AS counts, array_agg(t) AS titles
              FROM sums GROUP BY tenant_id, language) s USING (tenant_id, language)
    LOOP
        v_folded := v_folded + c.changes;
        -- Once more: a fold may have removed a word that this change still saw.
        PERFORM add_search_words(c.tenant_id, c.language,
            ARRAY(SELECT x.word FROM unnest(c.words, c.counts) AS x (word, n) WHERE x.n > 0));
        DELETE FROM core.search_words w
        USING core.search_words k, unnest(c.words) AS x (word)
        WHERE w.tenant_id = c.tenant_id AND w.word = x.word COLLATE "C" AND w.language = c.language
          AND k.tenant_id = c.tenant_id AND k.word = w.word AND k.language = c.language
          AND (k.documents > w.documents OR k.documents = w.documents AND k.ctid < w.ctid);
        UPDATE core.search_words w
        SET documents = w.documents + x.n, titles = w.titles + x.t
        FROM unnest(c.words, c.counts, c.titles) AS x (word, n, t)
        WHERE w.tenant_id = c.tenant_id AND w.word = x.word COLLATE "C" AND w.language = c.language;
        DELETE FROM core.search_words w
        USING unnest(c.words) AS x (word)
        WHERE w.tenant_id = c.tenant_id AND w.word = x.word COLLATE "C" AND w.language = c.language AND w.documents <= 0;
        INSERT INTO core.search_tenants (tenant_id, documents) VALUES (c.tenant_id, c.documents)
        ON CONFLICT (tenant_id) DO UPDATE SET documents = search_tenants.documents + excluded.documents;
    END LOOP;
    RETURN v_folded;
END $$;
REVOKE EXECUTE ON FUNCTION fold_search_words FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fold_search_words TO app_worker;
