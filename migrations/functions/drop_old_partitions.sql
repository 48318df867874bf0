-- drop_old_partitions(archive) ends the partitions that are wholly older than their table's retention in core.partition_config
-- and returns their names. Jobs of jobs_finished are archived or deleted first: only empty partitions of it go. Those of files
-- are taken out of the table and wait in core.detached_partitions for their objects to be removed. archive is the retention of
-- jobs_archive where none is configured. job_events are drop_old_events' business.
-- A partition that somebody uses for more than 2 s is left for the next time.
CREATE OR REPLACE FUNCTION drop_old_partitions(p_archive interval DEFAULT NULL) RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    p record;
    v_used boolean;
    v_gone text[] := '{}';
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ensure_partitions'));
    FOR p IN
        SELECT c.parent, t.relname::text AS name
        FROM core.partition_config c
        JOIN pg_inherits i ON i.inhparent = to_regclass(quote_ident(c.parent))
        JOIN pg_class t ON t.oid = i.inhrelid
        WHERE c.period = 'month' AND c.parent <> 'job_events' AND t.relname ~ ('^' || c.parent || '_\d{4}_\d{2}$')
          AND to_date(right(t.relname, 7), 'YYYY_MM') + interval '1 month'
              <= (now() - CASE c.parent WHEN 'jobs_archive' THEN coalesce(c.retention, p_archive) ELSE c.retention END) AT TIME ZONE 'UTC'
        ORDER BY t.relname
    LOOP
        v_used := false;
        IF p.parent = 'jobs_finished' THEN
            EXECUTE format('SELECT EXISTS (SELECT FROM %I)', p.name) INTO v_used;
        END IF;
        CONTINUE WHEN v_used;
        BEGIN
            IF p.parent = 'files' THEN
                EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', p.parent, p.name);
                INSERT INTO core.detached_partitions (name, parent) VALUES (p.name, p.parent);
            ELSE
                EXECUTE format('DROP TABLE %I', p.name);
            END IF;
            v_gone := v_gone || p.name;
        EXCEPTION WHEN lock_not_available THEN
            RAISE WARNING 'partition % is in use', p.name;
        END;
    END LOOP;
    RETURN v_gone;
END $$;
REVOKE EXECUTE ON FUNCTION drop_old_partitions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_old_partitions TO app_worker;
