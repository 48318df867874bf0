-- document_equals(document, input) tells whether an input, judged as JSON and before any cast, says nothing new: every
-- field that it has is what the document has. It may be false for an equal input in another notation (a null list, a
-- number with more digits than it needs); true is certain.
CREATE OR REPLACE FUNCTION document_equals(d documents, p_input jsonb) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT coalesce(p_input -> 'title' = to_jsonb(d.title), false) AND coalesce(p_input -> 'body' = to_jsonb(d.body), false)
       AND coalesce(p_input -> 'language' = to_jsonb(d.language), true)
       AND coalesce(p_input -> 'externalId' = coalesce(to_jsonb(d.external_id), 'null'), true)
       AND coalesce(p_input -> 'authorId' = to_jsonb(d.author_id), true)
       AND coalesce(p_input -> 'path' = coalesce(to_jsonb(d.path_text), 'null'), true)
       AND coalesce(p_input -> 'metadata' = hstore_to_jsonb(d.metadata), true)
       AND coalesce(p_input -> 'tagIds' = to_jsonb(d.tag_ids), true)
       AND coalesce(p_input -> 'longitude' = coalesce(to_jsonb(d.longitude), 'null'), true)
       AND coalesce(p_input -> 'latitude' = coalesce(to_jsonb(d.latitude), 'null'), true)
$$;
