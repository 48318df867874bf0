-- finished_partitions(before) names the partitions of jobs_finished that can have jobs which ended before a moment, the oldest
-- first and the default one last. Internal.
CREATE OR REPLACE FUNCTION finished_partitions(p_before timestamptz) RETURNS TABLE (name text)
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT c.relname::text
    FROM pg_inherits i
    JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'jobs_finished'::regclass
      AND (c.relname !~ '^jobs_finished_\d{4}_\d{2}$' OR to_date(right(c.relname, 7), 'YYYY_MM') < p_before AT TIME ZONE 'UTC')
    ORDER BY c.relname
$$;
REVOKE EXECUTE ON FUNCTION finished_partitions FROM PUBLIC;
