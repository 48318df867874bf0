-- search_word_matches(tenant, word, mode, limit) are the words of the tenant's vocabulary that a word may stand for, the
-- nearest first, then those of more documents; near is 1 for the word itself. fuzzy is a distance of at most a third of the
-- word's length, rounded up, or half of its trigrams; four in ten trigrams choose the words that are compared, 1,000 of them at
-- most, which only words have that begin like thousands of others (lib in Debian). Internal.
--
-- Indexes: ix_search_words_trigrams, ix_search_words_soundex, ix_search_words_metaphone, ix_search_words_word, each with the tenant first.

-- words_at_one_edit(word) are the words of ASCII letters and digits that differ from it by one letter left out, added,
-- changed, or swapped with its neighbour.
CREATE OR REPLACE FUNCTION words_at_one_edit(p_word text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN ARRAY(
        SELECT left(p_word, i) || substr(p_word, i + 2) FROM generate_series(0, length(p_word) - 1) AS i WHERE length(p_word) > 2
        UNION ALL
        SELECT left(p_word, i) || substr(p_word, i + 2, 1) || substr(p_word, i + 1, 1) || substr(p_word, i + 3) FROM generate_series(0, length(p_word) - 2) AS i
        UNION ALL
        SELECT left(p_word, i) || c || substr(p_word, i + 1 + j)
        FROM generate_series(0, length(p_word)) AS i, generate_series(0, 1) AS j, unnest(string_to_array('abcdefghijklmnopqrstuvwxyz0123456789', NULL)) AS c);
END $$;
REVOKE EXECUTE ON FUNCTION words_at_one_edit FROM PUBLIC;

DO $$ BEGIN PERFORM similarity('a', 'a'); END $$; -- loads pg_trgm: an owner who is no superuser may set only parameters that are known
CREATE OR REPLACE FUNCTION search_word_matches(p_tenant_id uuid, p_word text, p_mode text, p_limit int)
RETURNS TABLE (word text, lexeme text, near real, documents int, titles int)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan
SET pg_trgm.word_similarity_threshold = 0.4 SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_distance int := greatest(1, ceil(length(p_word) / 3.0));
    v_code text;
    v_edits text[];
    v_swapped text[]; -- a swap of neighbours is one typo, where Levenshtein's distance counts two
BEGIN
    IF p_word IS NULL OR length(p_word) > 40 THEN
        RETURN; -- the vocabulary has none so long
    END IF;
    CASE p_mode
    WHEN 'soundex' THEN
        v_code := CASE WHEN p_word ~ '[a-z]' THEN soundex(p_word) ELSE '' END;
        RETURN QUERY
            SELECT w.word, w.lexeme, (CASE WHEN w.word = p_word COLLATE "C" THEN 1 ELSE 0.5 + 0.4 * similarity(w.word, p_word) END)::real,
                   max(w.documents), max(w.titles)
            FROM core.search_words w
            WHERE w.tenant_id = p_tenant_id AND w.soundex = v_code COLLATE "C" AND w.lexeme IS NOT NULL
            GROUP BY w.word, w.lexeme ORDER BY 3 DESC, 4 DESC, 1 LIMIT p_limit;
    WHEN 'metaphone' THEN
        v_code := CASE WHEN p_word ~ '[a-z]' THEN dmetaphone(p_word) ELSE '' END;
        RETURN QUERY
            SELECT w.word, w.lexeme, (CASE WHEN w.word = p_word COLLATE "C" THEN 1 ELSE 0.5 + 0.4 * similarity(w.word, p_word) END)::real,
                   max(w.documents), max(w.titles)
            FROM core.search_words w
            WHERE w.tenant_id = p_tenant_id AND w.metaphone = v_code COLLATE "C" AND w.lexeme IS NOT NULL
            GROUP BY w.word, w.lexeme ORDER BY 3 DESC, 4 DESC, 1 LIMIT p_limit;
    ELSE
        v_swapped := ARRAY(SELECT left(p_word, i) || substr(p_word, i + 2, 1) || substr(p_word, i + 1, 1) || substr(p_word, i + 3)
                           FROM generate_series(0, length(p_word) - 2) AS i);
        -- Where a typo leaves too few trigrams: all words at one edit of a short one, all swaps of a long one.
        v_edits := CASE WHEN length(p_word) <= 6 THEN words_at_one_edit(p_word) ELSE v_swapped END;
        RETURN QUERY
            SELECT w.word, w.lexeme,
                   (CASE WHEN w.word = p_word COLLATE "C" THEN 1
                         WHEN w.distance <= v_distance THEN 1 - w.distance / (v_distance + 1.0) * 0.6
                         ELSE 0.3 END)::real AS near,
                   max(w.documents), max(w.titles)
            FROM (
                (SELECT x.word, x.lexeme, x.documents, x.titles,
                        CASE WHEN x.word = ANY (v_swapped COLLATE "C") THEN 1 ELSE levenshtein_less_equal(x.word, p_word, v_distance) END AS distance
                 FROM core.search_words x
                 WHERE x.tenant_id = p_tenant_id AND p_word <% x.word AND x.lexeme IS NOT NULL LIMIT 1000)
                UNION ALL
                SELECT x.word, x.lexeme, x.documents, x.titles, 1
                FROM core.search_words x
                WHERE x.tenant_id = p_tenant_id AND x.word = ANY (v_edits COLLATE "C") AND x.lexeme IS NOT NULL
            ) w
            WHERE w.distance <= v_distance OR word_similarity(p_word, w.word) >= 0.5
            GROUP BY w.word, w.lexeme, 3
            ORDER BY 3 DESC, 4 DESC, 1
            LIMIT p_limit;
    END CASE;
END $$;
REVOKE EXECUTE ON FUNCTION search_word_matches FROM PUBLIC;
