-- list_detached_files(limit) returns files of all tenants whose month drop_old_partitions took out of the table, so that their objects
-- can be removed. Only the worker may.
CREATE OR REPLACE FUNCTION list_detached_files(p_limit int) RETURNS TABLE (tenant_id uuid, id uuid, storage_key text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_name text;
BEGIN
    FOR v_name IN SELECT p.name FROM core.detached_partitions p WHERE p.parent = 'files' ORDER BY p.name LOOP
        RETURN QUERY EXECUTE format('SELECT f.tenant_id, f.id, f.storage_key FROM %I f ORDER BY f.tenant_id, f.id LIMIT $1', v_name) USING p_limit;
        IF FOUND THEN
            RETURN;
        END IF;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION list_detached_files FROM PUBLIC;
GRANT EXECUTE ON FUNCTION list_detached_files TO app_worker;
