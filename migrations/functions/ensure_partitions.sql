-- ensure_partitions(months, days) makes the partitions of finished jobs (this month and months ahead) and of job events
-- (today and days ahead), secured like their parents, and returns how many are new. Rows that came before their
-- partition are in the default one and stay there. Run at every migration and by the worker's maintenance.
CREATE OR REPLACE FUNCTION ensure_partitions(p_months int DEFAULT 3, p_days int DEFAULT 3) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    p record;
    v_new int := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ensure_partitions'));
    FOR p IN
        SELECT 'jobs_finished' AS parent, 'finished_at' AS key, to_char(m, '"jobs_finished_"YYYY_MM') AS name, m AS start, m + interval '1 month' AS stop
        FROM generate_series(date_trunc('month', now() AT TIME ZONE 'UTC'),
            date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => p_months), interval '1 month') AS m
        UNION ALL
        SELECT 'job_events', 'at', to_char(d, '"job_events_"YYYY_MM_DD'), d, d + interval '1 day'
        FROM generate_series(date_trunc('day', now() AT TIME ZONE 'UTC'),
            date_trunc('day', now() AT TIME ZONE 'UTC') + make_interval(days => p_days), interval '1 day') AS d
    LOOP
        IF to_regclass(p.name) IS NOT NULL THEN
            CONTINUE;
        END IF;
        BEGIN
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', p.name, p.parent,
                p.start::text || '+00', p.stop::text || '+00');
            PERFORM secure_table(p.name::regclass);
            v_new := v_new + 1;
        EXCEPTION WHEN check_violation THEN
            RAISE WARNING 'partition % is not made: the default partition has rows of its range', p.name;
        END;
    END LOOP;
    RETURN v_new;
END $$;
REVOKE EXECUTE ON FUNCTION ensure_partitions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_partitions TO app_worker;
SELECT ensure_partitions();
