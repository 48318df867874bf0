-- forget_detached_files(tenants, ids) removes rows of detached months whose objects are gone, gives the bytes back to their tenants,
-- and drops the months that are empty. tenants and ids go in pairs. Returns how many rows went. Only the worker may.
CREATE OR REPLACE FUNCTION forget_detached_files(p_tenant_ids uuid[], p_ids uuid[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    v_name text;
    v_count bigint := 0;
    v_left boolean;
    v_tenant uuid;
    v_bytes numeric;
    v_files bigint;
BEGIN
    FOR v_name IN SELECT p.name FROM core.detached_partitions p WHERE p.parent = 'files' ORDER BY p.name FOR UPDATE LOOP
        FOR v_tenant, v_bytes, v_files IN EXECUTE format('
            WITH gone AS (
                DELETE FROM %I f USING unnest($1, $2) AS g (tenant_id, id) WHERE f.tenant_id = g.tenant_id AND f.id = g.id
                RETURNING f.tenant_id, f.size_bytes)
            SELECT tenant_id, sum(size_bytes) AS bytes, count(*) AS files FROM gone GROUP BY tenant_id ORDER BY tenant_id', v_name)
            USING p_tenant_ids, p_ids
        LOOP
            PERFORM add_tenant_storage(v_tenant, -v_bytes, -v_files);
            v_count := v_count + v_files;
        END LOOP;
        EXECUTE format('SELECT EXISTS (SELECT FROM %I)', v_name) INTO v_left;
        IF NOT v_left THEN
            EXECUTE format('DROP TABLE %I', v_name);
            DELETE FROM core.detached_partitions WHERE name = v_name;
        END IF;
    END LOOP;
    RETURN v_count;
END $$;
REVOKE EXECUTE ON FUNCTION forget_detached_files FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_detached_files TO app_worker;
