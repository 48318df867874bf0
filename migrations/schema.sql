-- GENERATED from the migrations by `make generate`: the schema as it is now, for reading. Do not edit, do not run.
-- Extensions: contrib only (see the variants in functions/). Partitions named by a date are left out.

-- Extensions, sequences, text search ----------------------------------------------------------------------------------

CREATE EXTENSION btree_gin;
CREATE EXTENSION btree_gist;
CREATE EXTENSION citext;
CREATE EXTENSION cube;
CREATE EXTENSION fuzzystrmatch;
CREATE EXTENSION hstore;
CREATE EXTENSION intarray;
CREATE EXTENSION ltree;
CREATE EXTENSION pg_trgm;
CREATE EXTENSION pgcrypto;
CREATE EXTENSION tablefunc;
CREATE EXTENSION unaccent;

CREATE SEQUENCE job_lease_seq AS bigint;
GRANT USAGE ON SEQUENCE job_lease_seq TO app_worker;
CREATE SEQUENCE jobs_id_seq AS bigint;
GRANT USAGE ON SEQUENCE jobs_id_seq TO app_api;
GRANT USAGE ON SEQUENCE jobs_id_seq TO app_worker;

-- TEXT SEARCH CONFIGURATION ar_unaccent: words go to unaccent, then arabic_stem
-- TEXT SEARCH CONFIGURATION ca_unaccent: words go to unaccent, then catalan_stem
-- TEXT SEARCH CONFIGURATION da_unaccent: words go to unaccent, then danish_stem
-- TEXT SEARCH CONFIGURATION de_unaccent: words go to unaccent, then german_stem
-- TEXT SEARCH CONFIGURATION el_unaccent: words go to unaccent, then greek_stem
-- TEXT SEARCH CONFIGURATION en_unaccent: words go to unaccent, then english_stem
-- TEXT SEARCH CONFIGURATION es_unaccent: words go to unaccent, then spanish_stem
-- TEXT SEARCH CONFIGURATION eu_unaccent: words go to unaccent, then basque_stem
-- TEXT SEARCH CONFIGURATION fi_unaccent: words go to unaccent, then finnish_stem
-- TEXT SEARCH CONFIGURATION fr_unaccent: words go to unaccent, then french_stem
-- TEXT SEARCH CONFIGURATION ga_unaccent: words go to unaccent, then irish_stem
-- TEXT SEARCH CONFIGURATION hi_unaccent: words go to unaccent, then hindi_stem
-- TEXT SEARCH CONFIGURATION hu_unaccent: words go to unaccent, then hungarian_stem
-- TEXT SEARCH CONFIGURATION hy_unaccent: words go to unaccent, then armenian_stem
-- TEXT SEARCH CONFIGURATION id_unaccent: words go to unaccent, then indonesian_stem
-- TEXT SEARCH CONFIGURATION it_unaccent: words go to unaccent, then italian_stem
-- TEXT SEARCH CONFIGURATION lt_unaccent: words go to unaccent, then lithuanian_stem
-- TEXT SEARCH CONFIGURATION ne_unaccent: words go to unaccent, then nepali_stem
-- TEXT SEARCH CONFIGURATION nl_unaccent: words go to unaccent, then dutch_stem
-- TEXT SEARCH CONFIGURATION no_unaccent: words go to unaccent, then norwegian_stem
-- TEXT SEARCH CONFIGURATION plain_unaccent: words go to unaccent, then simple
-- TEXT SEARCH CONFIGURATION pt_unaccent: words go to unaccent, then portuguese_stem
-- TEXT SEARCH CONFIGURATION ro_unaccent: words go to unaccent, then romanian_stem
-- TEXT SEARCH CONFIGURATION ru_unaccent: words go to unaccent, then russian_stem
-- TEXT SEARCH CONFIGURATION sr_unaccent: words go to unaccent, then serbian_stem
-- TEXT SEARCH CONFIGURATION sv_unaccent: words go to unaccent, then swedish_stem
-- TEXT SEARCH CONFIGURATION ta_unaccent: words go to unaccent, then tamil_stem
-- TEXT SEARCH CONFIGURATION tr_unaccent: words go to unaccent, then turkish_stem
-- TEXT SEARCH CONFIGURATION yi_unaccent: words go to unaccent, then yiddish_stem

-- Tables and views ----------------------------------------------------------------------------------------------------

