-- requires: vector
-- nearest_documents(tenant, vector, condition, limit) are the documents whose vectors point most nearly the way of the given
-- one: best first, ties to the newer and then to the greater id. The condition is SQL over the alias d of documents and
-- begins with AND, or is empty; it is trusted. Raises ZE400 for a vector that is none.
-- Internal: it runs with the rights of its caller, which has checked the tenant.
CREATE OR REPLACE FUNCTION nearest_documents(p_tenant_id uuid, p_vector real[], p_condition text, p_limit int)
RETURNS TABLE (id uuid, similarity double precision, created_at timestamptz)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
BEGIN
    IF embedding_error(p_vector) IS NOT NULL THEN
        RAISE EXCEPTION '%', embedding_error(p_vector) USING ERRCODE = 'ZE400', COLUMN = 'vector';
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT d.id, 1 - (d.embedding <=> $1), d.created_at
         FROM documents d
         WHERE d.tenant_id = %L AND d.embedding IS NOT NULL%s
         ORDER BY 2 DESC, 3 DESC, 1 DESC LIMIT $2', p_tenant_id, p_condition)
        USING p_vector::vector, p_limit;
END $$;
REVOKE EXECUTE ON FUNCTION nearest_documents FROM PUBLIC;
