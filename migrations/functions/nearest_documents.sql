-- requires: vector
-- nearest_documents(tenant, vector, condition, limit) are the documents whose vectors point most nearly the way of the given
-- one: best first, ties to the newer and then to the greater id. The condition is SQL over the alias d of documents and
-- begins with AND, or is empty; it is trusted. Raises ZE400 for a vector that is none.
-- Internal: it runs with the rights of its caller, which has checked the tenant.
--
-- Few candidates are compared one by one, which costs 7 µs each and misses nothing. Of many the index finds the nearest at half
-- precision, going on until there are enough that meet the condition, and those are put in order by their full vectors. It
-- knows nothing of tenants and conditions, so it wades through everybody's vectors, 35 µs each: the border between the two ways
-- is where they cost the same. Should the index return too few, everything is compared.
-- Sorting is switched off so that the index is used whatever the planner thinks of it; it does not know what a vector costs to read.
DO $$ BEGIN PERFORM '[1]'::vector; END $$; -- loads pgvector: an owner who is no superuser may set only parameters that are known
CREATE OR REPLACE FUNCTION nearest_documents(p_tenant_id uuid, p_vector real[], p_condition text, p_limit int)
RETURNS TABLE (id uuid, similarity double precision, created_at timestamptz)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET enable_sort = off SET jit = off SET hnsw.ef_search = 100 AS $$
DECLARE
    v_vector vector := unit_embedding(p_vector, 'vector')::vector;
    v_from text := format('FROM documents d WHERE d.tenant_id = %L AND d.embedding IS NOT NULL%s', p_tenant_id, p_condition);
    v_fetch int := p_limit + greatest(10, p_limit / 4); -- of the index: half precision may swap neighbours
    v_total real; -- vectors in the index, of all tenants
    v_few int := 2000000000; -- up to so many candidates are compared one by one
    v_rows double precision;
    v_candidates tid[]; -- rows stay where they are for one snapshot, which a STABLE function keeps
BEGIN
    SELECT c.reltuples INTO v_total
    FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
    WHERE c.oid = to_regclass('ix_documents_embedding') AND i.indisvalid;
    IF FOUND THEN
        v_few := least(greatest(sqrt(5.0 * v_fetch * greatest(v_total, 0)), 1000), 50000);
        v_rows := estimate_embedding_rows('SELECT ' || v_from);
    END IF;
    IF v_total IS NULL OR v_rows <= 4 * v_few THEN
        EXECUTE 'WITH c AS MATERIALIZED (SELECT d.ctid AS tid ' || v_from || ') SELECT ARRAY(SELECT c.tid FROM c LIMIT $1)'
            INTO v_candidates USING v_few + 1;
    END IF;
    IF (cardinality(v_candidates) <= v_few) IS NOT TRUE THEN
        PERFORM set_config('hnsw.ef_search', least(greatest(
            -- Without iterative scans (before pgvector 0.8) all has to be found at once.
            CASE WHEN current_setting('hnsw.iterative_scan', true) IS NULL THEN v_fetch * v_total / greatest(v_rows, 1) ELSE v_fetch END,
            100), 1000)::int::text, true);
        EXECUTE 'SELECT ARRAY(SELECT d.ctid ' || v_from || ' ORDER BY d.embedding::halfvec(1536) <=> $1::halfvec(1536) LIMIT $2)'
            INTO v_candidates USING v_vector, v_fetch;
        IF cardinality(v_candidates) < p_limit THEN
            EXECUTE 'SELECT ARRAY(SELECT d.ctid ' || v_from || ')' INTO v_candidates;
        END IF;
    END IF;
    RETURN QUERY
        SELECT n.id, 1 - n.distance, n.created_at
        FROM (SELECT d.id, d.embedding <=> v_vector AS distance, d.created_at
              FROM documents d WHERE d.ctid = ANY (v_candidates) OFFSET 0) n
        WHERE n.distance < 3 -- a vector of zeros has none
        ORDER BY n.distance, n.created_at DESC, n.id DESC
        LIMIT p_limit;
END $$;
REVOKE EXECUTE ON FUNCTION nearest_documents FROM PUBLIC;
-- With iterative scans the index goes on until there are enough.
DO $$
BEGIN
    IF (SELECT string_to_array(extversion, '.')::int[] >= '{0,8}' FROM pg_extension WHERE extname = 'vector') THEN
        ALTER FUNCTION nearest_documents SET hnsw.iterative_scan = relaxed_order;
    END IF;
END $$;
