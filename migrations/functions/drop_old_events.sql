-- drop_old_events(keep) drops the days of job events that are wholly older than keep, remembers the newest transaction
-- among them (a cursor from before it gets a reset), and returns how many days went. It waits at most 2 s for a writer, so that
-- others do not queue behind it; the next tick tries again.
CREATE OR REPLACE FUNCTION drop_old_events(p_keep interval) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    v_name text;
    v_xid xid8;
    v_count int := 0;
BEGIN
    FOR v_name IN
        SELECT c.relname
        FROM pg_inherits i
        JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'job_events'::regclass AND c.relname ~ '^job_events_\d{4}_\d{2}_\d{2}$'
          AND to_date(right(c.relname, 10), 'YYYY_MM_DD') + 1 <= ((now() - p_keep) AT TIME ZONE 'UTC')::date
        ORDER BY c.relname
    LOOP
        EXECUTE format('SELECT xid FROM %I ORDER BY xid DESC LIMIT 1', v_name) INTO v_xid;
        EXECUTE format('DROP TABLE %I', v_name);
        INSERT INTO core.stream_horizon AS h (stream, dropped_xid) SELECT 'jobs', v_xid WHERE v_xid IS NOT NULL
        ON CONFLICT (stream) DO UPDATE SET dropped_xid = CASE WHEN h.dropped_xid > excluded.dropped_xid
            THEN h.dropped_xid ELSE excluded.dropped_xid END;
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END $$;
REVOKE EXECUTE ON FUNCTION drop_old_events FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_old_events TO app_worker;
