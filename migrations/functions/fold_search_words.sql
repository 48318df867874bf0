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
        -- Each word is looked up by itself (LATERAL … OFFSET 0): a join of a vocabulary that the statistics do not know yet
        -- compared all words with all words. The tenant's are in one partition, so a ctid names one.
        DELETE FROM core.search_words d
        WHERE d.tenant_id = c.tenant_id AND d.ctid = ANY (ARRAY(
            SELECT y.ctid
            FROM (SELECT w.ctid, row_number() OVER (PARTITION BY x.word ORDER BY w.documents DESC, w.ctid) AS n
                  FROM unnest(c.words) AS x (word)
                  CROSS JOIN LATERAL (SELECT s.ctid, s.documents FROM core.search_words s
                      WHERE s.tenant_id = c.tenant_id AND s.word = x.word COLLATE "C" AND s.language = c.language OFFSET 0) w) y
            WHERE y.n > 1));
        UPDATE core.search_words d
        SET documents = d.documents + u.n, titles = d.titles + u.t
        FROM (SELECT w.ctid AS tid, x.n, x.t
              FROM unnest(c.words, c.counts, c.titles) AS x (word, n, t)
              CROSS JOIN LATERAL (SELECT s.ctid FROM core.search_words s
                  WHERE s.tenant_id = c.tenant_id AND s.word = x.word COLLATE "C" AND s.language = c.language OFFSET 0) w) u
        WHERE d.tenant_id = c.tenant_id AND d.ctid = u.tid;
        DELETE FROM core.search_words d
        WHERE d.tenant_id = c.tenant_id AND d.ctid = ANY (ARRAY(
            SELECT w.ctid
            FROM unnest(c.words) AS x (word)
            CROSS JOIN LATERAL (SELECT s.ctid FROM core.search_words s
                WHERE s.tenant_id = c.tenant_id AND s.word = x.word COLLATE "C" AND s.language = c.language AND s.documents <= 0 OFFSET 0) w));
        INSERT INTO core.search_tenants (tenant_id, documents) VALUES (c.tenant_id, c.documents)
        ON CONFLICT (tenant_id) DO UPDATE SET documents = search_tenants.documents + excluded.documents;
    END LOOP;
    RETURN v_folded;
END $$;
REVOKE EXECUTE ON FUNCTION fold_search_words FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fold_search_words TO app_worker;
