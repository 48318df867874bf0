-- export_tenant(tenant, table) opens the cursor tenant_export over the tenant's rows of one table of kind data or log, or queue:<name>
-- or archive:<name>, and returns its name. It has the columns of tenant_columns; what is neither a number, text, boolean, uuid,
-- timestamptz nor JSON comes as JSON. The caller fetches and closes it in the same transaction, REPEATABLE READ for one state of
-- all tables. Raises ZE404 for what is no such table. SECURITY DEFINER because no role reads all tables; a cursor keeps the
-- rights that it was opened with. All rows will be fetched, which is what cursor_tuple_fraction says.
CREATE OR REPLACE FUNCTION export_tenant(p_tenant_id uuid, p_table text) RETURNS refcursor
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET cursor_tuple_fraction = 1 AS $$
DECLARE
    v_cursor refcursor := 'tenant_export';
    v_relation text;
    v_mine text;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    SELECT t.name, format('x.%I = $1', t.tenant_column) INTO v_relation, v_mine
    FROM tenant_tables() t WHERE t.name = p_table AND t.kind IN ('data', 'log');
    IF NOT FOUND THEN
        SELECT q.relation, '$1 IS NOT NULL' INTO v_relation, v_mine FROM tenant_queue_tables(p_tenant_id) q WHERE q.name = p_table;
    END IF;
    IF v_relation IS NULL THEN
        RAISE EXCEPTION 'There is no such table.' USING ERRCODE = 'ZE404', COLUMN = 'table';
    END IF;
    OPEN v_cursor NO SCROLL FOR EXECUTE format('SELECT %s FROM %s x WHERE %s',
        (SELECT string_agg(format(CASE WHEN c.expression <> format('x.%I', c.name) OR a.atttypid = ANY (
                '{smallint,integer,bigint,text,boolean,uuid,timestamptz,json,jsonb}'::regtype[]) THEN '%s AS %I' ELSE 'to_json(%s) AS %I' END, c.expression, c.name), ', ' ORDER BY a.attnum)
         FROM tenant_columns(v_relation) c
         JOIN pg_attribute a ON a.attrelid = v_relation::regclass AND a.attname = c.name), v_relation, v_mine)
        USING p_tenant_id;
    RETURN v_cursor;
END $$;
REVOKE EXECUTE ON FUNCTION export_tenant FROM PUBLIC;
GRANT EXECUTE ON FUNCTION export_tenant TO app_api;
