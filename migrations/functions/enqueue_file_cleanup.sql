-- enqueue_file_cleanup(hours) enqueues a cleanup_files job for each tenant with an upload that was not finished, or a deletion that was
-- not, for so long; one that waits already is enough. Returns how many. Only the worker may: it concerns all tenants.
CREATE OR REPLACE FUNCTION enqueue_file_cleanup(p_older_than_hours int) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH made AS (
        INSERT INTO jobs (tenant_id, type, payload, unique_key)
        SELECT t.id, 'cleanup_files', jsonb_build_object('older_than_hours', p_older_than_hours), 'cleanup_files'
        FROM tenants t
        WHERE t.deleting_at IS NULL AND EXISTS (SELECT FROM files f WHERE f.tenant_id = t.id AND f.status <> 'ready'
            AND f.created_at < now() - make_interval(hours => p_older_than_hours))
        ON CONFLICT DO NOTHING
        RETURNING 1)
    SELECT count(*) FROM made
$$;
REVOKE EXECUTE ON FUNCTION enqueue_file_cleanup FROM PUBLIC;
GRANT EXECUTE ON FUNCTION enqueue_file_cleanup TO app_worker;
