-- delete_failed_jobs(age, limit) deletes jobs that failed, or were cancelled, at least that long ago, up to limit at a time,
-- and returns how many; call it until it deletes fewer.
CREATE OR REPLACE FUNCTION delete_failed_jobs(p_age interval DEFAULT '30 days', p_limit int DEFAULT 20000) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_before timestamptz := now() - p_age;
    v_name text;
    v_gone int;
    v_count int := 0;
BEGIN
    FOR v_name IN SELECT name FROM finished_partitions(v_before) LOOP
        EXIT WHEN v_count >= p_limit;
        EXECUTE format($q$DELETE FROM %1$I WHERE ctid = ANY (ARRAY(SELECT ctid FROM %1$I WHERE status = 'failed' AND finished_at < $1 LIMIT $2))$q$, v_name)
            USING v_before, p_limit - v_count;
        GET DIAGNOSTICS v_gone = ROW_COUNT;
        v_count := v_count + v_gone;
    END LOOP;
    RETURN v_count;
END $$;
REVOKE EXECUTE ON FUNCTION delete_failed_jobs FROM PUBLIC;
GRANT EXECUTE ON FUNCTION delete_failed_jobs TO app_worker;
