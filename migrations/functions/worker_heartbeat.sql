-- worker_heartbeat(worker, name, concurrency) says that a worker process lives, and forgets those that have been silent for a day.
CREATE OR REPLACE FUNCTION worker_heartbeat(p_worker_id uuid, p_name text, p_concurrency int) RETURNS void
LANGUAGE sql AS $$
    DELETE FROM job_workers WHERE heartbeat_at < now() - interval '1 day';
    INSERT INTO job_workers (id, name, concurrency) VALUES (p_worker_id, p_name, p_concurrency)
    ON CONFLICT (id) DO UPDATE SET heartbeat_at = now(), concurrency = excluded.concurrency;
$$;
REVOKE EXECUTE ON FUNCTION worker_heartbeat FROM PUBLIC;
GRANT EXECUTE ON FUNCTION worker_heartbeat TO app_worker;
