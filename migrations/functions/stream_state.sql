-- stream_state(stream, epoch, seen, until) tells a reader of a stream of events whether its cursor can be continued: it is
-- lost when it was made in another life of the database (epoch), when it is ahead of the database, or when retention has
-- dropped events that it has not seen. A reader without a cursor (seen is null) learns the epoch. See
-- docs/decisions/0001-realtime-cursor.md.
-- Raises 57P03 on a standby, whose snapshots do not list the transactions in progress, and 25001 in a transaction that has
-- written, whose own id no snapshot of its own lists. Locks nothing.
--
-- The epoch lives in an unlogged table: after a crash, a failover or a restore from a base backup, when ids of transactions
-- may be given a second time, the table is empty and the first reader makes another epoch. The identifiers of server and
-- database are mixed in for copies made by pg_dump.
CREATE UNLOGGED TABLE IF NOT EXISTS core.stream_epoch (
    one boolean PRIMARY KEY DEFAULT true CONSTRAINT stream_epoch_one_check CHECK (one),
    value bigint NOT NULL DEFAULT (random() * 9e15)::bigint
);
CREATE OR REPLACE FUNCTION stream_state(p_stream text, p_epoch int, p_seen pg_snapshot, p_until pg_snapshot,
    OUT epoch int, OUT lost boolean)
LANGUAGE plpgsql AS $$
DECLARE
    v_value bigint;
    v_now pg_snapshot;
BEGIN
    IF pg_is_in_recovery() THEN
        RAISE EXCEPTION 'A stream is read from the primary server.' USING ERRCODE = '57P03';
    END IF;
    IF pg_current_xact_id_if_assigned() IS NOT NULL THEN
        RAISE EXCEPTION 'A stream is read in a transaction that writes nothing.' USING ERRCODE = '25001';
    END IF;
    SELECT e.value INTO v_value FROM core.stream_epoch e WHERE e.one;
    IF NOT FOUND THEN
        INSERT INTO core.stream_epoch DEFAULT VALUES ON CONFLICT DO NOTHING;
        SELECT e.value INTO v_value FROM core.stream_epoch e WHERE e.one;
    END IF;
    epoch := hashtext(v_value || '/' || (SELECT system_identifier FROM pg_control_system()) || '/'
        || (SELECT oid FROM pg_database WHERE datname = current_database()));
    IF p_seen IS NULL THEN
        lost := false;
        RETURN;
    END IF;
    v_now := pg_current_snapshot();
    lost := p_epoch IS DISTINCT FROM epoch
        OR pg_snapshot_xmax(coalesce(p_until, p_seen)) > pg_snapshot_xmax(v_now)
        -- A transaction that was in progress at the cursor and still is cannot have lost events: its lock keeps their day.
        OR EXISTS (SELECT FROM core.stream_horizon h
                   WHERE h.stream = p_stream
                     AND (h.dropped_xid >= pg_snapshot_xmax(p_seen)
                          OR EXISTS (SELECT FROM pg_snapshot_xip(p_seen) AS x
                                     WHERE x <= h.dropped_xid AND pg_visible_in_snapshot(x, v_now))));
END $$;
REVOKE EXECUTE ON FUNCTION stream_state FROM PUBLIC;
