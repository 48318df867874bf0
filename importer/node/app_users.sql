-- A tenant was a column only: it gets a row, named by its id until the owner changes tenants.name.
WITH line AS MATERIALIZED (
    SELECT (line ->> 'id')::uuid AS id, (line ->> 'tenant_id')::uuid AS tenant_id, line ->> 'email' AS email,
           coalesce((line ->> 'created_at')::timestamptz, now()) AS created_at
    FROM pg_temp.node_line
), judged AS MATERIALIZED (
    SELECT l.*, EXISTS (SELECT FROM app_users u WHERE u.tenant_id = l.tenant_id AND u.id = l.id) AS is_present,
           CASE WHEN email IS NULL OR length(email) > 320 OR email !~ '^[^@\s]+@[^@\s]+$' THEN 'email: This is no e-mail address.'
                WHEN row_number() OVER (PARTITION BY tenant_id, lower(email) ORDER BY created_at, id) > 1
                THEN 'email: Another user of the tenant has it.' END AS reason
    FROM line l
), tenant AS (
    INSERT INTO tenants (id, name) SELECT DISTINCT tenant_id, 'Tenant ' || tenant_id FROM judged ON CONFLICT DO NOTHING
), written AS (
    INSERT INTO app_users (tenant_id, id, email, created_at)
    SELECT tenant_id, id, email, created_at FROM judged WHERE NOT is_present AND reason IS NULL
    RETURNING 1
), rejected AS (
    INSERT INTO pg_temp.node_reject SELECT 'app_users', id, reason FROM judged WHERE NOT is_present AND reason IS NOT NULL
    RETURNING 1
)
SELECT (SELECT count(*) FROM written), (SELECT count(*) FROM judged WHERE is_present), (SELECT count(*) FROM rejected)
