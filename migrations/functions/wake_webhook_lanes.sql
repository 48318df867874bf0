-- wake_webhook_lanes(endpoints) has the next claim look at these endpoints. Locks their lanes in the order of their ids, as
-- everybody does who takes several.
CREATE OR REPLACE FUNCTION wake_webhook_lanes(p_endpoint_ids uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM webhook_lanes WHERE endpoint_id = ANY (p_endpoint_ids) ORDER BY endpoint_id FOR UPDATE;
    UPDATE webhook_lanes SET due_at = now() WHERE endpoint_id = ANY (p_endpoint_ids) AND (due_at IS NULL OR due_at > now());
END $$;
REVOKE EXECUTE ON FUNCTION wake_webhook_lanes FROM PUBLIC;
