-- Dashboards, the archive of jobs, retention, keys of operators. Locks documents against schema changes while a view is filled,
-- and finished jobs against writes while two indexes are built.
-- To undo by hand: drop tenant_document_months, jobs_archive, the tables of core that are made here, and both indexes.

-- Documents by month of creation (UTC), refreshed with tenant_document_stats. Nobody reads it directly, either.
CREATE MATERIALIZED VIEW tenant_document_months AS
    SELECT tenant_id, date_trunc('month', created_at AT TIME ZONE 'UTC')::date AS month, count(*) AS document_count, max(created_at) AS newest_document_at
    FROM documents
    GROUP BY 1, 2;
CREATE UNIQUE INDEX tenant_document_months_key ON tenant_document_months (tenant_id, month);

-- When the views were last refreshed and how long it took: one row. started_at is when the refresh began to read, so whoever
-- asked before it sees what it wrote.
CREATE TABLE core.stats_refresh (
    one boolean PRIMARY KEY DEFAULT true CONSTRAINT stats_refresh_one_check CHECK (one),
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL
);

-- What a tenant looks at is what ended within some time; what failed is asked for on its own.
CREATE INDEX ix_jobs_finished_ended ON jobs_finished (tenant_id, finished_at);
CREATE INDEX ix_jobs_finished_failed ON jobs_finished (tenant_id, finished_at) INCLUDE (type) WHERE status = 'failed';

-- How many jobs of each type were done before core.job_counted.until, so that a breakdown need not read months of them.
CREATE TABLE core.job_counts (
    tenant_id uuid NOT NULL,
    type text NOT NULL,
    done bigint NOT NULL,
    PRIMARY KEY (tenant_id, type)
) WITH (fillfactor = 80);
SELECT secure_table('core.job_counts');
CREATE TABLE core.job_counted (
    one boolean PRIMARY KEY DEFAULT true CONSTRAINT job_counted_one_check CHECK (one),
    until timestamptz NOT NULL
);

-- Jobs that were done long ago. Same columns as jobs; a month is dropped as a whole.
CREATE TABLE jobs_archive (LIKE jobs) PARTITION BY RANGE (finished_at);
CREATE TABLE jobs_archive_default PARTITION OF jobs_archive DEFAULT;
CREATE INDEX ix_jobs_archive_id ON jobs_archive (tenant_id, id);
CREATE INDEX ix_jobs_archive_ended ON jobs_archive (tenant_id, finished_at);
SELECT secure_table('jobs_archive');
SELECT secure_table('jobs_archive_default');
GRANT SELECT ON jobs_archive TO app_api, app_readonly;

-- Tables that are partitioned by time. An operator changes a row to change what happens at the next maintenance.
CREATE TABLE core.partition_config (
    parent text PRIMARY KEY, -- a table of schema public
    period text NOT NULL CONSTRAINT partition_config_period_check CHECK (period IN ('day', 'month')),
    key text NOT NULL CONSTRAINT partition_config_key_check CHECK (key IN ('time', 'uuid_v7')), -- what the table is partitioned by
    premade int NOT NULL CONSTRAINT partition_config_premade_check CHECK (premade BETWEEN 1 AND 24), -- periods ahead of this one
    -- Partitions that are wholly older go (see drop_old_partitions); null keeps them.
    retention interval CONSTRAINT partition_config_retention_check CHECK (retention >= '1 day')
);
-- job_events goes by EVENT_RETENTION_HOURS and jobs_archive by JOBS_ARCHIVE_RETENTION unless a row here says otherwise.
INSERT INTO core.partition_config (parent, period, key, premade, retention) VALUES
    ('jobs_finished', 'month', 'time', 3, '6 months'),
    ('job_events', 'day', 'time', 3, NULL),
    ('jobs_archive', 'month', 'time', 1, NULL);
INSERT INTO core.partition_config (parent, period, key, premade, retention)
    SELECT 'files', 'month', 'uuid_v7', 3, NULL FROM pg_class WHERE oid = 'files'::regclass AND relkind = 'p';

-- Partitions that retention took out of their table and whose objects in the store are not removed yet.
CREATE TABLE core.detached_partitions (
    name text PRIMARY KEY,
    parent text NOT NULL,
    detached_at timestamptz NOT NULL DEFAULT now()
);

GRANT SELECT ON core.maintenance_runs, core.stats_refresh TO app_api;
GRANT SELECT ON core.stats_refresh TO app_worker;

-- A scope of the operator could be had by anybody until now, and meant nothing. Whoever has one did not get it from an operator.
UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE EXISTS (SELECT FROM unnest(scopes) s WHERE s LIKE 'operator:%');
