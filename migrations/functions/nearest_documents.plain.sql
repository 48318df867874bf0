-- unless: vector
-- nearest_documents with contrib only: an exact scan.
CREATE OR REPLACE FUNCTION nearest_documents(p_tenant_id uuid, p_vector real[], p_condition text, p_limit int)
RETURNS TABLE (id uuid, similarity double precision, created_at timestamptz)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
BEGIN
    IF embedding_error(p_vector) IS NOT NULL THEN
        RAISE EXCEPTION '%', embedding_error(p_vector) USING ERRCODE = 'ZE400', COLUMN = 'vector';
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT d.id, s.similarity, d.created_at
         FROM documents d
         CROSS JOIN LATERAL (
             SELECT sum(v.a::double precision * v.b) / sqrt(sum(v.a::double precision * v.a) * sum(v.b::double precision * v.b)) AS similarity
             FROM unnest(d.embedding, $1) v (a, b)) s
         WHERE d.tenant_id = %L AND d.embedding IS NOT NULL%s
         ORDER BY 2 DESC, 3 DESC, 1 DESC LIMIT $2', p_tenant_id, p_condition)
        USING p_vector, p_limit;
END $$;
REVOKE EXECUTE ON FUNCTION nearest_documents FROM PUBLIC;
