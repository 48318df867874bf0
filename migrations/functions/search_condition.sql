-- search_condition(tenant, search) is the SQL of a search's conditions without its text and its circle: '' or ' AND …' over
-- documents d, every value a literal, so that each set of conditions is planned with what it has. With the key circle, a near that
-- no order follows, it is a condition, too.
-- Raises ZE400 with the field for what is not valid. Internal: find_documents and its like call it.
--
-- Indexes: ix_documents_path, ix_documents_labels (tags, metadata), ix_documents_author, ix_documents_created, ix_documents_point.
CREATE OR REPLACE FUNCTION search_condition(p_tenant_id uuid, p_search jsonb) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_sql text := '';
    v_path text := nullif(p_search ->> 'pathPrefix', '');
    v_tags int[];
    v_box jsonb := nullif(p_search -> 'within', 'null');
    v_key text;
    v_degrees text;
    v_inside text;
    v_is_large boolean := true; -- with a text the words choose
BEGIN
    IF v_path IS NOT NULL THEN
        IF path_error(v_path) IS NOT NULL THEN
            RAISE EXCEPTION '%', path_error(v_path) USING ERRCODE = 'ZE400', COLUMN = 'pathPrefix';
        END IF;
        v_sql := v_sql || format(' AND (d.path_text = %1$L OR d.path_text >= %2$L AND d.path_text < %3$L)', v_path, v_path || '.', v_path || '/');
    END IF;
    IF jsonb_typeof(p_search -> 'tagIds') = 'array' THEN
        v_tags := ARRAY(SELECT t::int FROM jsonb_array_elements_text(p_search -> 'tagIds') AS t);
        IF cardinality(v_tags) > 1000 THEN
            RAISE EXCEPTION 'At most 1,000 tags can be asked for.' USING ERRCODE = 'ZE400', COLUMN = 'tagIds';
        END IF;
        v_sql := v_sql || format(' AND d.tag_ids %s %L::int[]', CASE WHEN p_search ->> 'tagMatch' = 'all' THEN '@>' ELSE '&&' END, v_tags);
    END IF;
    IF jsonb_typeof(p_search -> 'metadata') = 'object' THEN
        v_sql := v_sql || format(' AND hstore_to_jsonb(d.metadata) @> %L::jsonb',
            (SELECT coalesce(jsonb_object_agg(m.key, m.value), '{}') FROM jsonb_each_text(p_search -> 'metadata') AS m));
    END IF;
    IF p_search ->> 'authorId' IS NOT NULL THEN
        v_sql := v_sql || format(' AND d.author_id = %L::uuid', (p_search ->> 'authorId')::uuid);
    END IF;
    IF p_search ->> 'createdFrom' IS NOT NULL THEN
        v_sql := v_sql || format(' AND d.created_at >= %L::timestamptz', (p_search ->> 'createdFrom')::timestamptz);
    END IF;
    IF p_search ->> 'createdTo' IS NOT NULL THEN
        v_sql := v_sql || format(' AND d.created_at < %L::timestamptz', (p_search ->> 'createdTo')::timestamptz);
    END IF;
    IF v_box IS NOT NULL THEN
        FOREACH v_key IN ARRAY '{west,east,south,north}'::text[] LOOP
            IF jsonb_typeof(v_box -> v_key) IS DISTINCT FROM 'number'
                OR abs((v_box ->> v_key)::numeric) > (CASE WHEN v_key IN ('west', 'east') THEN 180 ELSE 90 END) THEN
                RAISE EXCEPTION 'This must be a number from -% to %.', CASE WHEN v_key IN ('west', 'east') THEN 180 ELSE 90 END,
                    CASE WHEN v_key IN ('west', 'east') THEN 180 ELSE 90 END USING ERRCODE = 'ZE400', COLUMN = 'within.' || v_key;
            END IF;
        END LOOP;
        IF (v_box ->> 'south')::float8 > (v_box ->> 'north')::float8 THEN
            RAISE EXCEPTION 'The south of a box cannot be north of its north.' USING ERRCODE = 'ZE400', COLUMN = 'within.south';
        END IF;
        v_degrees := format(' AND d.latitude BETWEEN %L AND %L AND (', v_box ->> 'south', v_box ->> 'north') || CASE
            WHEN (v_box ->> 'west')::float8 > (v_box ->> 'east')::float8 -- across the antimeridian
            THEN format('d.longitude >= %L OR d.longitude <= %L)', v_box ->> 'west', v_box ->> 'east')
            ELSE format('d.longitude BETWEEN %L AND %L)', v_box ->> 'west', v_box ->> 'east') END;
        v_inside := format(' AND d.longitude IS NOT NULL AND (%s)', (
            SELECT string_agg(format('point(d.longitude, d.latitude) <@ box(point(%L, %L), point(%L, %L))', b.west, v_box ->> 'south', b.east, v_box ->> 'north'), ' OR ')
            FROM (VALUES (v_box ->> 'west', CASE WHEN (v_box ->> 'west')::float8 > (v_box ->> 'east')::float8 THEN '180' ELSE v_box ->> 'east' END),
                         ('-180', CASE WHEN (v_box ->> 'west')::float8 > (v_box ->> 'east')::float8 THEN v_box ->> 'east' END)) AS b (west, east)
            WHERE b.east IS NOT NULL));
        -- The planner takes every box for a small one; the index is for boxes that are.
        IF p_search ->> 'query' IS NULL THEN
            EXECUTE format('SELECT EXISTS (SELECT FROM documents d WHERE d.tenant_id = %L%s OFFSET 1000)', p_tenant_id, v_inside) INTO v_is_large;
        END IF;
        v_sql := v_sql || CASE WHEN v_is_large THEN v_degrees ELSE v_inside END;
    END IF;
    IF jsonb_typeof(p_search -> 'circle') = 'object' THEN
        v_sql := v_sql || (SELECT n.condition FROM search_near(p_search -> 'circle') n);
    END IF;
    RETURN v_sql;
END $$;
REVOKE EXECUTE ON FUNCTION search_condition FROM PUBLIC;
