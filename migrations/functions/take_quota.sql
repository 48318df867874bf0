-- take_quota(tenant, resource, n) takes room for n more from what a limit leaves. Raises ZE409 (column limits.<resource>) with
-- the limit and the usage when there is not enough. Locks one slot until the end of the transaction; only when no slot that is
-- free has enough, all of them in order, and deals out anew what is left. Two transactions of several statements may meet
-- there in a deadlock, which PostgreSQL ends and the caller repeats.
CREATE OR REPLACE FUNCTION take_quota(p_tenant_id uuid, p_resource text, p_n bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_today date := (now() AT TIME ZONE 'UTC')::date;
    v_room bigint;
    v_limit bigint;
    v_slots int;
BEGIN
    UPDATE core.tenant_quota q
    SET room = CASE WHEN q.day < v_today THEN q.share ELSE q.room END - p_n, day = CASE WHEN q.day IS NOT NULL THEN greatest(q.day, v_today) END
    WHERE q.tenant_id = p_tenant_id AND q.resource = p_resource AND q.slot = (
        SELECT s.slot FROM core.tenant_quota s
        WHERE s.tenant_id = p_tenant_id AND s.resource = p_resource
          AND CASE WHEN s.day < v_today THEN s.share ELSE s.room END >= p_n
        ORDER BY s.slot LIMIT 1 FOR UPDATE SKIP LOCKED);
    IF FOUND THEN
        RETURN;
    END IF;

    PERFORM FROM core.tenant_quota WHERE tenant_id = p_tenant_id AND resource = p_resource ORDER BY slot FOR UPDATE;
    SELECT sum(CASE WHEN day < v_today THEN share ELSE room END), sum(share), count(*) INTO v_room, v_limit, v_slots
    FROM core.tenant_quota WHERE tenant_id = p_tenant_id AND resource = p_resource;
    IF v_room < p_n THEN
        RAISE EXCEPTION '%', format('The limit of %s %s is reached: %s in use, %s more asked for.', v_limit,
                CASE p_resource WHEN 'jobs_per_day' THEN 'jobs per day' ELSE replace(p_resource, '_', ' ') END, v_limit - v_room, p_n)
            USING ERRCODE = 'ZE409', COLUMN = 'limits.' || tenant_resource_field(p_resource);
    END IF;
    v_room := v_room - p_n;
    UPDATE core.tenant_quota
    SET room = v_room / v_slots + CASE WHEN slot < v_room % v_slots THEN 1 ELSE 0 END,
        day = CASE WHEN day IS NOT NULL THEN greatest(day, v_today) END
    WHERE tenant_id = p_tenant_id AND resource = p_resource;
END $$;
REVOKE EXECUTE ON FUNCTION take_quota FROM PUBLIC;
