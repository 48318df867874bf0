-- webhook_wants(events, job_types, topic, job_type) says whether an endpoint with these filters gets an event; no filter
-- lets everything through, and an event that is of no job has no job type.
CREATE OR REPLACE FUNCTION webhook_wants(p_events text[], p_job_types text[], p_topic text, p_job_type text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (cardinality(p_events) = 0 OR p_topic = ANY (p_events))
       AND (cardinality(p_job_types) = 0 OR p_job_type IS NULL OR p_job_type = ANY (p_job_types))
$$;
REVOKE EXECUTE ON FUNCTION webhook_wants FROM PUBLIC;
