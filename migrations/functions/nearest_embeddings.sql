-- nearest_embeddings(tenant, vectors, models, condition, limit) is nearest_documents while a change of model is under way: the vectors,
-- one for each model one after the other, are those of one text by each of the models, and each is compared with the vectors of
-- its model alone. Numbers of two models do not compare, so they are merged by rank: a document of a further model gets the
-- similarity that the first model's document of the same rank has, or its own should that be less or missing.
-- Without models the one vector is compared with all.
-- Index: ix_documents_embedded, for the first and the last model that the tenant has. Raises ZE400 naming vector. Internal, as nearest_documents.
CREATE OR REPLACE FUNCTION nearest_embeddings(p_tenant_id uuid, p_vectors real[], p_models text[], p_condition text, p_limit int)
RETURNS TABLE (id uuid, similarity double precision, created_at timestamptz)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    v_models int := coalesce(cardinality(p_models), 0);
    v_condition text := p_condition;
BEGIN
    IF v_models <= 1 THEN
        -- Most tenants have vectors of one model, and a condition that all of them meet costs time: the planner takes it for one that few meet.
        IF v_models = 1
            AND ((SELECT d.embedding_model FROM documents d WHERE d.tenant_id = p_tenant_id AND d.embedding IS NOT NULL
                  ORDER BY d.embedding_model LIMIT 1) IS DISTINCT FROM p_models[1]
              OR (SELECT d.embedding_model FROM documents d WHERE d.tenant_id = p_tenant_id AND d.embedding IS NOT NULL
                  ORDER BY d.embedding_model DESC LIMIT 1) IS DISTINCT FROM p_models[1]) THEN -- nulls come first there
            v_condition := v_condition || format(' AND d.embedding_model = %L', p_models[1]);
        END IF;
        RETURN QUERY SELECT n.id, n.similarity, n.created_at FROM nearest_documents(p_tenant_id, p_vectors, v_condition, p_limit) n;
        RETURN;
    END IF;
    IF cardinality(p_vectors) IS DISTINCT FROM 1536 * v_models THEN
        RAISE EXCEPTION 'A vector has 1,536 numbers.' USING ERRCODE = 'ZE400', COLUMN = 'vector';
    END IF;
    RETURN QUERY
        WITH found AS MATERIALIZED (
            SELECT m.ord, n.place, n.id, n.similarity, n.created_at
            FROM unnest(p_models) WITH ORDINALITY AS m (model, ord)
            CROSS JOIN LATERAL nearest_documents(p_tenant_id, p_vectors[(m.ord - 1) * 1536 + 1 : m.ord * 1536],
                p_condition || format(' AND d.embedding_model = %L', m.model), p_limit) WITH ORDINALITY AS n (id, similarity, created_at, place)
        )
        SELECT f.id, least(f.similarity, g.similarity) AS merged, f.created_at
        FROM found f
        LEFT JOIN found g ON f.ord > 1 AND g.ord = 1 AND g.place = f.place
        ORDER BY merged DESC, f.created_at DESC, f.id DESC
        LIMIT p_limit;
END $$;
REVOKE EXECUTE ON FUNCTION nearest_embeddings FROM PUBLIC;
