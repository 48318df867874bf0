-- search_statement(tenant, search, limit, after, extra) is the SQL that find_documents runs: one text per set of conditions, every
-- value a literal (the tenant, too, so that an index of the tenant's own fits), the vector $1, extra one more condition. Its columns are those of
-- find_documents. Raises ZE400 with the field. Internal.
--
-- Order, ties always to the newer document and then to the greater id:
--   near             nearest first, then by rank
--   a text           by rank. A text of more than 2,000 documents ranks those that are newest, and all that have it in the
--                    title when these are at most 500; what is left follows by age. So a common word costs what a rare one does.
--   semantic         by similarity, at most the first 1,000
--   hybrid           by reciprocal ranks of the 200 best by text and the 200 most similar, weighed
--   none of these    newest first
--
-- Indexes: ix_documents_search (or the tenant's own), ix_documents_title_search, ix_documents_created, and those of the
-- conditions (search_condition, search_near, nearest_documents).
CREATE OR REPLACE FUNCTION search_statement(p_tenant_id uuid, p_search jsonb, p_limit int, p_after jsonb, p_extra text DEFAULT '') RETURNS text
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    v_exact constant int := 2000;  -- matches that are all ranked
    v_tier constant int := 500;    -- title matches that are all ranked
    v_mode text := coalesce(p_search ->> 'mode', 'fts');
    v_condition text := search_condition(p_search) || p_extra;
    v_offset int := coalesce((p_search ->> 'offset')::int, 0);
    v_from text := format('FROM documents d WHERE d.tenant_id = %L', p_tenant_id);
    v_near record;
    v_text record;
    v_match text;
    v_rank text;
    v_edge text;
    v_documents bigint;
    v_ranked text;
    v_rest text := '';
BEGIN
    IF jsonb_typeof(p_search -> 'near') = 'object' THEN
        SELECT * INTO v_near FROM search_near(p_search -> 'near');
    ELSE
        SELECT NULL::text AS condition, NULL::text AS distance, NULL::text AS ordering INTO v_near;
    END IF;
    SELECT * INTO v_text FROM search_text(p_tenant_id, p_search);
    IF p_search ->> 'query' IS NOT NULL AND v_text.query IS NULL AND v_mode <> 'semantic' AND v_mode <> 'hybrid' THEN
        RETURN NULL; -- only stop words or operators: nothing is asked for
    END IF;
    v_match := CASE WHEN v_text.query IS NULL THEN '' ELSE format(' AND d.search_tsv @@ %L::tsquery', v_text.query) END;
    v_rank := CASE WHEN v_text.query IS NULL THEN '0::real'
                   WHEN v_text.best = v_text.query THEN format('ts_rank(d.search_tsv, %L)', v_text.query)
                   -- ts_rank of many words is dear: only where none of the nearest stands.
                   ELSE format('CASE WHEN d.search_tsv @@ %1$L::tsquery THEN 1 + ts_rank(d.search_tsv, %1$L) ELSE ts_rank(d.search_tsv, %2$L) END',
                        v_text.best, v_text.query) END;

    IF v_mode IN ('semantic', 'hybrid') THEN
        RETURN search_vector_statement(p_tenant_id, p_search, v_condition, coalesce(v_near.condition, ''), v_near.distance, p_limit, p_after);
    END IF;

    IF v_near.distance IS NOT NULL THEN
        -- The index gives the nearest first when nothing else is to be ordered by; ties are ordered afterwards.
        RETURN format('SELECT h.id, h.rank, h.distance, h.created_at, %s, NULL::real,
                   jsonb_build_object(''d'', h.near, ''r'', h.rank, ''c'', h.created_at, ''i'', h.id)
            FROM (SELECT d.id, d.created_at, (%s)::real AS rank, %s AS distance, %s AS near %s%s%s%s%s
                  ORDER BY near FETCH FIRST %s ROWS WITH TIES) h
            ORDER BY h.near, h.rank DESC, h.created_at DESC, h.id DESC OFFSET %s LIMIT %s',
            CASE WHEN v_match = '' THEN 'NULL::real' ELSE 'h.rank' END, v_rank, v_near.distance, v_near.ordering, v_from, v_near.condition, v_match, v_condition,
            CASE WHEN p_after IS NULL THEN '' ELSE format(' AND (%s, -(%s)::real, %L::timestamptz, %L::uuid) > (%L::float8, -(%L::real), d.created_at, d.id)',
                v_near.ordering, v_rank, p_after ->> 'c', p_after ->> 'i', p_after ->> 'd', p_after ->> 'r') END,
            v_offset + p_limit, v_offset, p_limit);
    END IF;

    IF v_match = '' THEN
        RETURN format('SELECT d.id, 0::real, NULL::float8, d.created_at, NULL::real, NULL::real, jsonb_build_object(''c'', d.created_at, ''i'', d.id)
            %s%s%s ORDER BY d.created_at DESC, d.id DESC OFFSET %s LIMIT %s', v_from, v_condition,
            CASE WHEN p_after IS NULL THEN '' ELSE format(' AND (d.created_at, d.id) < (%L, %L)', p_after ->> 'c', p_after ->> 'i') END, v_offset, p_limit);
    END IF;

    IF p_after IS NOT NULL THEN
        v_edge := p_after ->> 'e';
    ELSIF v_text.rows > v_exact THEN
        v_documents := (SELECT t.documents FROM core.search_tenants t WHERE t.tenant_id = p_tenant_id);
        -- As many of the newest as hold some 200 matches; read from the index alone.
        EXECUTE format('SELECT d.created_at %s ORDER BY d.created_at DESC, d.id DESC OFFSET %s LIMIT 1', v_from,
            least(8000, 200 * v_documents / v_text.rows)) INTO v_edge;
    END IF;
    IF v_edge IS NULL THEN
        v_ranked := format('SELECT d.id, d.created_at, (%s)::real AS rank, 0 AS phase %s%s%s', v_rank, v_from, v_match, v_condition);
    ELSE
        v_ranked := format('SELECT d.id, d.created_at, (%s)::real AS rank, 0 AS phase %s AND d.created_at >= %L%s%s', v_rank, v_from, v_edge, v_match, v_condition);
        IF coalesce((p_after ->> 't')::boolean, v_text.titles <= v_tier) THEN
            v_ranked := v_ranked || format(' UNION ALL SELECT d.id, d.created_at, (%s)::real, 0 %s AND d.created_at < %L AND ts_filter(d.search_tsv, ''{a}'') @@ %L::tsquery%s',
                v_rank, v_from, v_edge, v_text.query, v_condition);
            v_rest := format(' AND NOT ts_filter(d.search_tsv, ''{a}'') @@ %L::tsquery', v_text.query);
        END IF;
        v_rest := format(' UNION ALL (SELECT d.id, d.created_at, (%s)::real, 1 %s AND d.created_at < %L%s%s%s%s AND (SELECT count(*) FROM ranked) < %s
                ORDER BY d.created_at DESC, d.id DESC LIMIT %s)',
            v_rank, v_from, v_edge, v_match, v_condition, v_rest,
            CASE WHEN (p_after ->> 'p')::int = 1 THEN format(' AND (d.created_at, d.id) < (%L, %L)', p_after ->> 'c', p_after ->> 'i') ELSE '' END,
            v_offset + p_limit, v_offset + p_limit);
    END IF;
    RETURN format('WITH ranked AS MATERIALIZED (SELECT h.* FROM (%s) h%s ORDER BY h.rank DESC, h.created_at DESC, h.id DESC LIMIT %s)
        SELECT h.id, h.rank, NULL::float8, h.created_at, h.rank, NULL::real,
               jsonb_build_object(''p'', h.phase, ''r'', h.rank, ''c'', h.created_at, ''i'', h.id, ''e'', %L::timestamptz, ''t'', %L::boolean)
        FROM (SELECT * FROM ranked%s) h
        ORDER BY h.phase, CASE WHEN h.phase = 0 THEN h.rank END DESC, h.created_at DESC, h.id DESC OFFSET %s LIMIT %s',
        v_ranked,
        CASE WHEN p_after IS NULL THEN '' WHEN (p_after ->> 'p')::int = 1 THEN ' WHERE false'
             ELSE format(' WHERE (h.rank, h.created_at, h.id) < (%L::real, %L::timestamptz, %L::uuid)', p_after ->> 'r', p_after ->> 'c', p_after ->> 'i') END,
        v_offset + p_limit, v_edge, coalesce((p_after ->> 't')::boolean, v_text.titles <= v_tier), v_rest, v_offset, p_limit);
END $$;
REVOKE EXECUTE ON FUNCTION search_statement FROM PUBLIC;

-- search_vector_statement(…) is the SQL of the modes that compare vectors; condition, near and distance are SQL over d.
-- Hits of hybrid have a place in one list or both: score is the weighed sum of 1 / (60 + place), scaled so that the first
-- place in both is 1 (reciprocal rank fusion, Cormack et al. 2009).
CREATE OR REPLACE FUNCTION search_vector_statement(p_tenant_id uuid, p_search jsonb, p_condition text, p_near text, p_distance text,
    p_limit int, p_after jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    v_depth constant int := 200;
    v_offset int := coalesce((p_search ->> 'offset')::int, 0);
    v_skip int := v_offset + coalesce((p_after ->> 'n')::int, 0); -- hits before the page; some more are read for those that came since
    v_words float8 := coalesce((p_search -> 'weights' ->> 'words')::float8, 1);
    v_vector float8 := coalesce((p_search -> 'weights' ->> 'vector')::float8, 1);
    v_found text;
    v_distance text := CASE WHEN p_distance IS NULL THEN 'NULL::float8'
        ELSE format('(SELECT %s FROM documents d WHERE d.tenant_id = %L AND d.id = h.id)', p_distance, p_tenant_id) END;
BEGIN
    IF NOT (v_words >= 0 AND v_vector >= 0 AND v_words + v_vector > 0 AND v_words + v_vector < 1e6) THEN
        RAISE EXCEPTION 'Weights are numbers of which none is negative and one is more than 0.' USING ERRCODE = 'ZE400', COLUMN = 'weights';
    END IF;
    IF p_search ->> 'mode' = 'semantic' THEN
        v_found := format('SELECT n.id, n.similarity::real AS score, n.created_at, NULL::real AS words, n.similarity::real
            FROM nearest_documents(%L, $1, %L, %s) n', p_tenant_id, p_condition || p_near, least(1000, v_skip + p_limit + CASE WHEN p_after IS NULL THEN 0 ELSE p_limit END));
    ELSE
        v_found := format('
            WITH words AS (
                SELECT x.id, x.created_at, x.words, row_number() OVER (ORDER BY x.words DESC, x.created_at DESC, x.id DESC) AS place
                FROM (%s) x (id, score, distance, created_at, words, similarity, cursor)
            ), near AS (
                SELECT n.id, n.created_at, n.similarity::real AS similarity, row_number() OVER (ORDER BY n.similarity DESC, n.created_at DESC, n.id DESC) AS place
                FROM nearest_documents(%L, $1, %L, %s) n WHERE $1 IS NOT NULL
            )
            SELECT coalesce(w.id, n.id) AS id,
                   ((coalesce(%s / (60 + w.place), 0) + coalesce(%s / (60 + n.place), 0)) * 61 / %s)::real AS score,
                   coalesce(w.created_at, n.created_at) AS created_at, w.words, n.similarity
            FROM words w FULL JOIN near n ON n.id = w.id',
            coalesce(search_statement(p_tenant_id, p_search - '{near,offset}'::text[] || '{"mode": "fts"}', v_depth, NULL, p_near), 'SELECT NULL::uuid, 0::real, 0::float8, now(), 0::real, 0::real, NULL::jsonb WHERE false'),
            p_tenant_id, p_condition || p_near, v_depth, v_words, v_vector, v_words + v_vector);
    END IF;
    RETURN format('SELECT h.id, h.score, %s, h.created_at, h.words, h.similarity,
            jsonb_build_object(''r'', h.score, ''c'', h.created_at, ''i'', h.id, ''n'', h.n)
        FROM (SELECT f.*, row_number() OVER (ORDER BY f.score DESC, f.created_at DESC, f.id DESC) AS n FROM (%s) f) h%s
        ORDER BY h.score DESC, h.created_at DESC, h.id DESC OFFSET %s LIMIT %s',
        v_distance, v_found,
        CASE WHEN p_after IS NULL THEN '' ELSE format(' WHERE (h.score, h.created_at, h.id) < (%L::real, %L::timestamptz, %L::uuid)',
            p_after ->> 'r', p_after ->> 'c', p_after ->> 'i') END, v_offset, p_limit);
END $$;
REVOKE EXECUTE ON FUNCTION search_vector_statement FROM PUBLIC;
