-- import_documents(tenant, author, lines) takes a batch of documents, each a JSON object as text, and makes the table say
-- the same: a document with the line's id, else with its externalId, is changed as patch_document does (absent fields
-- keep, null clears) when it differs and is not touched when it is equal; without one it is created, by the given author
-- unless the line names one. The last line of a key wins. A line that is not valid changes nothing and stops nothing:
-- rejected is a list of {ord (from 0), field, message, code}.
-- Raises 22P02 and the like for a text that is no JSON to PostgreSQL, 54000 for a value that an index cannot hold; then
-- nothing of the batch is in effect. Locks the documents it changes, in the order of the lines.
--
-- One statement settles the lines that say nothing new and those that create a document and are valid at first sight;
-- what is left goes line by line through import_document. Lookups are by documents_pkey and documents_external_id_key.
CREATE OR REPLACE FUNCTION import_documents(p_tenant_id uuid, p_author_id uuid, p_lines text[],
    OUT created int, OUT updated int, OUT unchanged int, OUT rejected jsonb)
LANGUAGE plpgsql AS $$
DECLARE
    v_uuid constant text := '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$';
    v_has_author boolean := EXISTS (SELECT FROM app_users WHERE tenant_id = p_tenant_id AND id = p_author_id);
    v_left int[];
    v_ord int;
    v_done record;
BEGIN
    WITH line AS MATERIALIZED (
        SELECT t.o::int AS ord, t.l::jsonb AS input FROM unnest(p_lines) WITH ORDINALITY AS t (l, o)
    ), keyed AS MATERIALIZED ( -- plain columns: under row-level security ->> within the condition would forbid the index
        SELECT l.ord, l.input, CASE WHEN l.input ->> 'id' ~ v_uuid THEN (l.input ->> 'id')::uuid END AS id,
               l.input ->> 'externalId' AS external_id,
               l.input ? 'id' AND count(*) OVER (PARTITION BY lower(l.input ->> 'id')) > 1
               OR l.input ? 'externalId' AND count(*) OVER (PARTITION BY l.input ->> 'externalId') > 1 AS is_twice
        FROM line l
    ), judged AS MATERIALIZED (
        SELECT k.ord, k.input, k.external_id, coalesce(k.id, uuid_v7()) AS id,
               CASE WHEN k.is_twice THEN 'left'
                    WHEN old.id IS NOT NULL THEN CASE WHEN old.is_equal THEN 'unchanged' ELSE 'left' END
                    WHEN v_has_author AND document_is_plain(k.input) THEN 'new' ELSE 'left' END AS class
        FROM keyed k
        LEFT JOIN LATERAL (
            (SELECT d.id, document_equals(d, k.input) AS is_equal
             FROM documents d WHERE k.id IS NOT NULL AND d.tenant_id = p_tenant_id AND d.id = k.id)
            UNION ALL
            (SELECT d.id, document_equals(d, k.input)
             FROM documents d WHERE k.id IS NULL AND d.tenant_id = p_tenant_id AND d.external_id = k.external_id)
            LIMIT 1) old ON true
    ), made AS (
        INSERT INTO documents (tenant_id, id, author_id, external_id, title, body, language, metadata, path, tag_ids,
            longitude, latitude)
        -- document_from_input for a plain input, without the start of a statement for each line.
        SELECT p_tenant_id, j.id, p_author_id, j.external_id, j.input ->> 'title', j.input ->> 'body',
               coalesce(j.input ->> 'language', 'en'),
               coalesce((SELECT hstore(array_agg(m.key), array_agg(m.value)) FROM jsonb_each_text(j.input -> 'metadata') m), ''),
               (j.input ->> 'path')::ltree,
               ARRAY(SELECT t.v::int FROM jsonb_array_elements_text(j.input -> 'tagIds') WITH ORDINALITY AS t (v, o) ORDER BY t.o),
               (j.input ->> 'longitude')::double precision, (j.input ->> 'latitude')::double precision
        FROM judged j
        WHERE j.class = 'new'
        ORDER BY j.ord
        ON CONFLICT DO NOTHING
        RETURNING id
    )
    SELECT count(m.id), count(*) FILTER (WHERE j.class = 'unchanged'),
           array_agg(j.ord ORDER BY j.ord) FILTER (WHERE j.class = 'left' OR j.class = 'new' AND m.id IS NULL)
    INTO created, unchanged, v_left
    FROM judged j
    LEFT JOIN made m ON m.id = j.id AND j.class = 'new';

    updated := 0;
    rejected := '[]';
    FOREACH v_ord IN ARRAY coalesce(v_left, '{}') LOOP
        SELECT * INTO v_done FROM import_document(p_tenant_id, p_author_id, p_lines[v_ord]::jsonb);
        CASE v_done.outcome
            WHEN 'created' THEN created := created + 1;
            WHEN 'updated' THEN updated := updated + 1;
            WHEN 'unchanged' THEN unchanged := unchanged + 1;
            ELSE rejected := rejected || (
                SELECT jsonb_agg('{"code": "VALIDATION_FAILED"}' || e || jsonb_build_object('ord', v_ord - 1))
                FROM jsonb_array_elements(v_done.errors) AS t (e));
        END CASE;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION import_documents FROM PUBLIC;
GRANT EXECUTE ON FUNCTION import_documents TO app_api;
