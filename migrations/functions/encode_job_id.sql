-- encode_job_id(id) is the short public id of a job: letters only, so that it never looks like a number.
CREATE OR REPLACE FUNCTION encode_job_id(p_id bigint) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = public, pg_temp AS $$
    SELECT hashid_encode(ARRAY[p_id], 'stackforge.jobs', 0, 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ')
$$;
