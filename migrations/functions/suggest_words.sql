-- suggest_words(tenant, prefix, limit, language) completes what somebody types: the last word by words of the vocabulary,
-- the most frequent first (WORD; documents is how many have the word), then by titles that begin with the whole text, in
-- alphabetical order (TITLE; documents is how many have the title). When no word begins so, words that resemble it take
-- their place. Titles get a third of the places, and what words leave. The vocabulary's counts lag behind by seconds.
-- Reads at most some thousand entries of indexes, whatever the prefix and the size of the tenant.
-- Raises ZE400 (prefix, first, language), 42501 for another tenant.
-- SECURITY DEFINER: nobody reads the vocabulary but through functions.

-- complete_word(tenant, prefix, language) returns words that begin with a prefix, some more than a list of suggestions
-- needs and among them the most frequent, to a factor of two. Words that the language leaves out are no suggestions.
-- Every ORDER BY names all columns of its index: under row-level security left(), not leakproof, is no constant to the planner.
CREATE OR REPLACE FUNCTION complete_word(p_tenant_id uuid, p_prefix text, p_language text DEFAULT NULL)
RETURNS TABLE (word text, documents int)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan AS $$ -- a plan for every partition would sort what an index has in order
DECLARE
    v_end text := p_prefix || chr(1114111); -- the last character there is
    v_words text[];
    v_counts int[];
BEGIN
    IF length(p_prefix) = 1 THEN
        -- From one pair of letters to the next, the most frequent of each.
        RETURN QUERY
            WITH RECURSIVE pairs (pair) AS (
                (SELECT left(w.word, 2) COLLATE "C" FROM core.search_words w
                 WHERE w.tenant_id = p_tenant_id AND w.lexeme IS NOT NULL
                   AND left(w.word, 2) COLLATE "C" >= p_prefix AND left(w.word, 2) COLLATE "C" < v_end
                 ORDER BY left(w.word, 2) COLLATE "C" LIMIT 1)
                UNION ALL
                SELECT (SELECT left(w.word, 2) COLLATE "C" FROM core.search_words w
                        WHERE w.tenant_id = p_tenant_id AND w.lexeme IS NOT NULL
                          AND left(w.word, 2) COLLATE "C" > p.pair AND left(w.word, 2) COLLATE "C" < v_end
                        ORDER BY left(w.word, 2) COLLATE "C" LIMIT 1)
                FROM pairs p WHERE p.pair IS NOT NULL
            )
            SELECT t.word, t.documents
            FROM (SELECT p.pair FROM pairs p WHERE p.pair IS NOT NULL LIMIT 100) p
            CROSS JOIN LATERAL (
                SELECT w.word, w.documents FROM core.search_words w
                WHERE w.tenant_id = p_tenant_id AND w.lexeme IS NOT NULL AND left(w.word, 2) COLLATE "C" = p.pair
                  AND (p_language IS NULL OR w.language = p_language)
                ORDER BY left(w.word, 2) COLLATE "C", w.frequency DESC LIMIT 20) t;
        RETURN;
    END IF;
    IF length(p_prefix) > 2 THEN
        SELECT array_agg(t.word), array_agg(t.documents) INTO v_words, v_counts
        FROM (SELECT w.word, w.documents FROM core.search_words w
              WHERE w.tenant_id = p_tenant_id AND w.word >= p_prefix AND w.word < v_end AND w.lexeme IS NOT NULL
                AND (p_language IS NULL OR w.language = p_language)
              ORDER BY w.word LIMIT 501) t; -- the order keeps the plan from collecting all of them first
        IF coalesce(cardinality(v_words), 0) <= 500 THEN
            RETURN QUERY SELECT t.w, t.n FROM unnest(v_words, v_counts) AS t (w, n);
            RETURN;
        END IF;
    END IF;
    -- So many that the most frequent of the first two letters have enough of them.
    RETURN QUERY
        SELECT t.word, t.documents
        FROM (SELECT w.word, w.documents FROM core.search_words w
              WHERE w.tenant_id = p_tenant_id AND w.lexeme IS NOT NULL AND left(w.word, 2) COLLATE "C" = left(p_prefix, 2)
                AND (p_language IS NULL OR w.language = p_language)
              ORDER BY left(w.word, 2) COLLATE "C", w.frequency DESC LIMIT 2000) t
        WHERE t.word >= p_prefix COLLATE "C" AND t.word < v_end COLLATE "C"
        LIMIT 200;
END $$;
REVOKE EXECUTE ON FUNCTION complete_word FROM PUBLIC;

