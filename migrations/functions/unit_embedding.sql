-- requires: vector
-- unit_embedding(vector) is the vector scaled to length 1, unless it has that length already.
-- Raises what embedding_error says as ZE400 on p_field.
CREATE OR REPLACE FUNCTION unit_embedding(p_vector real[], p_field text) RETURNS real[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = public, pg_temp AS $$
DECLARE
    v_error text := embedding_error(p_vector);
BEGIN
    IF v_error IS NOT NULL THEN
        RAISE EXCEPTION '%', v_error USING ERRCODE = 'ZE400', COLUMN = p_field;
    END IF;
    IF abs(vector_norm(p_vector::vector) - 1) < 0.001 THEN
        RETURN p_vector;
    END IF;
    RETURN l2_normalize(p_vector::vector)::real[];
END $$;
REVOKE EXECUTE ON FUNCTION unit_embedding FROM PUBLIC;
GRANT EXECUTE ON FUNCTION unit_embedding TO app_worker;
