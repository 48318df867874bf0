-- release_jobs(ids, leases) puts running jobs back at once because their worker stops; the attempt is given back.
-- Returns how many were still theirs.
CREATE OR REPLACE FUNCTION release_jobs(p_ids bigint[], p_leases bigint[]) RETURNS bigint
LANGUAGE sql AS $$
    WITH released AS (
        UPDATE jobs j
        SET status = 'pending', attempts = greatest(j.attempts - 1, 0), worker_id = NULL, run_at = least(j.run_at, now()), updated_at = now()
        FROM unnest(p_ids, p_leases) AS r (id, lease_id)
        WHERE j.status = 'running' AND j.id = r.id AND j.lease_id = r.lease_id
        RETURNING 1)
    SELECT count(*) FROM released
$$;
REVOKE EXECUTE ON FUNCTION release_jobs FROM PUBLIC;
GRANT EXECUTE ON FUNCTION release_jobs TO app_worker;
