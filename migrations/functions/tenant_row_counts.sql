-- tenant_row_counts(tenant) counts the tenant's rows in every table. SECURITY DEFINER because no role reads them all.
CREATE OR REPLACE FUNCTION tenant_row_counts(p_tenant_id uuid) RETURNS TABLE (name text, kind text, row_count bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    t record;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    FOR t IN SELECT * FROM tenant_tables() x WHERE x.kind <> 'record' ORDER BY x.ord LOOP
        name := t.name;
        kind := t.kind;
        EXECUTE format('SELECT count(*) FROM %s WHERE %I = $1', t.name, t.tenant_column) INTO row_count USING p_tenant_id;
        RETURN NEXT;
    END LOOP;
    kind := 'data';
    FOR t IN SELECT * FROM tenant_queue_tables(p_tenant_id) LOOP
        name := t.name;
        EXECUTE format('SELECT count(*) FROM %s', t.relation) INTO row_count;
        RETURN NEXT;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION tenant_row_counts FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant_row_counts TO app_api;
