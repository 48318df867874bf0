-- The rules are those of every door (document_errors). The language of the old texts is not known: they are read as English, as
-- they were. The words are searchable at once; the worker counts them within seconds.
WITH line AS MATERIALIZED (
    SELECT (line ->> 'id')::uuid AS id, (line ->> 'tenant_id')::uuid AS tenant_id,
           coalesce((line ->> 'created_at')::timestamptz, now()) AS created_at,
           coalesce((line ->> 'updated_at')::timestamptz, (line ->> 'created_at')::timestamptz, now()) AS updated_at,
           CASE WHEN current_setting('node.argument', true) <> '' THEN translate(line ->> 'embedding', '[]', '{}')::real[] END AS embedding,
           jsonb_build_object('authorId', line -> 'author_id', 'title', line -> 'title', 'body', line -> 'body', 'path', line -> 'path',
               'metadata', (SELECT jsonb_object_agg(m.key, m.value) FROM jsonb_each(CASE jsonb_typeof(line -> 'metadata') WHEN 'object' THEN line -> 'metadata' END) m
                            WHERE m.value <> 'null'), -- a key without a value is none here
               'tagIds', line -> 'tag_ids', 'longitude', line -> 'longitude', 'latitude', line -> 'latitude') AS input
    FROM pg_temp.node_line
), judged AS MATERIALIZED (
    SELECT l.*, EXISTS (SELECT FROM documents d WHERE d.tenant_id = l.tenant_id AND d.id = l.id) AS is_present,
           document_errors(l.tenant_id, l.input, true) AS errors
    FROM line l
), written AS (
    INSERT INTO documents (tenant_id, id, author_id, title, body, metadata, path, tag_ids, longitude, latitude, embedding, embedding_model,
        created_at, updated_at)
    SELECT j.tenant_id, j.id, d.author_id, d.title, d.body, d.metadata, d.path, d.tag_ids, d.longitude, d.latitude,
           v.embedding, CASE WHEN v.embedding IS NOT NULL THEN current_setting('node.argument', true) END, j.created_at, j.updated_at
    FROM judged j
    CROSS JOIN LATERAL document_from_input(jsonb_populate_record(NULL::documents, '{"tenant_id": null}'), j.input) d
    CROSS JOIN LATERAL (
        SELECT CASE WHEN j.embedding IS NOT NULL AND embedding_error(j.embedding) IS NULL THEN unit_embedding(j.embedding, 'embedding') END AS embedding) v
    WHERE NOT j.is_present AND j.errors = '[]'
    RETURNING 1
), rejected AS (
    INSERT INTO pg_temp.node_reject
    SELECT 'documents', j.id, e ->> 'field' || ': ' || (e ->> 'message')
    FROM judged j, jsonb_array_elements(j.errors) e
    WHERE NOT j.is_present
    RETURNING id
)
SELECT (SELECT count(*) FROM written), (SELECT count(*) FROM judged WHERE is_present), (SELECT count(DISTINCT id) FROM rejected)
