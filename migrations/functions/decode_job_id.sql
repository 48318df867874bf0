-- decode_job_id(hashid) is the job's id, null for anything that encode_job_id does not write.
CREATE OR REPLACE FUNCTION decode_job_id(p_hashid text) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = public, pg_temp AS $$
DECLARE
    v_id bigint;
BEGIN
    IF length(p_hashid) > 32 THEN
        RETURN NULL;
    END IF;
    v_id := (hashid_decode(p_hashid, 'stackforge.jobs', 0, 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'))[1];
    RETURN CASE WHEN encode_job_id(v_id) = p_hashid THEN v_id END;
EXCEPTION WHEN invalid_parameter_value OR numeric_value_out_of_range THEN
    RETURN NULL;
END $$;
