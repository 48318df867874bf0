-- webhook_stats(circuit) is what an operator wants to see of all webhooks: for how many seconds the most overdue endpoint and the
-- oldest event without deliveries have waited for a worker, how many circuits are open, and how many deliveries were given up.
CREATE OR REPLACE FUNCTION webhook_stats(p_circuit int, OUT lag_seconds float8, OUT open_circuits bigint, OUT dead bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT greatest(0,
            extract(epoch FROM now() - (SELECT min(due_at) FROM webhook_lanes WHERE due_at IS NOT NULL)),
            extract(epoch FROM now() - (SELECT created_at FROM core.outbox WHERE routed_at IS NULL ORDER BY id LIMIT 1)))::float8,
        (SELECT count(*) FROM webhook_lanes WHERE failures >= p_circuit),
        (SELECT count(*) FROM webhook_deliveries WHERE status = 'dead')
$$;
REVOKE EXECUTE ON FUNCTION webhook_stats FROM PUBLIC;
GRANT EXECUTE ON FUNCTION webhook_stats TO app_worker;
