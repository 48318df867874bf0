-- maintain_message_queues() keeps the partitions of partitioned queues, by our own functions or by pg_partman, and returns how many it made
-- and dropped (null where pg_partman does not tell). The workers call it every minute.
CREATE OR REPLACE FUNCTION maintain_message_queues() RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    n int := 0;
BEGIN
    IF to_regprocedure('pgmq.run_maintenance()') IS NOT NULL THEN
        EXECUTE 'SELECT pgmq.run_maintenance()' INTO n;
    END IF;
    RETURN n;
END $$;
REVOKE EXECUTE ON FUNCTION maintain_message_queues FROM PUBLIC;
GRANT EXECUTE ON FUNCTION maintain_message_queues TO app_worker;
