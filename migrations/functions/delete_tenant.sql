-- delete_tenant(tenant, limit) deletes up to that many rows of a tenant whose deletion has begun, and returns how many; 0 when
-- only the tenant itself is left. One call is one transaction that locks rows of this tenant only, so it can be stopped at any time,
-- and go on: begin_tenant_deletion, delete_tenant until it is 0, finish_tenant_deletion. Only the owner may. In psql:
--   SELECT begin_tenant_deletion('…', 'who');  SELECT delete_tenant('…') \watch 0;  SELECT finish_tenant_deletion('…');
-- Raises ZE404, ZE409 when the deletion has not begun. Rows are found by the indexes that lead with the tenant.
CREATE OR REPLACE FUNCTION delete_tenant(p_tenant_id uuid, p_limit int DEFAULT 5000) RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    t record;
    v_count bigint;
    v_total bigint := 0;
BEGIN
    PERFORM FROM tenants WHERE id = p_tenant_id AND deleting_at IS NOT NULL;
    IF NOT FOUND THEN
        IF EXISTS (SELECT FROM tenants WHERE id = p_tenant_id) THEN
            RAISE EXCEPTION 'The deletion of this tenant has not begun.' USING ERRCODE = 'ZE409';
        END IF;
        RAISE EXCEPTION 'There is no such tenant.' USING ERRCODE = 'ZE404';
    END IF;
    -- Queues are tables of their own.
    FOR t IN SELECT q.name, q.physical FROM message_queues q WHERE q.tenant_id = p_tenant_id LIMIT 20 LOOP
        UPDATE message_queues SET max_reads = NULL, dead_letter_queue = NULL WHERE tenant_id = p_tenant_id AND dead_letter_queue = t.name;
        DELETE FROM message_queues WHERE tenant_id = p_tenant_id AND name = t.name;
        PERFORM pgmq.drop_queue(t.physical);
        v_total := v_total + 1;
    END LOOP;
    -- Jobs first: none is to run any more. Then children before parents, what is derived from them last.
    FOR t IN
        SELECT x.tenant_column, l.leaf
        FROM tenant_tables() x
        CROSS JOIN LATERAL (
            SELECT c.oid::regclass AS leaf FROM pg_class c WHERE c.oid = x.name::regclass AND c.relkind = 'r'
            UNION ALL
            SELECT p.relid FROM pg_partition_tree(x.name::regclass) p WHERE p.isleaf AND p.level > 0) l
        WHERE x.kind <> 'record' AND x.name <> 'tenants'
        -- An event has no index by tenant once it is told.
        ORDER BY x.name <> 'jobs', x.kind = 'derived' OR x.name = 'core.outbox', x.ord DESC, l.leaf::text
    LOOP
        EXECUTE format('DELETE FROM %s WHERE %I = $1 AND ctid = ANY (ARRAY(SELECT ctid FROM %1$s WHERE %2$I = $1 LIMIT $2))', t.leaf, t.tenant_column)
            USING p_tenant_id, greatest(p_limit - v_total, 0);
        GET DIAGNOSTICS v_count = ROW_COUNT;
        v_total := v_total + v_count;
        EXIT WHEN v_total >= p_limit;
    END LOOP;
    RETURN v_total;
END $$;
REVOKE EXECUTE ON FUNCTION delete_tenant FROM PUBLIC;

-- begin_tenant_deletion(tenant, by) ends all keys of the tenant, lets nothing new be written for it, and notes how many rows it
-- has. Once begun there is no way back; beginning twice returns the first note. Raises ZE404.
-- Waits for the tenant's writers that are under way.
CREATE OR REPLACE FUNCTION begin_tenant_deletion(p_tenant_id uuid, p_by text DEFAULT session_user) RETURNS core.tenant_deletions
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    v_note core.tenant_deletions;
    v_name text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(p_tenant_id::text, 11)); -- see guard_tenant
    SELECT name INTO v_name FROM tenants WHERE id = p_tenant_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no such tenant.' USING ERRCODE = 'ZE404';
    END IF;
    UPDATE tenants SET deleting_at = coalesce(deleting_at, now()) WHERE id = p_tenant_id;
    UPDATE api_keys SET revoked_at = now() WHERE tenant_id = p_tenant_id AND revoked_at IS NULL;
    DELETE FROM core.tenant_quota WHERE tenant_id = p_tenant_id;
    INSERT INTO core.tenant_deletions (tenant_id, name_sha256, started_by, rows_before)
    SELECT p_tenant_id, encode(sha256(convert_to(v_name, 'UTF8')), 'hex'), p_by, jsonb_object_agg(c.name, c.row_count)
    FROM tenant_row_counts(p_tenant_id) c
    ON CONFLICT (tenant_id) DO UPDATE -- a tenant that was imported again after its deletion
    SET name_sha256 = excluded.name_sha256, started_at = now(), started_by = excluded.started_by, rows_before = excluded.rows_before,
        objects_deleted = NULL, finished_at = NULL, rows_after = NULL
    WHERE tenant_deletions.finished_at IS NOT NULL;
    SELECT * INTO v_note FROM core.tenant_deletions WHERE tenant_id = p_tenant_id;
    RETURN v_note;
END $$;
REVOKE EXECUTE ON FUNCTION begin_tenant_deletion FROM PUBLIC;

-- finish_tenant_deletion(tenant, objects) deletes the tenant itself and what its last writers left, and notes the proof: the
-- number of its rows in every table, all 0. objects is how many the object store had. Raises ZE404, ZE409.
CREATE OR REPLACE FUNCTION finish_tenant_deletion(p_tenant_id uuid, p_objects bigint DEFAULT NULL) RETURNS core.tenant_deletions
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    v_note core.tenant_deletions;
    v_counts jsonb;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('fold_search_words')); -- a fold may just be adding up the tenant's words
    WHILE delete_tenant(p_tenant_id) > 0 LOOP
    END LOOP;
    DELETE FROM tenants WHERE id = p_tenant_id;
    SELECT jsonb_object_agg(c.name, c.row_count) INTO v_counts FROM tenant_row_counts(p_tenant_id) c;
    IF EXISTS (SELECT FROM jsonb_each(v_counts) c WHERE c.value <> '0') THEN
        RAISE EXCEPTION 'Rows of the tenant are left; try again.' USING ERRCODE = 'ZE409', DETAIL = v_counts::text;
    END IF;
    UPDATE core.tenant_deletions SET finished_at = now(), rows_after = v_counts, objects_deleted = p_objects
    WHERE tenant_id = p_tenant_id
    RETURNING * INTO v_note;
    RETURN v_note;
END $$;
REVOKE EXECUTE ON FUNCTION finish_tenant_deletion FROM PUBLIC;
