-- recover_stale_jobs(minutes) takes back jobs that have been running for longer and whose worker does not live; returns how many.
CREATE OR REPLACE FUNCTION recover_stale_jobs(p_stale_minutes int DEFAULT 10) RETURNS int
LANGUAGE sql AS $$
    SELECT rescue_jobs(make_interval(mins => p_stale_minutes))
$$;
REVOKE EXECUTE ON FUNCTION recover_stale_jobs FROM PUBLIC;
GRANT EXECUTE ON FUNCTION recover_stale_jobs TO app_worker;