CREATE TABLE api_keys (
    tenant_id uuid NOT NULL,
    id uuid DEFAULT uuid_v7() NOT NULL,
    key_prefix text NOT NULL,
    key_hash text NOT NULL,
    name text NOT NULL,
    scopes text[] DEFAULT '{*}'::text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone,
    CONSTRAINT api_keys_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT api_keys_key_hash_key UNIQUE (key_hash),
    CONSTRAINT api_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
    CONSTRAINT api_keys_key_hash_check CHECK ((key_hash ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT api_keys_key_prefix_check CHECK ((length(key_prefix) = 12)),
    CONSTRAINT api_keys_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT api_keys_scopes_check CHECK ((((cardinality(scopes) >= 1) AND (cardinality(scopes) <= 50)) AND (array_position(scopes, NULL::text) IS NULL)))
);
CREATE INDEX ix_api_keys_created ON public.api_keys USING btree (tenant_id, created_at DESC, id DESC);
CREATE INDEX ix_api_keys_id ON public.api_keys USING btree (id);
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_api_keys_owner ON api_keys TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_api_keys_tenant ON api_keys
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));
GRANT INSERT ON api_keys TO app_api;
GRANT SELECT (tenant_id, id, key_prefix, name, scopes, created_at, expires_at, revoked_at, last_used_at) ON api_keys TO app_api;
GRANT UPDATE (revoked_at) ON api_keys TO app_api;
GRANT SELECT (tenant_id, id, key_prefix, name, scopes, created_at, expires_at, revoked_at, last_used_at) ON api_keys TO app_readonly;

CREATE TABLE app_users (
    tenant_id uuid NOT NULL,
    id uuid DEFAULT uuid_v7() NOT NULL,
    email citext NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT app_users_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT app_users_email_key UNIQUE (tenant_id, email),
    CONSTRAINT app_users_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
    CONSTRAINT app_users_email_check CHECK (((length((email)::text) <= 320) AND (email ~ '^[^@\s]+@[^@\s]+$'::citext)))
);
CREATE INDEX ix_app_users_created ON public.app_users USING btree (tenant_id, created_at DESC, id DESC);
ALTER TABLE app_users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_app_users_owner ON app_users TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_app_users_tenant ON app_users
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));
GRANT SELECT, INSERT ON app_users TO app_api;
GRANT SELECT ON app_users TO app_readonly;
GRANT SELECT ON app_users TO app_worker;

CREATE TABLE documents (
    tenant_id uuid NOT NULL,
    id uuid DEFAULT uuid_v7() NOT NULL,
    author_id uuid NOT NULL,
    external_id text,
    title text NOT NULL,
    body text NOT NULL,
    language text DEFAULT 'en'::text NOT NULL,
    metadata hstore DEFAULT ''::hstore NOT NULL,
    path ltree,
    path_text text COLLATE "C" GENERATED ALWAYS AS (ltree2text(path)) STORED,
    tag_ids integer[] DEFAULT '{}'::integer[] NOT NULL,
    longitude double precision,
    latitude double precision,
    search_tsv tsvector GENERATED ALWAYS AS ((setweight(to_tsvector(search_config(language), title), 'A'::"char") || setweight(to_tsvector(search_config(language), body), 'B'::"char"))) STORED,
    embedding_model text,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    embedding real[],
    CONSTRAINT documents_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT documents_author_id_fkey FOREIGN KEY (tenant_id, author_id) REFERENCES app_users(tenant_id, id),
    CONSTRAINT documents_embedding_check CHECK (((array_length(embedding, 1) = 1536) AND (array_position(embedding, NULL::real) IS NULL))),
    CONSTRAINT documents_external_id_check CHECK (((length(external_id) >= 1) AND (length(external_id) <= 200))),
    CONSTRAINT documents_language_check CHECK ((language ~ '^[a-z]{2}$|^plain$'::text)),
    CONSTRAINT documents_latitude_check CHECK (((latitude >= ('-90'::integer)::double precision) AND (latitude <= (90)::double precision))),
    CONSTRAINT documents_location_check CHECK (((longitude IS NULL) = (latitude IS NULL))),
    CONSTRAINT documents_longitude_check CHECK (((longitude >= ('-180'::integer)::double precision) AND (longitude <= (180)::double precision))),
    CONSTRAINT documents_tag_ids_check CHECK (((cardinality(tag_ids) <= 1000) AND (array_position(tag_ids, NULL::integer) IS NULL))),
    CONSTRAINT documents_title_check CHECK ((((length(title) >= 1) AND (length(title) <= 500)) AND (title ~ '\S'::text)))
);
CREATE UNIQUE INDEX documents_external_id_key ON public.documents USING btree (tenant_id, external_id) WHERE (external_id IS NOT NULL);
CREATE INDEX ix_documents_author ON public.documents USING btree (tenant_id, author_id, created_at DESC, id DESC);
CREATE INDEX ix_documents_created ON public.documents USING btree (tenant_id, created_at DESC, id DESC);
CREATE INDEX ix_documents_labels ON public.documents USING gin (tenant_id, tag_ids gin__int_ops, metadata);
CREATE INDEX ix_documents_path ON public.documents USING btree (tenant_id, path_text, id);
CREATE INDEX ix_documents_search ON public.documents USING gin (tenant_id, search_tsv);
CREATE INDEX ix_documents_sphere ON public.documents USING gist (tenant_id, sphere_point(longitude, latitude));
CREATE INDEX ix_documents_title ON public.documents USING btree (tenant_id, title, id);
CREATE INDEX ix_documents_updated ON public.documents USING btree (tenant_id, updated_at DESC, id DESC);
ALTER TABLE documents ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_documents_owner ON documents TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_documents_tenant ON documents
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON documents TO app_api;
GRANT SELECT ON documents TO app_readonly;
GRANT SELECT ON documents TO app_worker;
GRANT UPDATE (embedding_model, embedding) ON documents TO app_worker;

