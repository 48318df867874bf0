-- route_webhook_events() makes a delivery for each endpoint that wants an event of the outbox, for up to 1,000 events in
-- their order, and returns how many events there were. An event that nobody wants is dispatched by that.
-- One at a time does this: two would mix the order of what they route. Locks the lanes of the endpoints, in order.
-- Index: ix_outbox_unrouted, then ix_webhook_endpoints_enabled.
CREATE OR REPLACE FUNCTION route_webhook_events() RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_events bigint[];
    v_wanted bigint[];
    v_endpoints uuid[];
BEGIN
    IF NOT EXISTS (SELECT FROM core.outbox WHERE routed_at IS NULL) THEN
        RETURN 0;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('route_webhook_events', 0));
    v_events := ARRAY(SELECT id FROM core.outbox WHERE routed_at IS NULL ORDER BY id LIMIT 1000);
    WITH made AS (
        INSERT INTO webhook_deliveries (tenant_id, endpoint_id, event_id, event)
        SELECT o.tenant_id, e.id, o.id, o.topic
        FROM core.outbox o
        JOIN webhook_endpoints e ON e.is_enabled AND e.tenant_id = o.tenant_id
            AND webhook_wants(e.events, e.job_types, o.topic, CASE WHEN o.aggregate_type = 'job' THEN o.payload ->> 'job_type' END)
        WHERE o.id = ANY (v_events)
        ORDER BY o.id, e.id
        RETURNING event_id, endpoint_id)
    SELECT array_agg(DISTINCT event_id), array_agg(DISTINCT endpoint_id) INTO v_wanted, v_endpoints FROM made;
    UPDATE core.outbox SET routed_at = now(), dispatched_at = CASE WHEN id = ANY (v_wanted) THEN NULL ELSE now() END
    WHERE id = ANY (v_events);
    PERFORM wake_webhook_lanes(v_endpoints);
    RETURN cardinality(v_events);
END $$;
REVOKE EXECUTE ON FUNCTION route_webhook_events FROM PUBLIC;