-- complete_title(tenant, text, limit) returns titles that begin with a text, whatever the case and the accents, in
-- alphabetical order, each once with how many of the first 50 documents have it.
CREATE OR REPLACE FUNCTION complete_title(p_tenant_id uuid, p_text text, p_limit int) RETURNS TABLE (title text, documents bigint)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_text text := ltrim(p_text);
    v_start text := search_fold(left(v_text, 64)) || CASE WHEN left(v_text, 64) ~ '\s$' THEN ' ' ELSE '' END;
BEGIN
    IF search_fold(v_text) = '' THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT t.title, count(*)
        FROM (SELECT d.title, row_number() OVER () AS ord
              FROM (SELECT d.title FROM documents d
                    WHERE d.tenant_id = p_tenant_id AND search_fold(left(d.title, 64)) COLLATE "C" >= v_start
                      AND search_fold(left(d.title, 64)) COLLATE "C" < v_start || chr(1114111)
                    ORDER BY search_fold(left(d.title, 64)) COLLATE "C" LIMIT 50) d) t
        WHERE length(v_text) <= 64 OR starts_with(search_fold(t.title), search_fold(v_text))
        GROUP BY t.title
        ORDER BY min(t.ord)
        LIMIT p_limit;
END $$;
REVOKE EXECUTE ON FUNCTION complete_title FROM PUBLIC;

CREATE OR REPLACE FUNCTION suggest_words(p_tenant_id uuid, p_prefix text, p_limit int DEFAULT 8, p_language text DEFAULT NULL)
RETURNS TABLE (text text, documents bigint, kind text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    -- Words end at spaces and at ASCII punctuation, as in the vocabulary.
    v_typed text := substring(p_prefix FROM '[^\s!-/:-@[-`{-~]+$');
    v_word text := search_fold(v_typed);
    v_before text := left(p_prefix, length(p_prefix) - length(v_typed));
    v_stop text[];
    v_words text[];
    v_counts bigint[];
    v_titles text[];
    v_title_counts bigint[];
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    IF p_prefix IS NULL OR length(p_prefix) > 200 THEN
        RAISE EXCEPTION 'At most 200 characters are completed.' USING ERRCODE = 'ZE400', COLUMN = 'prefix';
    END IF;
    IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 20 THEN
        RAISE EXCEPTION 'This must be from 1 to 20.' USING ERRCODE = 'ZE400', COLUMN = 'first';
    END IF;
    IF p_language <> 'plain' AND search_config(p_language) = 'plain_unaccent'::regconfig THEN
        RAISE EXCEPTION 'This is not a language code such as "en", or "plain" for no stemming.' USING ERRCODE = 'ZE400', COLUMN = 'language';
    END IF;

    IF length(v_word) BETWEEN 1 AND 40 THEN
        v_stop := (SELECT s.stop_words FROM search_settings s WHERE s.tenant_id = p_tenant_id);
        SELECT array_agg(t.word), array_agg(t.n) INTO v_words, v_counts
        FROM (SELECT c.word, sum(c.documents) AS n FROM complete_word(p_tenant_id, v_word, p_language) c
              WHERE c.documents > 0 AND c.word <> ALL (coalesce(v_stop, '{}'))
              GROUP BY c.word ORDER BY n DESC, c.word LIMIT p_limit) t;
        IF v_words IS NULL AND length(v_word) >= 3 THEN
            SELECT array_agg(t.word), array_agg(t.n) INTO v_words, v_counts
            FROM (SELECT w.word, sum(w.documents) AS n FROM core.search_words w
                  WHERE w.tenant_id = p_tenant_id AND w.word %> v_word AND w.lexeme IS NOT NULL AND w.documents > 0
                    AND (p_language IS NULL OR w.language = p_language) AND w.word <> ALL (coalesce(v_stop, '{}'))
                  GROUP BY w.word ORDER BY word_similarity(v_word, w.word) DESC, n DESC, w.word LIMIT p_limit) t;
        END IF;
    END IF;
    SELECT array_agg(t.title), array_agg(t.documents) INTO v_titles, v_title_counts FROM complete_title(p_tenant_id, p_prefix, p_limit) t;

    RETURN QUERY
        SELECT v_before || w.word, w.n, 'WORD'
        FROM unnest(v_words, v_counts) WITH ORDINALITY AS w (word, n, ord)
        WHERE w.ord <= p_limit - least(p_limit / 3, coalesce(cardinality(v_titles), 0))
        ORDER BY w.ord;
    RETURN QUERY
        SELECT t.title, t.n, 'TITLE'
        FROM unnest(v_titles, v_title_counts) WITH ORDINALITY AS t (title, n, ord)
        WHERE t.ord <= p_limit - least(p_limit - least(p_limit / 3, cardinality(v_titles)), coalesce(cardinality(v_words), 0))
        ORDER BY t.ord;
END $$;
REVOKE EXECUTE ON FUNCTION suggest_words FROM PUBLIC;
GRANT EXECUTE ON FUNCTION suggest_words TO app_api;