CREATE TABLE files (
    tenant_id uuid NOT NULL,
    id uuid DEFAULT uuid_v7() NOT NULL,
    uploader_id uuid NOT NULL,
    filename text NOT NULL,
    content_type text NOT NULL,
    size_bytes bigint NOT NULL,
    storage_key text NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT files_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT files_storage_key_key UNIQUE (tenant_id, storage_key),
    CONSTRAINT files_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
    CONSTRAINT files_uploader_id_fkey FOREIGN KEY (tenant_id, uploader_id) REFERENCES app_users(tenant_id, id),
    CONSTRAINT files_content_type_check CHECK (((length(content_type) >= 1) AND (length(content_type) <= 255))),
    CONSTRAINT files_filename_check CHECK (((length(filename) >= 1) AND (length(filename) <= 255))),
    CONSTRAINT files_size_bytes_check CHECK ((size_bytes >= 0)),
    CONSTRAINT files_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'ready'::text]))),
    CONSTRAINT files_storage_key_check CHECK (((length(storage_key) >= 1) AND (length(storage_key) <= 1024)))
);
CREATE INDEX ix_files_created ON public.files USING btree (tenant_id, created_at DESC, id DESC);
CREATE INDEX ix_files_unfinished ON public.files USING btree (tenant_id, created_at) WHERE (status = 'pending'::text);
ALTER TABLE files ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_files_owner ON files TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_files_tenant ON files
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON files TO app_api;
GRANT SELECT ON files TO app_readonly;
GRANT SELECT, DELETE ON files TO app_worker;

CREATE TABLE job_events (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    tenant_id uuid NOT NULL,
    job_id bigint NOT NULL,
    type text NOT NULL,
    status text NOT NULL,
    reason text,
    attempts integer NOT NULL,
    progress integer,
    last_error text,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX ix_job_events_tenant ON ONLY public.job_events USING btree (tenant_id, xid, id);
CREATE INDEX ix_job_events_xid ON ONLY public.job_events USING btree (xid, id);
ALTER TABLE job_events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_job_events_owner ON job_events TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_job_events_tenant ON job_events
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));
GRANT SELECT ON job_events TO app_api;
GRANT SELECT ON job_events TO app_readonly;

CREATE TABLE job_events_default PARTITION OF job_events DEFAULT;
ALTER TABLE job_events_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_job_events_default_owner ON job_events_default TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_job_events_default_tenant ON job_events_default
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE job_types (
    type text NOT NULL,
    description text NOT NULL,
    payload_schema jsonb NOT NULL,
    CONSTRAINT job_types_pkey PRIMARY KEY (type)
);
GRANT SELECT ON job_types TO app_api;
GRANT SELECT ON job_types TO app_readonly;
GRANT SELECT ON job_types TO app_worker;

CREATE TABLE job_workers (
    id uuid NOT NULL,
    name text NOT NULL,
    concurrency integer NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    heartbeat_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT job_workers_pkey PRIMARY KEY (id)
) WITH (fillfactor=50);
GRANT SELECT ON job_workers TO app_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON job_workers TO app_worker;

