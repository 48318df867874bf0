-- Files: checksums, unfinished uploads that end, deletion in two steps, partitions by month, and what a tenant may store.
-- Copies the rows of files (records only: the bytes are elsewhere) under an exclusive lock. To undo by hand: make a plain table of
-- files again as in 0004 and drop tenant_storage and uuid_v7_floor.

-- uuid_v7_floor(moment) is the least uuid v7 of that millisecond: the bound of a partition by id. Its present text is in
-- functions/ensure_partitions.sql.
CREATE FUNCTION uuid_v7_floor(p_at timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM p_at) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid
$$;

ALTER TABLE files RENAME TO files_0004;
ALTER TABLE files_0004
    DROP CONSTRAINT files_pkey,
    DROP CONSTRAINT files_storage_key_key;
DROP INDEX ix_files_created, ix_files_unfinished;

-- By month of the id, which is a time, so that the key stays (tenant_id, id). Ids that are no time are in the default one.
CREATE TABLE files (
    tenant_id uuid NOT NULL CONSTRAINT files_tenant_id_fkey REFERENCES tenants (id),
    id uuid NOT NULL DEFAULT uuid_v7(),
    uploader_id uuid, -- of a multipart upload under way it is known last
    filename text NOT NULL CONSTRAINT files_filename_check CHECK (length(filename) BETWEEN 1 AND 255),
    content_type text NOT NULL CONSTRAINT files_content_type_check CHECK (length(content_type) BETWEEN 1 AND 255),
    -- What it has; of a pending one what is set aside for it.
    size_bytes bigint NOT NULL CONSTRAINT files_size_bytes_check CHECK (size_bytes >= 0),
    checksum text CONSTRAINT files_checksum_check CHECK (checksum ~ '^[0-9a-f]{64}$'), -- SHA-256; of a pending one what it must have
    -- A row is about one object of its own tenant, whoever writes the row.
    storage_key text COLLATE "C" NOT NULL CONSTRAINT files_storage_key_check CHECK (
        length(storage_key) <= 200 AND starts_with(storage_key, 'tenants/' || tenant_id::text || '/') AND right(storage_key, 37) = '/' || id::text),
    status text NOT NULL DEFAULT 'pending' CONSTRAINT files_status_check CHECK (status IN ('pending', 'ready', 'deleting')),
    expires_at timestamptz, -- a direct upload is given up then
    claimed_at timestamptz, -- somebody is looking at the bytes of a direct upload since then
    created_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT files_uploader_id_fkey FOREIGN KEY (tenant_id, uploader_id) REFERENCES app_users (tenant_id, id),
    CONSTRAINT files_ready_check CHECK (status <> 'ready' OR uploader_id IS NOT NULL)
) PARTITION BY RANGE (id);
CREATE TABLE files_default PARTITION OF files DEFAULT;
CREATE INDEX ix_files_created ON files (tenant_id, created_at DESC, id DESC);
CREATE INDEX ix_files_uploader ON files (tenant_id, uploader_id, created_at DESC, id DESC);
CREATE INDEX ix_files_key ON files (tenant_id, storage_key);
CREATE INDEX ix_files_unfinished ON files (tenant_id, created_at) WHERE status <> 'ready';
SELECT secure_table('files');
SELECT secure_table('files_default');
GRANT SELECT, INSERT, UPDATE, DELETE ON files TO app_api;
GRANT SELECT, DELETE, UPDATE (status) ON files TO app_worker;
GRANT SELECT ON files TO app_readonly;

-- The months of the rows that are there; functions/ensure_partitions.sql makes those to come.
DO $$
DECLARE
    m timestamptz;
BEGIN
    FOR m IN
        SELECT DISTINCT date_trunc('month', t.at, 'UTC')
        FROM files_0004 f,
             LATERAL (SELECT to_timestamp(('x' || replace(left(f.id::text, 13), '-', ''))::bit(48)::bigint / 1000.0) AS at) t
        WHERE substr(f.id::text, 15, 1) = '7' AND t.at BETWEEN '2020-01-01Z' AND now() + interval '1 day'
        ORDER BY 1
    LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF files FOR VALUES FROM (%L) TO (%L)',
            'files_' || to_char(m AT TIME ZONE 'UTC', 'YYYY_MM'), uuid_v7_floor(m), uuid_v7_floor(((m AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC'));
        PERFORM secure_table(('files_' || to_char(m AT TIME ZONE 'UTC', 'YYYY_MM'))::regclass);
    END LOOP;
END $$;

-- How much a tenant has stored and may store. functions/count_files.sql keeps the sums with every change of files.
CREATE TABLE tenant_storage (
    tenant_id uuid PRIMARY KEY CONSTRAINT tenant_storage_tenant_id_fkey REFERENCES tenants (id),
    bytes_used bigint NOT NULL DEFAULT 0 CONSTRAINT tenant_storage_bytes_used_check CHECK (bytes_used >= 0),
    files_used bigint NOT NULL DEFAULT 0 CONSTRAINT tenant_storage_files_used_check CHECK (files_used >= 0),
    bytes_limit bigint CONSTRAINT tenant_storage_bytes_limit_check CHECK (bytes_limit >= 0), -- null: no limit
    files_limit bigint CONSTRAINT tenant_storage_files_limit_check CHECK (files_limit >= 0)
) WITH (fillfactor = 50);
SELECT secure_table('tenant_storage');
GRANT SELECT ON tenant_storage TO app_api, app_worker, app_readonly;

-- Nothing could be uploaded before: no object has a key of the old form.
INSERT INTO files (tenant_id, id, uploader_id, filename, content_type, size_bytes, storage_key, status, created_at, completed_at)
SELECT tenant_id, id, uploader_id, filename, content_type, size_bytes,
       format('tenants/%s/%s/%s', tenant_id, to_char(created_at AT TIME ZONE 'UTC', 'YYYY/MM'), id),
       status, created_at, CASE WHEN status = 'ready' THEN created_at END
FROM files_0004;
INSERT INTO tenant_storage (tenant_id, bytes_used, files_used)
SELECT tenant_id, sum(size_bytes), count(*) FROM files GROUP BY tenant_id;
DROP TABLE files_0004;

UPDATE job_types SET description = 'Removes the tenant''s unfinished uploads, records without their object, and objects without a record.'
WHERE type = 'cleanup_files';
