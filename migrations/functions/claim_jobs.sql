-- claim_jobs(worker, types, limit) gives a worker the next due jobs of those types (all types when null): higher priority first, then
-- run_at, then id. Each claim counts an attempt and gets a new lease, the token that ends the run.
-- The cost does not grow with the backlog, nor with jobs of the future: one index range per priority in use.
-- Index: ix_jobs_live_ready, then jobs_live_id_key; see docs/queries/job.Claim.md. The settings keep it so: a session that
-- made its plan when the queue was short would else read the whole queue at every claim, until the next ANALYZE.
-- Locks the rows it takes, and skips those that others have locked.
CREATE OR REPLACE FUNCTION claim_jobs(p_worker_id uuid, p_types text[], p_limit int) RETURNS SETOF jobs
LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_priority int := (SELECT max(priority) FROM jobs WHERE status = 'pending');
    v_left int := p_limit;
    v_got int;
BEGIN
    WHILE v_priority IS NOT NULL AND v_left > 0 LOOP
        RETURN QUERY
            WITH next AS (
                SELECT j.id
                FROM jobs j
                WHERE j.status = 'pending' AND j.priority = v_priority AND j.run_at <= now()
                  AND (p_types IS NULL OR j.type = ANY (p_types))
                ORDER BY j.run_at, j.id
                LIMIT v_left
                FOR UPDATE SKIP LOCKED)
            UPDATE jobs j
            SET status = 'running', attempts = j.attempts + 1, worker_id = p_worker_id, lease_id = nextval('job_lease_seq'),
                started_at = now(), finished_at = NULL, progress = NULL, reason = NULL, updated_at = now()
            FROM next
            WHERE j.status = 'pending' AND j.id = next.id
            RETURNING j.*;
        GET DIAGNOSTICS v_got = ROW_COUNT;
        v_left := v_left - v_got;
        v_priority := (SELECT max(priority) FROM jobs WHERE status = 'pending' AND priority < v_priority);
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION claim_jobs FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claim_jobs TO app_worker;