CREATE TABLE jobs (
    id bigint DEFAULT nextval('jobs_id_seq'::regclass) NOT NULL,
    tenant_id uuid NOT NULL,
    type text NOT NULL,
    payload jsonb DEFAULT '{}'::jsonb NOT NULL,
    payload_encrypted text,
    status text DEFAULT 'pending'::text NOT NULL,
    reason text,
    priority integer DEFAULT 0 NOT NULL,
    queue text DEFAULT 'default'::text NOT NULL,
    unique_key text,
    attempts integer DEFAULT 0 NOT NULL,
    max_attempts integer,
    rescues integer DEFAULT 0 NOT NULL,
    worker_id uuid,
    lease_id bigint,
    progress integer,
    result jsonb,
    last_error text,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT jobs_max_attempts_check CHECK (((max_attempts >= 1) AND (max_attempts <= 100))),
    CONSTRAINT jobs_progress_check CHECK (((progress >= 0) AND (progress <= 100))),
    CONSTRAINT jobs_queue_check CHECK ((queue ~ '^[a-z][a-z0-9_.-]{0,63}$'::text)),
    CONSTRAINT jobs_reason_check CHECK ((reason = ANY (ARRAY['exhausted'::text, 'permanent'::text, 'no_handler'::text, 'cancelled'::text, 'crashed'::text]))),
    CONSTRAINT jobs_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'running'::text, 'done'::text, 'failed'::text]))),
    CONSTRAINT jobs_type_check CHECK ((type ~ '^[a-z][a-z0-9_.-]{0,63}$'::text)),
    CONSTRAINT jobs_unique_key_check CHECK (((length(unique_key) >= 1) AND (length(unique_key) <= 200)))
) PARTITION BY LIST (status);
CREATE TRIGGER jobs_events AFTER UPDATE ON jobs REFERENCING OLD TABLE AS old_jobs NEW TABLE AS new_jobs FOR EACH STATEMENT EXECUTE FUNCTION log_job_events();
ALTER TABLE jobs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_jobs_owner ON jobs TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_jobs_tenant ON jobs
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));
CREATE POLICY p_jobs_worker ON jobs TO app_worker
    USING (true)
    WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON jobs TO app_api;
GRANT SELECT ON jobs TO app_readonly;
GRANT SELECT, INSERT, UPDATE ON jobs TO app_worker;

CREATE TABLE jobs_finished PARTITION OF jobs FOR VALUES IN ('done', 'failed') PARTITION BY RANGE (finished_at);
CREATE INDEX ix_jobs_finished_id ON ONLY public.jobs_finished USING btree (tenant_id, id);
CREATE INDEX ix_jobs_finished_tenant ON ONLY public.jobs_finished USING btree (tenant_id, created_at DESC, id DESC);
CREATE TRIGGER jobs_payload_check BEFORE INSERT ON jobs_finished FOR EACH ROW WHEN (new.lease_id IS NULL) EXECUTE FUNCTION check_job_payload();
CREATE TRIGGER jobs_payload_update_check BEFORE UPDATE OF type, payload ON jobs_finished FOR EACH ROW EXECUTE FUNCTION check_job_payload();
ALTER TABLE jobs_finished ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_jobs_finished_owner ON jobs_finished TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_jobs_finished_tenant ON jobs_finished
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE jobs_finished_default PARTITION OF jobs_finished DEFAULT;
ALTER TABLE jobs_finished_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_jobs_finished_default_owner ON jobs_finished_default TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_jobs_finished_default_tenant ON jobs_finished_default
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE jobs_live PARTITION OF jobs FOR VALUES IN ('pending', 'running') WITH (autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_threshold=500, autovacuum_vacuum_cost_delay=0);
CREATE INDEX ix_jobs_live_ready ON public.jobs_live USING btree (priority DESC, run_at, id) WHERE (status = 'pending'::text);
CREATE INDEX ix_jobs_live_running ON public.jobs_live USING btree (worker_id, started_at) WHERE (status = 'running'::text);
CREATE INDEX ix_jobs_live_tenant ON public.jobs_live USING btree (tenant_id, created_at DESC, id DESC);
CREATE UNIQUE INDEX jobs_live_id_key ON public.jobs_live USING btree (id);
CREATE UNIQUE INDEX jobs_live_unique_key_key ON public.jobs_live USING btree (tenant_id, unique_key) WHERE (unique_key IS NOT NULL);
CREATE TRIGGER jobs_payload_check BEFORE INSERT OR UPDATE OF type, payload ON jobs_live FOR EACH ROW EXECUTE FUNCTION check_job_payload();
ALTER TABLE jobs_live ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_jobs_live_owner ON jobs_live TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_jobs_live_tenant ON jobs_live
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE MATERIALIZED VIEW tenant_document_stats AS
 SELECT tenant_id,
    count(*) AS document_count,
    max(created_at) AS newest_document_at,
    now() AS refreshed_at
   FROM documents
  GROUP BY tenant_id;
