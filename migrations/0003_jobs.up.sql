-- Jobs, their events, and the workers that run them. Locks nothing that exists.
-- To undo by hand: drop tables jobs, job_events, job_types, job_workers, core.maintenance_runs; drop the sequences.

-- What is known of each job type. A type without a row takes any payload; a row's schema is enforced at every door.
CREATE TABLE job_types (
    type text PRIMARY KEY,
    description text NOT NULL,
    payload_schema jsonb NOT NULL
);

CREATE SEQUENCE jobs_id_seq AS bigint;
CREATE SEQUENCE job_lease_seq AS bigint;

-- One relation for everybody; inside, live rows stay small and hot, and a finished job moves to the partition of its
-- month, so that retention drops partitions and never meets pending work.
CREATE TABLE jobs (
    id bigint NOT NULL DEFAULT nextval('jobs_id_seq'),
    tenant_id uuid NOT NULL,
    type text NOT NULL CONSTRAINT jobs_type_check CHECK (type ~ '^[a-z][a-z0-9_.-]{0,63}$'),
    payload jsonb NOT NULL DEFAULT '{}',
    payload_encrypted text,
    status text NOT NULL DEFAULT 'pending' CONSTRAINT jobs_status_check CHECK (status IN ('pending', 'running', 'done', 'failed')),
    reason text CONSTRAINT jobs_reason_check CHECK (reason IN ('exhausted', 'permanent', 'no_handler', 'cancelled', 'crashed')),
    priority int NOT NULL DEFAULT 0,
    queue text NOT NULL DEFAULT 'default' CONSTRAINT jobs_queue_check CHECK (queue ~ '^[a-z][a-z0-9_.-]{0,63}$'),
    unique_key text CONSTRAINT jobs_unique_key_check CHECK (length(unique_key) BETWEEN 1 AND 200),
    attempts int NOT NULL DEFAULT 0,
    max_attempts int CONSTRAINT jobs_max_attempts_check CHECK (max_attempts BETWEEN 1 AND 100), -- null: the worker's setting
    rescues int NOT NULL DEFAULT 0,  -- how often a dead worker's run was taken back; not an attempt
    worker_id uuid,                  -- who runs it
    lease_id bigint,                 -- fencing token of the run that holds it
    progress int CONSTRAINT jobs_progress_check CHECK (progress BETWEEN 0 AND 100),
    result jsonb,
    last_error text,
    run_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
) PARTITION BY LIST (status);
ALTER SEQUENCE jobs_id_seq OWNED BY jobs.id;

CREATE TABLE jobs_live PARTITION OF jobs FOR VALUES IN ('pending', 'running')
    WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
CREATE TABLE jobs_finished PARTITION OF jobs FOR VALUES IN ('done', 'failed') PARTITION BY RANGE (finished_at);
CREATE TABLE jobs_finished_default PARTITION OF jobs_finished DEFAULT;

CREATE UNIQUE INDEX jobs_live_id_key ON jobs_live (id);
CREATE UNIQUE INDEX jobs_live_unique_key_key ON jobs_live (tenant_id, unique_key) WHERE unique_key IS NOT NULL;
CREATE INDEX ix_jobs_live_ready ON jobs_live (priority DESC, run_at, id) WHERE status = 'pending';
CREATE INDEX ix_jobs_live_running ON jobs_live (worker_id, started_at) WHERE status = 'running';
CREATE INDEX ix_jobs_live_tenant ON jobs_live (tenant_id, created_at DESC, id DESC);
CREATE INDEX ix_jobs_finished_id ON jobs_finished (tenant_id, id);
CREATE INDEX ix_jobs_finished_tenant ON jobs_finished (tenant_id, created_at DESC, id DESC);

-- What happened to jobs, for subscribers. xid is the writer's transaction: a reader's cursor is a snapshot, see
-- docs/decisions/0001-realtime-cursor.md. Partitioned by day; retention drops days.
CREATE TABLE job_events (
    id bigint GENERATED ALWAYS AS IDENTITY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    tenant_id uuid NOT NULL,
    job_id bigint NOT NULL,
    type text NOT NULL,
    status text NOT NULL,
    reason text,
    attempts int NOT NULL,
    progress int,
    last_error text,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
) PARTITION BY RANGE (at);
CREATE TABLE job_events_default PARTITION OF job_events DEFAULT;
CREATE INDEX ix_job_events_xid ON job_events (xid, id);
CREATE INDEX ix_job_events_tenant ON job_events (tenant_id, xid, id);

-- The newest transaction whose events retention has dropped: a cursor from before it cannot be continued.
CREATE TABLE core.stream_horizon (
    stream text PRIMARY KEY,
    dropped_xid xid8 NOT NULL
);

-- One row per worker process; its heartbeat is the liveness of all its runs.
CREATE TABLE job_workers (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    concurrency int NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- One row per tick of a scheduled task: whoever inserts it runs it, so a tick runs once whatever the number of workers.
CREATE TABLE core.maintenance_runs (
    task text NOT NULL,
    tick timestamptz NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    outcome text,
    PRIMARY KEY (task, tick)
);

SELECT secure_table('jobs');
SELECT secure_table('jobs_live');
SELECT secure_table('jobs_finished');
SELECT secure_table('jobs_finished_default');
SELECT secure_table('job_events');
SELECT secure_table('job_events_default');
-- The worker runs the jobs of all tenants; what a handler touches is again the tenant's only.
CREATE POLICY p_jobs_worker ON jobs TO app_worker USING (true) WITH CHECK (true);

GRANT SELECT ON job_types TO app_api, app_worker, app_readonly;
GRANT SELECT, INSERT, UPDATE ON jobs TO app_api, app_worker;
GRANT SELECT ON jobs, job_events TO app_readonly;
GRANT SELECT ON job_events TO app_api;
GRANT USAGE ON SEQUENCE jobs_id_seq TO app_api, app_worker;
GRANT USAGE ON SEQUENCE job_lease_seq TO app_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON job_workers TO app_worker;
GRANT SELECT ON job_workers TO app_api;
GRANT SELECT, INSERT, UPDATE ON core.maintenance_runs TO app_worker;
GRANT SELECT ON core.stream_horizon TO app_api;

INSERT INTO job_types (type, description, payload_schema) VALUES
    ('send_email', 'Sends one e-mail.', '{
        "type": "object", "required": ["to"],
        "properties": {
            "to": {"type": "string", "format": "email", "maxLength": 320},
            "subject": {"type": "string", "maxLength": 998},
            "body": {"type": "string"}}}'),
    ('generate_embedding', 'Makes the vector of a document.', '{
        "type": "object", "required": ["document_id"],
        "properties": {"document_id": {"type": "string", "format": "uuid"}}}'),
    ('reindex_search', 'Refreshes the statistics of the tenant''s documents.', '{
        "type": "object", "required": ["tenant_id"],
        "properties": {"tenant_id": {"type": "string", "format": "uuid"}}}'),
    ('cleanup_files', 'Removes the tenant''s unfinished uploads.', '{
        "type": "object", "required": ["older_than_hours"],
        "properties": {"older_than_hours": {"type": "integer", "minimum": 1}}}');
