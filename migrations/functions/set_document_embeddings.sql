-- set_document_embeddings(tenant, ids, vectors, model, versions) stores vectors that were made of those versions of the texts.
-- The vectors are given one after the other: 1,536 numbers for each id. Returns the ids that were stored; the others are gone
-- or their text has changed since. A vector whose length is not 1 is scaled to it.
-- Raises ZE400 naming embeddings[n], model or the list whose length does not fit. Locks the rows by id.
CREATE OR REPLACE FUNCTION set_document_embeddings(p_tenant_id uuid, p_ids uuid[], p_embeddings real[], p_model text, p_versions int[])
RETURNS SETOF uuid
LANGUAGE plpgsql AS $$
DECLARE
    v record;
BEGIN
    IF coalesce(p_model, '') = '' OR length(p_model) > 200 THEN
        RAISE EXCEPTION 'The name of a model has 1 to 200 characters.' USING ERRCODE = 'ZE400', COLUMN = 'model';
    END IF;
    IF cardinality(p_versions) IS DISTINCT FROM cardinality(p_ids) THEN
        RAISE EXCEPTION 'Give one version for each id.' USING ERRCODE = 'ZE400', COLUMN = 'versions';
    END IF;
    IF cardinality(p_embeddings) IS DISTINCT FROM 1536 * cardinality(p_ids) THEN
        RAISE EXCEPTION 'A vector has 1,536 numbers.' USING ERRCODE = 'ZE400', COLUMN = 'embeddings';
    END IF;
    FOR v IN SELECT t.id, t.version, t.ord::int FROM unnest(p_ids, p_versions) WITH ORDINALITY AS t (id, version, ord) ORDER BY t.id LOOP
        UPDATE documents
        SET embedding = unit_embedding(p_embeddings[(v.ord - 1) * 1536 + 1 : v.ord * 1536], format('embeddings[%s]', v.ord - 1)),
            embedding_model = p_model
        WHERE tenant_id = p_tenant_id AND id = v.id AND version = v.version;
        IF FOUND THEN
            RETURN NEXT v.id;
        END IF;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION set_document_embeddings FROM PUBLIC;
GRANT EXECUTE ON FUNCTION set_document_embeddings TO app_worker;
