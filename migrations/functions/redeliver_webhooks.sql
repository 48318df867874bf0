-- redeliver_webhooks(tenant, ids, endpoint, statuses, since, until, limit) has deliveries sent again, now, with the schedule from
-- its start, and returns how many: those of the ids, or, when ids is null, the oldest of those that match. They keep their
-- events' ids, by which receivers know them, and their places in a strict order. Those being sent at the moment, tests, and those
-- of endpoints that are gone or switched off are left out.
-- Locks the lanes in order, then the deliveries.
CREATE OR REPLACE FUNCTION redeliver_webhooks(p_tenant_id uuid, p_ids bigint[], p_endpoint_id uuid, p_statuses text[], p_since timestamptz,
    p_until timestamptz, p_limit int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_ids bigint[];
    v_count int;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    v_ids := ARRAY(
        SELECT d.id FROM webhook_deliveries d
        JOIN webhook_endpoints e ON e.tenant_id = d.tenant_id AND e.id = d.endpoint_id AND e.is_enabled
        WHERE d.tenant_id = p_tenant_id AND NOT d.is_test
          AND (p_ids IS NULL OR d.id = ANY (p_ids))
          AND (p_endpoint_id IS NULL OR d.endpoint_id = p_endpoint_id)
          AND (p_statuses IS NULL OR d.status = ANY (p_statuses))
          AND (p_since IS NULL OR d.created_at >= p_since)
          AND (p_until IS NULL OR d.created_at < p_until)
          AND (d.lease_id IS NULL OR d.next_attempt_at <= now())
        ORDER BY d.created_at, d.id
        LIMIT p_limit);
    PERFORM wake_webhook_lanes(ARRAY(SELECT DISTINCT endpoint_id FROM webhook_deliveries WHERE tenant_id = p_tenant_id AND id = ANY (v_ids)));
    WITH again AS (
        UPDATE webhook_deliveries
        SET status = 'pending', tries = 0, next_attempt_at = now(), lease_id = NULL, finished_at = NULL
        WHERE tenant_id = p_tenant_id AND id = ANY (v_ids) AND (lease_id IS NULL OR next_attempt_at <= now())
        RETURNING event_id),
    events AS (
        UPDATE core.outbox o SET dispatched_at = NULL FROM (SELECT DISTINCT event_id FROM again ORDER BY event_id) a WHERE o.id = a.event_id)
    SELECT count(*) INTO v_count FROM again;
    RETURN v_count;
END $$;
REVOKE EXECUTE ON FUNCTION redeliver_webhooks FROM PUBLIC;
GRANT EXECUTE ON FUNCTION redeliver_webhooks TO app_api;