CREATE UNIQUE INDEX tenant_document_stats_tenant_id_key ON public.tenant_document_stats USING btree (tenant_id);

CREATE TABLE tenants (
    id uuid DEFAULT uuid_v7() NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT tenants_pkey PRIMARY KEY (id),
    CONSTRAINT tenants_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200)))
);
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_tenants_owner ON tenants TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_tenants_tenant ON tenants
    USING ((id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));
GRANT SELECT ON tenants TO app_api;
GRANT SELECT ON tenants TO app_readonly;
GRANT SELECT ON tenants TO app_worker;

CREATE TABLE core.maintenance_runs (
    task text NOT NULL,
    tick timestamp with time zone NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    outcome text,
    CONSTRAINT maintenance_runs_pkey PRIMARY KEY (task, tick)
);
GRANT SELECT, INSERT, UPDATE ON core.maintenance_runs TO app_worker;

CREATE TABLE core.schema_migrations (
    version bigint NOT NULL,
    dirty boolean NOT NULL,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (version)
);

CREATE TABLE core.schema_version (
    module text NOT NULL,
    version integer NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    migration_hash text NOT NULL,
    CONSTRAINT schema_version_pkey PRIMARY KEY (module)
);
GRANT SELECT ON core.schema_version TO app_api;
GRANT SELECT ON core.schema_version TO app_readonly;
GRANT SELECT ON core.schema_version TO app_worker;

CREATE UNLOGGED TABLE core.stream_epoch (
    one boolean DEFAULT true NOT NULL,
    value bigint DEFAULT ((random() * ('9000000000000000'::numeric)::double precision))::bigint NOT NULL,
    CONSTRAINT stream_epoch_pkey PRIMARY KEY (one),
    CONSTRAINT stream_epoch_one_check CHECK (one)
);

CREATE TABLE core.stream_horizon (
    stream text NOT NULL,
    dropped_xid xid8 NOT NULL,
    CONSTRAINT stream_horizon_pkey PRIMARY KEY (stream)
);
GRANT SELECT ON core.stream_horizon TO app_api;

-- Functions -----------------------------------------------------------------------------------------------------------

FUNCTION _hashids_setup(salt text, alphabet text, OUT alpha text, OUT seps text, OUT guards text) RETURNS record
    -- plpgsql, immutable, strict, parallel safe; may be called by everybody

FUNCTION _hashids_shuffle(a text, salt text) RETURNS text
    -- plpgsql, immutable, strict, parallel safe; may be called by everybody

FUNCTION assert_tenant(p_tenant_id uuid) RETURNS void
    -- plpgsql, stable; may be called by everybody

FUNCTION authenticate_key(p_hash text) RETURNS TABLE(tenant_id uuid, key_id uuid, scopes text[], expires_at timestamp with time zone)
    -- sql, stable, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION authenticate_key_id(p_id uuid) RETURNS TABLE(tenant_id uuid, key_id uuid, scopes text[], expires_at timestamp with time zone)
    -- sql, stable, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION cancel_job(p_tenant_id uuid, p_id bigint) RETURNS jobs
    -- plpgsql, volatile; may be called by app_api

FUNCTION check_job_payload() RETURNS trigger
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by the owner only

FUNCTION claim_job() RETURNS SETOF jobs
    -- sql, volatile; may be called by app_worker

FUNCTION claim_jobs(p_worker_id uuid, p_types text[], p_limit integer) RETURNS SETOF jobs
    -- plpgsql, volatile, SET enable_seqscan=off, SET enable_hashjoin=off, SET enable_mergejoin=off; may be called by app_worker

FUNCTION cleanup_files(p_tenant_id uuid, p_older_than_hours integer) RETURNS bigint
    -- sql, volatile; may be called by app_worker

FUNCTION complete_job(p_id bigint, p_lease_id bigint DEFAULT NULL::bigint) RETURNS boolean
    -- plpgsql, volatile, SET enable_seqscan=off; may be called by app_worker

FUNCTION complete_jobs(p_ids bigint[], p_leases bigint[], p_results jsonb[]) RETURNS SETOF bigint
    -- sql, volatile, SET enable_seqscan=off, SET enable_nestloop=off, SET enable_mergejoin=off; may be called by app_worker

