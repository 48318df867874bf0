-- complete_jobs(ids, leases, results) ends runs with success and returns the ids that were still theirs: a lease that was
-- taken back changes nothing. The three lists have one length.
-- The list of ids and the settings keep a plan from when the queue was short from reading the whole queue, and from comparing
-- every run with every other; see claim_jobs. plpgsql keeps the plan, which an SQL function would make again at every call.
CREATE OR REPLACE FUNCTION complete_jobs(p_ids bigint[], p_leases bigint[], p_results jsonb[]) RETURNS SETOF bigint
LANGUAGE plpgsql SET enable_seqscan = off SET enable_nestloop = off SET enable_mergejoin = off AS $$
BEGIN
    RETURN QUERY
        UPDATE jobs j
        SET status = 'done', result = r.result, last_error = NULL, progress = CASE WHEN j.progress IS NULL THEN NULL ELSE 100 END,
            finished_at = clock_timestamp(), updated_at = clock_timestamp()
        FROM (SELECT * FROM unnest(p_ids, p_leases, p_results) AS t (id, lease_id, result) ORDER BY id) r
        WHERE j.status = 'running' AND j.id = ANY (p_ids) AND j.id = r.id AND j.lease_id = r.lease_id
        RETURNING j.id;
END $$;
REVOKE EXECUTE ON FUNCTION complete_jobs FROM PUBLIC;
GRANT EXECUTE ON FUNCTION complete_jobs TO app_worker;
