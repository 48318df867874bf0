-- document_from_input(old, input) returns the row with the fields of a checked input laid over it: absent keeps, null clears.
CREATE OR REPLACE FUNCTION document_from_input(p_old documents, p_input jsonb) RETURNS documents
LANGUAGE plpgsql STABLE AS $$
DECLARE
    d documents := p_old;
BEGIN
    IF p_input ? 'authorId' THEN d.author_id := (p_input ->> 'authorId')::uuid; END IF;
    IF p_input ? 'title' THEN d.title := p_input ->> 'title'; END IF;
    IF p_input ? 'body' THEN d.body := p_input ->> 'body'; END IF;
    IF p_input ? 'language' THEN d.language := coalesce(p_input ->> 'language', 'en'); END IF;
    IF p_input ? 'externalId' THEN d.external_id := p_input ->> 'externalId'; END IF;
    IF p_input ? 'path' THEN d.path := (p_input ->> 'path')::ltree; END IF;
    IF p_input ? 'metadata' THEN
        d.metadata := coalesce((SELECT hstore(array_agg(key), array_agg(value))
            FROM jsonb_each_text(nullif(p_input -> 'metadata', 'null'))), '');
    END IF;
    IF p_input ? 'tagIds' THEN
        d.tag_ids := coalesce((SELECT array_agg(v::int ORDER BY ord)
            FROM jsonb_array_elements_text(nullif(p_input -> 'tagIds', 'null')) WITH ORDINALITY AS t (v, ord)), '{}');
    END IF;
    IF p_input ? 'longitude' THEN d.longitude := (p_input ->> 'longitude')::double precision; END IF;
    IF p_input ? 'latitude' THEN d.latitude := (p_input ->> 'latitude')::double precision; END IF;
    RETURN d;
END $$;
