-- search_text(tenant, search) reads the text of a search in its mode:
--   query   what a document must match, null when there is no text or nothing is left of it (stop words, operators)
--   best    the part of it that comes first: each word by the nearest of those that it may stand for; query itself in mode fts
--   rows    about how many documents match best by the vocabulary's counts, titles how many with their title, more how many match query
--   loose   in mode loose the SQL by which what matches less well is ranked
-- fts: web search syntax ("phrase", -word, or) and word* for a prefix; synonyms and stop words of the tenant apply. The
-- other modes take each word for what it may stand for: fuzzy for words within a distance of a third of its length
-- (rounded up, at least 1) or with half of its trigrams; soundex and metaphone for those that sound alike.
-- loose is the text part of hybrid: best is all words, of the first twelve one that no document has replaced by what it resembles; query is any
-- of them, the rarest as far as they are in some 1,000 documents, ranked by how rare they are (inverse document frequency).
-- A text with operators is taken as in fts. Raises ZE400 with the field. Internal.

-- search_lexemes(lexemes) is the query for any of the lexemes, null for none.
CREATE OR REPLACE FUNCTION search_lexemes(p_lexemes text[]) RETURNS tsquery
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN (SELECT string_agg(DISTINCT '''' || replace(replace(l, '\', '\\'), '''', '''''') || '''', '|') FROM unnest(p_lexemes) AS l)::tsquery;
END $$;
REVOKE EXECUTE ON FUNCTION search_lexemes FROM PUBLIC;

-- search_stop_words(tenant, language, words) are those of the words that do not count: the language's and the tenant's own.
CREATE OR REPLACE FUNCTION search_stop_words(p_tenant_id uuid, p_language text, p_words text[]) RETURNS text[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_own text[] := (SELECT s.stop_words FROM search_settings s WHERE s.tenant_id = p_tenant_id);
BEGIN
    RETURN ARRAY(SELECT w FROM unnest(p_words) AS w
                 WHERE w = ANY (v_own) OR to_tsvector(search_config(p_language), w) = ''::tsvector);
END $$;
REVOKE EXECUTE ON FUNCTION search_stop_words FROM PUBLIC;

-- search_split_compounds(text) writes a compound such as turn-based as the phrase "turn based", which documents have in either
-- spelling; the parser would look for the spelling with the hyphen alone. Dates and the like stay.
CREATE OR REPLACE FUNCTION search_split_compounds(p_text text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    v_parts text[] := string_to_array(p_text, '"'); -- every second one is within quotes
    m text[];
BEGIN
    FOR i IN 1 .. cardinality(v_parts) LOOP
        FOR m IN SELECT DISTINCT r FROM regexp_matches(v_parts[i], '(?:^|[\s(-])((?=[0-9-]*[[:alpha:]])[[:alnum:]]+(?:-[[:alnum:]]+)+)(\*?)(?=$|[\s)])', 'g') AS r LOOP
            v_parts[i] := replace(v_parts[i], m[1] || m[2],
                CASE WHEN i % 2 = 1 AND m[2] = '' THEN '"' || replace(m[1], '-', ' ') || '"' ELSE replace(m[1], '-', ' ') || m[2] END);
        END LOOP;
    END LOOP;
    RETURN array_to_string(v_parts, '"');
END $$;
REVOKE EXECUTE ON FUNCTION search_split_compounds FROM PUBLIC;

-- search_prefix(tenant, prefix) is the query for the words that begin so; prefix is 'word':*. Documents have words stemmed, so it asks
-- for those that begin so in the vocabulary and for those that begin so as they are stored. Up to some 50 of them are the query
-- themselves: the shared index would read what begins so for every tenant. Of more, and of numbers, which the vocabulary has not, it
-- asks for what begins so in the index, and for up to 50 whose stem begins otherwise.
-- Indexes: ix_search_words_word, ix_search_words_lexeme.
CREATE OR REPLACE FUNCTION search_prefix(p_tenant_id uuid, p_prefix tsquery) RETURNS tsquery
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_most constant int := 100; -- most words are found in both ways
    v_start text := split_part(p_prefix::text, '''', 2);
    v_end text := v_start || chr(1114111); -- the last character there is
    v_lexemes text[];
    v_found bigint;
BEGIN
    IF p_prefix::text !~ '^''[^0-9''\\][^''\\]*'':\*$' THEN
        RETURN p_prefix;
    END IF;
    SELECT array_agg(x.lexeme), count(*) INTO v_lexemes, v_found
    FROM ((SELECT CASE WHEN is_search_word(w.word) THEN w.lexeme WHEN w.word ~ '[!-/:-@[-`{-~]' THEN w.word
                       ELSE (search_word_code(w.language, w.word)).lexeme END AS lexeme
           FROM core.search_words w
           WHERE w.tenant_id = p_tenant_id AND w.word >= v_start COLLATE "C" AND w.word < v_end COLLATE "C" LIMIT v_most + 1)
          UNION ALL
          (SELECT w.lexeme FROM core.search_words w
           WHERE w.tenant_id = p_tenant_id AND w.lexeme >= v_start COLLATE "C" AND w.lexeme < v_end COLLATE "C" LIMIT v_most + 1)) x;
    IF v_found <= v_most THEN
        RETURN coalesce(search_lexemes(v_lexemes), ('''' || v_start || '''')::tsquery); -- a word that no document has
    END IF;
    SELECT array_agg(x.lexeme) INTO v_lexemes
    FROM (SELECT DISTINCT w.lexeme
          FROM (SELECT s.lexeme FROM core.search_words s
                WHERE s.tenant_id = p_tenant_id AND s.word >= v_start COLLATE "C" AND s.word < v_end COLLATE "C" LIMIT 2000) w
          WHERE NOT starts_with(w.lexeme, v_start) LIMIT 50) x;
    RETURN p_prefix || coalesce(search_lexemes(v_lexemes), ''::tsquery);
END $$;
REVOKE EXECUTE ON FUNCTION search_prefix FROM PUBLIC;

-- search_query_once(query) is a query of web search syntax with what it says twice said once: a repetition is looked up and ranked as
-- if it were another word. What stands between two | is said once, and in it what stands between two &.
CREATE OR REPLACE FUNCTION search_query_once(p_query tsquery) RETURNS tsquery
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN (
        WITH signs AS (
            SELECT m[1] AS sign, place, m[1] IN ('&', '|') AND sum(CASE m[1] WHEN '(' THEN 1 WHEN ')' THEN -1 ELSE 0 END) OVER (ORDER BY place) = 0 AS splits
            FROM regexp_matches(p_query::text, '(''(?:[^''\\]|''''|\\.)*''(?::\*?[A-D]*)?|<(?:-|\d+)>|[&|!()])', 'g') WITH ORDINALITY AS r (m, place)
        ), numbered AS (
            SELECT s.*, count(*) FILTER (WHERE splits AND sign = '|') OVER o AS alternative, count(*) FILTER (WHERE splits) OVER o AS part
            FROM signs s WINDOW o AS (ORDER BY place)
        ), parts AS (
            SELECT alternative, part, string_agg(sign, ' ' ORDER BY place) AS text FROM numbered WHERE NOT splits GROUP BY alternative, part
        ), alternatives AS (
            SELECT string_agg(p.text, ' & ' ORDER BY p.part) AS text, min(p.alternative) AS place
            FROM (SELECT DISTINCT ON (alternative, text) * FROM parts ORDER BY alternative, text, part) p GROUP BY p.alternative
        )
        SELECT string_agg(a.text, ' | ' ORDER BY a.place)
        FROM (SELECT DISTINCT ON (text) * FROM alternatives ORDER BY text, place) a)::tsquery;
END $$;
REVOKE EXECUTE ON FUNCTION search_query_once FROM PUBLIC;

-- search_web_query(tenant, language, text) is mode fts. Each prefix stands in the text as a made-up word until the text is read.
CREATE OR REPLACE FUNCTION search_web_query(p_tenant_id uuid, p_language text, p_text text) RETURNS tsquery
LANGUAGE plpgsql STABLE SET client_min_messages = warning AS $$
DECLARE
    v_config regconfig := search_config(p_language);
    v_text text := CASE WHEN strpos(p_text, '-') > 0 THEN search_split_compounds(p_text) ELSE p_text END;
    v_query tsquery;
    v_words text[];
    v_prefixes text[] := '{}';
    v_target tsquery;
    s record;
BEGIN
    IF strpos(v_text, '*') > 0 THEN
        v_prefixes := ARRAY(SELECT m[1] FROM regexp_matches(v_text, '([[:alnum:]]{2,40})\*', 'g') AS m);
        IF cardinality(v_prefixes) > 8 THEN -- each costs as much as all words of a query
            RAISE EXCEPTION 'A query has at most 8 words with an asterisk.' USING ERRCODE = 'ZE400', COLUMN = 'query';
        END IF;
        v_text := lower(v_text);
        v_prefixes := ARRAY(SELECT lower(x) FROM unnest(v_prefixes) AS x GROUP BY 1 ORDER BY length(lower(x)) DESC, 1); -- pre* is within expre*, too
    END IF;
    FOR i IN 1 .. cardinality(v_prefixes) LOOP
        v_text := replace(v_text, v_prefixes[i] || '*', 'zqprefix' || chr(96 + i) || 'qz');
    END LOOP;
    BEGIN
        v_query := websearch_to_tsquery(v_config, v_text);
    EXCEPTION WHEN internal_error THEN -- "tsquery stack too small": more than 32 minus signs in a row, say
        RAISE EXCEPTION 'The query has too many operators in a row.' USING ERRCODE = 'ZE400', COLUMN = 'query';
    END;
    IF numnode(v_query) > 5 THEN -- what three words could cost twice is less than looking
        v_query := search_query_once(v_query);
    END IF;
    IF numnode(v_query) > 128 AND length(v_query::text) - length(replace(v_query::text, '!', '')) > 64 THEN -- each is looked for in all documents
        RAISE EXCEPTION 'A query excludes at most 64 words.' USING ERRCODE = 'ZE400', COLUMN = 'query';
    END IF;
    v_words := tsvector_to_array(to_tsvector('public.plain_unaccent', p_text));
    FOR s IN SELECT w.word FROM search_settings t, unnest(t.stop_words) AS w (word)
             WHERE t.tenant_id = p_tenant_id AND w.word = ANY (v_words) LOOP
        v_query := ts_rewrite(v_query, plainto_tsquery(v_config, s.word), ''::tsquery);
    END LOOP;
    FOR s IN SELECT y.term, y.synonyms FROM search_synonyms y
             WHERE y.tenant_id = p_tenant_id AND y.first_word = ANY (v_words COLLATE "C") LOOP
        FOREACH v_target IN ARRAY ARRAY[plainto_tsquery(v_config, s.term), phraseto_tsquery(v_config, s.term)] LOOP
            IF numnode(v_target) > 0 AND v_query @> v_target THEN
                v_query := ts_rewrite(v_query, v_target, v_target || (
                    SELECT replace(string_agg('(' || q::text || ')', '|'), '()|', '')::tsquery
                    FROM unnest(s.synonyms) AS x (synonym), phraseto_tsquery(v_config, x.synonym) AS q WHERE numnode(q) > 0));
                EXIT;
            END IF;
        END LOOP;
    END LOOP;
    FOR i IN 1 .. cardinality(v_prefixes) LOOP
        v_query := ts_rewrite(v_query, websearch_to_tsquery(v_config, 'zqprefix' || chr(96 + i) || 'qz'),
            search_prefix(p_tenant_id, to_tsquery('public.plain_unaccent', '''' || v_prefixes[i] || ''':*')));
    END LOOP;
    RETURN v_query;
END $$;
REVOKE EXECUTE ON FUNCTION search_web_query FROM PUBLIC;

-- search_web_rows(tenant, documents, query) is about how many documents and titles match, words taken as independent; what is
-- no word and so not counted, such as a number, may be in all.
-- Index: ix_search_words_lexeme.
CREATE OR REPLACE FUNCTION search_web_rows(p_tenant_id uuid, p_documents bigint, p_query tsquery, OUT rows bigint, OUT titles bigint)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$ -- planning for 32 partitions takes longer than passing over them
DECLARE
    v_tokens text[];
    v_counts jsonb;
    v_share float8[]; -- of rows and titles: of what stands between two signs
    v_sum float8[] := '{0,0}'; -- of what came before the last |
    v_product float8[] := '{1,1}'; -- since the last |
    v_outer float8[] := '{}'; -- sums and products around the brackets that are open
    t text := p_query::text;
BEGIN
    IF numnode(p_query) = 1 AND t LIKE '%''' THEN -- one word, as most queries
        t := replace(substr(t, 2, length(t) - 2), '''''', '''');
        SELECT least(coalesce(sum(w.documents), CASE WHEN is_search_word(t) THEN 1 ELSE p_documents END), p_documents),
               least(coalesce(sum(w.titles), 0), p_documents) INTO rows, titles
        FROM core.search_words w
        WHERE w.tenant_id = p_tenant_id AND w.lexeme = t COLLATE "C";
        RETURN;
    END IF;
    -- querytree leaves out what is negated; "T" when nothing else is there.
    v_tokens := ARRAY(SELECT m[1] FROM regexp_matches(querytree(p_query),
        '(''(?:[^''\\]|''''|\\.)*''(?::\*?[A-D]*)?|<(?:-|\d+)>|[&|()])', 'g') AS m);
    v_counts := (
        SELECT coalesce(jsonb_object_agg(c.lexeme, jsonb_build_array(c.documents, c.titles)), '{}')
        FROM (SELECT w.lexeme, sum(w.documents) AS documents, sum(w.titles) AS titles
              FROM core.search_words w
              WHERE w.tenant_id = p_tenant_id
                AND w.lexeme = ANY (ARRAY(SELECT replace(substr(x, 2, length(x) - 2), '''''', '''') FROM unnest(v_tokens) AS x WHERE x LIKE '''%''') COLLATE "C")
              GROUP BY w.lexeme) c);
    IF v_tokens = '{}' THEN
        rows := p_documents;
        titles := p_documents;
        RETURN;
    END IF;
    FOREACH t IN ARRAY v_tokens LOOP
        IF t = '(' THEN
            v_outer := v_sum || v_product || v_outer;
            v_sum := '{0,0}';
            v_product := '{1,1}';
            CONTINUE;
        ELSIF t = '|' THEN
            v_sum := ARRAY[v_sum[1] + v_product[1], v_sum[2] + v_product[2]];
            v_product := '{1,1}';
            CONTINUE;
        ELSIF t = ')' THEN
            v_share := ARRAY[least(1, v_sum[1] + v_product[1]), least(1, v_sum[2] + v_product[2])];
            v_sum := v_outer[1:2];
            v_product := v_outer[3:4];
            v_outer := v_outer[5:];
        ELSIF t LIKE '''%''' THEN
            t := replace(substr(t, 2, length(t) - 2), '''''', '''');
            v_share := ARRAY[CASE WHEN v_counts ? t THEN least(1, (v_counts -> t ->> 0)::float8 / p_documents)
                                  WHEN is_search_word(t) THEN 1.0 / p_documents ELSE 1 END,
                             least(1, coalesce((v_counts -> t ->> 1)::float8 / p_documents, 0))];
        ELSIF t LIKE '''%' THEN -- a prefix, of letters and digits
            t := split_part(t, '''', 2);
            SELECT ARRAY[least(1, coalesce(sum(w.documents), 0) / p_documents::float8), least(1, coalesce(sum(w.titles), 0) / p_documents::float8)] INTO v_share
            FROM (SELECT s.documents, s.titles FROM core.search_words s
                  WHERE s.tenant_id = p_tenant_id AND s.lexeme >= t COLLATE "C" AND s.lexeme < (t || chr(1114111)) COLLATE "C" LIMIT 2000) w;
        ELSE
            CONTINUE; -- & and <->
        END IF;
        -- The least there is, where a product would be too small for its type.
        v_product := ARRAY[
            CASE WHEN v_product[1] * v_share[1] = 0 THEN 0 ELSE greatest(v_product[1] * v_share[1], 1e-100) END,
            CASE WHEN v_product[2] * v_share[2] = 0 THEN 0 ELSE greatest(v_product[2] * v_share[2], 1e-100) END];
    END LOOP;
    rows := ceil(p_documents * least(1, v_sum[1] + v_product[1]));
    titles := ceil(p_documents * least(1, v_sum[2] + v_product[2]));
END $$;
REVOKE EXECUTE ON FUNCTION search_web_rows FROM PUBLIC;

-- search_loose_text(tenant, language, words, documents) is mode loose of search_text.
CREATE OR REPLACE FUNCTION search_loose_text(p_tenant_id uuid, p_language text, p_words text[], p_documents bigint,
    OUT query tsquery, OUT best tsquery, OUT rows bigint, OUT titles bigint, OUT loose text)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    v_documents float8 := greatest(p_documents, 1);
    v_row_share float8 := 1;
    v_title_share float8 := 1;
    v_found float8 := 0;
    w record;
BEGIN
    FOR w IN
        SELECT t.term, coalesce(t.documents, 0)::float8 AS documents, coalesce(t.titles, 0)::float8 AS titles
        FROM (SELECT DISTINCT ON (c.lexeme) c.lexeme, coalesce(e.term, f.term, search_lexemes(ARRAY[c.lexeme])) AS term,
                     coalesce(e.documents, f.documents) AS documents, coalesce(e.titles, f.titles) AS titles
              FROM (SELECT x.word, (search_word_code(p_language, x.word)).lexeme AS lexeme, row_number() OVER (ORDER BY x.place) AS place
                    FROM unnest(p_words) WITH ORDINALITY AS x (word, place)
                    WHERE x.word <> ALL (ARRAY(SELECT unnest(search_stop_words(p_tenant_id, p_language, p_words)))) -- asked once, not for each word
                    ORDER BY x.place LIMIT 24) c
              CROSS JOIN LATERAL (
                  SELECT search_lexemes(array_agg(s.lexeme)) AS term, sum(s.documents) AS documents, sum(s.titles) AS titles
                  FROM core.search_words s WHERE s.tenant_id = p_tenant_id AND s.lexeme = c.lexeme COLLATE "C") e
              LEFT JOIN LATERAL (
                  SELECT search_lexemes(array_agg(m.lexeme)) AS term, sum(m.documents) AS documents, sum(m.titles) AS titles
                  FROM search_word_matches(p_tenant_id, CASE WHEN e.term IS NULL AND c.place <= 12 AND length(c.word) > 1 THEN c.word END, 'fuzzy', 4) m
                  WHERE m.near > 0.5) f ON true
              WHERE c.lexeme IS NOT NULL) t
        ORDER BY coalesce(t.documents, 0)
    LOOP
        best := coalesce(best && w.term, w.term);
        v_row_share := v_row_share * least(1, w.documents / v_documents);
        v_title_share := v_title_share * least(1, w.titles / v_documents);
        IF query IS NULL OR v_found + w.documents <= 1000 THEN
            query := coalesce(query || w.term, w.term);
            v_found := v_found + w.documents;
        END IF;
        -- What is too common to find a document by still tells which of the found is the better.
        loose := concat_ws(' + ', loose, format('CASE WHEN d.search_tsv @@ %L::tsquery THEN %s * (1 + ts_rank(d.search_tsv, %1$L)) ELSE 0 END',
            w.term, round(ln(1 + v_documents / greatest(w.documents, 1))::numeric, 3)));
    END LOOP;
    rows := ceil(v_row_share * p_documents);
    titles := ceil(v_title_share * p_documents);
END $$;
REVOKE EXECUTE ON FUNCTION search_loose_text FROM PUBLIC;

DROP FUNCTION IF EXISTS search_text(uuid, jsonb); -- what it returns cannot be replaced
CREATE OR REPLACE FUNCTION search_text(p_tenant_id uuid, p_search jsonb, OUT query tsquery, OUT best tsquery, OUT rows bigint, OUT titles bigint,
    OUT more bigint, OUT loose text)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    v_text text := p_search ->> 'query';
    v_mode text := coalesce(p_search ->> 'mode', 'fts');
    v_language text := coalesce(p_search ->> 'language', 'en');
    v_config regconfig := search_config(v_language);
    v_documents bigint;
    v_words text[];
    v_stop_words text[];
    v_forms int; -- that each word may stand for
    v_share float8 := 1;
    v_count int := 0;
    w text;
    m record;
BEGIN
    rows := 0;
    titles := 0;
    more := 0;
    IF v_mode NOT IN ('fts', 'fuzzy', 'soundex', 'metaphone', 'semantic', 'hybrid', 'loose') THEN
        RAISE EXCEPTION 'The search mode must be one of fts, fuzzy, soundex, metaphone, semantic and hybrid.' USING ERRCODE = 'ZE400', COLUMN = 'mode';
    END IF;
    IF length(v_text) > 1000 THEN
        RAISE EXCEPTION 'A query has at most 1,000 characters.' USING ERRCODE = 'ZE400', COLUMN = 'query';
    END IF;
    IF v_language <> 'plain' AND v_config = 'plain_unaccent'::regconfig THEN
        RAISE EXCEPTION 'This is not a language code such as "en", or "plain" for no stemming.' USING ERRCODE = 'ZE400', COLUMN = 'language';
    END IF;
    IF v_text IS NULL THEN
        RETURN;
    END IF;
    v_documents := coalesce((SELECT t.documents FROM core.search_tenants t WHERE t.tenant_id = p_tenant_id), 0);
    IF v_mode IN ('fts', 'semantic', 'hybrid') OR v_mode = 'loose' AND (v_text ~ '["*]|(^|\s)-' OR v_text ~* '\mor\M') THEN
        query := search_web_query(p_tenant_id, v_language, v_text);
        query := CASE WHEN numnode(query) > 0 THEN query END;
        best := query;
        IF v_documents > 2000 AND query IS NOT NULL THEN
            SELECT r.rows, r.titles INTO rows, titles FROM search_web_rows(p_tenant_id, v_documents, query) r;
        END IF;
        RETURN;
    END IF;

    v_words := ARRAY(SELECT t.lexeme FROM unnest(to_tsvector('public.plain_unaccent', v_text)) AS t ORDER BY t.positions[1]);
    IF v_mode = 'loose' THEN
        SELECT l.query, l.best, l.rows, l.titles, l.loose INTO query, best, rows, titles, loose
        FROM search_loose_text(p_tenant_id, v_language, v_words, v_documents) l;
        RETURN;
    END IF;
    IF v_mode <> 'fuzzy' THEN
        v_words := ARRAY(SELECT x FROM unnest(v_words) AS x WHERE x ~ '[^0-9]');
    END IF;
    v_stop_words := search_stop_words(p_tenant_id, v_language, v_words);
    v_words := ARRAY(SELECT x FROM unnest(v_words) AS x WHERE x <> ALL (v_stop_words));
    v_forms := 120 / greatest(least(cardinality(v_words), 12), 4);
    FOREACH w IN ARRAY v_words LOOP
        v_count := v_count + 1;
        -- The thirteenth and later words of a text, and what is no word of letters, must be there as they are.
        IF v_count > 12 OR NOT is_search_word(w) THEN
            query := coalesce(query && plainto_tsquery(v_config, w), plainto_tsquery(v_config, w));
            best := coalesce(best && plainto_tsquery(v_config, w), plainto_tsquery(v_config, w));
            CONTINUE;
        END IF;
        SELECT search_lexemes(array_agg(x.lexeme)) AS lexemes, search_lexemes(array_agg(x.lexeme) FILTER (WHERE x.is_best)) AS nearest, sum(x.documents) AS documents
        INTO m
        FROM (SELECT y.lexeme, y.documents, -- the word itself, else up to eight that are as near as the nearest
                     y.near >= CASE first_value(y.near) OVER o WHEN 1 THEN 1 ELSE first_value(y.near) OVER o - 0.1 END AND row_number() OVER o <= 8 AS is_best
              FROM search_word_matches(p_tenant_id, w, v_mode, v_forms) y
              WINDOW o AS (ORDER BY y.near DESC, y.documents DESC, y.word)) x;
        IF m.lexemes IS NULL THEN
            query := ('''' || w || '''')::tsquery; -- a word that no document has
            best := query;
            RETURN;
        END IF;
        query := coalesce(query && m.lexemes, m.lexemes);
        best := coalesce(best && m.nearest, m.nearest);
        v_share := greatest(v_share * least(1, m.documents::float8 / greatest(v_documents, 1)), 1e-100);
    END LOOP;
    IF v_documents > 2000 AND best IS NOT NULL THEN
        more := ceil(v_documents * v_share);
        SELECT r.rows, r.titles INTO rows, titles FROM search_web_rows(p_tenant_id, v_documents, best) r;
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION search_text FROM PUBLIC;
