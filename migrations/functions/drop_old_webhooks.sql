-- drop_old_webhooks(keep) deletes up to 10,000 events that were dispatched longer than keep ago, with their deliveries and the
-- log of them, and returns how many events went. Events are about as old as their ids, so the oldest are found first.
CREATE OR REPLACE FUNCTION drop_old_webhooks(p_keep interval) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_count int;
BEGIN
    DELETE FROM core.outbox
    WHERE id = ANY (ARRAY(SELECT id FROM core.outbox WHERE dispatched_at < now() - p_keep ORDER BY id LIMIT 10000));
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END $$;
REVOKE EXECUTE ON FUNCTION drop_old_webhooks FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_old_webhooks TO app_worker;
