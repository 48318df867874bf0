-- finish_webhook_deliveries(results, circuit, cooldown, longest) records attempts and returns the ids of the deliveries whose
-- lease they still held; others change nothing. A result is {tenantId, id, lease, endpointId, outcome, delay, durationMs,
-- responseStatus, response, error, retryAfter, gone}: outcome is delivered, retry (after delay seconds) or dead; retryAfter is
-- for how many seconds the receiver wants nothing at all; gone says that it never wants anything again, and switches the endpoint off.
-- An endpoint that failed circuit times in a row rests for cooldown, doubled with each further failure up to longest; a
-- success ends that. Failed tests do not count.
-- What has a lease, or no finished_at, is pending. The statements do not say so, lest a plan that was made while little was pending
-- reads all that is from an index of it, for each result (TestPlansOfShortOutbox).
-- What is lost when the server crashes right after it is sent again, so it does not wait for the disk.
-- Index: webhook_deliveries_id_key for the results, ix_webhook_deliveries_event for the events.
-- Locks the lanes in order, then the deliveries, then their events.
CREATE OR REPLACE FUNCTION finish_webhook_deliveries(p_results jsonb, p_circuit int, p_cooldown interval, p_longest interval) RETURNS SETOF bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off AS $$
DECLARE
    v_endpoints uuid[];
    v_done jsonb;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    v_endpoints := ARRAY(SELECT DISTINCT (r ->> 'endpointId')::uuid FROM jsonb_array_elements(p_results) r);
    PERFORM wake_webhook_lanes(v_endpoints);

    WITH r AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(p_results) AS r ("tenantId" uuid, id bigint, lease bigint, outcome text, delay float8, "durationMs" int,
            "responseStatus" int, response text, error text, "retryAfter" float8, gone boolean)
        ORDER BY r.id),
    done AS (
        UPDATE webhook_deliveries d
        SET status = CASE r.outcome WHEN 'retry' THEN 'pending' ELSE r.outcome END,
            attempts = d.attempts + 1, tries = d.tries + 1, lease_id = NULL,
            next_attempt_at = CASE r.outcome WHEN 'retry' THEN clock_timestamp() + make_interval(secs => r.delay) ELSE d.next_attempt_at END,
            finished_at = CASE r.outcome WHEN 'retry' THEN NULL ELSE clock_timestamp() END
        FROM r
        WHERE d.id = r.id AND d.lease_id IS NOT DISTINCT FROM r.lease
        RETURNING d.id, d.tenant_id, d.endpoint_id, d.event_id, d.attempts, d.status, d.is_test, r."durationMs", r."responseStatus", r.response, r.error,
            r."retryAfter", r.gone),
    logged AS (
        INSERT INTO webhook_attempts (tenant_id, delivery_id, attempt, endpoint_id, at, duration_ms, response_status, response, error)
        SELECT d.tenant_id, d.id, d.attempts, d.endpoint_id, clock_timestamp() - make_interval(secs => d."durationMs" / 1000.0), d."durationMs",
            d."responseStatus", d.response, d.error
        FROM done d)
    SELECT coalesce(jsonb_agg(to_jsonb(done)), '[]') INTO v_done FROM done;

    -- Two workers may end the last two deliveries of an event at once: the second must see what the first did.
    PERFORM FROM core.outbox
    WHERE id = ANY (ARRAY(SELECT (d ->> 'event_id')::bigint FROM jsonb_array_elements(v_done) d)) ORDER BY id FOR UPDATE;
    UPDATE core.outbox o
    SET dispatch_attempts = o.dispatch_attempts + e.attempts, error = coalesce(e.error, o.error),
        dispatched_at = CASE WHEN (SELECT true FROM webhook_deliveries d WHERE d.event_id = o.id AND d.finished_at IS NULL LIMIT 1) IS NULL THEN clock_timestamp() END
    FROM (
        SELECT event_id, count(*)::int AS attempts, max(error) AS error
        FROM jsonb_to_recordset(v_done) AS d (event_id bigint, error text)
        GROUP BY event_id
        ORDER BY event_id) e
    WHERE o.id = e.event_id;

    WITH e AS MATERIALIZED (
        SELECT endpoint_id, count(*) FILTER (WHERE error IS NOT NULL AND NOT is_test)::int AS failed, bool_or(error IS NULL) AS has_success,
            max("retryAfter") AS retry_after
        FROM jsonb_to_recordset(v_done) AS d (endpoint_id uuid, error text, is_test boolean, "retryAfter" float8)
        GROUP BY endpoint_id)
    UPDATE webhook_lanes l
    SET failures = CASE WHEN e.has_success THEN 0 ELSE l.failures + e.failed END,
        trips = CASE WHEN e.has_success THEN 0 WHEN e.failed > 0 AND l.failures + e.failed >= p_circuit
            AND coalesce(l.resume_at <= now(), true) THEN l.trips + 1 ELSE l.trips END,
        resume_at = greatest(now() + make_interval(secs => e.retry_after), CASE
            WHEN e.has_success THEN NULL
            WHEN e.failed > 0 AND l.failures + e.failed >= p_circuit AND coalesce(l.resume_at <= now(), true)
                THEN now() + least(p_longest, p_cooldown * power(2, least(l.trips, 20)))
            ELSE l.resume_at END)
    FROM e
    WHERE l.endpoint_id = e.endpoint_id AND (e.failed > 0 OR e.retry_after IS NOT NULL OR e.has_success AND (l.failures > 0 OR l.resume_at IS NOT NULL));

    UPDATE webhook_endpoints e
    SET is_enabled = false, disabled_reason = 'gone', updated_at = now()
    FROM jsonb_to_recordset(v_done) AS d (tenant_id uuid, endpoint_id uuid, gone boolean)
    WHERE d.gone AND e.tenant_id = d.tenant_id AND e.id = d.endpoint_id AND e.is_enabled;

    RETURN QUERY SELECT (d ->> 'id')::bigint FROM jsonb_array_elements(v_done) d;
END $$;
REVOKE EXECUTE ON FUNCTION finish_webhook_deliveries FROM PUBLIC;
GRANT EXECUTE ON FUNCTION finish_webhook_deliveries TO app_worker;
