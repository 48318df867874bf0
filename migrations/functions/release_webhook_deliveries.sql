-- release_webhook_deliveries(tenants, ids, leases) gives back deliveries that were claimed and whose attempt did not end: they
-- are due now. Returns how many were still theirs.
-- Locks the lanes in order, then the deliveries.
CREATE OR REPLACE FUNCTION release_webhook_deliveries(p_tenants uuid[], p_ids bigint[], p_leases bigint[]) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_count int;
BEGIN
    PERFORM wake_webhook_lanes(ARRAY(
        SELECT DISTINCT d.endpoint_id
        FROM unnest(p_tenants, p_ids) AS r (tenant_id, id)
        JOIN webhook_deliveries d USING (tenant_id, id)));
    UPDATE webhook_deliveries d
    SET lease_id = NULL, next_attempt_at = now()
    FROM unnest(p_tenants, p_ids, p_leases) AS r (tenant_id, id, lease_id)
    WHERE d.tenant_id = r.tenant_id AND d.id = r.id AND d.lease_id = r.lease_id AND d.status = 'pending';
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END $$;
REVOKE EXECUTE ON FUNCTION release_webhook_deliveries FROM PUBLIC;
GRANT EXECUTE ON FUNCTION release_webhook_deliveries TO app_worker;
