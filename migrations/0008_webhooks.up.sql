-- The outbox, webhook endpoints with their secrets, and what was delivered to them. Locks nothing that exists.
-- To undo by hand: drop tables webhook_attempts, webhook_deliveries, webhook_lanes, webhook_secrets, webhook_endpoints,
-- core.outbox, the trigger jobs_webhooks, and sequence webhook_lease_seq.

-- What happened, written in the transaction in which it happened: it is told to others when, and only when, that commits.
-- Its id is what receivers recognise a repetition by. routed_at says that the deliveries of the event exist; dispatched_at,
-- that each of them has ended, well or not.
CREATE TABLE core.outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id uuid,                  -- null: of the whole installation; nobody is told of it yet
    aggregate_type text NOT NULL CONSTRAINT outbox_aggregate_type_check CHECK (length(aggregate_type) BETWEEN 1 AND 100),
    aggregate_id text NOT NULL CONSTRAINT outbox_aggregate_id_check CHECK (length(aggregate_id) <= 200),
    topic text NOT NULL CONSTRAINT outbox_topic_check CHECK (length(topic) <= 100 AND topic ~ '^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$'),
    payload jsonb NOT NULL CONSTRAINT outbox_payload_check CHECK (jsonb_typeof(payload) = 'object' AND octet_length(payload::text) <= 262144),
    created_at timestamptz NOT NULL DEFAULT now(),
    routed_at timestamptz,
    dispatched_at timestamptz,
    dispatch_attempts int NOT NULL DEFAULT 0,
    error text                       -- of the last attempt that failed
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX ix_outbox_unrouted ON core.outbox (id) WHERE routed_at IS NULL;
CREATE INDEX ix_outbox_undispatched ON core.outbox (tenant_id, id) WHERE dispatched_at IS NULL;
SELECT secure_table('core.outbox');

