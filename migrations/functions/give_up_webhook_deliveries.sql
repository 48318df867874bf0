-- give_up_webhook_deliveries(ids) makes pending deliveries dead and marks events as dispatched that have no other delivery under
-- way; returns how many deliveries. Locks the deliveries, then their events.
CREATE OR REPLACE FUNCTION give_up_webhook_deliveries(p_ids bigint[]) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    v_events bigint[];
    v_count int;
BEGIN
    WITH dead AS (
        UPDATE webhook_deliveries SET status = 'dead', lease_id = NULL, finished_at = now()
        WHERE id = ANY (p_ids) AND status = 'pending'
        RETURNING event_id)
    SELECT count(*), array_agg(DISTINCT event_id) INTO v_count, v_events FROM dead;
    PERFORM FROM core.outbox WHERE id = ANY (v_events) ORDER BY id FOR UPDATE;
    UPDATE core.outbox o SET dispatched_at = now()
    WHERE o.id = ANY (v_events) AND NOT EXISTS (SELECT FROM webhook_deliveries d WHERE d.event_id = o.id AND d.status = 'pending');
    RETURN v_count;
END $$;
REVOKE EXECUTE ON FUNCTION give_up_webhook_deliveries FROM PUBLIC;
