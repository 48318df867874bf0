-- start_maintenance(task, tick) lets exactly one caller run a task's tick: true for the first, false for all others.
-- finish_maintenance records the outcome.
CREATE OR REPLACE FUNCTION start_maintenance(p_task text, p_tick timestamptz) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO core.maintenance_runs (task, tick) VALUES (p_task, p_tick) ON CONFLICT DO NOTHING;
    RETURN FOUND;
END $$;
REVOKE EXECUTE ON FUNCTION start_maintenance FROM PUBLIC;
GRANT EXECUTE ON FUNCTION start_maintenance TO app_worker;
