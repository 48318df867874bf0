-- claim_webhook_deliveries(limit, per_endpoint, lease, circuit) routes the events of the outbox and gives a worker the next due
-- deliveries, each with a new lease, its endpoint's URL and the secrets to sign with (the current one first).
-- An endpoint has at most per_endpoint sends under way, over all processes; one if it wants strict order, where a delivery
-- that has not ended holds up those behind it, and one if its last sends failed as often as circuit says (a probe). Before its lane's
-- resume_at only tests are sent. A delivery whose lease has ended without a word is due again.
-- The cost does not grow with what waits at endpoints that are not due. With the settings each ORDER BY names the only index that has
-- that order: a plan that was made while little was pending would else stay with any index of the tenant.
-- What is lost when the server crashes right after it is sent again, so it does not wait for the disk.
-- Index: ix_webhook_lanes_due; ix_webhook_deliveries_due or _head, and _leased of each lane (TestClaimCost).
-- Locks the lanes it looks at, and skips those that others have locked.
CREATE OR REPLACE FUNCTION claim_webhook_deliveries(p_limit int, p_per_endpoint int, p_lease interval, p_circuit int)
RETURNS TABLE (id bigint, lease_id bigint, tenant_id uuid, endpoint_id uuid, event_id bigint, event text, is_test boolean, tries int,
    url text, body text, secrets text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET enable_incremental_sort = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off AS $$
#variable_conflict use_column
DECLARE
    l record;
    v_ids bigint[];
    v_left int := p_limit;
    v_most int;
    v_busy int;
    v_room int;
    v_got int;
    v_now timestamptz;
    v_next timestamptz;
    v_test timestamptz;
    v_freed timestamptz; -- the first lease of the lane that ends
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM route_webhook_events();
    FOR l IN
        SELECT n.tenant_id, n.endpoint_id, coalesce(n.resume_at <= now(), true) AS is_open, n.resume_at, n.failures, e.ordering, e.is_enabled
        FROM webhook_lanes n
        JOIN webhook_endpoints e ON e.tenant_id = n.tenant_id AND e.id = n.endpoint_id
        WHERE n.due_at <= clock_timestamp()
        ORDER BY n.due_at
        LIMIT p_limit
        FOR UPDATE OF n SKIP LOCKED
    LOOP
        EXIT WHEN v_left <= 0;
        v_ids := '{}';
        v_next := NULL;
        v_test := NULL;
        v_now := clock_timestamp(); -- what woke the lane may have begun after this transaction
        IF l.is_enabled THEN
            v_most := CASE WHEN l.ordering = 'per_endpoint' OR l.failures >= p_circuit THEN 1 ELSE p_per_endpoint END;
            SELECT count(*), min(b.next_attempt_at) INTO v_busy, v_freed
            FROM (
                SELECT d.next_attempt_at FROM webhook_deliveries d
                WHERE d.tenant_id = l.tenant_id AND d.endpoint_id = l.endpoint_id AND d.lease_id IS NOT NULL AND d.next_attempt_at > v_now AND NOT d.is_test
                ORDER BY d.lease_id) b;
            v_ids := ARRAY(
                SELECT d.id FROM webhook_deliveries d
                WHERE d.tenant_id = l.tenant_id AND d.endpoint_id = l.endpoint_id AND d.status = 'pending' AND d.is_test AND d.next_attempt_at <= v_now
                ORDER BY d.next_attempt_at, d.id
                LIMIT v_left);
            v_room := least(v_left - cardinality(v_ids), v_most - v_busy);
            IF NOT l.is_open OR v_room <= 0 THEN
                v_room := 0;
            ELSIF l.ordering = 'per_endpoint' THEN
                v_ids := v_ids || ARRAY(
                    SELECT head.id FROM (
                        SELECT d.id, d.next_attempt_at FROM webhook_deliveries d
                        WHERE d.tenant_id = l.tenant_id AND d.endpoint_id = l.endpoint_id AND d.status = 'pending' AND NOT d.is_test
                        ORDER BY d.event_id, d.id
                        LIMIT 1) head
                    WHERE head.next_attempt_at <= v_now);
            ELSE
                v_ids := v_ids || ARRAY(
                    SELECT d.id FROM webhook_deliveries d
                    WHERE d.tenant_id = l.tenant_id AND d.endpoint_id = l.endpoint_id AND d.status = 'pending' AND NOT d.is_test AND d.next_attempt_at <= v_now
                    ORDER BY d.next_attempt_at, d.id
                    LIMIT v_room);
            END IF;
            RETURN QUERY
                UPDATE webhook_deliveries d
                SET lease_id = nextval('webhook_lease_seq'), next_attempt_at = now() + p_lease
                FROM unnest(v_ids) AS v (id), core.outbox o, webhook_endpoints e
                WHERE d.id = v.id AND o.id = d.event_id AND e.tenant_id = l.tenant_id AND e.id = l.endpoint_id
                RETURNING d.id, d.lease_id, d.tenant_id, d.endpoint_id, d.event_id, d.event, d.is_test, d.tries, e.url, o.payload::text,
                    ARRAY(
                        SELECT s.secret FROM webhook_secrets s
                        WHERE s.tenant_id = e.tenant_id AND s.endpoint_id = e.id AND (s.expires_at IS NULL OR s.expires_at > now())
                        ORDER BY s.id DESC);
            GET DIAGNOSTICS v_got = ROW_COUNT;
            v_left := v_left - v_got;
            -- When the lane is worth a look again: at the next due delivery, or when a send that takes up the room has lost its lease.
            IF l.ordering = 'per_endpoint' THEN
                v_next := (
                    SELECT d.next_attempt_at FROM webhook_deliveries d
                    WHERE d.tenant_id = l.tenant_id AND d.endpoint_id = l.endpoint_id AND d.status = 'pending' AND NOT d.is_test
                    ORDER BY d.event_id, d.id
                    LIMIT 1);
            ELSIF v_busy + v_got >= v_most THEN
                v_next := coalesce(v_freed, now() + p_lease);
            ELSE
                v_next := (
                    SELECT d.next_attempt_at FROM webhook_deliveries d
                    WHERE d.tenant_id = l.tenant_id AND d.endpoint_id = l.endpoint_id AND d.status = 'pending' AND NOT d.is_test
                    ORDER BY d.next_attempt_at, d.id
                    LIMIT 1);
            END IF;
            v_test := (
                SELECT d.next_attempt_at FROM webhook_deliveries d
                WHERE d.tenant_id = l.tenant_id AND d.endpoint_id = l.endpoint_id AND d.status = 'pending' AND d.is_test
                ORDER BY d.next_attempt_at, d.id
                LIMIT 1);
        END IF;
        UPDATE webhook_lanes n
        SET due_at = least(v_test, CASE WHEN v_next IS NOT NULL THEN greatest(v_next, l.resume_at) END)
        WHERE n.tenant_id = l.tenant_id AND n.endpoint_id = l.endpoint_id;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION claim_webhook_deliveries FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claim_webhook_deliveries TO app_worker;
