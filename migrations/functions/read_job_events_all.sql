-- read_job_events_all(epoch, seen, until, after_id, limit) is read_job_events for all tenants at once: a process reads each
-- event once and hands it to its subscribers by tenant.
-- Raises 42501 in the scope of a tenant; 57P03, 25001 as stream_state does. Keeps retention from dropping events while it reads.
-- SECURITY DEFINER: row-level security shows the caller one tenant only. A statement that serves a request acts for a
-- tenant and is refused.
--
-- Index: ix_job_events_xid: on each day of events the range from seen's xmax on, and a range of one for each transaction
-- that seen lists and that has ended; see docs/queries/realtime.read_events.md. The settings leave the planner no other kind
-- of plan, whatever the statistics say, and the inner orders no other index on a day that was empty when it was planned.
CREATE OR REPLACE FUNCTION read_job_events_all(p_epoch int, p_seen pg_snapshot, p_until pg_snapshot,
    p_after_id bigint, p_limit int)
RETURNS TABLE (epoch int, lost boolean, snapshot text, id bigint, tenant_id uuid, job_id bigint, type text, status text,
    reason text, attempts int, progress int, last_error text, at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    SET enable_seqscan = off SET plan_cache_mode = force_generic_plan SET jit = off AS $$
#variable_conflict use_column
DECLARE
    v_epoch int;
    v_lost boolean;
    v_none uuid := '00000000-0000-0000-0000-000000000000';
    v_from xid8;
    v_to xid8 := '18446744073709551615';
    v_open xid8[];
    v_hidden xid8[] := '{}';
    v_upto bigint := 9223372036854775807;
    v_width bigint := p_limit;
BEGIN
    IF current_tenant() IS NOT NULL THEN
        RAISE EXCEPTION 'The events of all tenants are not for a tenant.' USING ERRCODE = '42501';
    END IF;
    -- Dropping a day locks the parent, so from here on no day goes, and the horizon tells of those that have gone.
    LOCK TABLE ONLY job_events IN ACCESS SHARE MODE;
    SELECT s.epoch, s.lost INTO v_epoch, v_lost FROM stream_state('jobs', p_epoch, p_seen, p_until) s;
    IF v_lost OR p_seen IS NULL THEN
        RETURN QUERY SELECT v_epoch, v_lost, pg_current_snapshot()::text, 0::bigint, v_none, 0::bigint, '', '',
            NULL::text, 0, NULL::int, NULL::text, now();
        RETURN;
    END IF;
    v_from := pg_snapshot_xmax(p_seen);
    v_open := ARRAY(SELECT pg_snapshot_xip(p_seen));
    IF p_until IS NOT NULL THEN
        v_to := pg_snapshot_xmax(p_until);
        v_hidden := ARRAY(SELECT pg_snapshot_xip(p_until));
    END IF;
    -- A later page of a batch looks at a window of ids that fills it, so that its cost is that of the page, beside entries of
    -- the index, and not that of the rest of the batch. Its end is fixed (p_until), so the window stays as full as it is here.
    IF p_after_id > 0 AND p_until IS NOT NULL THEN
        WHILE v_upto = 9223372036854775807 AND p_after_id + v_width < (SELECT s.last_value FROM job_events_id_seq s) LOOP
            IF (SELECT count(*) FROM (
                    SELECT FROM job_events
                    WHERE xid >= v_from AND xid < v_to
                      AND id > p_after_id AND id <= p_after_id + v_width AND xid <> ALL (v_hidden)
                    LIMIT p_limit) w) = p_limit THEN
                v_upto := p_after_id + v_width;
            END IF;
            v_width := v_width * 4;
        END LOOP;
    END IF;
    -- One statement, so one snapshot: the rows are exactly those that the snapshot of the first row can see.
    RETURN QUERY
        SELECT v_epoch, false, pg_current_snapshot()::text, 0::bigint, v_none, 0::bigint, '', '',
            NULL::text, 0, NULL::int, NULL::text, now()
        UNION ALL
        (SELECT v_epoch, false, '', e.id, e.tenant_id, e.job_id, e.type, e.status,
             e.reason, e.attempts, e.progress, e.last_error, e.at
         FROM ((SELECT * FROM job_events
                WHERE xid >= v_from AND xid < v_to
                  AND id > p_after_id AND id <= v_upto AND xid <> ALL (v_hidden)
                ORDER BY xid, id)
               UNION ALL
               SELECT late.* FROM unnest(v_open) AS x, LATERAL (
                   SELECT * FROM job_events
                   WHERE xid = x AND id > p_after_id
                   ORDER BY xid, id
                   OFFSET 0) late -- OFFSET 0 makes it a probe for each x and nothing else
               WHERE pg_visible_in_snapshot(x, coalesce(p_until, pg_current_snapshot()))) e
         ORDER BY e.id
         LIMIT p_limit)
        ORDER BY 4;
END $$;
REVOKE EXECUTE ON FUNCTION read_job_events_all FROM PUBLIC;
GRANT EXECUTE ON FUNCTION read_job_events_all TO app_api;