FUNCTION count_documents_found(p_tenant_id uuid, p_query text, p_limit integer, p_path_prefix text DEFAULT NULL::text, p_mode text DEFAULT 'fts'::text, p_tag_ids integer[] DEFAULT NULL::integer[], p_all_tags boolean DEFAULT false, p_metadata hstore DEFAULT NULL::hstore, p_longitude double precision DEFAULT NULL::double precision, p_latitude double precision DEFAULT NULL::double precision, p_radius double precision DEFAULT NULL::double precision, p_language text DEFAULT 'en'::text) RETURNS bigint
    -- sql, stable; may be called by app_api

FUNCTION create_api_key(p_tenant_id uuid, p_name text, p_prefix text, p_hash text, p_scopes text[] DEFAULT '{*}'::text[], p_expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS uuid
    -- plpgsql, volatile; may be called by app_api

FUNCTION create_document(p_tenant_id uuid, p_author_id uuid, p_title text, p_body text, p_metadata hstore DEFAULT NULL::hstore, p_path text DEFAULT NULL::text, p_tag_ids integer[] DEFAULT NULL::integer[], p_longitude double precision DEFAULT NULL::double precision, p_latitude double precision DEFAULT NULL::double precision) RETURNS documents
    -- plpgsql, volatile; may be called by app_api

FUNCTION create_documents(p_tenant_id uuid, p_inputs jsonb, p_skip boolean DEFAULT false) RETURNS TABLE(ord integer, document documents, errors jsonb)
    -- plpgsql, volatile; may be called by app_api

FUNCTION create_tenant(p_name text, p_id uuid DEFAULT NULL::uuid) RETURNS tenants
    -- plpgsql, volatile; may be called by the owner only

FUNCTION create_user(p_tenant_id uuid, p_email text) RETURNS app_users
    -- plpgsql, volatile; may be called by app_api

FUNCTION current_tenant() RETURNS uuid
    -- sql, stable, parallel safe; may be called by everybody

FUNCTION decode_document_id(p_hashid text) RETURNS uuid
    -- plpgsql, immutable, strict, parallel safe, SET search_path=public, pg_temp; may be called by everybody

FUNCTION decode_job_id(p_hashid text) RETURNS bigint
    -- plpgsql, immutable, strict, parallel safe, SET search_path=public, pg_temp; may be called by everybody

FUNCTION delete_document(p_id uuid, p_tenant_id uuid) RETURNS boolean
    -- plpgsql, volatile; may be called by app_api

FUNCTION document_distance(p_longitude double precision, p_latitude double precision, p_from_longitude double precision, p_from_latitude double precision) RETURNS double precision
    -- sql, immutable, strict, parallel safe; may be called by everybody

FUNCTION document_equals(d documents, p_input jsonb) RETURNS boolean
    -- sql, stable; may be called by everybody

FUNCTION document_errors(p_tenant_id uuid, p_input jsonb, p_create boolean) RETURNS jsonb
    -- plpgsql, stable; may be called by everybody

FUNCTION document_from_input(p_old documents, p_input jsonb) RETURNS documents
    -- plpgsql, stable; may be called by everybody

FUNCTION document_is_plain(p_input jsonb) RETURNS boolean
    -- plpgsql, immutable, parallel safe; may be called by everybody

FUNCTION documents_near(p_tenant_id uuid, p_longitude double precision, p_latitude double precision, p_radius double precision) RETURNS TABLE(id uuid, distance double precision)
    -- sql, stable; may be called by everybody

FUNCTION drop_old_events(p_keep interval) RETURNS integer
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp, SET lock_timeout=2s; may be called by app_worker

FUNCTION encode_document_id(p_id uuid) RETURNS text
    -- sql, immutable, strict, parallel safe, SET search_path=public, pg_temp; may be called by everybody

FUNCTION encode_job_id(p_id bigint) RETURNS text
    -- sql, immutable, strict, parallel safe, SET search_path=public, pg_temp; may be called by everybody

FUNCTION enqueue_job(p_tenant_id uuid, p_type text, p_payload jsonb DEFAULT '{}'::jsonb, p_run_at timestamp with time zone DEFAULT NULL::timestamp with time zone, p_priority integer DEFAULT 0) RETURNS jobs
    -- plpgsql, volatile; may be called by app_api, app_worker

FUNCTION enqueue_jobs(p_tenant_id uuid, p_jobs jsonb, p_skip boolean DEFAULT false) RETURNS TABLE(ord integer, job jobs, duplicate boolean, code text, field text, message text)
    -- plpgsql, volatile; may be called by app_api, app_worker

FUNCTION ensure_partitions(p_months integer DEFAULT 3, p_days integer DEFAULT 3) RETURNS integer
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_worker

FUNCTION fail_job(p_id bigint, p_error text, p_lease_id bigint DEFAULT NULL::bigint, p_reason text DEFAULT 'permanent'::text) RETURNS boolean
    -- plpgsql, volatile, SET enable_seqscan=off; may be called by app_worker

FUNCTION finish_maintenance(p_task text, p_tick timestamp with time zone, p_outcome text) RETURNS void
    -- sql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_worker

FUNCTION get_tenant_stats(p_tenant_id uuid) RETURNS TABLE(tenant_id uuid, document_count bigint, newest_document_at timestamp with time zone, updated_at timestamp with time zone)
    -- plpgsql, stable, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api, app_worker

FUNCTION hashid_decode(hash text, salt text, min_length integer, alphabet text) RETURNS bigint[]
    -- plpgsql, immutable, strict, parallel safe; may be called by everybody

FUNCTION hashid_encode(numbers bigint[], salt text, min_length integer, alphabet text) RETURNS text
    -- plpgsql, immutable, strict, parallel safe; may be called by everybody

FUNCTION import_document(p_tenant_id uuid, p_author_id uuid, p_input jsonb, OUT outcome text, OUT errors jsonb) RETURNS record
    -- plpgsql, volatile; may be called by app_api

FUNCTION import_documents(p_tenant_id uuid, p_author_id uuid, p_lines text[], OUT created integer, OUT updated integer, OUT unchanged integer, OUT rejected jsonb) RETURNS record
    -- plpgsql, volatile; may be called by app_api

FUNCTION job_error(p_tenant_id uuid, p_job jsonb, p_payload jsonb, OUT code text, OUT field text, OUT message text) RETURNS record
    -- plpgsql, stable; may be called by everybody

FUNCTION job_payload_error(p_type text, p_payload jsonb) RETURNS text
    -- sql, stable, parallel safe; may be called by everybody

FUNCTION jsonb_matches_schema(schema json, instance jsonb) RETURNS boolean
    -- sql, immutable, strict, parallel safe; may be called by everybody

FUNCTION jsonb_schema_error(p_schema jsonb, p_instance jsonb, p_at text DEFAULT ''::text) RETURNS text
    -- plpgsql, immutable, parallel safe; may be called by everybody

FUNCTION location_errors(p_input jsonb) RETURNS jsonb
    -- plpgsql, immutable, parallel safe; may be called by everybody

FUNCTION log_job_events() RETURNS trigger
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp, SET enable_nestloop=off, SET enable_hashjoin=on; may be called by the owner only

FUNCTION patch_document(p_tenant_id uuid, p_id uuid, p_input jsonb, p_expected_version integer DEFAULT NULL::integer) RETURNS documents
    -- plpgsql, volatile; may be called by app_api

FUNCTION path_error(p_path text) RETURNS text
    -- sql, stable, strict, parallel safe; may be called by everybody

FUNCTION raise_invalid(p_errors jsonb) RETURNS void
    -- plpgsql, immutable; may be called by everybody

FUNCTION read_job_events(p_tenant_id uuid, p_epoch integer, p_seen pg_snapshot, p_until pg_snapshot, p_after_id bigint, p_limit integer) RETURNS TABLE(epoch integer, lost boolean, snapshot text, id bigint, tenant_id uuid, job_id bigint, type text, status text, reason text, attempts integer, progress integer, last_error text, at timestamp with time zone)
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp, SET enable_seqscan=off, SET plan_cache_mode=force_generic_plan, SET jit=off; may be called by app_api

FUNCTION read_job_events_all(p_epoch integer, p_seen pg_snapshot, p_until pg_snapshot, p_after_id bigint, p_limit integer) RETURNS TABLE(epoch integer, lost boolean, snapshot text, id bigint, tenant_id uuid, job_id bigint, type text, status text, reason text, attempts integer, progress integer, last_error text, at timestamp with time zone)
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp, SET enable_seqscan=off, SET plan_cache_mode=force_generic_plan, SET jit=off; may be called by app_api

FUNCTION recover_stale_jobs(p_stale_minutes integer DEFAULT 10) RETURNS integer
    -- sql, volatile; may be called by app_worker

FUNCTION refresh_tenant_document_stats() RETURNS void
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_worker

FUNCTION release_jobs(p_ids bigint[], p_leases bigint[]) RETURNS bigint
    -- sql, volatile; may be called by app_worker

FUNCTION report_job_progress(p_id bigint, p_lease_id bigint, p_percent integer) RETURNS boolean
    -- plpgsql, volatile, SET enable_seqscan=off; may be called by app_worker

FUNCTION requeue_job(p_tenant_id uuid, p_id bigint) RETURNS jobs
    -- plpgsql, volatile; may be called by app_api

FUNCTION rescue_jobs(p_older_than interval, p_dead_after interval DEFAULT '00:00:30'::interval) RETURNS integer
    -- plpgsql, volatile; may be called by app_worker

FUNCTION retry_job(p_id bigint, p_run_at timestamp with time zone, p_max_attempts integer, p_error text DEFAULT NULL::text, p_lease_id bigint DEFAULT NULL::bigint) RETURNS text
    -- plpgsql, volatile, SET enable_seqscan=off; may be called by app_worker

FUNCTION revoke_api_key(p_tenant_id uuid, p_id uuid) RETURNS boolean
    -- plpgsql, volatile; may be called by app_api

FUNCTION search_config(p_language text) RETURNS regconfig
    -- plpgsql, immutable, strict, parallel safe; may be called by everybody

FUNCTION search_documents(p_tenant_id uuid, p_query text, p_limit integer DEFAULT 20, p_path_prefix text DEFAULT NULL::text, p_mode text DEFAULT 'fts'::text, p_tag_ids integer[] DEFAULT NULL::integer[], p_longitude double precision DEFAULT NULL::double precision, p_latitude double precision DEFAULT NULL::double precision, p_radius double precision DEFAULT NULL::double precision) RETURNS TABLE(id uuid, title text, fts_rank real, trigram_score real, created_at timestamp with time zone, path ltree, distance_m double precision)
    -- sql, stable; may be called by app_api

FUNCTION search_documents_page(p_tenant_id uuid, p_query text, p_limit integer, p_path_prefix text DEFAULT NULL::text, p_mode text DEFAULT 'fts'::text, p_tag_ids integer[] DEFAULT NULL::integer[], p_all_tags boolean DEFAULT false, p_metadata hstore DEFAULT NULL::hstore, p_longitude double precision DEFAULT NULL::double precision, p_latitude double precision DEFAULT NULL::double precision, p_radius double precision DEFAULT NULL::double precision, p_language text DEFAULT 'en'::text, p_after_distance double precision DEFAULT NULL::double precision, p_after_rank real DEFAULT NULL::real, p_after_created timestamp with time zone DEFAULT NULL::timestamp with time zone, p_after_id uuid DEFAULT NULL::uuid) RETURNS TABLE(id uuid, rank real, distance double precision, created_at timestamp with time zone)
    -- plpgsql, stable, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION secure_table(p_table regclass, p_column name DEFAULT 'tenant_id'::name) RETURNS void
    -- plpgsql, volatile; may be called by the owner only

FUNCTION set_document_embedding(p_tenant_id uuid, p_id uuid, p_embedding real[], p_model text, p_version integer) RETURNS boolean
    -- plpgsql, volatile; may be called by app_worker

FUNCTION sphere_distance(p_chord double precision) RETURNS double precision
    -- sql, immutable, strict, parallel safe; may be called by everybody

FUNCTION sphere_point(p_longitude double precision, p_latitude double precision) RETURNS cube
    -- sql, immutable, strict, parallel safe; may be called by everybody

FUNCTION start_maintenance(p_task text, p_tick timestamp with time zone) RETURNS boolean
    -- plpgsql, volatile; may be called by app_worker

FUNCTION stream_state(p_stream text, p_epoch integer, p_seen pg_snapshot, p_until pg_snapshot, OUT epoch integer, OUT lost boolean) RETURNS record
    -- plpgsql, volatile; may be called by the owner only

FUNCTION touch_api_keys(p_ids uuid[], p_times timestamp with time zone[]) RETURNS void
    -- sql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION update_document(p_id uuid, p_tenant_id uuid, p_title text DEFAULT NULL::text, p_body text DEFAULT NULL::text, p_metadata hstore DEFAULT NULL::hstore, p_path text DEFAULT NULL::text, p_tag_ids integer[] DEFAULT NULL::integer[], p_longitude double precision DEFAULT NULL::double precision, p_latitude double precision DEFAULT NULL::double precision) RETURNS SETOF documents
    -- plpgsql, volatile; may be called by app_api

FUNCTION uuid_v7() RETURNS uuid
    -- sql, volatile, parallel safe; may be called by everybody

FUNCTION worker_heartbeat(p_worker_id uuid, p_name text, p_concurrency integer) RETURNS void
    -- sql, volatile; may be called by app_worker
