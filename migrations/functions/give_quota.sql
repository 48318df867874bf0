-- give_quota(tenant, resource, n) gives room back. A tenant over its limit has its debt in slot 0, which is paid first.
CREATE OR REPLACE FUNCTION give_quota(p_tenant_id uuid, p_resource text, p_n bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_slot smallint;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended(p_tenant_id::text, 11)); -- see guard_tenant
    IF NOT EXISTS (SELECT FROM core.tenant_quota WHERE tenant_id = p_tenant_id AND resource = p_resource AND slot = 0 AND room < 0) THEN
        SELECT slot INTO v_slot FROM core.tenant_quota
        WHERE tenant_id = p_tenant_id AND resource = p_resource
        ORDER BY slot LIMIT 1 FOR UPDATE SKIP LOCKED;
    END IF;
    UPDATE core.tenant_quota SET room = room + p_n
    WHERE tenant_id = p_tenant_id AND resource = p_resource AND slot = coalesce(v_slot, 0);
END $$;
REVOKE EXECUTE ON FUNCTION give_quota FROM PUBLIC;
