-- Administration of tenants: limits, keys whose secret can change, deletion with proof.
-- Locks tenants and api_keys for the moment of adding columns. To undo by hand: drop the tables tenant_limits,
-- core.tenant_quota and core.tenant_deletions, and the added columns.

-- Set while the tenant is being deleted: its keys have ended and nothing new is written for it (guard_tenant).
ALTER TABLE tenants ADD COLUMN deleting_at timestamptz;

-- After a rotation the old secret opens the key until previous_ends_at.
ALTER TABLE api_keys
    ADD COLUMN previous_hash text CONSTRAINT api_keys_previous_hash_check CHECK (previous_hash ~ '^[0-9a-f]{64}$'),
    ADD COLUMN previous_ends_at timestamptz,
    ADD CONSTRAINT api_keys_previous_hash_key UNIQUE (previous_hash),
    ADD CONSTRAINT api_keys_previous_check CHECK ((previous_hash IS NULL) = (previous_ends_at IS NULL));
GRANT SELECT (previous_ends_at) ON api_keys TO app_api, app_readonly;

-- What a tenant may have; null is no limit. Only the owner writes (set_tenant_limits).
CREATE TABLE tenant_limits (
    tenant_id uuid PRIMARY KEY CONSTRAINT tenant_limits_tenant_id_fkey REFERENCES tenants (id),
    documents bigint CONSTRAINT tenant_limits_documents_check CHECK (documents >= 0),
    users bigint CONSTRAINT tenant_limits_users_check CHECK (users >= 0),
    api_keys bigint CONSTRAINT tenant_limits_api_keys_check CHECK (api_keys >= 0), -- that have neither ended nor been revoked
    queues bigint CONSTRAINT tenant_limits_queues_check CHECK (queues >= 0),
    webhook_endpoints bigint CONSTRAINT tenant_limits_webhook_endpoints_check CHECK (webhook_endpoints >= 0),
    jobs_per_day bigint CONSTRAINT tenant_limits_jobs_per_day_check CHECK (jobs_per_day >= 0), -- enqueued since midnight UTC
    requests_per_minute int CONSTRAINT tenant_limits_requests_per_minute_check CHECK (requests_per_minute > 0),
    updated_at timestamptz NOT NULL DEFAULT now()
);
SELECT secure_table('tenant_limits');
GRANT SELECT ON tenant_limits TO app_api, app_worker, app_readonly;

-- The room that is left under a limit, dealt out to slots: a writer takes what it needs from one slot that nobody else holds,
-- so the sum is exact and writers of one tenant do not wait for each other (take_quota). Tenants without limits have no rows.
CREATE TABLE core.tenant_quota (
    tenant_id uuid NOT NULL,
    resource text NOT NULL,
    slot smallint NOT NULL,
    room bigint NOT NULL,
    share bigint NOT NULL, -- the slot's part of the whole limit
    day date,              -- of a limit per day: the day that room is of
    PRIMARY KEY (tenant_id, resource, slot)
) WITH (fillfactor = 40, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
SELECT secure_table('core.tenant_quota');

-- What was deleted, for good: it stays when the tenant is gone, and names it by a hash only.
CREATE TABLE core.tenant_deletions (
    tenant_id uuid PRIMARY KEY,
    name_sha256 text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    started_by text NOT NULL,
    rows_before jsonb NOT NULL, -- table: number of rows
    objects_deleted bigint,     -- of the object store; null when there is none
    finished_at timestamptz,
    rows_after jsonb
);
SELECT secure_table('core.tenant_deletions');

-- A third argument, with a default, joins the two.
DROP FUNCTION IF EXISTS revoke_api_key(uuid, uuid);
