-- finish_maintenance(task, tick, outcome) records how a tick ended and forgets the task's ticks of more than 30 days ago.
CREATE OR REPLACE FUNCTION finish_maintenance(p_task text, p_tick timestamptz, p_outcome text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE core.maintenance_runs SET finished_at = clock_timestamp(), outcome = left(p_outcome, 500) WHERE task = p_task AND tick = p_tick;
    DELETE FROM core.maintenance_runs WHERE task = p_task AND tick < now() - interval '30 days';
$$;
REVOKE EXECUTE ON FUNCTION finish_maintenance FROM PUBLIC;
GRANT EXECUTE ON FUNCTION finish_maintenance TO app_worker;
