-- expire_webhook_deliveries(keep) gives up, 10,000 at a time, deliveries that have been pending for longer than keep, that an
-- endpoint waits for which is gone or was switched off for that long, and tests of an hour ago; returns how many.
CREATE OR REPLACE FUNCTION expire_webhook_deliveries(p_keep interval) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN give_up_webhook_deliveries(ARRAY(
        SELECT d.id FROM webhook_deliveries d
        WHERE d.status = 'pending'
          AND (d.created_at < now() - p_keep AND coalesce(d.next_attempt_at < now() - interval '1 hour', true)
            OR d.is_test AND d.created_at < now() - interval '1 hour'
            OR NOT EXISTS (SELECT FROM webhook_endpoints e WHERE e.tenant_id = d.tenant_id AND e.id = d.endpoint_id))
        LIMIT 10000));
END $$;
REVOKE EXECUTE ON FUNCTION expire_webhook_deliveries FROM PUBLIC;
GRANT EXECUTE ON FUNCTION expire_webhook_deliveries TO app_worker;