CREATE TABLE webhook_endpoints (
    tenant_id uuid NOT NULL CONSTRAINT webhook_endpoints_tenant_id_fkey REFERENCES tenants (id),
    id uuid NOT NULL DEFAULT uuid_v7(),
    name text NOT NULL CONSTRAINT webhook_endpoints_name_check CHECK (length(name) BETWEEN 1 AND 100),
    url text NOT NULL CONSTRAINT webhook_endpoints_url_check CHECK (length(url) <= 2048 AND url ~ '^https?://'),
    description text CONSTRAINT webhook_endpoints_description_check CHECK (length(description) <= 500),
    events text[] NOT NULL DEFAULT '{}',    -- topics; none stands for all
    job_types text[] NOT NULL DEFAULT '{}', -- of the events of jobs; none stands for all
    ordering text NOT NULL DEFAULT 'parallel' CONSTRAINT webhook_endpoints_ordering_check CHECK (ordering IN ('parallel', 'per_endpoint')),
    is_enabled boolean NOT NULL DEFAULT true,
    disabled_reason text CONSTRAINT webhook_endpoints_disabled_reason_check CHECK (disabled_reason IN ('caller', 'gone')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT webhook_endpoints_name_key UNIQUE (tenant_id, name),
    CONSTRAINT webhook_endpoints_enabled_check CHECK (is_enabled = (disabled_reason IS NULL))
);
CREATE INDEX ix_webhook_endpoints_enabled ON webhook_endpoints (tenant_id) WHERE is_enabled;
CREATE INDEX ix_webhook_endpoints_created ON webhook_endpoints (tenant_id, created_at DESC, id DESC);
SELECT secure_table('webhook_endpoints');

-- What deliveries are signed with, in the clear. No role of the product may read it: a worker is handed the secrets of what
-- it claims.
CREATE TABLE webhook_secrets (
    tenant_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    secret text NOT NULL CONSTRAINT webhook_secrets_secret_check CHECK (length(secret) BETWEEN 20 AND 2000),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,          -- null: the current one
    PRIMARY KEY (tenant_id, endpoint_id, id),
    CONSTRAINT webhook_secrets_endpoint_id_fkey FOREIGN KEY (tenant_id, endpoint_id) REFERENCES webhook_endpoints (tenant_id, id) ON DELETE CASCADE
);
SELECT secure_table('webhook_secrets');

-- When an endpoint is due. One row for each, the unit of scheduling: whoever holds its lock decides what is sent next, so
-- that order, the bound on parallel sends and the circuit hold over all processes; an endpoint that is not due costs nothing.
CREATE TABLE webhook_lanes (
    tenant_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    due_at timestamptz,              -- null: there is nothing to send
    resume_at timestamptz,           -- before it only tests are sent: the circuit is open, or the receiver asked to wait
    failures int NOT NULL DEFAULT 0, -- in a row
    trips int NOT NULL DEFAULT 0,    -- how often the circuit opened since the last success
    PRIMARY KEY (tenant_id, endpoint_id),
    CONSTRAINT webhook_lanes_endpoint_id_fkey FOREIGN KEY (tenant_id, endpoint_id) REFERENCES webhook_endpoints (tenant_id, id) ON DELETE CASCADE
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
CREATE UNIQUE INDEX webhook_lanes_endpoint_id_key ON webhook_lanes (endpoint_id);
CREATE INDEX ix_webhook_lanes_due ON webhook_lanes (due_at) WHERE due_at IS NOT NULL;
SELECT secure_table('webhook_lanes');

-- One event for one endpoint. While it is pending, next_attempt_at is when it may be sent; while it is being sent, when
-- the lease ends and another worker may.
CREATE SEQUENCE webhook_lease_seq AS bigint;
CREATE TABLE webhook_deliveries (
    tenant_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    endpoint_id uuid NOT NULL,       -- may be gone
    event_id bigint NOT NULL CONSTRAINT webhook_deliveries_event_id_fkey REFERENCES core.outbox (id) ON DELETE CASCADE,
    event text NOT NULL,
    is_test boolean NOT NULL DEFAULT false,
    status text NOT NULL DEFAULT 'pending' CONSTRAINT webhook_deliveries_status_check CHECK (status IN ('pending', 'delivered', 'dead')),
    attempts int NOT NULL DEFAULT 0, -- in all
    tries int NOT NULL DEFAULT 0,    -- since the last redelivery; the schedule counts these
    lease_id bigint,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
CREATE UNIQUE INDEX webhook_deliveries_id_key ON webhook_deliveries (id);
CREATE INDEX ix_webhook_deliveries_due ON webhook_deliveries (tenant_id, endpoint_id, next_attempt_at, id) WHERE status = 'pending';
CREATE INDEX ix_webhook_deliveries_head ON webhook_deliveries (tenant_id, endpoint_id, id) WHERE status = 'pending';
CREATE INDEX ix_webhook_deliveries_leased ON webhook_deliveries (tenant_id, endpoint_id) WHERE lease_id IS NOT NULL;
CREATE INDEX ix_webhook_deliveries_tests ON webhook_deliveries (tenant_id, endpoint_id) WHERE is_test AND status = 'pending';
CREATE INDEX ix_webhook_deliveries_dead ON webhook_deliveries (tenant_id, created_at DESC, id DESC) WHERE status = 'dead';
CREATE INDEX ix_webhook_deliveries_event ON webhook_deliveries (event_id);
CREATE INDEX ix_webhook_deliveries_created ON webhook_deliveries (tenant_id, created_at DESC, id DESC);
CREATE INDEX ix_webhook_deliveries_endpoint ON webhook_deliveries (tenant_id, endpoint_id, created_at DESC, id DESC);
SELECT secure_table('webhook_deliveries');

-- What came of each attempt.
CREATE TABLE webhook_attempts (
    tenant_id uuid NOT NULL,
    delivery_id bigint NOT NULL,
    attempt int NOT NULL,
    endpoint_id uuid NOT NULL,
    at timestamptz NOT NULL,         -- when it began
    duration_ms int NOT NULL,
    response_status int,             -- null: there was no answer
    response text,                   -- how it began
    error text,                      -- null: a success
    PRIMARY KEY (tenant_id, delivery_id, attempt),
    CONSTRAINT webhook_attempts_delivery_id_fkey FOREIGN KEY (tenant_id, delivery_id) REFERENCES webhook_deliveries (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX ix_webhook_attempts_endpoint ON webhook_attempts (tenant_id, endpoint_id, at DESC);
SELECT secure_table('webhook_attempts');

GRANT SELECT ON core.outbox, webhook_endpoints, webhook_lanes, webhook_deliveries, webhook_attempts TO app_api, app_readonly;
