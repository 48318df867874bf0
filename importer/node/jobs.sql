-- A running job was running in a process that is gone by now: it is due again, and its attempt counts.
WITH line AS MATERIALIZED (
    SELECT (line ->> 'id')::bigint AS id, (line ->> 'tenant_id')::uuid AS tenant_id, line ->> 'type' AS type,
           coalesce(nullif(line -> 'payload', 'null'), '{}') AS payload, line ->> 'payload_encrypted' AS payload_encrypted,
           CASE line ->> 'status' WHEN 'running' THEN 'pending' ELSE line ->> 'status' END AS status,
           coalesce((line ->> 'priority')::int, 0) AS priority, coalesce((line ->> 'attempts')::int, 0) AS attempts,
           left(line ->> 'last_error', 2000) AS last_error,
           coalesce((line ->> 'created_at')::timestamptz, now()) AS created_at,
           coalesce((line ->> 'run_at')::timestamptz, (line ->> 'created_at')::timestamptz, now()) AS run_at,
           (line ->> 'started_at')::timestamptz AS started_at,
           coalesce((line ->> 'finished_at')::timestamptz, (line ->> 'updated_at')::timestamptz, now()) AS finished_at,
           coalesce((line ->> 'updated_at')::timestamptz, (line ->> 'created_at')::timestamptz, now()) AS updated_at
    FROM pg_temp.node_line
), judged AS MATERIALIZED (
    SELECT l.*, EXISTS (SELECT FROM jobs j WHERE j.id = l.id) AS is_present,
           CASE WHEN NOT EXISTS (SELECT FROM tenants t WHERE t.id = l.tenant_id) THEN 'tenant_id: There is no such tenant.'
                WHEN coalesce(type, '') !~ '^[a-z][a-z0-9_.-]{0,63}$' THEN 'type: This is no name of a type.'
                WHEN coalesce(status, '') NOT IN ('pending', 'done', 'failed') THEN 'status: This is no status of a job.'
                WHEN jsonb_typeof(payload) <> 'object' THEN 'payload: This is no JSON object.'
                WHEN NOT is_payload_ciphertext(payload_encrypted) THEN 'payload_encrypted: This is not an encrypted payload.'
                WHEN job_payload_error(type, payload) IS NOT NULL THEN 'payload: ' || job_payload_error(type, payload) END AS reason
    FROM line l
), written AS (
    INSERT INTO jobs (id, tenant_id, type, payload, payload_encrypted, status, reason, priority, attempts, last_error, run_at, started_at,
        finished_at, created_at, updated_at)
    SELECT id, tenant_id, type, payload, payload_encrypted, status, CASE status WHEN 'failed' THEN 'exhausted' END, priority, attempts,
           last_error, run_at, started_at, CASE WHEN status <> 'pending' THEN finished_at END, created_at, updated_at
    FROM judged WHERE NOT is_present AND reason IS NULL
    RETURNING 1
), rejected AS (
    INSERT INTO pg_temp.node_reject SELECT 'jobs', id, reason FROM judged WHERE NOT is_present AND reason IS NOT NULL
    RETURNING 1
)
SELECT (SELECT count(*) FROM written), (SELECT count(*) FROM judged WHERE is_present), (SELECT count(*) FROM rejected)
