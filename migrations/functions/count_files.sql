-- add_tenant_storage(tenant, bytes, files) adds to what a tenant has stored. Locks the tenant's row until the end of the transaction.
-- Raises ZE413 when that grows above a limit. Nobody calls it but the triggers below and the removal of old partitions.
CREATE OR REPLACE FUNCTION add_tenant_storage(p_tenant_id uuid, p_bytes numeric, p_files bigint) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    v tenant_storage;
BEGIN
    IF p_bytes = 0 AND p_files = 0 THEN
        RETURN;
    END IF;
    UPDATE tenant_storage SET bytes_used = bytes_used + p_bytes, files_used = files_used + p_files
    WHERE tenant_id = p_tenant_id RETURNING * INTO v;
    IF NOT FOUND AND (p_bytes > 0 OR p_files > 0) THEN
        INSERT INTO tenant_storage AS s (tenant_id, bytes_used, files_used) VALUES (p_tenant_id, p_bytes, p_files)
        ON CONFLICT (tenant_id) DO UPDATE SET bytes_used = s.bytes_used + excluded.bytes_used, files_used = s.files_used + excluded.files_used
        RETURNING * INTO v;
    END IF;
    IF p_bytes > 0 AND v.bytes_used > v.bytes_limit THEN
        RAISE EXCEPTION 'The tenant may store % bytes; with this it would be %.', v.bytes_limit, v.bytes_used USING ERRCODE = 'ZE413', COLUMN = 'file';
    ELSIF p_files > 0 AND v.files_used > v.files_limit THEN
        RAISE EXCEPTION 'The tenant may store % files; with this it would be %.', v.files_limit, v.files_used USING ERRCODE = 'ZE413', COLUMN = 'file';
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION add_tenant_storage FROM PUBLIC;

-- Whoever changes files, the sums of tenant_storage change with them, and a limit holds for all. SECURITY DEFINER: nobody
-- writes tenant_storage otherwise. Tenants in the order of their ids: two statements cannot wait for each other.
CREATE OR REPLACE FUNCTION count_inserted_files() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM add_tenant_storage(n.tenant_id, n.bytes, n.files)
    FROM (SELECT tenant_id, sum(size_bytes) AS bytes, count(*) AS files FROM new_files GROUP BY tenant_id ORDER BY tenant_id) n;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION count_inserted_files FROM PUBLIC;

CREATE OR REPLACE FUNCTION count_deleted_files() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM add_tenant_storage(o.tenant_id, -o.bytes, -o.files)
    FROM (SELECT tenant_id, sum(size_bytes) AS bytes, count(*) AS files FROM old_files GROUP BY tenant_id ORDER BY tenant_id) o;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION count_deleted_files FROM PUBLIC;

CREATE OR REPLACE FUNCTION count_updated_files() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM add_tenant_storage(c.tenant_id, c.bytes, c.files)
    FROM (SELECT b.tenant_id, sum(b.bytes) AS bytes, sum(b.files)::bigint AS files
          FROM (SELECT tenant_id, size_bytes AS bytes, 1 AS files FROM new_files
                UNION ALL
                SELECT tenant_id, -size_bytes, -1 FROM old_files) b
          GROUP BY b.tenant_id ORDER BY b.tenant_id) c;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION count_updated_files FROM PUBLIC;

CREATE OR REPLACE TRIGGER files_inserted AFTER INSERT ON files
    REFERENCING NEW TABLE AS new_files FOR EACH STATEMENT EXECUTE FUNCTION count_inserted_files();
CREATE OR REPLACE TRIGGER files_updated AFTER UPDATE ON files
    REFERENCING OLD TABLE AS old_files NEW TABLE AS new_files FOR EACH STATEMENT EXECUTE FUNCTION count_updated_files();
CREATE OR REPLACE TRIGGER files_deleted AFTER DELETE ON files
    REFERENCING OLD TABLE AS old_files FOR EACH STATEMENT EXECUTE FUNCTION count_deleted_files();
