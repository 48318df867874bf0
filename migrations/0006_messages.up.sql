-- Message queues: the schema pgmq where the extension of that name is not there, and each tenant's queues.
-- Locks nothing that exists. To undo by hand: DROP TABLE message_queues; then DROP SCHEMA pgmq, which drops the messages.

-- What callers of the extension rely on: the same types and tables, in the extension's own order of columns.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pgmq') THEN
        RETURN;
    END IF;
    CREATE SCHEMA pgmq;

    CREATE TABLE pgmq.meta (
        queue_name varchar UNIQUE NOT NULL,
        is_partitioned boolean NOT NULL,
        is_unlogged boolean NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
    );

    -- Logged, so that notifications go on after a crash.
    CREATE TABLE pgmq.notify_insert_throttle (
        queue_name varchar UNIQUE NOT NULL CONSTRAINT notify_insert_throttle_meta_queue_name_fk
            REFERENCES pgmq.meta (queue_name) ON DELETE CASCADE,
        throttle_interval_ms integer NOT NULL DEFAULT 0,
        last_notified_at timestamptz NOT NULL DEFAULT to_timestamp(0)
    ) WITH (fillfactor = 50);

    CREATE TABLE pgmq.topic_bindings (
        pattern text NOT NULL,
        queue_name text NOT NULL CONSTRAINT topic_bindings_meta_queue_name_fk
            REFERENCES pgmq.meta (queue_name) ON DELETE CASCADE,
        bound_at timestamptz NOT NULL DEFAULT now(),
        compiled_regex text GENERATED ALWAYS AS (
            '^' || replace(replace(regexp_replace(pattern, '([].+?{}()|[\\^$])', '\\\1', 'g'), '*', '[^.]+'), '#', '.*') || '$') STORED,
        CONSTRAINT topic_bindings_unique_pattern_queue UNIQUE (pattern, queue_name)
    );

    -- Ours: what pg_partman's configuration says of the partitions of queues and archives.
    CREATE TABLE pgmq.partition_config (
        parent_table text PRIMARY KEY, -- q_… or a_…, without the schema
        queue_name varchar NOT NULL REFERENCES pgmq.meta (queue_name) ON DELETE CASCADE,
        control text NOT NULL,         -- msg_id, enqueued_at or archived_at
        partition_interval text NOT NULL,
        retention text NOT NULL,
        premake integer NOT NULL
    );

    CREATE TYPE pgmq.message_record AS (
        msg_id bigint, read_ct integer, enqueued_at timestamptz, last_read_at timestamptz, vt timestamptz, message jsonb, headers jsonb);
    CREATE TYPE pgmq.queue_record AS (
        queue_name varchar, is_partitioned boolean, is_unlogged boolean, created_at timestamptz);
    CREATE TYPE pgmq.metrics_result AS (
        queue_name text, queue_length bigint, newest_msg_age_sec integer, oldest_msg_age_sec integer, total_messages bigint,
        scrape_time timestamptz, queue_visible_length bigint, default_partition_length bigint);

    -- What a monitoring tool may see.
    GRANT USAGE ON SCHEMA pgmq TO pg_monitor;
    GRANT SELECT ON ALL TABLES IN SCHEMA pgmq TO pg_monitor;
    ALTER DEFAULT PRIVILEGES IN SCHEMA pgmq GRANT SELECT ON TABLES TO pg_monitor;
    ALTER DEFAULT PRIVILEGES IN SCHEMA pgmq GRANT SELECT ON SEQUENCES TO pg_monitor;
END $$;

-- A tenant's queues by the names that the tenant gives them. physical is the queue's name in pgmq: two tenants never share a table.
CREATE TABLE message_queues (
    tenant_id uuid NOT NULL CONSTRAINT message_queues_tenant_id_fkey REFERENCES tenants (id),
    name text COLLATE "C" NOT NULL CONSTRAINT message_queues_name_check CHECK (name ~ '^[a-z][a-z0-9_]{0,30}$'),
    physical text NOT NULL CONSTRAINT message_queues_physical_key UNIQUE,
    kind text NOT NULL DEFAULT 'standard' CONSTRAINT message_queues_kind_check CHECK (kind IN ('standard', 'unlogged', 'partitioned')),
    max_reads int CONSTRAINT message_queues_max_reads_check CHECK (max_reads BETWEEN 1 AND 1000),
    dead_letter_queue text COLLATE "C" CONSTRAINT message_queues_dead_letter_queue_check CHECK (dead_letter_queue <> name),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, name),
    CONSTRAINT message_queues_redrive_check CHECK ((max_reads IS NULL) = (dead_letter_queue IS NULL)),
    CONSTRAINT message_queues_dead_letter_queue_fkey FOREIGN KEY (tenant_id, dead_letter_queue) REFERENCES message_queues (tenant_id, name)
);
CREATE INDEX ix_message_queues_dead_letter ON message_queues (tenant_id, dead_letter_queue) WHERE dead_letter_queue IS NOT NULL;
SELECT secure_table('message_queues');
GRANT SELECT ON message_queues TO app_api, app_worker, app_readonly;
