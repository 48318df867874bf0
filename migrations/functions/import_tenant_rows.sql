-- import_tenant_rows(tenant, table, rows) inserts rows of an export, a JSON list, and returns how many. Columns that the rows do
-- not have take their defaults; a key gets a secret that nobody knows, until it is rotated. Only the owner may.
-- Raises ZE400 for a table or column that is not there and for rows of another tenant, and what the tables raise.
CREATE OR REPLACE FUNCTION import_tenant_rows(p_tenant_id uuid, p_table text, p_rows jsonb) RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    v_tenant_column text;
    v_relation text := p_table;
    v_columns text;
    v_unknown text;
    v_count bigint;
BEGIN
    SELECT t.tenant_column INTO v_tenant_column FROM tenant_tables() t WHERE t.name = p_table AND t.kind = 'data';
    IF NOT FOUND THEN
        SELECT q.relation INTO v_relation FROM tenant_queue_tables(p_tenant_id) q WHERE q.name = p_table;
    END IF;
    IF v_relation IS NULL THEN
        RAISE EXCEPTION '%', format('This database has no table %s of tenants.', left(p_table, 100)) USING ERRCODE = 'ZE400', COLUMN = 'table';
    END IF;
    SELECT string_agg(quote_ident(c.name), ', ') FILTER (WHERE c.name IS NOT NULL), string_agg(k.key, ', ') FILTER (WHERE c.name IS NULL)
    INTO v_columns, v_unknown
    FROM jsonb_object_keys(p_rows -> 0) AS k (key)
    LEFT JOIN tenant_columns(v_relation) c ON c.name = k.key;
    IF v_unknown IS NOT NULL THEN
        RAISE EXCEPTION '%', format('The table %s has no such column here: %s.', p_table, left(v_unknown, 200)) USING ERRCODE = 'ZE400', COLUMN = 'row';
    END IF;
    IF v_tenant_column IS NOT NULL AND EXISTS (SELECT FROM jsonb_array_elements(p_rows) r WHERE r ->> v_tenant_column IS DISTINCT FROM p_tenant_id::text) THEN
        RAISE EXCEPTION 'The file has rows of another tenant.' USING ERRCODE = 'ZE400', COLUMN = 'row';
    END IF;
    EXECUTE format('INSERT INTO %s (%s%s) OVERRIDING SYSTEM VALUE SELECT %2$s%4$s FROM jsonb_populate_recordset(NULL::%1$s, $1)%5$s', v_relation, v_columns,
        CASE p_table WHEN 'api_keys' THEN ', key_hash' ELSE '' END,
        CASE p_table WHEN 'api_keys' THEN $x$, encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex')$x$ ELSE '' END,
        -- The files that came before made the row.
        CASE p_table WHEN 'tenant_storage' THEN ' ON CONFLICT (tenant_id) DO UPDATE SET bytes_limit = excluded.bytes_limit, files_limit = excluded.files_limit' ELSE '' END)
        USING p_rows;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    IF p_table = 'message_queues' THEN
        -- Their own tables; of a partitioned queue, with the intervals by default.
        IF EXISTS (SELECT FROM message_queues q WHERE q.tenant_id = p_tenant_id AND q.physical <> message_queue_physical(p_tenant_id, q.name)) THEN
            RAISE EXCEPTION 'The file has a queue of another tenant.' USING ERRCODE = 'ZE400', COLUMN = 'row';
        END IF;
        PERFORM CASE q.kind WHEN 'unlogged' THEN pgmq.create_unlogged(q.physical) WHEN 'partitioned' THEN pgmq.create_partitioned(q.physical)
                ELSE pgmq.create(q.physical) END
        FROM message_queues q WHERE q.tenant_id = p_tenant_id;
    END IF;
    RETURN v_count;
END $$;
REVOKE EXECUTE ON FUNCTION import_tenant_rows FROM PUBLIC;

-- finish_tenant_import(tenant) lets sequences go on behind the imported numbers, and counts what limits apply to.
CREATE OR REPLACE FUNCTION finish_tenant_import(p_tenant_id uuid) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    s record;
    v_last bigint;
BEGIN
    FOR s IN
        SELECT t.name, t.tenant_column, c.name AS column_name, pg_get_serial_sequence(t.name, c.name) AS sequence
        FROM tenant_tables() t, tenant_columns(t.name) c
        WHERE t.kind = 'data' AND pg_get_serial_sequence(t.name, c.name) IS NOT NULL
    LOOP
        EXECUTE format('SELECT max(%I) FROM %s WHERE %I = $1', s.column_name, s.name, s.tenant_column) INTO v_last USING p_tenant_id;
        -- nextval first: it is how the owner of a sequence that others use at the same time learns where it stands.
        IF v_last > nextval(s.sequence) THEN
            PERFORM setval(s.sequence, v_last);
        END IF;
    END LOOP;
    FOR s IN SELECT q.relation AS name, pg_get_serial_sequence(q.relation, 'msg_id') AS sequence FROM tenant_queue_tables(p_tenant_id) q LOOP
        IF s.sequence IS NOT NULL THEN
            EXECUTE format('SELECT max(msg_id) FROM %s', s.name) INTO v_last;
            PERFORM setval(s.sequence, v_last) WHERE v_last IS NOT NULL;
        END IF;
    END LOOP;
    PERFORM pg_advisory_xact_lock(hashtextextended(p_tenant_id::text, 11));
    PERFORM reset_tenant_quota(p_tenant_id);
END $$;
REVOKE EXECUTE ON FUNCTION finish_tenant_import FROM PUBLIC;
