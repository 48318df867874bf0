-- log_words(…) and its triggers keep the vocabulary (core.search_words) in step with the documents, whoever writes them: a word
-- that is new to the tenant is there at the end of the statement; the counts are noted in core.search_word_changes, which
-- fold_search_words adds up. Locks nothing: statements that add the same word at once both do, and the fold removes the double.
-- SECURITY DEFINER: nobody reads or writes the vocabulary but through functions.

-- is_search_word(word) tells what is a word of the vocabulary: letters and digits, 2 to 40 characters, no pure numbers.
CREATE OR REPLACE FUNCTION is_search_word(p_word text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT length(p_word) BETWEEN 2 AND 40 AND p_word ~ '[^0-9]' AND p_word !~ '[!-/:-@[-`{-~]'
$$;
REVOKE EXECUTE ON FUNCTION is_search_word FROM PUBLIC;

-- is_search_address(word) tells what else the vocabulary holds, so that a prefix finds it: what begins like a word and is none, such
-- as an address, a file, a version, or more than 40 letters. Compounds with hyphens are left out: each of their parts is a word.
CREATE OR REPLACE FUNCTION is_search_address(p_word text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT p_word ~ '^[^!-@[-`{-~](.*[!-,./:-@[-`{-~]|[^-]{40})'
$$;
REVOKE EXECUTE ON FUNCTION is_search_address FROM PUBLIC;

-- text_words(title, body) are the words as written, without accents, weight A where the title has them.
CREATE OR REPLACE FUNCTION text_words(p_title text, p_body text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT setweight(to_tsvector('public.plain_unaccent', p_title), 'A') || to_tsvector('public.plain_unaccent', p_body)
$$;
REVOKE EXECUTE ON FUNCTION text_words FROM PUBLIC;

-- search_word_code(language, word) is what stands for a word: its lexeme (null for a stop word) and its sounds.
CREATE OR REPLACE FUNCTION search_word_code(p_language text, p_word text, OUT lexeme text, OUT soundex text, OUT metaphone text)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    lexeme := (tsvector_to_array(to_tsvector(search_config(p_language), p_word)))[1];
    IF p_word ~ '[a-z]' THEN
        soundex := nullif(public.soundex(p_word), '');
        metaphone := nullif(public.dmetaphone(p_word), '');
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION search_word_code FROM PUBLIC;

-- add_search_words(tenant, language, words) adds those that the vocabulary lacks; addresses without a lexeme, so that only a prefix
-- finds them. One probe of ix_search_words_word per
-- word, whatever the statistics say: a vocabulary grows from nothing within its first statement.
CREATE OR REPLACE FUNCTION add_search_words(p_tenant_id uuid, p_language text, p_words text[]) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    INSERT INTO core.search_words (tenant_id, word, language, lexeme, soundex, metaphone, documents, titles)
    SELECT p_tenant_id, n.word, p_language, (n.code).lexeme, (n.code).soundex, (n.code).metaphone, 0, 0
    FROM (SELECT x.word, search_word_code(p_language, CASE WHEN is_search_word(x.word) THEN x.word END) AS code
          FROM unnest(p_words) AS x (word)
          WHERE (SELECT true FROM core.search_words w -- not EXISTS: as a join it read the vocabulary once per word
                 WHERE w.tenant_id = p_tenant_id AND w.word = x.word COLLATE "C" AND w.language = p_language
                 LIMIT 1) IS NULL
          OFFSET 0) n;
END $$;
REVOKE EXECUTE ON FUNCTION add_search_words FROM PUBLIC;

-- log_words(tenant, language, documents, words, counts, titles) notes one change and adds what is new; words that the vocabulary
-- does not hold are left out.
CREATE OR REPLACE FUNCTION log_words(p_tenant_id uuid, p_language text, p_documents int, p_words text[], p_counts int[], p_titles int[])
RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    v_words text[];
    v_counts int[];
    v_titles int[];
BEGIN
    SELECT array_agg(w), array_agg(n), array_agg(t) INTO v_words, v_counts, v_titles
    FROM unnest(p_words, p_counts, p_titles) AS x (w, n, t)
    WHERE (n <> 0 OR t <> 0) AND (is_search_word(w) OR is_search_address(w));
    IF v_words IS NULL THEN
        RETURN;
    END IF;
    IF p_documents >= 0 THEN
        PERFORM add_search_words(p_tenant_id, p_language, v_words);
    END IF;
    INSERT INTO core.search_word_changes (tenant_id, language, documents, words, counts, titles)
    VALUES (p_tenant_id, p_language, p_documents, v_words, v_counts, v_titles);
END $$;
REVOKE EXECUTE ON FUNCTION log_words FROM PUBLIC;

-- One function for each kind of statement: a trigger sees only the transition tables that it names.
CREATE OR REPLACE FUNCTION log_inserted_words() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM log_words(c.tenant_id, c.language,
        (SELECT count(*)::int FROM new_rows n WHERE n.tenant_id = c.tenant_id AND n.language = c.language), c.words, c.counts, c.titles)
    FROM (SELECT w.tenant_id, w.language, array_agg(w.word) AS words, array_agg(w.n) AS counts, array_agg(w.titles) AS titles
          FROM (SELECT d.tenant_id, d.language, t.lexeme AS word, count(*)::int AS n,
                       (count(*) FILTER (WHERE 'A' = ANY (t.weights)))::int AS titles
                FROM new_rows d, unnest(text_words(d.title, d.body)) AS t
                GROUP BY d.tenant_id, d.language, t.lexeme) w
          GROUP BY w.tenant_id, w.language) c;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION log_inserted_words FROM PUBLIC;

CREATE OR REPLACE FUNCTION log_deleted_words() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM log_words(c.tenant_id, c.language,
        (SELECT -count(*)::int FROM old_rows o WHERE o.tenant_id = c.tenant_id AND o.language = c.language), c.words, c.counts, c.titles)
    FROM (SELECT w.tenant_id, w.language, array_agg(w.word) AS words, array_agg(-w.n) AS counts, array_agg(-w.titles) AS titles
          FROM (SELECT d.tenant_id, d.language, t.lexeme AS word, count(*)::int AS n,
                       (count(*) FILTER (WHERE 'A' = ANY (t.weights)))::int AS titles
                FROM old_rows d, unnest(text_words(d.title, d.body)) AS t
                WHERE (SELECT x.deleting_at FROM tenants x WHERE x.id = d.tenant_id) IS NULL -- else the vocabulary goes as a whole
                GROUP BY d.tenant_id, d.language, t.lexeme) w
          GROUP BY w.tenant_id, w.language) c;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION log_deleted_words FROM PUBLIC;

-- Texts that a statement changes count as removed and added; the others say nothing. A body that stays as it was, as with most
-- changes, is read once and only for the words of the titles. The settings keep old and new rows joined by hash: a plan made
-- for one document would else compare each with each other.
CREATE OR REPLACE FUNCTION log_updated_words() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_nestloop = off SET enable_hashjoin = on AS $$
DECLARE
    c record;
BEGIN
    FOR c IN
        WITH changed AS MATERIALIZED (
            SELECT n.tenant_id, n.language, o.language AS old_language,
                   to_tsvector('public.plain_unaccent', n.title) AS title, to_tsvector('public.plain_unaccent', o.title) AS old_title,
                   to_tsvector('public.plain_unaccent', n.body) AS body,
                   CASE WHEN n.body <> o.body THEN to_tsvector('public.plain_unaccent', o.body) END AS old_body,
                   n.body = o.body AND n.language = o.language AS same_body
            FROM new_rows n
            JOIN old_rows o ON o.tenant_id = n.tenant_id AND o.id = n.id
            WHERE (n.title, n.body, n.language) IS DISTINCT FROM (o.title, o.body, o.language)
        ), texts AS (
            SELECT x.tenant_id, t.language, t.sign, t.text, CASE WHEN x.same_body THEN tsvector_to_array(x.title || x.old_title) END AS titles
            FROM changed x
            CROSS JOIN LATERAL (VALUES (x.language, 1, setweight(x.title, 'A') || x.body),
                                       (x.old_language, -1, setweight(x.old_title, 'A') || coalesce(x.old_body, x.body))) AS t (language, sign, text)
        ), words AS (
            SELECT d.tenant_id, d.language, t.lexeme AS word, sum(d.sign)::int AS n,
                   coalesce(sum(d.sign) FILTER (WHERE 'A' = ANY (t.weights)), 0)::int AS titles
            FROM texts d
            CROSS JOIN LATERAL unnest(d.text) AS t
            WHERE d.titles IS NULL OR t.lexeme = ANY (d.titles)
            GROUP BY d.tenant_id, d.language, t.lexeme
        )
        SELECT w.tenant_id, w.language, array_agg(w.word) AS words, array_agg(w.n) AS counts, array_agg(w.titles) AS titles
        FROM words w
        GROUP BY w.tenant_id, w.language
    LOOP
        PERFORM log_words(c.tenant_id, c.language, 0, c.words, c.counts, c.titles);
    END LOOP;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION log_updated_words FROM PUBLIC;

CREATE OR REPLACE TRIGGER words_inserted AFTER INSERT ON documents
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION log_inserted_words();
CREATE OR REPLACE TRIGGER words_updated AFTER UPDATE ON documents
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION log_updated_words();
CREATE OR REPLACE TRIGGER words_deleted AFTER DELETE ON documents
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION log_deleted_words();
