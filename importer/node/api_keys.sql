-- Both programs keep the SHA-256 of a key, so the keys of callers go on working. They get all scopes, as they had.
WITH line AS MATERIALIZED (
    SELECT (line ->> 'id')::uuid AS id, (line ->> 'tenant_id')::uuid AS tenant_id, line ->> 'key_prefix' AS key_prefix,
           lower(line ->> 'key_hash') AS key_hash, coalesce(nullif(left(btrim(line ->> 'name'), 200), ''), 'imported') AS name,
           coalesce((line ->> 'created_at')::timestamptz, now()) AS created_at, (line ->> 'expires_at')::timestamptz AS expires_at,
           (line ->> 'last_used_at')::timestamptz AS last_used_at
    FROM pg_temp.node_line
), judged AS MATERIALIZED (
    SELECT l.*, EXISTS (SELECT FROM api_keys k WHERE k.tenant_id = l.tenant_id AND k.id = l.id) AS is_present,
           CASE WHEN coalesce(length(key_prefix), 0) <> 12 THEN 'key_prefix: This is not 12 characters long.'
                WHEN coalesce(key_hash, '') !~ '^[0-9a-f]{64}$' THEN 'key_hash: This is no SHA-256 in hexadecimal digits.'
                WHEN EXISTS (SELECT FROM api_keys k WHERE k.key_hash = l.key_hash) THEN 'key_hash: Another key has it.' END AS reason
    FROM line l
), tenant AS (
    INSERT INTO tenants (id, name) SELECT DISTINCT tenant_id, 'Tenant ' || tenant_id FROM judged WHERE reason IS NULL ON CONFLICT DO NOTHING
), written AS (
    INSERT INTO api_keys (tenant_id, id, key_prefix, key_hash, name, created_at, expires_at, last_used_at)
    SELECT tenant_id, id, key_prefix, key_hash, name, created_at, expires_at, last_used_at
    FROM judged WHERE NOT is_present AND reason IS NULL
    RETURNING 1
), rejected AS (
    INSERT INTO pg_temp.node_reject SELECT 'api_keys', id, reason FROM judged WHERE NOT is_present AND reason IS NOT NULL
    RETURNING 1
)
SELECT (SELECT count(*) FROM written), (SELECT count(*) FROM judged WHERE is_present), (SELECT count(*) FROM rejected)
