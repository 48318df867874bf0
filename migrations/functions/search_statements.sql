-- search_statements(tenant, search, limit, after) are the statements that find_documents runs one after the other until
-- the page is full: one text per set of conditions, every value a literal (the tenant, too, so that an index of the tenant's
-- own fits), the vector $1, the offset $2, the limit $3. Their columns are those of find_documents;
-- null when nothing is asked for. Raises ZE400 with the field. Internal.
--
-- Order, ties always to the newer document and then to the greater id:
--   near             nearest first, then by rank
--   a text           by rank, in phases, each a statement, so that those which are not needed are not even planned:
--                    0  what matches best: all of it, or, when that is more than 2,000 documents, the newest that match (among
--                       so many as hold about 200 of the text) and those with it in the title when these are at most 500
--                       or, when the tenant has a RUM index, the best 1,000 in its order, and no phase 1
--                    1  the others that match best, newest first: so a common word costs what a rare one does
--                    2  fuzzy, soundex, metaphone: what matches less well, newest first
--                    1 and 2 are two statements each: one walks over at most 2,500 documents from the newest on, the other asks the
--                    index for all hits behind them. Walking on would read all documents for words that are common, but not
--                    together, or not lately; asking the index first would read all hits of words that are.
--   semantic         by similarity, at most the first 1,000
--   hybrid           by reciprocal ranks of the 100 best by text and the 60 most similar, weighed
--   none of these    newest first
--
-- Indexes: ix_documents_search (or the tenant's own), ix_documents_title_search, ix_documents_created, and those of the
-- conditions (search_condition, search_near, nearest_embeddings).

-- search_phase(number, place, rank, ordering, hits) is a statement of a phase. Ranks and cursors are made for the page alone, of h.
DROP FUNCTION IF EXISTS search_phase(int, text, text, text); -- its forerunner
CREATE OR REPLACE FUNCTION search_phase(p_number int, p_place text, p_rank text, p_ordering text, p_hits text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT format('SELECT h.id, h.rank, NULL::float8, h.created_at, h.rank, NULL::real,
            jsonb_build_object(''p'', %s, ''r'', h.rank, ''c'', h.created_at, ''i'', h.id, %s)
        FROM (SELECT h.id, h.created_at, (%s)::real AS rank FROM (%s ORDER BY %s OFFSET $2 LIMIT $3) h OFFSET 0) h', p_number, p_place, p_rank, p_hits, p_ordering)
$$;
REVOKE EXECUTE ON FUNCTION search_phase FROM PUBLIC;

-- search_newest(tenant, number, place, rank, match, from, indexed) are the statements of a phase whose hits come newest first: match says
-- what they are, from where they begin, both ' AND …' over d; indexed that the index is worth asking: not for what only lacks words,
-- nor for dozens of them, which cost it more than reading the documents.
CREATE OR REPLACE FUNCTION search_newest(p_tenant_id uuid, p_number int, p_place text, p_rank text, p_match text, p_from text, p_indexed boolean) RETURNS text[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_walked constant int := 2500;
    v_from text := format('FROM documents d WHERE d.tenant_id = %L', p_tenant_id);
    v_newest text := v_from || p_from || ' ORDER BY d.created_at DESC, d.id DESC';
BEGIN
    IF NOT p_indexed THEN
        RETURN ARRAY[search_phase(p_number, p_place, p_rank, 'd.created_at DESC, d.id DESC', format('SELECT d.* %s%s%s', v_from, p_match, p_from))];
    END IF;
    RETURN ARRAY[
        search_phase(p_number, p_place, p_rank, 'd.created_at DESC, d.id DESC', format('SELECT d.* FROM (SELECT d.* %s LIMIT %s) d WHERE true%s', v_newest, v_walked, p_match)),
        search_phase(p_number, p_place, p_rank, 'd.created_at DESC, d.id DESC',
            format('SELECT d.* FROM (SELECT d.* %s%s AND (d.created_at, d.id) < (SELECT d.created_at, d.id %s OFFSET %s LIMIT 1) OFFSET 0) d', v_from, p_match, v_newest, v_walked - 1))];
END $$;
REVOKE EXECUTE ON FUNCTION search_newest FROM PUBLIC;

DROP FUNCTION IF EXISTS search_statement(uuid, jsonb, int, jsonb, text); -- its forerunners
DROP FUNCTION IF EXISTS search_statements(uuid, jsonb, int, jsonb, text);
CREATE OR REPLACE FUNCTION search_statements(p_tenant_id uuid, p_search jsonb, p_limit int, p_after jsonb) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_exact constant int := 2000;
    v_tier constant int := 500;
    v_mode text := coalesce(p_search ->> 'mode', 'fts');
    v_from text := format('FROM documents d WHERE d.tenant_id = %L', p_tenant_id);
    v_condition text := search_condition(p_tenant_id, p_search);
    v_near record;
    v_text record;
    v_match text := '';
    v_rank text := '0::real';
    v_phase int := coalesce((p_after ->> 'p')::int, 0);
    v_after text;       -- behind the cursor, newest first
    v_edge jsonb;       -- [created_at, id]: where the phases 0 and 1 part
    v_newer text;       -- the condition of phase 0 by it, v_older of phase 1
    v_older text;
    v_titles text;      -- the condition of a title hit, when phase 0 has them
    v_few tid[];        -- what the text matches under the conditions, when that was looked at: at most one more than v_exact
    v_rows bigint;      -- how many
    v_best text;        -- the order of the tenant's RUM index, which ranks
    v_place text;       -- what the cursor of every hit has
    v_phases text[] := '{}';
BEGIN
    SELECT NULL::text AS condition, NULL::text AS distance, NULL::text AS ordering INTO v_near;
    IF jsonb_typeof(p_search -> 'near') = 'object' THEN
        SELECT * INTO v_near FROM search_near(p_search -> 'near');
    END IF;
    IF v_mode IN ('semantic', 'hybrid') THEN
        RETURN ARRAY[search_vector_statement(p_tenant_id, p_search, v_condition, coalesce(v_near.condition, ''), v_near.distance, p_limit, p_after)];
    END IF;
    SELECT * INTO v_text FROM search_text(p_tenant_id, p_search);
    IF v_text.query IS NOT NULL THEN
        v_match := format(' AND d.search_tsv @@ %L::tsquery', v_text.query);
        v_rank := format('ts_rank(d.search_tsv, %L)', v_text.best);
    ELSIF p_search ->> 'query' IS NOT NULL THEN
        RETURN NULL; -- only stop words or operators
    END IF;

    IF v_near.distance IS NOT NULL THEN
        IF v_match = '' AND v_condition = '' AND p_after IS NULL THEN
            RETURN ARRAY[format('SELECT * FROM search_nearest(%L, %L, $2, $3)', p_tenant_id, p_search -> 'near')];
        END IF;
        -- The index gives the nearest first when nothing else is to be ordered by; ties are ordered afterwards. Without any
        -- other condition the circle need not choose: what lies outside of it comes last.
        RETURN ARRAY[format('SELECT h.id, h.rank, h.distance, h.created_at, %s, NULL::real,
                   jsonb_build_object(''d'', h.near, ''r'', h.rank, ''c'', h.created_at, ''i'', h.id)
            FROM (SELECT d.id, d.created_at, (%s)::real AS rank, %s AS distance, %s AS near %s%s%s%s%s
                  ORDER BY near FETCH FIRST ($2 + $3) ROWS WITH TIES) h
            WHERE h.distance <= %L::float8
            ORDER BY h.near, h.rank DESC, h.created_at DESC, h.id DESC OFFSET $2 LIMIT $3',
            CASE WHEN v_match = '' THEN 'NULL::real' ELSE 'h.rank' END, v_rank, v_near.distance, v_near.ordering, v_from,
            CASE WHEN v_match = '' AND v_condition = '' THEN ' AND d.longitude IS NOT NULL' ELSE v_near.condition END, v_match, v_condition,
            CASE WHEN p_after IS NULL THEN '' ELSE format(' AND (%s, -(%s)::real, %L::timestamptz, %L::uuid) > (%L::float8, -(%L::real), d.created_at, d.id)',
                v_near.ordering, v_rank, p_after ->> 'c', p_after ->> 'i', p_after ->> 'd', p_after ->> 'r') END,
            coalesce((p_search -> 'near' ->> 'radius')::float8, 10000))];
    END IF;

    v_after := CASE WHEN p_after IS NULL THEN '' ELSE format(' AND (d.created_at, d.id) < (%L, %L)', p_after ->> 'c', p_after ->> 'i') END;
    IF v_match = '' THEN
        RETURN ARRAY[format('SELECT d.id, 0::real, NULL::float8, d.created_at, NULL::real, NULL::real, jsonb_build_object(''c'', d.created_at, ''i'', d.id)
            %s%s%s ORDER BY d.created_at DESC, d.id DESC OFFSET $2 LIMIT $3', v_from, v_condition, v_after)];
    END IF;

    v_match := format(' AND d.search_tsv @@ %L::tsquery', v_text.best) || v_condition;
    IF p_after IS NOT NULL THEN
        v_edge := nullif(p_after -> 'e', 'null');
    ELSIF v_text.rows > v_exact AND v_condition <> '' THEN -- which may leave few of the many; these are kept where they were found
        EXECUTE format('SELECT array_agg(x.ctid) FROM (SELECT d.ctid %s%s LIMIT %s) x', v_from, v_match, v_exact + 1) INTO v_few;
        v_rows := coalesce(cardinality(v_few), 0);
    END IF;
    -- A cursor can be made up: the order exists only where the index does.
    IF coalesce((p_after ->> 'b')::boolean, p_after IS NULL AND least(v_rows, v_text.rows) > v_exact)
        AND (SELECT t.index_kind = 'rum' FROM core.search_tenants t WHERE t.tenant_id = p_tenant_id) THEN
        v_best := format(' ORDER BY d.search_tsv <=> %L::tsquery LIMIT 1000', v_text.best);
    ELSIF p_after IS NULL AND least(v_rows, v_text.rows) > v_exact THEN
        SELECT jsonb_build_array(e.created_at, e.id) INTO v_edge -- read from the index alone
        FROM (SELECT d.created_at, d.id FROM documents d WHERE d.tenant_id = p_tenant_id ORDER BY d.created_at DESC, d.id DESC
              OFFSET least(8000, 200 * (SELECT t.documents FROM core.search_tenants t WHERE t.tenant_id = p_tenant_id) / v_text.rows) LIMIT 1) e;
    END IF;
    v_newer := format('(d.created_at, d.id) >= (%L, %L)', v_edge ->> 0, v_edge ->> 1);
    v_older := format('(d.created_at, d.id) < (%L, %L)', v_edge ->> 0, v_edge ->> 1);
    IF v_edge IS NOT NULL AND coalesce((p_after ->> 't')::boolean, v_text.titles BETWEEN 1 AND v_tier) THEN
        v_titles := format('ts_filter(d.search_tsv, ''{a}'') @@ %L::tsquery', v_text.best);
    END IF;

    v_place := format('''e'', %L::jsonb, ''t'', %L::boolean, ''b'', %L::boolean', v_edge, v_titles IS NOT NULL, v_best IS NOT NULL);
    IF v_phase = 0 THEN
        -- The limit of the newest is never reached: it keeps the planner, which cannot know how few they are, from reading all
        -- that match and throwing most of them away.
        v_phases := v_phases || search_phase(0, v_place, 'h.rank', 'r.rank DESC, r.created_at DESC, r.id DESC',
            format('SELECT r.* FROM (SELECT d.id, d.created_at, %s AS rank %s%s%s) r%s',
                v_rank,
                CASE WHEN v_rows <= v_exact THEN v_from || format(' AND d.ctid = ANY (%L::tid[])', coalesce(v_few, '{}'))
                     WHEN v_edge IS NULL THEN v_from || v_match ELSE format('FROM (SELECT d.* %s AND %s ORDER BY d.created_at DESC, d.id DESC LIMIT 100000) d WHERE true', v_from, v_newer) || v_match END,
                v_best,
                format(' UNION ALL SELECT d.id, d.created_at, %s%s%s AND %s AND ', v_rank, v_from, v_condition, v_older) || v_titles,
                CASE WHEN p_after IS NULL THEN ''
                     ELSE format(' WHERE (r.rank, r.created_at, r.id) < (%L::real, %L::timestamptz, %L::uuid)', p_after ->> 'r', p_after ->> 'c', p_after ->> 'i') END));
    END IF;
    IF v_phase < 2 AND v_edge IS NOT NULL THEN
        v_phases := v_phases || search_newest(p_tenant_id, 1, v_place, format('ts_rank(h.search_tsv, %L)', v_text.best), v_match || coalesce(' AND NOT ' || v_titles, ''),
            CASE WHEN v_phase = 1 THEN v_after ELSE ' AND ' || v_older END, querytree(v_text.best) NOT IN ('', 'T') AND numnode(v_text.best) < 60);
    END IF;
    IF v_text.query <> v_text.best THEN
        v_match := format(' AND d.search_tsv @@ %L::tsquery AND NOT d.search_tsv @@ %L::tsquery', v_text.query, v_text.best) || v_condition;
        v_phases := v_phases || CASE
            WHEN v_text.loose IS NOT NULL THEN ARRAY[search_phase(2, v_place, 'h.rank', 'rank DESC, d.created_at DESC, d.id DESC',
                format('SELECT d.id, d.created_at, (%s)::real AS rank %s%s', v_text.loose, v_from, v_match))]
            WHEN v_text.more > v_exact THEN search_newest(p_tenant_id, 2, v_place, '0', v_match, CASE WHEN v_phase = 2 THEN v_after ELSE '' END, true)
            ELSE ARRAY[search_phase(2, v_place, '0', 'd.created_at DESC, d.id DESC',
                format('SELECT d.* FROM (SELECT d.* %s%s%s OFFSET 0) d', v_from, v_match, CASE WHEN v_phase = 2 THEN v_after ELSE '' END))] END;
    END IF;
    RETURN v_phases;
END $$;
REVOKE EXECUTE ON FUNCTION search_statements FROM PUBLIC;

-- search_vector_statement(…) is the SQL of the modes that compare vectors; condition, near and distance are SQL over d.
-- Hits of hybrid have a place in one list or both: score is the weighed sum of 1 / (60 + place), scaled so that the first
-- place in both is 1 (reciprocal rank fusion, Cormack et al. 2009).
CREATE OR REPLACE FUNCTION search_vector_statement(p_tenant_id uuid, p_search jsonb, p_condition text, p_near text, p_distance text,
    p_limit int, p_after jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    v_words_depth constant int := 100;
    v_vector_depth constant int := 60; -- a vector costs more to compare than a word
    v_skip int := coalesce((p_search ->> 'offset')::int, 0) + coalesce((p_after ->> 'n')::int, 0); -- hits before the page; some more are read for those that came since
    v_words float8 := coalesce((p_search -> 'weights' ->> 'words')::float8, 1);
    v_vector float8 := coalesce((p_search -> 'weights' ->> 'vector')::float8, 1);
    v_models text[] := ARRAY(SELECT jsonb_array_elements_text(p_search -> 'models'));
    v_found text;
    v_distance text := CASE WHEN p_distance IS NULL THEN 'NULL::float8'
        ELSE format('(SELECT %s FROM documents d WHERE d.tenant_id = %L AND d.id = h.id)', p_distance, p_tenant_id) END;
BEGIN
    IF NOT (v_words >= 0 AND v_vector >= 0 AND v_words + v_vector > 0 AND v_words + v_vector < 1e6) THEN
        RAISE EXCEPTION 'Weights are numbers of which none is negative and one is more than 0.' USING ERRCODE = 'ZE400', COLUMN = 'weights';
    END IF;
    IF p_search ->> 'mode' = 'semantic' THEN
        v_found := format('SELECT n.id, n.similarity::real AS score, n.created_at, NULL::real AS words, n.similarity::real
            FROM nearest_embeddings(%L, $1, %L::text[], %L, %s) n', p_tenant_id, v_models, p_condition || p_near, least(1000, v_skip + p_limit + CASE WHEN p_after IS NULL THEN 0 ELSE p_limit END));
    ELSE
        v_found := format('
            WITH words AS (
                SELECT x.id, x.created_at, x.words, row_number() OVER () AS place -- in the order of the list
                FROM find_documents(%L, %L, NULL, %s) x
            ), near AS (
                SELECT n.id, n.created_at, n.similarity::real AS similarity, row_number() OVER (ORDER BY n.similarity DESC, n.created_at DESC, n.id DESC) AS place
                FROM nearest_embeddings(%L, $1, %L::text[], %L, %s) n WHERE $1 IS NOT NULL
            )
            SELECT coalesce(w.id, n.id) AS id,
                   ((coalesce(%s::float8 / (60 + w.place), 0) + coalesce(%s::float8 / (60 + n.place), 0)) * 61 / %s)::real AS score,
                   coalesce(w.created_at, n.created_at) AS created_at, w.words, n.similarity
            FROM words w FULL JOIN near n ON n.id = w.id',
            p_tenant_id, p_search - '{near,offset}'::text[] || jsonb_build_object('mode', 'loose', 'circle', p_search -> 'near'), v_words_depth,
            p_tenant_id, v_models, p_condition || p_near, v_vector_depth, v_words, v_vector, v_words + v_vector);
    END IF;
    RETURN format('SELECT h.id, h.score, %s, h.created_at, h.words, h.similarity,
            jsonb_build_object(''r'', h.score, ''c'', h.created_at, ''i'', h.id, ''n'', h.n)
        FROM (SELECT f.*, row_number() OVER (ORDER BY f.score DESC, f.created_at DESC, f.id DESC) AS n FROM (%s) f) h%s
        ORDER BY h.score DESC, h.created_at DESC, h.id DESC OFFSET $2 LIMIT $3',
        v_distance, v_found,
        CASE WHEN p_after IS NULL THEN '' ELSE format(' WHERE (h.score, h.created_at, h.id) < (%L::real, %L::timestamptz, %L::uuid)',
            p_after ->> 'r', p_after ->> 'c', p_after ->> 'i') END);
END $$;
REVOKE EXECUTE ON FUNCTION search_vector_statement FROM PUBLIC;
