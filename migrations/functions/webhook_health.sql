-- webhook_health(tenant, window, circuit) is how the tenant's endpoints do: attempts within the window, the share of them that
-- succeeded (null without any), their times, what waits and since when, and the circuit: closed, open, or half_open when the next
-- send decides. An endpoint's circuit opens after that many failures in a row.
-- Index: ix_webhook_attempts_endpoint, ix_webhook_deliveries_due, ix_webhook_deliveries_dead.
CREATE OR REPLACE FUNCTION webhook_health(p_tenant_id uuid, p_window interval DEFAULT '24 hours', p_circuit int DEFAULT 5)
RETURNS TABLE (endpoint_id uuid, name text, is_enabled boolean, circuit text, failures int, resume_at timestamptz, attempts bigint,
    successes bigint, success_rate float8, p50_ms float8, p95_ms float8, pending bigint, oldest_pending_at timestamptz, dead bigint,
    last_success_at timestamptz, last_error text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT assert_tenant(p_tenant_id);
    SELECT e.id, e.name, e.is_enabled,
        CASE WHEN l.failures < p_circuit THEN 'closed' WHEN l.resume_at > now() THEN 'open' ELSE 'half_open' END,
        l.failures, CASE WHEN l.resume_at > now() THEN l.resume_at END,
        a.attempts, a.successes, a.successes::float8 / nullif(a.attempts, 0), a.p50, a.p95,
        p.pending, p.oldest,
        (SELECT count(*) FROM webhook_deliveries d
         WHERE d.tenant_id = p_tenant_id AND d.endpoint_id = e.id AND d.status = 'dead' AND d.created_at >= now() - p_window),
        a.last_success,
        (SELECT x.error FROM webhook_attempts x
         WHERE x.tenant_id = p_tenant_id AND x.endpoint_id = e.id AND x.error IS NOT NULL AND x.at >= now() - p_window
         ORDER BY x.at DESC LIMIT 1)
    FROM webhook_endpoints e
    JOIN webhook_lanes l ON l.tenant_id = e.tenant_id AND l.endpoint_id = e.id
    CROSS JOIN LATERAL (
        SELECT count(*) AS attempts, count(*) FILTER (WHERE t.error IS NULL) AS successes,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY t.duration_ms) AS p50, percentile_cont(0.95) WITHIN GROUP (ORDER BY t.duration_ms) AS p95,
            max(t.at) FILTER (WHERE t.error IS NULL) AS last_success
        FROM webhook_attempts t
        WHERE t.tenant_id = p_tenant_id AND t.endpoint_id = e.id AND t.at >= now() - p_window) a
    CROSS JOIN LATERAL (
        SELECT count(*) AS pending, min(d.created_at) AS oldest FROM webhook_deliveries d
        WHERE d.tenant_id = p_tenant_id AND d.endpoint_id = e.id AND d.status = 'pending') p
    WHERE e.tenant_id = p_tenant_id
    ORDER BY e.name
$$;
REVOKE EXECUTE ON FUNCTION webhook_health FROM PUBLIC;
GRANT EXECUTE ON FUNCTION webhook_health TO app_api;
