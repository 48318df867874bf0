-- The record moves here; the bytes are in the bucket under a key that does not begin with the tenant. node_object has what an
-- operator copies from where to where.
WITH line AS MATERIALIZED (
    SELECT (line ->> 'id')::uuid AS id, (line ->> 'tenant_id')::uuid AS tenant_id, (line ->> 'uploader_id')::uuid AS uploader_id,
           line ->> 'filename' AS filename, coalesce(nullif(line ->> 'content_type', ''), 'application/octet-stream') AS content_type,
           (line ->> 'size_bytes')::bigint AS size_bytes, line ->> 'storage_key' AS old_key,
           coalesce((line ->> 'created_at')::timestamptz, now()) AS created_at
    FROM pg_temp.node_line
), judged AS MATERIALIZED (
    SELECT l.*, format('tenants/%s/%s/%s', tenant_id, to_char(created_at AT TIME ZONE 'UTC', 'YYYY/MM'), id) AS new_key,
           EXISTS (SELECT FROM files f WHERE f.tenant_id = l.tenant_id AND f.id = l.id) AS is_present,
           CASE WHEN NOT EXISTS (SELECT FROM app_users u WHERE u.tenant_id = l.tenant_id AND u.id = l.uploader_id)
                THEN 'uploader_id: There is no such user.'
                WHEN coalesce(length(filename), 0) NOT BETWEEN 1 AND 255 THEN 'filename: This is not 1 to 255 characters long.'
                WHEN length(content_type) > 255 THEN 'content_type: This is longer than 255 characters.'
                WHEN coalesce(size_bytes, -1) < 0 THEN 'size_bytes: This is no size.'
                WHEN coalesce(old_key, '') = '' THEN 'storage_key: There is none.' END AS reason
    FROM line l
), written AS (
    INSERT INTO files (tenant_id, id, uploader_id, filename, content_type, size_bytes, storage_key, status, created_at, completed_at)
    SELECT tenant_id, id, uploader_id, filename, content_type, size_bytes, new_key, 'ready', created_at, created_at
    FROM judged WHERE NOT is_present AND reason IS NULL
    RETURNING tenant_id, id
), object AS (
    INSERT INTO pg_temp.node_object SELECT j.old_key, j.new_key FROM judged j JOIN written w USING (tenant_id, id)
), rejected AS (
    INSERT INTO pg_temp.node_reject SELECT 'files', id, reason FROM judged WHERE NOT is_present AND reason IS NOT NULL
    RETURNING 1
)
SELECT (SELECT count(*) FROM written), (SELECT count(*) FROM judged WHERE is_present), (SELECT count(*) FROM rejected)
