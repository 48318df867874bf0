-- embedding_error(vector) says what is wrong with a vector, null when nothing is.
CREATE OR REPLACE FUNCTION embedding_error(p_vector real[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN CASE
        WHEN p_vector IS NULL OR array_ndims(p_vector) IS DISTINCT FROM 1 OR cardinality(p_vector) <> 1536 THEN
            'A vector has 1,536 numbers.'
        WHEN array_position(p_vector, NULL) IS NOT NULL OR array_position(p_vector, 'NaN') IS NOT NULL
            OR array_position(p_vector, 'Infinity') IS NOT NULL OR array_position(p_vector, '-Infinity') IS NOT NULL THEN
            'A vector has finite numbers only.'
        WHEN p_vector = array_fill(0::real, ARRAY[1536]) THEN
            'A vector of zeros has no direction.'
    END;
END $$;
REVOKE EXECUTE ON FUNCTION embedding_error FROM PUBLIC;
GRANT EXECUTE ON FUNCTION embedding_error TO app_worker;
