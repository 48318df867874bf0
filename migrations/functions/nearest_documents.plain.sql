-- unless: vector
-- nearest_documents(tenant, vector, condition, limit) are the documents whose vectors point most nearly the way of the given
-- one: best first, ties to the newer and then to the greater id. The condition is SQL over the alias d of documents and
-- begins with AND, or is empty; it is trusted. Raises ZE400 for a vector that is none.
-- Internal: it runs with the rights of its caller, which has checked the tenant.
-- Every candidate is compared: 30 µs each.

-- embedding_distance(cubes, cubes) is the square of the straight line between the ends of two vectors of length 1.
CREATE OR REPLACE FUNCTION embedding_distance(a cube[], b cube[]) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN (a[1] <-> b[1]) ^ 2 + (a[2] <-> b[2]) ^ 2 + (a[3] <-> b[3]) ^ 2 + (a[4] <-> b[4]) ^ 2
        + (a[5] <-> b[5]) ^ 2 + (a[6] <-> b[6]) ^ 2 + (a[7] <-> b[7]) ^ 2 + (a[8] <-> b[8]) ^ 2
        + (a[9] <-> b[9]) ^ 2 + (a[10] <-> b[10]) ^ 2 + (a[11] <-> b[11]) ^ 2 + (a[12] <-> b[12]) ^ 2
        + (a[13] <-> b[13]) ^ 2 + (a[14] <-> b[14]) ^ 2 + (a[15] <-> b[15]) ^ 2 + (a[16] <-> b[16]) ^ 2;
END $$;
REVOKE EXECUTE ON FUNCTION embedding_distance FROM PUBLIC;

CREATE OR REPLACE FUNCTION nearest_documents(p_tenant_id uuid, p_vector real[], p_condition text, p_limit int)
RETURNS TABLE (id uuid, similarity double precision, created_at timestamptz)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET jit = off AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT n.id, 1 - n.distance / 2, n.created_at
         FROM (SELECT d.id, embedding_distance(d.embedding_cubes, $1) AS distance, d.created_at
               FROM documents d
               WHERE d.tenant_id = %L AND d.embedding IS NOT NULL%s OFFSET 0) n
         WHERE n.distance < 5 -- a vector of zeros has none
         ORDER BY n.distance, n.created_at DESC, n.id DESC
         LIMIT $2', p_tenant_id, p_condition)
        USING embedding_cubes(unit_embedding(p_vector, 'vector')), p_limit;
END $$;
REVOKE EXECUTE ON FUNCTION nearest_documents FROM PUBLIC;
