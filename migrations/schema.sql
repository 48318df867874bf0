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
CREATE SEQUENCE webhook_lease_seq AS bigint;

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
    previous_hash text,
    previous_ends_at timestamp with time zone,
    CONSTRAINT api_keys_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT api_keys_key_hash_key UNIQUE (key_hash),
    CONSTRAINT api_keys_previous_hash_key UNIQUE (previous_hash),
    CONSTRAINT api_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
    CONSTRAINT api_keys_key_hash_check CHECK ((key_hash ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT api_keys_key_prefix_check CHECK ((length(key_prefix) = 12)),
    CONSTRAINT api_keys_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT api_keys_previous_check CHECK (((previous_hash IS NULL) = (previous_ends_at IS NULL))),
    CONSTRAINT api_keys_previous_hash_check CHECK ((previous_hash ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT api_keys_scopes_check CHECK ((((cardinality(scopes) >= 1) AND (cardinality(scopes) <= 50)) AND (array_position(scopes, NULL::text) IS NULL)))
);
CREATE INDEX ix_api_keys_created ON public.api_keys USING btree (tenant_id, created_at DESC, id DESC);
CREATE INDEX ix_api_keys_id ON public.api_keys USING btree (id);
CREATE TRIGGER api_keys_changed AFTER UPDATE OF revoked_at, expires_at, scopes, key_hash ON api_keys FOR EACH STATEMENT EXECUTE FUNCTION api_keys_changed();
CREATE TRIGGER tenant_guarded AFTER INSERT ON api_keys REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION guard_api_keys();
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_api_keys_owner ON api_keys TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_api_keys_tenant ON api_keys
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));
GRANT INSERT ON api_keys TO app_api;
GRANT SELECT (tenant_id, id, key_prefix, name, scopes, created_at, expires_at, revoked_at, last_used_at, previous_ends_at) ON api_keys TO app_api;
GRANT UPDATE (revoked_at) ON api_keys TO app_api;
GRANT SELECT (tenant_id, id, key_prefix, name, scopes, created_at, expires_at, revoked_at, last_used_at) ON api_keys TO app_graphql;
GRANT SELECT (tenant_id, id, key_prefix, name, scopes, created_at, expires_at, revoked_at, last_used_at, previous_ends_at) ON api_keys TO app_readonly;

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
CREATE TRIGGER tenant_guarded AFTER INSERT ON app_users REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION guard_tenant('users');
CREATE TRIGGER tenant_released AFTER DELETE ON app_users REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION release_tenant_quota('users');
ALTER TABLE app_users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_app_users_owner ON app_users TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_app_users_tenant ON app_users
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));
GRANT SELECT, INSERT ON app_users TO app_api;
GRANT SELECT (tenant_id, id, email, created_at) ON app_users TO app_graphql;
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
    embedding_cubes cube[] GENERATED ALWAYS AS (embedding_cubes(embedding)) STORED,
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
CREATE INDEX ix_documents_embedded ON public.documents USING btree (tenant_id, embedding_model, id) WHERE (embedding IS NOT NULL);
CREATE INDEX ix_documents_labels ON public.documents USING gin (tenant_id, tag_ids gin__int_ops, hstore_to_jsonb(metadata) jsonb_path_ops) WITH (gin_pending_list_limit='512');
CREATE INDEX ix_documents_path ON public.documents USING btree (tenant_id, path_text, id);
CREATE INDEX ix_documents_point ON public.documents USING gist (tenant_id, point(longitude, latitude)) WHERE (longitude IS NOT NULL);
CREATE INDEX ix_documents_search ON public.documents USING gin (tenant_id, search_tsv) WITH (gin_pending_list_limit='512');
CREATE INDEX ix_documents_sphere ON public.documents USING gist (tenant_id, sphere_point(longitude, latitude));
CREATE INDEX ix_documents_title ON public.documents USING btree (tenant_id, title, id);
CREATE INDEX ix_documents_title_fold ON public.documents USING btree (tenant_id, search_fold("left"(title, 64)) COLLATE "C");
CREATE INDEX ix_documents_title_search ON public.documents USING gin (tenant_id, ts_filter(search_tsv, '{a}'::"char"[])) WITH (gin_pending_list_limit='256');
CREATE INDEX ix_documents_unembedded ON public.documents USING btree (tenant_id, id) WHERE (embedding IS NULL);
CREATE INDEX ix_documents_updated ON public.documents USING btree (tenant_id, updated_at DESC, id DESC);
CREATE TRIGGER documents_embedding_clear BEFORE UPDATE OF title, body ON documents FOR EACH ROW WHEN (new.title <> old.title OR new.body <> old.body) EXECUTE FUNCTION document_embedding_clear();
CREATE TRIGGER tenant_guarded AFTER INSERT ON documents REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION guard_tenant('documents');
CREATE TRIGGER tenant_released AFTER DELETE ON documents REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION release_tenant_quota('documents');
CREATE TRIGGER words_deleted AFTER DELETE ON documents REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION log_deleted_words();
CREATE TRIGGER words_inserted AFTER INSERT ON documents REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION log_inserted_words();
CREATE TRIGGER words_updated AFTER UPDATE ON documents REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION log_updated_words();
ALTER TABLE documents ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_documents_owner ON documents TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_documents_tenant ON documents
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON documents TO app_api;
GRANT SELECT (tenant_id, id, author_id, external_id, title, body, language, metadata, path_text, tag_ids, longitude, latitude, version, created_at, updated_at) ON documents TO app_graphql;
GRANT SELECT ON documents TO app_readonly;
GRANT SELECT ON documents TO app_worker;
GRANT UPDATE (embedding_model, embedding) ON documents TO app_worker;

CREATE TABLE files (
    tenant_id uuid NOT NULL,
    id uuid DEFAULT uuid_v7() NOT NULL,
    uploader_id uuid,
    filename text NOT NULL,
    content_type text NOT NULL,
    size_bytes bigint NOT NULL,
    checksum text,
    storage_key text COLLATE "C" NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    expires_at timestamp with time zone,
    claimed_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    completed_at timestamp with time zone,
    CONSTRAINT files_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT files_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
    CONSTRAINT files_uploader_id_fkey FOREIGN KEY (tenant_id, uploader_id) REFERENCES app_users(tenant_id, id),
    CONSTRAINT files_checksum_check CHECK ((checksum ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT files_content_type_check CHECK (((length(content_type) >= 1) AND (length(content_type) <= 255))),
    CONSTRAINT files_filename_check CHECK (((length(filename) >= 1) AND (length(filename) <= 255))),
    CONSTRAINT files_ready_check CHECK (((status <> 'ready'::text) OR (uploader_id IS NOT NULL))),
    CONSTRAINT files_size_bytes_check CHECK ((size_bytes >= 0)),
    CONSTRAINT files_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'ready'::text, 'deleting'::text]))),
    CONSTRAINT files_storage_key_check CHECK (((length(storage_key) <= 200) AND starts_with(storage_key, (('tenants/'::text || (tenant_id)::text) || '/'::text)) AND ("right"(storage_key, 37) = ('/'::text || (id)::text))))
) PARTITION BY RANGE (id);
CREATE INDEX ix_files_created ON ONLY public.files USING btree (tenant_id, created_at DESC, id DESC);
CREATE INDEX ix_files_key ON ONLY public.files USING btree (tenant_id, storage_key);
CREATE INDEX ix_files_unfinished ON ONLY public.files USING btree (tenant_id, created_at) WHERE (status <> 'ready'::text);
CREATE INDEX ix_files_uploader ON ONLY public.files USING btree (tenant_id, uploader_id, created_at DESC, id DESC);
CREATE TRIGGER files_deleted AFTER DELETE ON files REFERENCING OLD TABLE AS old_files FOR EACH STATEMENT EXECUTE FUNCTION count_deleted_files();
CREATE TRIGGER files_inserted AFTER INSERT ON files REFERENCING NEW TABLE AS new_files FOR EACH STATEMENT EXECUTE FUNCTION count_inserted_files();
CREATE TRIGGER files_updated AFTER UPDATE ON files REFERENCING OLD TABLE AS old_files NEW TABLE AS new_files FOR EACH STATEMENT EXECUTE FUNCTION count_updated_files();
CREATE TRIGGER tenant_guarded AFTER INSERT ON files REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION guard_tenant('files');
ALTER TABLE files ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_files_owner ON files TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_files_tenant ON files
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON files TO app_api;
GRANT SELECT (tenant_id, id, uploader_id, filename, content_type, size_bytes, checksum, status, created_at, completed_at) ON files TO app_graphql;
GRANT SELECT ON files TO app_readonly;
GRANT SELECT, DELETE ON files TO app_worker;
GRANT UPDATE (status) ON files TO app_worker;

CREATE TABLE files_default PARTITION OF files DEFAULT;
ALTER TABLE files_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_files_default_owner ON files_default TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_files_default_tenant ON files_default
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

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
CREATE INDEX ix_jobs_encrypted ON ONLY public.jobs USING btree (id) WHERE (payload_encrypted IS NOT NULL);
CREATE TRIGGER jobs_events AFTER UPDATE ON jobs REFERENCING OLD TABLE AS old_jobs NEW TABLE AS new_jobs FOR EACH STATEMENT EXECUTE FUNCTION log_job_events();
CREATE TRIGGER jobs_webhooks AFTER UPDATE ON jobs REFERENCING OLD TABLE AS old_jobs NEW TABLE AS new_jobs FOR EACH STATEMENT EXECUTE FUNCTION notify_job_webhook();
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
GRANT SELECT (id, tenant_id, type, payload, status, reason, priority, queue, unique_key, attempts, max_attempts, progress, result, last_error, run_at, started_at, finished_at, created_at, updated_at) ON jobs TO app_graphql;
GRANT SELECT ON jobs TO app_readonly;
GRANT SELECT, INSERT, UPDATE ON jobs TO app_worker;

CREATE TABLE jobs_archive (
    id bigint NOT NULL,
    tenant_id uuid NOT NULL,
    type text NOT NULL,
    payload jsonb NOT NULL,
    payload_encrypted text,
    status text NOT NULL,
    reason text,
    priority integer NOT NULL,
    queue text NOT NULL,
    unique_key text,
    attempts integer NOT NULL,
    max_attempts integer,
    rescues integer NOT NULL,
    worker_id uuid,
    lease_id bigint,
    progress integer,
    result jsonb,
    last_error text,
    run_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
) PARTITION BY RANGE (finished_at);
CREATE INDEX ix_jobs_archive_encrypted ON ONLY public.jobs_archive USING btree (id) WHERE (payload_encrypted IS NOT NULL);
CREATE INDEX ix_jobs_archive_ended ON ONLY public.jobs_archive USING btree (tenant_id, finished_at);
CREATE INDEX ix_jobs_archive_id ON ONLY public.jobs_archive USING btree (tenant_id, id);
ALTER TABLE jobs_archive ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_jobs_archive_owner ON jobs_archive TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_jobs_archive_tenant ON jobs_archive
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));
GRANT SELECT ON jobs_archive TO app_api;
GRANT SELECT ON jobs_archive TO app_readonly;

CREATE TABLE jobs_archive_default PARTITION OF jobs_archive DEFAULT;
ALTER TABLE jobs_archive_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_jobs_archive_default_owner ON jobs_archive_default TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_jobs_archive_default_tenant ON jobs_archive_default
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE jobs_finished PARTITION OF jobs FOR VALUES IN ('done', 'failed') PARTITION BY RANGE (finished_at);
CREATE INDEX ix_jobs_finished_ended ON ONLY public.jobs_finished USING btree (tenant_id, finished_at);
CREATE INDEX ix_jobs_finished_failed ON ONLY public.jobs_finished USING btree (tenant_id, finished_at) INCLUDE (type) WHERE (status = 'failed'::text);
CREATE INDEX ix_jobs_finished_id ON ONLY public.jobs_finished USING btree (tenant_id, id);
CREATE INDEX ix_jobs_finished_tenant ON ONLY public.jobs_finished USING btree (tenant_id, created_at DESC, id DESC);
CREATE TRIGGER jobs_payload_check BEFORE INSERT ON jobs_finished FOR EACH ROW WHEN (new.lease_id IS NULL) EXECUTE FUNCTION check_job_payload();
CREATE TRIGGER jobs_payload_update_check BEFORE UPDATE OF type, payload, payload_encrypted ON jobs_finished FOR EACH ROW EXECUTE FUNCTION check_job_payload();
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
CREATE TRIGGER jobs_payload_check BEFORE INSERT OR UPDATE OF type, payload, payload_encrypted ON jobs_live FOR EACH ROW EXECUTE FUNCTION check_job_payload();
ALTER TABLE jobs_live ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_jobs_live_owner ON jobs_live TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_jobs_live_tenant ON jobs_live
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE message_queues (
    tenant_id uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    physical text NOT NULL,
    kind text DEFAULT 'standard'::text NOT NULL,
    max_reads integer,
    dead_letter_queue text COLLATE "C",
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT message_queues_pkey PRIMARY KEY (tenant_id, name),
    CONSTRAINT message_queues_physical_key UNIQUE (physical),
    CONSTRAINT message_queues_dead_letter_queue_fkey FOREIGN KEY (tenant_id, dead_letter_queue) REFERENCES message_queues(tenant_id, name),
    CONSTRAINT message_queues_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
    CONSTRAINT message_queues_dead_letter_queue_check CHECK ((dead_letter_queue <> name)),
    CONSTRAINT message_queues_kind_check CHECK ((kind = ANY (ARRAY['standard'::text, 'unlogged'::text, 'partitioned'::text]))),
    CONSTRAINT message_queues_max_reads_check CHECK (((max_reads >= 1) AND (max_reads <= 1000))),
    CONSTRAINT message_queues_name_check CHECK ((name ~ '^[a-z][a-z0-9_]{0,30}$'::text)),
    CONSTRAINT message_queues_redrive_check CHECK (((max_reads IS NULL) = (dead_letter_queue IS NULL)))
);
CREATE INDEX ix_message_queues_dead_letter ON public.message_queues USING btree (tenant_id, dead_letter_queue) WHERE (dead_letter_queue IS NOT NULL);
CREATE TRIGGER tenant_guarded AFTER INSERT ON message_queues REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION guard_tenant('queues');
CREATE TRIGGER tenant_released AFTER DELETE ON message_queues REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION release_tenant_quota('queues');
ALTER TABLE message_queues ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_message_queues_owner ON message_queues TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_message_queues_tenant ON message_queues
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));
GRANT SELECT ON message_queues TO app_api;
GRANT SELECT ON message_queues TO app_readonly;
GRANT SELECT ON message_queues TO app_worker;

CREATE TABLE search_settings (
    tenant_id uuid NOT NULL,
    stop_words text[] DEFAULT '{}'::text[] NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT search_settings_pkey PRIMARY KEY (tenant_id),
    CONSTRAINT search_settings_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
    CONSTRAINT search_settings_stop_words_check CHECK (((cardinality(stop_words) <= 1000) AND (array_position(stop_words, NULL::text) IS NULL)))
);
CREATE TRIGGER check_row BEFORE INSERT OR UPDATE ON search_settings FOR EACH ROW EXECUTE FUNCTION check_search_settings();
ALTER TABLE search_settings ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_settings_owner ON search_settings TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_settings_tenant ON search_settings
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON search_settings TO app_api;
GRANT SELECT ON search_settings TO app_readonly;
GRANT SELECT ON search_settings TO app_worker;

CREATE TABLE search_synonyms (
    tenant_id uuid NOT NULL,
    id uuid DEFAULT uuid_v7() NOT NULL,
    term text COLLATE "C" NOT NULL,
    first_word text COLLATE "C" GENERATED ALWAYS AS (split_part(term, ' '::text, 1)) STORED,
    synonyms text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT search_synonyms_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT search_synonyms_term_key UNIQUE (tenant_id, term),
    CONSTRAINT search_synonyms_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
    CONSTRAINT search_synonyms_synonyms_check CHECK ((((cardinality(synonyms) >= 1) AND (cardinality(synonyms) <= 50)) AND (array_position(synonyms, NULL::text) IS NULL))),
    CONSTRAINT search_synonyms_term_check CHECK (((length(term) >= 1) AND (length(term) <= 100)))
);
CREATE INDEX ix_search_synonyms_first_word ON public.search_synonyms USING btree (tenant_id, first_word);
CREATE TRIGGER check_row BEFORE INSERT OR UPDATE ON search_synonyms FOR EACH ROW EXECUTE FUNCTION check_search_synonyms();
CREATE TRIGGER count_rows AFTER INSERT ON search_synonyms REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_search_synonyms();
ALTER TABLE search_synonyms ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_synonyms_owner ON search_synonyms TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_synonyms_tenant ON search_synonyms
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON search_synonyms TO app_api;
GRANT SELECT ON search_synonyms TO app_readonly;
GRANT SELECT ON search_synonyms TO app_worker;

CREATE MATERIALIZED VIEW tenant_document_months AS
 SELECT tenant_id,
    date_trunc('month'::text, (created_at AT TIME ZONE 'UTC'::text))::date AS month,
    count(*) AS document_count,
    max(created_at) AS newest_document_at
   FROM documents
  GROUP BY tenant_id, (date_trunc('month'::text, (created_at AT TIME ZONE 'UTC'::text))::date);
CREATE UNIQUE INDEX tenant_document_months_key ON public.tenant_document_months USING btree (tenant_id, month);

CREATE MATERIALIZED VIEW tenant_document_stats AS
 SELECT tenant_id,
    count(*) AS document_count,
    max(created_at) AS newest_document_at,
    now() AS refreshed_at
   FROM documents
  GROUP BY tenant_id;
CREATE UNIQUE INDEX tenant_document_stats_tenant_id_key ON public.tenant_document_stats USING btree (tenant_id);

CREATE TABLE tenant_limits (
    tenant_id uuid NOT NULL,
    documents bigint,
    users bigint,
    api_keys bigint,
    queues bigint,
    webhook_endpoints bigint,
    jobs_per_day bigint,
    requests_per_minute integer,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT tenant_limits_pkey PRIMARY KEY (tenant_id),
    CONSTRAINT tenant_limits_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
    CONSTRAINT tenant_limits_api_keys_check CHECK ((api_keys >= 0)),
    CONSTRAINT tenant_limits_documents_check CHECK ((documents >= 0)),
    CONSTRAINT tenant_limits_jobs_per_day_check CHECK ((jobs_per_day >= 0)),
    CONSTRAINT tenant_limits_queues_check CHECK ((queues >= 0)),
    CONSTRAINT tenant_limits_requests_per_minute_check CHECK ((requests_per_minute > 0)),
    CONSTRAINT tenant_limits_users_check CHECK ((users >= 0)),
    CONSTRAINT tenant_limits_webhook_endpoints_check CHECK ((webhook_endpoints >= 0))
);
ALTER TABLE tenant_limits ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_tenant_limits_owner ON tenant_limits TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_tenant_limits_tenant ON tenant_limits
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));
GRANT SELECT ON tenant_limits TO app_api;
GRANT SELECT ON tenant_limits TO app_readonly;
GRANT SELECT ON tenant_limits TO app_worker;

CREATE TABLE tenant_storage (
    tenant_id uuid NOT NULL,
    bytes_used bigint DEFAULT 0 NOT NULL,
    files_used bigint DEFAULT 0 NOT NULL,
    bytes_limit bigint,
    files_limit bigint,
    CONSTRAINT tenant_storage_pkey PRIMARY KEY (tenant_id),
    CONSTRAINT tenant_storage_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
    CONSTRAINT tenant_storage_bytes_limit_check CHECK ((bytes_limit >= 0)),
    CONSTRAINT tenant_storage_bytes_used_check CHECK ((bytes_used >= 0)),
    CONSTRAINT tenant_storage_files_limit_check CHECK ((files_limit >= 0)),
    CONSTRAINT tenant_storage_files_used_check CHECK ((files_used >= 0))
) WITH (fillfactor=50);
ALTER TABLE tenant_storage ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_tenant_storage_owner ON tenant_storage TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_tenant_storage_tenant ON tenant_storage
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));
GRANT SELECT ON tenant_storage TO app_api;
GRANT SELECT ON tenant_storage TO app_readonly;
GRANT SELECT ON tenant_storage TO app_worker;

CREATE TABLE tenants (
    id uuid DEFAULT uuid_v7() NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    deleting_at timestamp with time zone,
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

CREATE TABLE webhook_attempts (
    tenant_id uuid NOT NULL,
    delivery_id bigint NOT NULL,
    attempt integer NOT NULL,
    endpoint_id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    duration_ms integer NOT NULL,
    response_status integer,
    response text,
    error text,
    CONSTRAINT webhook_attempts_pkey PRIMARY KEY (tenant_id, delivery_id, attempt),
    CONSTRAINT webhook_attempts_delivery_id_fkey FOREIGN KEY (tenant_id, delivery_id) REFERENCES webhook_deliveries(tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX ix_webhook_attempts_endpoint ON public.webhook_attempts USING btree (tenant_id, endpoint_id, at DESC);
ALTER TABLE webhook_attempts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_webhook_attempts_owner ON webhook_attempts TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_webhook_attempts_tenant ON webhook_attempts
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));
GRANT SELECT ON webhook_attempts TO app_api;
GRANT SELECT ON webhook_attempts TO app_readonly;

CREATE TABLE webhook_deliveries (
    tenant_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    endpoint_id uuid NOT NULL,
    event_id bigint NOT NULL,
    event text NOT NULL,
    is_test boolean DEFAULT false NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    lease_id bigint,
    next_attempt_at timestamp with time zone DEFAULT now() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT webhook_deliveries_event_id_fkey FOREIGN KEY (event_id) REFERENCES core.outbox(id) ON DELETE CASCADE,
    CONSTRAINT webhook_deliveries_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'delivered'::text, 'dead'::text])))
) WITH (autovacuum_vacuum_scale_factor=0.05, autovacuum_vacuum_cost_delay=0);
CREATE INDEX ix_webhook_deliveries_created ON public.webhook_deliveries USING btree (tenant_id, created_at DESC, id DESC);
CREATE INDEX ix_webhook_deliveries_dead ON public.webhook_deliveries USING btree (tenant_id, created_at DESC, id DESC) WHERE (status = 'dead'::text);
CREATE INDEX ix_webhook_deliveries_due ON public.webhook_deliveries USING btree (tenant_id, endpoint_id, is_test, next_attempt_at, id) WHERE (status = 'pending'::text);
CREATE INDEX ix_webhook_deliveries_endpoint ON public.webhook_deliveries USING btree (tenant_id, endpoint_id, created_at DESC, id DESC);
CREATE INDEX ix_webhook_deliveries_event ON public.webhook_deliveries USING btree (event_id);
CREATE INDEX ix_webhook_deliveries_head ON public.webhook_deliveries USING btree (tenant_id, endpoint_id, event_id, id) WHERE ((status = 'pending'::text) AND (NOT is_test));
CREATE INDEX ix_webhook_deliveries_leased ON public.webhook_deliveries USING btree (tenant_id, endpoint_id, lease_id) WHERE (lease_id IS NOT NULL);
CREATE UNIQUE INDEX webhook_deliveries_id_key ON public.webhook_deliveries USING btree (id);
ALTER TABLE webhook_deliveries ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_webhook_deliveries_owner ON webhook_deliveries TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_webhook_deliveries_tenant ON webhook_deliveries
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));
GRANT SELECT ON webhook_deliveries TO app_api;
GRANT SELECT ON webhook_deliveries TO app_readonly;

CREATE TABLE webhook_endpoints (
    tenant_id uuid NOT NULL,
    id uuid DEFAULT uuid_v7() NOT NULL,
    name text NOT NULL,
    url text NOT NULL,
    description text,
    events text[] DEFAULT '{}'::text[] NOT NULL,
    job_types text[] DEFAULT '{}'::text[] NOT NULL,
    ordering text DEFAULT 'parallel'::text NOT NULL,
    is_enabled boolean DEFAULT true NOT NULL,
    disabled_reason text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT webhook_endpoints_name_key UNIQUE (tenant_id, name),
    CONSTRAINT webhook_endpoints_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants(id),
    CONSTRAINT webhook_endpoints_description_check CHECK ((length(description) <= 500)),
    CONSTRAINT webhook_endpoints_disabled_reason_check CHECK ((disabled_reason = ANY (ARRAY['caller'::text, 'gone'::text]))),
    CONSTRAINT webhook_endpoints_enabled_check CHECK ((is_enabled = (disabled_reason IS NULL))),
    CONSTRAINT webhook_endpoints_name_check CHECK (((length(name) >= 1) AND (length(name) <= 100))),
    CONSTRAINT webhook_endpoints_ordering_check CHECK ((ordering = ANY (ARRAY['parallel'::text, 'per_endpoint'::text]))),
    CONSTRAINT webhook_endpoints_url_check CHECK (((length(url) <= 2048) AND (url ~ '^https?://'::text)))
);
CREATE INDEX ix_webhook_endpoints_created ON public.webhook_endpoints USING btree (tenant_id, created_at DESC, id DESC);
CREATE INDEX ix_webhook_endpoints_enabled ON public.webhook_endpoints USING btree (tenant_id) WHERE is_enabled;
CREATE TRIGGER tenant_guarded AFTER INSERT ON webhook_endpoints REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION guard_tenant('webhook_endpoints');
CREATE TRIGGER tenant_released AFTER DELETE ON webhook_endpoints REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION release_tenant_quota('webhook_endpoints');
ALTER TABLE webhook_endpoints ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_webhook_endpoints_owner ON webhook_endpoints TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_webhook_endpoints_tenant ON webhook_endpoints
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));
GRANT SELECT ON webhook_endpoints TO app_api;
GRANT SELECT ON webhook_endpoints TO app_readonly;

CREATE TABLE webhook_lanes (
    tenant_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    due_at timestamp with time zone,
    resume_at timestamp with time zone,
    failures integer DEFAULT 0 NOT NULL,
    trips integer DEFAULT 0 NOT NULL,
    CONSTRAINT webhook_lanes_pkey PRIMARY KEY (tenant_id, endpoint_id),
    CONSTRAINT webhook_lanes_endpoint_id_fkey FOREIGN KEY (tenant_id, endpoint_id) REFERENCES webhook_endpoints(tenant_id, id) ON DELETE CASCADE
) WITH (fillfactor=50, autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_threshold=500, autovacuum_vacuum_cost_delay=0);
CREATE INDEX ix_webhook_lanes_due ON public.webhook_lanes USING btree (due_at) WHERE (due_at IS NOT NULL);
CREATE UNIQUE INDEX webhook_lanes_endpoint_id_key ON public.webhook_lanes USING btree (endpoint_id);
ALTER TABLE webhook_lanes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_webhook_lanes_owner ON webhook_lanes TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_webhook_lanes_tenant ON webhook_lanes
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));
GRANT SELECT ON webhook_lanes TO app_api;
GRANT SELECT ON webhook_lanes TO app_readonly;

CREATE TABLE webhook_secrets (
    tenant_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    secret text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    CONSTRAINT webhook_secrets_pkey PRIMARY KEY (tenant_id, endpoint_id, id),
    CONSTRAINT webhook_secrets_endpoint_id_fkey FOREIGN KEY (tenant_id, endpoint_id) REFERENCES webhook_endpoints(tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT webhook_secrets_secret_check CHECK (((length(secret) >= 20) AND (length(secret) <= 2000)))
);
ALTER TABLE webhook_secrets ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_webhook_secrets_owner ON webhook_secrets TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_webhook_secrets_tenant ON webhook_secrets
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE VIEW graphql_api.api_keys WITH (security_invoker=true) AS
 SELECT api_keys.id,
    api_keys.tenant_id,
    api_keys.key_prefix,
    api_keys.name,
    api_keys.scopes,
    api_keys.created_at,
    api_keys.expires_at,
    api_keys.revoked_at,
    api_keys.last_used_at
   FROM api_keys
  WHERE assert_scope('keys:read'::text);
GRANT SELECT ON graphql_api.api_keys TO app_graphql;

CREATE VIEW graphql_api.app_users WITH (security_invoker=true) AS
 SELECT app_users.id,
    app_users.tenant_id,
    app_users.email::text AS email,
    app_users.created_at
   FROM app_users
  WHERE assert_scope('users:read'::text);
CREATE TRIGGER write_app_users INSTEAD OF INSERT OR DELETE OR UPDATE ON graphql_api.app_users FOR EACH ROW EXECUTE FUNCTION write_graphql_api();
GRANT SELECT ON graphql_api.app_users TO app_graphql;
GRANT DELETE ON graphql_api.app_users TO app_graphql_write;
GRANT INSERT (tenant_id, email) ON graphql_api.app_users TO app_graphql_write;
GRANT UPDATE (email) ON graphql_api.app_users TO app_graphql_write;

CREATE VIEW graphql_api.documents WITH (security_invoker=true) AS
 SELECT documents.id,
    documents.tenant_id,
    documents.author_id,
    documents.external_id,
    documents.title,
    documents.body,
    documents.language,
    hstore_to_jsonb(documents.metadata) AS metadata,
    documents.path_text AS path,
    documents.tag_ids,
    documents.longitude,
    documents.latitude,
    documents.version,
    documents.created_at,
    documents.updated_at
   FROM documents
  WHERE assert_scope('documents:read'::text);
CREATE TRIGGER write_documents INSTEAD OF INSERT OR DELETE OR UPDATE ON graphql_api.documents FOR EACH ROW EXECUTE FUNCTION write_graphql_api();
GRANT SELECT ON graphql_api.documents TO app_graphql;
GRANT DELETE ON graphql_api.documents TO app_graphql_write;
GRANT INSERT (tenant_id, author_id, external_id, title, body, language, metadata, path, tag_ids, longitude, latitude) ON graphql_api.documents TO app_graphql_write;
GRANT UPDATE (author_id, external_id, title, body, language, metadata, path, tag_ids, longitude, latitude) ON graphql_api.documents TO app_graphql_write;

CREATE VIEW graphql_api.files WITH (security_invoker=true) AS
 SELECT files.id,
    files.tenant_id,
    files.uploader_id,
    files.filename,
    files.content_type,
    files.size_bytes,
    files.checksum,
    files.status,
    files.created_at,
    files.completed_at
   FROM files
  WHERE assert_scope('files:read'::text);
GRANT SELECT ON graphql_api.files TO app_graphql;

CREATE VIEW graphql_api.jobs WITH (security_invoker=true) AS
 SELECT jobs.id,
    jobs.tenant_id,
    jobs.type,
    jobs.payload,
    jobs.status,
    jobs.reason,
    jobs.priority,
    jobs.queue,
    jobs.unique_key,
    jobs.attempts,
    jobs.max_attempts,
    jobs.progress,
    jobs.result,
    jobs.last_error,
    jobs.run_at,
    jobs.started_at,
    jobs.finished_at,
    jobs.created_at,
    jobs.updated_at
   FROM jobs
  WHERE assert_scope('jobs:read'::text);
CREATE TRIGGER write_jobs INSTEAD OF INSERT ON graphql_api.jobs FOR EACH ROW EXECUTE FUNCTION write_graphql_api();
GRANT SELECT ON graphql_api.jobs TO app_graphql;
GRANT INSERT (tenant_id, type, payload, priority, queue, unique_key, max_attempts, run_at) ON graphql_api.jobs TO app_graphql_write;

CREATE TABLE core.detached_partitions (
    name text NOT NULL,
    parent text NOT NULL,
    detached_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT detached_partitions_pkey PRIMARY KEY (name)
);

CREATE TABLE core.idempotency_keys (
    tenant_id uuid NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    response bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (tenant_id, key),
    CONSTRAINT idempotency_keys_key_check CHECK ((key ~ '^[!-~]{1,255}$'::text)),
    CONSTRAINT idempotency_keys_request_hash_check CHECK ((octet_length(request_hash) = 32))
);
CREATE INDEX ix_idempotency_keys_created ON core.idempotency_keys USING btree (created_at);
ALTER TABLE core.idempotency_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_idempotency_keys_owner ON core.idempotency_keys TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_idempotency_keys_tenant ON core.idempotency_keys
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.job_counted (
    one boolean DEFAULT true NOT NULL,
    until timestamp with time zone NOT NULL,
    CONSTRAINT job_counted_pkey PRIMARY KEY (one),
    CONSTRAINT job_counted_one_check CHECK (one)
);

CREATE TABLE core.job_counts (
    tenant_id uuid NOT NULL,
    type text NOT NULL,
    done bigint NOT NULL,
    CONSTRAINT job_counts_pkey PRIMARY KEY (tenant_id, type)
) WITH (fillfactor=80);
ALTER TABLE core.job_counts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_job_counts_owner ON core.job_counts TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_job_counts_tenant ON core.job_counts
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.maintenance_runs (
    task text NOT NULL,
    tick timestamp with time zone NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    outcome text,
    CONSTRAINT maintenance_runs_pkey PRIMARY KEY (task, tick)
);
GRANT SELECT ON core.maintenance_runs TO app_api;
GRANT SELECT, INSERT, UPDATE ON core.maintenance_runs TO app_worker;

CREATE TABLE core.outbox (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    tenant_id uuid,
    aggregate_type text NOT NULL,
    aggregate_id text NOT NULL,
    topic text NOT NULL,
    payload jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    routed_at timestamp with time zone,
    dispatched_at timestamp with time zone,
    dispatch_attempts integer DEFAULT 0 NOT NULL,
    error text,
    CONSTRAINT outbox_pkey PRIMARY KEY (id),
    CONSTRAINT outbox_aggregate_id_check CHECK ((length(aggregate_id) <= 200)),
    CONSTRAINT outbox_aggregate_type_check CHECK (((length(aggregate_type) >= 1) AND (length(aggregate_type) <= 100))),
    CONSTRAINT outbox_payload_check CHECK (((jsonb_typeof(payload) = 'object'::text) AND (octet_length((payload)::text) <= 262144))),
    CONSTRAINT outbox_topic_check CHECK (((length(topic) <= 100) AND (topic ~ '^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$'::text)))
) WITH (autovacuum_vacuum_scale_factor=0.05, autovacuum_vacuum_cost_delay=0);
CREATE INDEX ix_outbox_undispatched ON core.outbox USING btree (tenant_id, id) WHERE (dispatched_at IS NULL);
CREATE INDEX ix_outbox_unrouted ON core.outbox USING btree (id) WHERE (routed_at IS NULL);
ALTER TABLE core.outbox ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_outbox_owner ON core.outbox TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_outbox_tenant ON core.outbox
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));
GRANT SELECT ON core.outbox TO app_api;
GRANT SELECT ON core.outbox TO app_readonly;

CREATE TABLE core.partition_config (
    parent text NOT NULL,
    period text NOT NULL,
    key text NOT NULL,
    premade integer NOT NULL,
    retention interval,
    CONSTRAINT partition_config_pkey PRIMARY KEY (parent),
    CONSTRAINT partition_config_key_check CHECK ((key = ANY (ARRAY['time'::text, 'uuid_v7'::text]))),
    CONSTRAINT partition_config_period_check CHECK ((period = ANY (ARRAY['day'::text, 'month'::text]))),
    CONSTRAINT partition_config_premade_check CHECK (((premade >= 1) AND (premade <= 24))),
    CONSTRAINT partition_config_retention_check CHECK ((retention >= '1 day'::interval))
);

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

CREATE TABLE core.search_tenants (
    tenant_id uuid NOT NULL,
    documents bigint DEFAULT 0 NOT NULL,
    index_kind text DEFAULT 'shared'::text NOT NULL,
    CONSTRAINT search_tenants_pkey PRIMARY KEY (tenant_id),
    CONSTRAINT search_tenants_index_kind_check CHECK ((index_kind = ANY (ARRAY['shared'::text, 'gin'::text, 'rum'::text])))
);
ALTER TABLE core.search_tenants ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_tenants_owner ON core.search_tenants TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_tenants_tenant ON core.search_tenants
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_word_changes (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    tenant_id uuid NOT NULL,
    language text NOT NULL,
    documents integer NOT NULL,
    words text[] NOT NULL,
    counts integer[] NOT NULL,
    titles integer[] NOT NULL,
    CONSTRAINT search_word_changes_pkey PRIMARY KEY (id)
);
ALTER TABLE core.search_word_changes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_word_changes_owner ON core.search_word_changes TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_word_changes_tenant ON core.search_word_changes
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words (
    tenant_id uuid NOT NULL,
    word text COLLATE "C" NOT NULL,
    language text NOT NULL,
    lexeme text COLLATE "C",
    soundex text COLLATE "C",
    metaphone text COLLATE "C",
    documents integer NOT NULL,
    titles integer NOT NULL,
    frequency smallint GENERATED ALWAYS AS (width_bucket(documents, '{4,8,16,32,64,128,256,512,1024,2048,4096,8192,16384,32768,65536,131072,262144,524288,1048576}'::integer[])) STORED NOT NULL
) PARTITION BY HASH (tenant_id);
CREATE INDEX ix_search_words_lexeme ON ONLY core.search_words USING btree (tenant_id, lexeme);
CREATE INDEX ix_search_words_metaphone ON ONLY core.search_words USING btree (tenant_id, metaphone);
CREATE INDEX ix_search_words_prefix ON ONLY core.search_words USING btree (tenant_id, "left"(word, 2), frequency DESC) WHERE (lexeme IS NOT NULL);
CREATE INDEX ix_search_words_soundex ON ONLY core.search_words USING btree (tenant_id, soundex);
CREATE INDEX ix_search_words_trigrams ON ONLY core.search_words USING gin (tenant_id, word gin_trgm_ops) WITH (fastupdate=off);
CREATE INDEX ix_search_words_word ON ONLY core.search_words USING btree (tenant_id, word, language);
ALTER TABLE core.search_words ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_owner ON core.search_words TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_tenant ON core.search_words
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_00 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 0) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_00 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_00_owner ON core.search_words_00 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_00_tenant ON core.search_words_00
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_01 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 1) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_01 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_01_owner ON core.search_words_01 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_01_tenant ON core.search_words_01
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_02 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 2) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_02 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_02_owner ON core.search_words_02 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_02_tenant ON core.search_words_02
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_03 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 3) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_03 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_03_owner ON core.search_words_03 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_03_tenant ON core.search_words_03
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_04 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 4) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_04 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_04_owner ON core.search_words_04 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_04_tenant ON core.search_words_04
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_05 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 5) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_05 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_05_owner ON core.search_words_05 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_05_tenant ON core.search_words_05
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_06 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 6) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_06 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_06_owner ON core.search_words_06 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_06_tenant ON core.search_words_06
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_07 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 7) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_07 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_07_owner ON core.search_words_07 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_07_tenant ON core.search_words_07
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_08 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 8) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_08 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_08_owner ON core.search_words_08 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_08_tenant ON core.search_words_08
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_09 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 9) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_09 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_09_owner ON core.search_words_09 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_09_tenant ON core.search_words_09
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_10 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 10) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_10 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_10_owner ON core.search_words_10 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_10_tenant ON core.search_words_10
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_11 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 11) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_11 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_11_owner ON core.search_words_11 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_11_tenant ON core.search_words_11
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_12 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 12) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_12 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_12_owner ON core.search_words_12 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_12_tenant ON core.search_words_12
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_13 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 13) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_13 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_13_owner ON core.search_words_13 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_13_tenant ON core.search_words_13
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_14 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 14) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_14 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_14_owner ON core.search_words_14 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_14_tenant ON core.search_words_14
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_15 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 15) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_15 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_15_owner ON core.search_words_15 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_15_tenant ON core.search_words_15
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_16 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 16) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_16 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_16_owner ON core.search_words_16 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_16_tenant ON core.search_words_16
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_17 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 17) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_17 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_17_owner ON core.search_words_17 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_17_tenant ON core.search_words_17
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_18 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 18) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_18 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_18_owner ON core.search_words_18 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_18_tenant ON core.search_words_18
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_19 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 19) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_19 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_19_owner ON core.search_words_19 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_19_tenant ON core.search_words_19
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_20 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 20) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_20 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_20_owner ON core.search_words_20 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_20_tenant ON core.search_words_20
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_21 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 21) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_21 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_21_owner ON core.search_words_21 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_21_tenant ON core.search_words_21
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_22 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 22) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_22 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_22_owner ON core.search_words_22 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_22_tenant ON core.search_words_22
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_23 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 23) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_23 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_23_owner ON core.search_words_23 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_23_tenant ON core.search_words_23
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_24 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 24) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_24 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_24_owner ON core.search_words_24 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_24_tenant ON core.search_words_24
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_25 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 25) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_25 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_25_owner ON core.search_words_25 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_25_tenant ON core.search_words_25
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_26 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 26) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_26 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_26_owner ON core.search_words_26 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_26_tenant ON core.search_words_26
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_27 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 27) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_27 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_27_owner ON core.search_words_27 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_27_tenant ON core.search_words_27
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_28 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 28) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_28 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_28_owner ON core.search_words_28 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_28_tenant ON core.search_words_28
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_29 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 29) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_29 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_29_owner ON core.search_words_29 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_29_tenant ON core.search_words_29
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_30 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 30) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_30 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_30_owner ON core.search_words_30 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_30_tenant ON core.search_words_30
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.search_words_31 PARTITION OF core.search_words FOR VALUES WITH (modulus 32, remainder 31) WITH (fillfactor=90, autovacuum_vacuum_scale_factor=0.05);
ALTER TABLE core.search_words_31 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_search_words_31_owner ON core.search_words_31 TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_search_words_31_tenant ON core.search_words_31
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.stats_refresh (
    one boolean DEFAULT true NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone NOT NULL,
    CONSTRAINT stats_refresh_pkey PRIMARY KEY (one),
    CONSTRAINT stats_refresh_one_check CHECK (one)
);
GRANT SELECT ON core.stats_refresh TO app_api;
GRANT SELECT ON core.stats_refresh TO app_worker;

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

CREATE TABLE core.tenant_deletions (
    tenant_id uuid NOT NULL,
    name_sha256 text NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    started_by text NOT NULL,
    rows_before jsonb NOT NULL,
    objects_deleted bigint,
    finished_at timestamp with time zone,
    rows_after jsonb,
    CONSTRAINT tenant_deletions_pkey PRIMARY KEY (tenant_id)
);
ALTER TABLE core.tenant_deletions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_tenant_deletions_owner ON core.tenant_deletions TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_tenant_deletions_tenant ON core.tenant_deletions
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

CREATE TABLE core.tenant_quota (
    tenant_id uuid NOT NULL,
    resource text NOT NULL,
    slot smallint NOT NULL,
    room bigint NOT NULL,
    share bigint NOT NULL,
    day date,
    CONSTRAINT tenant_quota_pkey PRIMARY KEY (tenant_id, resource, slot)
) WITH (fillfactor=40, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=1000);
ALTER TABLE core.tenant_quota ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p_tenant_quota_owner ON core.tenant_quota TO stackforge_owner
    USING (true)
    WITH CHECK (true);
CREATE POLICY p_tenant_quota_tenant ON core.tenant_quota
    USING ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid))
    WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid));

-- Functions -----------------------------------------------------------------------------------------------------------

FUNCTION _hashids_setup(salt text, alphabet text, OUT alpha text, OUT seps text, OUT guards text) RETURNS record
    -- plpgsql, immutable, strict, parallel safe; may be called by everybody

FUNCTION _hashids_shuffle(a text, salt text) RETURNS text
    -- plpgsql, immutable, strict, parallel safe; may be called by everybody

FUNCTION add_search_words(p_tenant_id uuid, p_language text, p_words text[]) RETURNS void
    -- plpgsql, volatile, SET search_path=public, pg_temp, SET enable_seqscan=off, SET plan_cache_mode=force_generic_plan; may be called by the owner only

FUNCTION add_tenant_storage(p_tenant_id uuid, p_bytes numeric, p_files bigint) RETURNS void
    -- plpgsql, volatile, SET search_path=public, pg_temp; may be called by the owner only

FUNCTION api_key_errors(p_name text, p_scopes text[], p_expires_at timestamp with time zone) RETURNS jsonb
    -- plpgsql, stable; may be called by everybody

FUNCTION api_keys_changed() RETURNS trigger
    -- plpgsql, volatile; may be called by the owner only

FUNCTION archive_jobs(p_age interval DEFAULT '90 days'::interval, p_limit integer DEFAULT 20000) RETURNS integer
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_worker

FUNCTION archive_messages(p_tenant_id uuid, p_queue text, p_ids bigint[], p_receipts integer[] DEFAULT NULL::integer[]) RETURNS SETOF bigint
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api, app_worker

FUNCTION assert_operator() RETURNS void
    -- plpgsql, stable; may be called by everybody

FUNCTION assert_scope(p_scope text) RETURNS boolean
    -- plpgsql, stable; may be called by app_graphql

FUNCTION assert_scopes(p_scopes text[], p_allowed text[]) RETURNS void
    -- plpgsql, immutable; may be called by the owner only

FUNCTION assert_tenant(p_tenant_id uuid) RETURNS void
    -- plpgsql, stable; may be called by everybody

FUNCTION authenticate_key(p_hash text) RETURNS TABLE(tenant_id uuid, key_id uuid, scopes text[], expires_at timestamp with time zone)
    -- sql, stable, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION authenticate_key_id(p_id uuid) RETURNS TABLE(tenant_id uuid, key_id uuid, scopes text[], expires_at timestamp with time zone)
    -- sql, stable, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION begin_tenant_deletion(p_tenant_id uuid, p_by text DEFAULT SESSION_USER) RETURNS core.tenant_deletions
    -- plpgsql, volatile, SET search_path=public, pg_temp; may be called by the owner only

FUNCTION bury_messages(p_queue message_queues, p_ids bigint[]) RETURNS integer
    -- plpgsql, volatile; may be called by the owner only

FUNCTION cancel_job(p_tenant_id uuid, p_id bigint) RETURNS jobs
    -- plpgsql, volatile; may be called by app_api

FUNCTION changeable_key(p_tenant_id uuid, p_id uuid, p_allowed text[]) RETURNS api_keys
    -- plpgsql, volatile; may be called by the owner only

FUNCTION check_job_payload() RETURNS trigger
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by the owner only

FUNCTION check_search_settings() RETURNS trigger
    -- plpgsql, volatile; may be called by the owner only

FUNCTION check_search_synonyms() RETURNS trigger
    -- plpgsql, volatile; may be called by the owner only

FUNCTION claim_file_upload(p_tenant_id uuid, p_id uuid) RETURNS files
    -- plpgsql, volatile; may be called by app_api

FUNCTION claim_idempotency_key(p_tenant_id uuid, p_key text, p_hash bytea, OUT is_new boolean, OUT response bytea) RETURNS record
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp, SET lock_timeout=10s; may be called by app_api

FUNCTION claim_job() RETURNS SETOF jobs
    -- sql, volatile; may be called by app_worker

FUNCTION claim_jobs(p_worker_id uuid, p_types text[], p_limit integer) RETURNS SETOF jobs
    -- plpgsql, volatile, SET enable_seqscan=off, SET enable_hashjoin=off, SET enable_mergejoin=off; may be called by app_worker

FUNCTION claim_webhook_deliveries(p_limit integer, p_per_endpoint integer, p_lease interval, p_circuit integer) RETURNS TABLE(id bigint, lease_id bigint, tenant_id uuid, endpoint_id uuid, event_id bigint, event text, is_test boolean, tries integer, url text, body text, secrets text[])
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp, SET enable_seqscan=off, SET enable_bitmapscan=off, SET enable_sort=off, SET enable_incremental_sort=off, SET enable_hashjoin=off, SET enable_mergejoin=off, SET enable_material=off; may be called by app_worker

FUNCTION cleanup_files(p_tenant_id uuid, p_older_than_hours integer) RETURNS bigint
    -- sql, volatile; may be called by app_worker

FUNCTION complete_file(p_tenant_id uuid, p_id uuid, p_uploader_id uuid, p_content_type text, p_size_bytes bigint, p_checksum text) RETURNS files
    -- plpgsql, volatile; may be called by app_api

FUNCTION complete_job(p_id bigint, p_lease_id bigint DEFAULT NULL::bigint) RETURNS boolean
    -- plpgsql, volatile, SET enable_seqscan=off; may be called by app_worker

FUNCTION complete_jobs(p_ids bigint[], p_leases bigint[], p_results jsonb[]) RETURNS SETOF bigint
    -- plpgsql, volatile, SET enable_seqscan=off, SET enable_nestloop=off, SET enable_mergejoin=off; may be called by app_worker

FUNCTION complete_title(p_tenant_id uuid, p_text text, p_limit integer) RETURNS TABLE(title text, documents bigint)
    -- plpgsql, stable, SET plan_cache_mode=force_generic_plan; may be called by the owner only

FUNCTION complete_word(p_tenant_id uuid, p_prefix text, p_language text DEFAULT NULL::text) RETURNS TABLE(word text, documents integer)
    -- plpgsql, stable, SET plan_cache_mode=force_custom_plan; may be called by the owner only

FUNCTION count_deleted_files() RETURNS trigger
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by the owner only

FUNCTION count_documents_found(p_tenant_id uuid, p_search jsonb, p_limit integer DEFAULT 10000) RETURNS bigint
    -- plpgsql, stable, SECURITY DEFINER, SET search_path=public, pg_temp, SET enable_seqscan=off; may be called by app_api

FUNCTION count_finished_jobs(p_all boolean DEFAULT false) RETURNS bigint
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_worker

FUNCTION count_inserted_files() RETURNS trigger
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by the owner only

FUNCTION count_search_synonyms() RETURNS trigger
    -- plpgsql, volatile; may be called by the owner only

FUNCTION count_updated_files() RETURNS trigger
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by the owner only

FUNCTION create_api_key(p_tenant_id uuid, p_name text, p_prefix text, p_hash text, p_scopes text[] DEFAULT '{*}'::text[], p_expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS uuid
    -- plpgsql, volatile; may be called by app_api

FUNCTION create_document(p_tenant_id uuid, p_author_id uuid, p_title text, p_body text, p_metadata hstore DEFAULT NULL::hstore, p_path text DEFAULT NULL::text, p_tag_ids integer[] DEFAULT NULL::integer[], p_longitude double precision DEFAULT NULL::double precision, p_latitude double precision DEFAULT NULL::double precision) RETURNS documents
    -- plpgsql, volatile; may be called by app_api

FUNCTION create_documents(p_tenant_id uuid, p_inputs jsonb, p_skip boolean DEFAULT false) RETURNS TABLE(ord integer, document documents, errors jsonb)
    -- plpgsql, volatile; may be called by app_api

FUNCTION create_file(p_tenant_id uuid, p_uploader_id uuid, p_filename text, p_content_type text, p_size_bytes bigint, p_checksum text DEFAULT NULL::text, p_lifetime interval DEFAULT NULL::interval, p_or_less boolean DEFAULT false) RETURNS files
    -- plpgsql, volatile; may be called by app_api

FUNCTION create_message_queue(p_tenant_id uuid, p_name text, p_kind text DEFAULT 'standard'::text, p_interval text DEFAULT NULL::text, p_retention text DEFAULT NULL::text) RETURNS message_queues
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp, SET client_min_messages=warning; may be called by app_api, app_worker

FUNCTION create_tenant(p_name text, p_id uuid DEFAULT NULL::uuid) RETURNS tenants
    -- plpgsql, volatile; may be called by the owner only

FUNCTION create_user(p_tenant_id uuid, p_email text) RETURNS app_users
    -- plpgsql, volatile; may be called by app_api

FUNCTION create_webhook_endpoint(p_tenant_id uuid, p_id uuid, p_input jsonb, p_secret text) RETURNS webhook_endpoints
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION current_tenant() RETURNS uuid
    -- sql, stable, parallel safe; may be called by everybody

FUNCTION decode_document_id(p_hashid text) RETURNS uuid
    -- plpgsql, immutable, strict, parallel safe, SET search_path=public, pg_temp; may be called by everybody

FUNCTION decode_job_id(p_hashid text) RETURNS bigint
    -- plpgsql, immutable, strict, parallel safe, SET search_path=public, pg_temp; may be called by everybody

FUNCTION decrypt_job_payload(p_encrypted text, p_tenant_id uuid) RETURNS jsonb
    -- plpgsql, volatile; may be called by app_api, app_worker

FUNCTION delete_document(p_id uuid, p_tenant_id uuid) RETURNS boolean
    -- plpgsql, volatile; may be called by app_api

FUNCTION delete_failed_jobs(p_age interval DEFAULT '30 days'::interval, p_limit integer DEFAULT 20000) RETURNS integer
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_worker

FUNCTION delete_messages(p_tenant_id uuid, p_queue text, p_ids bigint[], p_receipts integer[] DEFAULT NULL::integer[]) RETURNS SETOF bigint
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api, app_worker

FUNCTION delete_tenant(p_tenant_id uuid, p_limit integer DEFAULT 5000) RETURNS bigint
    -- plpgsql, volatile, SET search_path=public, pg_temp; may be called by the owner only

FUNCTION delete_user(p_tenant_id uuid, p_id uuid, p_reassign_to uuid DEFAULT NULL::uuid, OUT documents bigint, OUT files bigint) RETURNS record
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION delete_webhook_endpoint(p_tenant_id uuid, p_id uuid) RETURNS webhook_endpoints
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION document_embedding_clear() RETURNS trigger
    -- plpgsql, volatile; may be called by the owner only

FUNCTION document_equals(d documents, p_input jsonb) RETURNS boolean
    -- sql, stable; may be called by everybody

FUNCTION document_errors(p_tenant_id uuid, p_input jsonb, p_create boolean) RETURNS jsonb
    -- plpgsql, stable; may be called by everybody

FUNCTION document_from_input(p_old documents, p_input jsonb) RETURNS documents
    -- plpgsql, stable; may be called by everybody

FUNCTION document_is_plain(p_input jsonb) RETURNS boolean
    -- plpgsql, immutable, parallel safe; may be called by everybody

FUNCTION drop_message_queue(p_tenant_id uuid, p_name text) RETURNS message_queues
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION drop_old_events(p_keep interval) RETURNS integer
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp, SET lock_timeout=2s; may be called by app_worker

FUNCTION drop_old_idempotency_keys() RETURNS bigint
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_worker

FUNCTION drop_old_partitions(p_archive interval DEFAULT NULL::interval) RETURNS text[]
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp, SET lock_timeout=2s; may be called by app_worker

FUNCTION drop_old_webhooks(p_keep interval) RETURNS integer
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_worker

FUNCTION embedding_cubes(p_vector real[]) RETURNS cube[]
    -- plpgsql, immutable, strict, parallel safe; may be called by everybody

FUNCTION embedding_distance(a cube[], b cube[]) RETURNS double precision
    -- plpgsql, immutable, strict, parallel safe; may be called by the owner only

FUNCTION embedding_error(p_vector real[]) RETURNS text
    -- plpgsql, immutable, parallel safe; may be called by app_worker

FUNCTION embedding_models(p_tenant_id uuid) RETURNS TABLE(model text)
    -- sql, stable; may be called by app_api, app_worker

FUNCTION encode_document_id(p_id uuid) RETURNS text
    -- sql, immutable, strict, parallel safe, SET search_path=public, pg_temp; may be called by everybody

FUNCTION encode_job_id(p_id bigint) RETURNS text
    -- sql, immutable, strict, parallel safe, SET search_path=public, pg_temp; may be called by everybody

FUNCTION encrypt_job_payload(p_id bigint, p_tenant_id uuid) RETURNS boolean
    -- plpgsql, volatile; may be called by app_api

FUNCTION enqueue_file_cleanup(p_older_than_hours integer) RETURNS bigint
    -- sql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_worker

FUNCTION enqueue_job(p_tenant_id uuid, p_type text, p_payload jsonb DEFAULT '{}'::jsonb, p_run_at timestamp with time zone DEFAULT NULL::timestamp with time zone, p_priority integer DEFAULT 0) RETURNS jobs
    -- plpgsql, volatile; may be called by app_api, app_worker

FUNCTION enqueue_jobs(p_tenant_id uuid, p_jobs jsonb, p_skip boolean DEFAULT false) RETURNS TABLE(ord integer, job jobs, duplicate boolean, code text, field text, message text)
    -- plpgsql, volatile; may be called by app_api, app_worker

FUNCTION ensure_message_queue(p_tenant_id uuid, p_name text, p_field text DEFAULT 'queue'::text) RETURNS text
    -- plpgsql, volatile; may be called by the owner only

FUNCTION ensure_partitions(p_months integer DEFAULT NULL::integer, p_days integer DEFAULT NULL::integer) RETURNS integer
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_worker

FUNCTION error_pattern(p_text text) RETURNS text
    -- sql, immutable, strict, parallel safe; may be called by everybody

FUNCTION estimate_embedding_rows(p_sql text) RETURNS double precision
    -- plpgsql, volatile; may be called by the owner only

FUNCTION expire_webhook_deliveries(p_keep interval) RETURNS integer
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_worker

FUNCTION explain_search(p_tenant_id uuid, p_search jsonb, p_vector real[] DEFAULT NULL::real[], p_limit integer DEFAULT 20) RETURNS TABLE(step text, sql text, plan jsonb)
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION export_tenant(p_tenant_id uuid, p_table text) RETURNS refcursor
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp, SET cursor_tuple_fraction=1; may be called by app_api

FUNCTION facet_documents(p_tenant_id uuid, p_search jsonb, p_facets jsonb, p_limit integer DEFAULT 10) RETURNS TABLE(facet text, value text, documents bigint)
    -- plpgsql, stable, SECURITY DEFINER, SET search_path=public, pg_temp, SET enable_seqscan=off; may be called by app_api

FUNCTION fail_job(p_id bigint, p_error text, p_lease_id bigint DEFAULT NULL::bigint, p_reason text DEFAULT 'permanent'::text) RETURNS boolean
    -- plpgsql, volatile, SET enable_seqscan=off; may be called by app_worker

FUNCTION file_errors(p_tenant_id uuid, p_uploader_id uuid, p_filename text, p_content_type text, p_size_bytes bigint, p_checksum text) RETURNS jsonb
    -- sql, stable; may be called by everybody

FUNCTION find_documents(p_tenant_id uuid, p_search jsonb, p_vector real[] DEFAULT NULL::real[], p_limit integer DEFAULT 20, p_after jsonb DEFAULT NULL::jsonb) RETURNS TABLE(id uuid, score real, distance double precision, created_at timestamp with time zone, words real, similarity real, cursor jsonb)
    -- plpgsql, stable, SECURITY DEFINER, SET search_path=public, pg_temp, SET enable_seqscan=off; may be called by app_api

FUNCTION finish_maintenance(p_task text, p_tick timestamp with time zone, p_outcome text) RETURNS void
    -- sql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_worker

FUNCTION finish_tenant_deletion(p_tenant_id uuid, p_objects bigint DEFAULT NULL::bigint) RETURNS core.tenant_deletions
    -- plpgsql, volatile, SET search_path=public, pg_temp; may be called by the owner only

FUNCTION finish_tenant_import(p_tenant_id uuid) RETURNS void
    -- plpgsql, volatile, SET search_path=public, pg_temp; may be called by the owner only

FUNCTION finish_webhook_deliveries(p_results jsonb, p_circuit integer, p_cooldown interval, p_longest interval) RETURNS SETOF bigint
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp, SET enable_seqscan=off, SET enable_bitmapscan=off, SET enable_hashjoin=off, SET enable_mergejoin=off, SET enable_material=off; may be called by app_worker

FUNCTION finished_partitions(p_before timestamp with time zone) RETURNS TABLE(name text)
    -- sql, stable, SET search_path=public, pg_temp; may be called by the owner only

FUNCTION fold_search_words(p_limit integer DEFAULT 50) RETURNS integer
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp, SET plan_cache_mode=force_custom_plan; may be called by app_worker

FUNCTION forget_detached_files(p_tenant_ids uuid[], p_ids uuid[]) RETURNS bigint
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp, SET lock_timeout=2s; may be called by app_worker

FUNCTION get_audit_settings() RETURNS TABLE(is_loaded boolean, log text, log_catalog boolean, log_parameter boolean, role text, audited_tables text[], missing text[])
    -- plpgsql, stable, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION get_partitions() RETURNS TABLE(parent text, period text, partitions integer, oldest text, newest text, premade integer, made_ahead integer, default_rows bigint, retention text, detached integer)
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION get_slow_queries(p_limit integer DEFAULT 10) RETURNS TABLE(query_id text, name text, snippet text, calls bigint, total_seconds double precision, mean_ms double precision, max_ms double precision, row_count bigint, role text)
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION get_tenant_documents_pivot(p_tenant_id uuid, p_months integer DEFAULT 6, p_fresh boolean DEFAULT false) RETURNS TABLE(month text, count bigint)
    -- plpgsql, stable, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION get_tenant_job_errors(p_tenant_id uuid, p_days integer DEFAULT 7, p_limit integer DEFAULT 10) RETURNS TABLE(type text, pattern text, count bigint, last_at timestamp with time zone, last_job_id bigint, example text)
    -- plpgsql, stable, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION get_tenant_job_series(p_tenant_id uuid, p_bucket text DEFAULT 'hour'::text, p_last integer DEFAULT 24, p_type text DEFAULT NULL::text) RETURNS TABLE(at timestamp with time zone, type text, done bigint, failed bigint, wait_p50 double precision, wait_p95 double precision, run_p50 double precision, run_p95 double precision)
    -- plpgsql, stable, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION get_tenant_jobs_breakdown(p_tenant_id uuid, p_fresh boolean DEFAULT false) RETURNS TABLE(type text, pending bigint, running bigint, done bigint, failed bigint)
    -- plpgsql, stable, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION get_tenant_limits(p_tenant_id uuid, OUT documents bigint, OUT users bigint, OUT api_keys bigint, OUT files bigint, OUT storage_bytes bigint, OUT queues bigint, OUT webhook_endpoints bigint, OUT jobs_per_day bigint, OUT requests_per_minute integer, OUT updated_at timestamp with time zone) RETURNS record
    -- sql, stable; may be called by app_api, app_worker

FUNCTION get_tenant_stats(p_tenant_id uuid) RETURNS TABLE(tenant_id uuid, document_count bigint, newest_document_at timestamp with time zone, updated_at timestamp with time zone)
    -- plpgsql, stable, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api, app_worker

FUNCTION get_tenant_stats_fresh(p_tenant_id uuid) RETURNS TABLE(tenant_id uuid, document_count bigint, newest_document_at timestamp with time zone, updated_at timestamp with time zone)
    -- plpgsql, stable, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION get_tenant_storage(p_tenant_id uuid) RETURNS TABLE(kind text, row_count bigint, bytes bigint, is_estimate boolean)
    -- plpgsql, stable, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION give_quota(p_tenant_id uuid, p_resource text, p_n bigint) RETURNS void
    -- plpgsql, volatile; may be called by the owner only

FUNCTION give_up_webhook_deliveries(p_ids bigint[]) RETURNS integer
    -- plpgsql, volatile; may be called by the owner only

FUNCTION guard_api_keys() RETURNS trigger
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by the owner only

FUNCTION guard_jobs(p_tenant_id uuid, p_n bigint) RETURNS void
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api, app_worker

FUNCTION guard_tenant() RETURNS trigger
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by the owner only

FUNCTION hashid_decode(hash text, salt text, min_length integer, alphabet text) RETURNS bigint[]
    -- plpgsql, immutable, strict, parallel safe; may be called by everybody

FUNCTION hashid_encode(numbers bigint[], salt text, min_length integer, alphabet text) RETURNS text
    -- plpgsql, immutable, strict, parallel safe; may be called by everybody

FUNCTION held_messages(p_tenant_id uuid, p_queue text, p_ids bigint[], p_receipts integer[] DEFAULT NULL::integer[]) RETURNS TABLE(message_id bigint, visible_at timestamp with time zone)
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api, app_worker

FUNCTION highlight_documents(p_tenant_id uuid, p_search jsonb, p_ids uuid[], p_fragments integer DEFAULT 2, p_words integer DEFAULT 20) RETURNS TABLE(id uuid, field text, fragment integer, text text)
    -- plpgsql, stable, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION import_document(p_tenant_id uuid, p_author_id uuid, p_input jsonb, OUT outcome text, OUT errors jsonb) RETURNS record
    -- plpgsql, volatile; may be called by app_api

FUNCTION import_documents(p_tenant_id uuid, p_author_id uuid, p_lines text[], OUT created integer, OUT updated integer, OUT unchanged integer, OUT rejected jsonb) RETURNS record
    -- plpgsql, volatile; may be called by app_api

FUNCTION import_tenant_rows(p_tenant_id uuid, p_table text, p_rows jsonb) RETURNS bigint
    -- plpgsql, volatile, SET search_path=public, pg_temp; may be called by the owner only

FUNCTION is_payload_ciphertext(p_text text) RETURNS boolean
    -- sql, immutable; may be called by the owner only

FUNCTION is_search_address(p_word text) RETURNS boolean
    -- sql, immutable, parallel safe; may be called by the owner only

FUNCTION is_search_word(p_word text) RETURNS boolean
    -- sql, immutable, parallel safe; may be called by the owner only

FUNCTION job_error(p_tenant_id uuid, p_job jsonb, p_payload jsonb, OUT code text, OUT field text, OUT message text) RETURNS record
    -- plpgsql, stable; may be called by everybody

FUNCTION job_payload_error(p_type text, p_payload jsonb) RETURNS text
    -- sql, stable, parallel safe; may be called by everybody

FUNCTION jsonb_matches_schema(schema json, instance jsonb) RETURNS boolean
    -- sql, immutable, strict, parallel safe; may be called by everybody

FUNCTION jsonb_schema_error(p_schema jsonb, p_instance jsonb, p_at text DEFAULT ''::text) RETURNS text
    -- plpgsql, immutable, parallel safe; may be called by everybody

FUNCTION keep_full_key(p_tenant_id uuid, p_id uuid) RETURNS void
    -- plpgsql, stable; may be called by app_api

FUNCTION keep_idempotency_response(p_tenant_id uuid, p_key text, p_response bytea) RETURNS void
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION key_request_rate(p_key_id uuid) RETURNS integer
    -- sql, stable, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION list_detached_files(p_limit integer) RETURNS TABLE(tenant_id uuid, id uuid, storage_key text)
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_worker

FUNCTION location_errors(p_input jsonb) RETURNS jsonb
    -- plpgsql, immutable, parallel safe; may be called by everybody

FUNCTION lock_messages(p_queue message_queues, p_ids bigint[], p_receipts integer[]) RETURNS bigint[]
    -- plpgsql, volatile; may be called by the owner only

FUNCTION log_deleted_words() RETURNS trigger
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by the owner only

FUNCTION log_inserted_words() RETURNS trigger
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by the owner only

FUNCTION log_job_events() RETURNS trigger
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp, SET enable_nestloop=off, SET enable_hashjoin=on; may be called by the owner only

FUNCTION log_updated_words() RETURNS trigger
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp, SET enable_nestloop=off, SET enable_hashjoin=on; may be called by the owner only

FUNCTION log_words(p_tenant_id uuid, p_language text, p_documents integer, p_words text[], p_counts integer[], p_titles integer[]) RETURNS void
    -- plpgsql, volatile, SET search_path=public, pg_temp; may be called by the owner only

FUNCTION maintain_message_queues() RETURNS integer
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_worker

FUNCTION maintain_search() RETURNS integer
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_worker

FUNCTION make_partition(p_parent text, p_at timestamp without time zone) RETURNS boolean
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by the owner only

FUNCTION mark_file_deleted(p_tenant_id uuid, p_id uuid) RETURNS files
    -- plpgsql, volatile; may be called by app_api

FUNCTION mask_literals(p_sql text) RETURNS text
    -- sql, immutable, strict, parallel safe; may be called by the owner only

FUNCTION message_error(p_message jsonb, OUT code text, OUT field text, OUT message text) RETURNS record
    -- plpgsql, stable; may be called by everybody

FUNCTION message_queue(p_tenant_id uuid, p_name text, p_field text DEFAULT 'queue'::text) RETURNS message_queues
    -- plpgsql, stable; may be called by everybody

FUNCTION message_queue_metrics(p_tenant_id uuid, p_names text[]) RETURNS TABLE(name text, length bigint, visible bigint, oldest_age_seconds integer, newest_age_seconds integer, total bigint, archived bigint, at timestamp with time zone)
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api, app_readonly

FUNCTION message_queue_physical(p_tenant_id uuid, p_name text) RETURNS text
    -- sql, immutable, parallel safe; may be called by everybody

FUNCTION near_errors(p_near jsonb) RETURNS void
    -- plpgsql, stable; may be called by the owner only

FUNCTION nearest_documents(p_tenant_id uuid, p_vector real[], p_condition text, p_limit integer) RETURNS TABLE(id uuid, similarity double precision, created_at timestamp with time zone)
    -- plpgsql, stable, SET search_path=public, pg_temp, SET jit=off; may be called by the owner only

FUNCTION nearest_embeddings(p_tenant_id uuid, p_vectors real[], p_models text[], p_condition text, p_limit integer) RETURNS TABLE(id uuid, similarity double precision, created_at timestamp with time zone)
    -- plpgsql, stable, SET search_path=public, pg_temp; may be called by the owner only

FUNCTION notify_job_webhook() RETURNS trigger
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp, SET enable_seqscan=off; may be called by the owner only

FUNCTION own_search_indexes() RETURNS TABLE(tenant_id uuid, name text, kind text, is_valid boolean, bytes bigint)
    -- sql, stable; may be called by the owner only

FUNCTION patch_document(p_tenant_id uuid, p_id uuid, p_input jsonb, p_expected_version integer DEFAULT NULL::integer) RETURNS documents
    -- plpgsql, volatile; may be called by app_api

FUNCTION path_error(p_path text) RETURNS text
    -- sql, stable, strict, parallel safe; may be called by everybody

FUNCTION pgmq_archive_message(p_queue text, p_msg_id bigint) RETURNS boolean
    -- sql, volatile; may be called by app_api, app_worker

FUNCTION pgmq_dequeue(p_queue text, p_limit integer DEFAULT 10) RETURNS TABLE(msg_id bigint, read_ct integer, enqueued_at timestamp with time zone, vt timestamp with time zone, message jsonb)
    -- sql, volatile; may be called by app_api, app_worker

FUNCTION pgmq_enqueue(p_queue text, p_payload jsonb) RETURNS bigint
    -- sql, volatile; may be called by app_api, app_worker

FUNCTION pop_messages(p_tenant_id uuid, p_queue text, p_limit integer DEFAULT 1) RETURNS TABLE(message_id bigint, read_count integer, enqueued_at timestamp with time zone, visible_at timestamp with time zone, payload jsonb, headers jsonb)
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api, app_worker

FUNCTION publish_event(p_tenant_id uuid, p_topic text, p_payload jsonb, p_aggregate_type text DEFAULT 'event'::text, p_aggregate_id text DEFAULT ''::text) RETURNS bigint
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api, app_worker

FUNCTION purge_message_queue(p_tenant_id uuid, p_name text) RETURNS bigint
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION raise_invalid(p_errors jsonb) RETURNS void
    -- plpgsql, immutable; may be called by everybody

FUNCTION read_job_events(p_tenant_id uuid, p_epoch integer, p_seen pg_snapshot, p_until pg_snapshot, p_after_id bigint, p_limit integer) RETURNS TABLE(epoch integer, lost boolean, snapshot text, id bigint, tenant_id uuid, job_id bigint, type text, status text, reason text, attempts integer, progress integer, last_error text, at timestamp with time zone)
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp, SET enable_seqscan=off, SET plan_cache_mode=force_generic_plan, SET jit=off; may be called by app_api

FUNCTION read_job_events_all(p_epoch integer, p_seen pg_snapshot, p_until pg_snapshot, p_after_id bigint, p_limit integer) RETURNS TABLE(epoch integer, lost boolean, snapshot text, id bigint, tenant_id uuid, job_id bigint, type text, status text, reason text, attempts integer, progress integer, last_error text, at timestamp with time zone)
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp, SET enable_seqscan=off, SET plan_cache_mode=force_generic_plan, SET jit=off; may be called by app_api

FUNCTION read_messages(p_tenant_id uuid, p_queue text, p_vt integer DEFAULT 300, p_limit integer DEFAULT 10) RETURNS TABLE(message_id bigint, read_count integer, enqueued_at timestamp with time zone, visible_at timestamp with time zone, payload jsonb, headers jsonb)
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api, app_worker

FUNCTION rebuild_search_words(p_tenant_id uuid) RETURNS integer
    -- plpgsql, volatile, SET search_path=public, pg_temp, SET plan_cache_mode=force_custom_plan, SET work_mem=256MB; may be called by the owner only

FUNCTION recover_stale_jobs(p_stale_minutes integer DEFAULT 10) RETURNS integer
    -- sql, volatile; may be called by app_worker

FUNCTION redeliver_webhook(p_tenant_id uuid, p_id bigint) RETURNS void
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION redeliver_webhooks(p_tenant_id uuid, p_ids bigint[], p_endpoint_id uuid, p_statuses text[], p_since timestamp with time zone, p_until timestamp with time zone, p_limit integer) RETURNS integer
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION refresh_tenant_document_stats() RETURNS void
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api, app_worker

FUNCTION release_jobs(p_ids bigint[], p_leases bigint[]) RETURNS bigint
    -- sql, volatile; may be called by app_worker

FUNCTION release_tenant_quota() RETURNS trigger
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by the owner only

FUNCTION release_webhook_deliveries(p_tenants uuid[], p_ids bigint[], p_leases bigint[]) RETURNS integer
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_worker

FUNCTION remove_search_synonyms(p_tenant_id uuid, p_term text) RETURNS search_synonyms
    -- plpgsql, volatile; may be called by app_api

FUNCTION replace_encrypted_payloads(p_ids bigint[], p_tenant_ids uuid[], p_before text[], p_after text[]) RETURNS integer
    -- plpgsql, volatile, SET enable_seqscan=off; may be called by the owner only

FUNCTION report_job_progress(p_id bigint, p_lease_id bigint, p_percent integer) RETURNS boolean
    -- plpgsql, volatile, SET enable_seqscan=off; may be called by app_worker

FUNCTION requeue_job(p_tenant_id uuid, p_id bigint) RETURNS jobs
    -- plpgsql, volatile; may be called by app_api

FUNCTION rescue_jobs(p_older_than interval, p_dead_after interval DEFAULT '00:00:30'::interval) RETURNS integer
    -- plpgsql, volatile; may be called by app_worker

FUNCTION reset_tenant_quota(p_tenant_id uuid) RETURNS void
    -- plpgsql, volatile; may be called by the owner only

FUNCTION graphql_api.resolve_tenant_documents() RETURNS SETOF documents
    -- sql, stable; may be called by app_api, app_readonly, app_worker

FUNCTION retry_job(p_id bigint, p_run_at timestamp with time zone, p_max_attempts integer, p_error text DEFAULT NULL::text, p_lease_id bigint DEFAULT NULL::bigint) RETURNS text
    -- plpgsql, volatile, SET enable_seqscan=off; may be called by app_worker

FUNCTION revoke_api_key(p_tenant_id uuid, p_id uuid, p_force boolean DEFAULT false) RETURNS boolean
    -- plpgsql, volatile; may be called by app_api

FUNCTION rotate_api_key(p_tenant_id uuid, p_id uuid, p_prefix text, p_hash text, p_overlap interval, p_allowed text[]) RETURNS timestamp with time zone
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION rotate_webhook_secret(p_tenant_id uuid, p_id uuid, p_secret text, p_overlap interval) RETURNS webhook_endpoints
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION route_webhook_events() RETURNS integer
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp, SET enable_seqscan=off, SET enable_hashjoin=off, SET enable_mergejoin=off; may be called by the owner only

FUNCTION search_condition(p_tenant_id uuid, p_search jsonb) RETURNS text
    -- plpgsql, stable; may be called by the owner only

FUNCTION search_config(p_language text) RETURNS regconfig
    -- plpgsql, immutable, strict, parallel safe; may be called by everybody

FUNCTION search_documents(p_tenant_id uuid, p_query text, p_limit integer DEFAULT 20, p_path_prefix text DEFAULT NULL::text, p_mode text DEFAULT 'fts'::text, p_tag_ids integer[] DEFAULT NULL::integer[], p_longitude double precision DEFAULT NULL::double precision, p_latitude double precision DEFAULT NULL::double precision, p_radius double precision DEFAULT NULL::double precision) RETURNS TABLE(id uuid, title text, fts_rank real, trigram_score real, created_at timestamp with time zone, path ltree, distance_m double precision)
    -- plpgsql, stable; may be called by app_api

FUNCTION search_fold(p_text text) RETURNS text
    -- plpgsql, immutable, strict, parallel safe; may be called by everybody

FUNCTION search_index_name(p_tenant_id uuid) RETURNS text
    -- sql, immutable, strict, parallel safe; may be called by the owner only

FUNCTION search_index_scans() RETURNS jsonb
    -- sql, volatile; may be called by the owner only

FUNCTION search_index_status(p_min_documents bigint) RETURNS TABLE(tenant_id uuid, tenant_name text, documents bigint, words bigint, vectors bigint, changes bigint, noted_kind text, index_name text, index_kind text, index_valid boolean, index_bytes bigint)
    -- sql, stable; may be called by the owner only

FUNCTION search_lexemes(p_lexemes text[]) RETURNS tsquery
    -- plpgsql, immutable, parallel safe; may be called by the owner only

FUNCTION search_loose_text(p_tenant_id uuid, p_language text, p_words text[], p_documents bigint, OUT query tsquery, OUT best tsquery, OUT rows bigint, OUT titles bigint, OUT loose text) RETURNS record
    -- plpgsql, stable, SET search_path=public, pg_temp, SET plan_cache_mode=force_custom_plan; may be called by the owner only

FUNCTION search_matches(p_tenant_id uuid, p_search jsonb) RETURNS text
    -- plpgsql, stable; may be called by the owner only

FUNCTION search_near(p_near jsonb, OUT condition text, OUT distance text, OUT ordering text) RETURNS record
    -- plpgsql, stable; may be called by the owner only

FUNCTION search_nearest(p_tenant_id uuid, p_near jsonb, p_offset integer, p_limit integer) RETURNS TABLE(id uuid, score real, distance double precision, created_at timestamp with time zone, words real, similarity real, cursor jsonb)
    -- plpgsql, stable, SET search_path=public, pg_temp, SET plan_cache_mode=force_generic_plan; may be called by the owner only

FUNCTION search_newest(p_tenant_id uuid, p_number integer, p_place text, p_rank text, p_match text, p_from text, p_indexed boolean) RETURNS text[]
    -- plpgsql, stable; may be called by the owner only

FUNCTION search_phase(p_number integer, p_place text, p_rank text, p_ordering text, p_hits text) RETURNS text
    -- sql, stable; may be called by the owner only

FUNCTION search_phrase(p_text text) RETURNS text
    -- plpgsql, immutable, parallel safe; may be called by everybody

FUNCTION search_phrase_error(p_phrase text, p_words integer) RETURNS text
    -- plpgsql, immutable, parallel safe; may be called by everybody

FUNCTION search_prefix(p_tenant_id uuid, p_prefix tsquery) RETURNS tsquery
    -- plpgsql, stable, SET plan_cache_mode=force_generic_plan; may be called by the owner only

FUNCTION search_queries(p_tenant_id uuid, p_search jsonb) RETURNS TABLE(query tsquery, best tsquery)
    -- plpgsql, stable, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION search_query_once(p_query tsquery) RETURNS tsquery
    -- plpgsql, immutable, parallel safe; may be called by the owner only

FUNCTION search_split_compounds(p_text text) RETURNS text
    -- plpgsql, immutable, parallel safe; may be called by the owner only

FUNCTION search_statements(p_tenant_id uuid, p_search jsonb, p_limit integer, p_after jsonb) RETURNS text[]
    -- plpgsql, stable, SET search_path=public, pg_temp, SET plan_cache_mode=force_generic_plan; may be called by the owner only

FUNCTION search_stop_words(p_tenant_id uuid, p_language text, p_words text[]) RETURNS text[]
    -- plpgsql, stable; may be called by the owner only

FUNCTION search_text(p_tenant_id uuid, p_search jsonb, OUT query tsquery, OUT best tsquery, OUT rows bigint, OUT titles bigint, OUT more bigint, OUT loose text) RETURNS record
    -- plpgsql, stable, SET search_path=public, pg_temp; may be called by the owner only

FUNCTION search_vector_statement(p_tenant_id uuid, p_search jsonb, p_condition text, p_near text, p_distance text, p_limit integer, p_after jsonb) RETURNS text
    -- plpgsql, stable, SET search_path=public, pg_temp; may be called by the owner only

FUNCTION search_web_query(p_tenant_id uuid, p_language text, p_text text) RETURNS tsquery
    -- plpgsql, stable, SET client_min_messages=warning; may be called by the owner only

FUNCTION search_web_rows(p_tenant_id uuid, p_documents bigint, p_query tsquery, OUT rows bigint, OUT titles bigint) RETURNS record
    -- plpgsql, stable, SET plan_cache_mode=force_generic_plan; may be called by the owner only

FUNCTION search_word_code(p_language text, p_word text, OUT lexeme text, OUT soundex text, OUT metaphone text) RETURNS record
    -- plpgsql, immutable, parallel safe; may be called by the owner only

FUNCTION search_word_matches(p_tenant_id uuid, p_word text, p_mode text, p_limit integer) RETURNS TABLE(word text, lexeme text, near real, documents integer, titles integer)
    -- plpgsql, stable, SET search_path=public, pg_temp, SET plan_cache_mode=force_generic_plan, SET pg_trgm.word_similarity_threshold=0.4, SET enable_seqscan=off, SET enable_hashjoin=off, SET enable_mergejoin=off; may be called by the owner only

FUNCTION secure_table(p_table regclass, p_column name DEFAULT 'tenant_id'::name) RETURNS void
    -- plpgsql, volatile; may be called by the owner only

FUNCTION send_messages(p_tenant_id uuid, p_queue text, p_messages jsonb, p_skip boolean DEFAULT false) RETURNS TABLE(ord integer, message_id bigint, code text, field text, message text)
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api, app_worker

FUNCTION set_document_embedding(p_tenant_id uuid, p_id uuid, p_embedding real[], p_model text, p_version integer) RETURNS boolean
    -- plpgsql, volatile; may be called by app_worker

FUNCTION set_document_embeddings(p_tenant_id uuid, p_ids uuid[], p_embeddings real[], p_model text, p_versions integer[]) RETURNS SETOF uuid
    -- plpgsql, volatile; may be called by app_worker

FUNCTION set_message_redrive(p_tenant_id uuid, p_queue text, p_max_reads integer, p_dead_letter_queue text) RETURNS message_queues
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION set_message_visibility(p_tenant_id uuid, p_queue text, p_ids bigint[], p_vt integer, p_receipts integer[] DEFAULT NULL::integer[]) RETURNS TABLE(message_id bigint, visible_at timestamp with time zone)
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api, app_worker

FUNCTION set_search_index(p_tenant_id uuid, p_kind text) RETURNS void
    -- plpgsql, volatile; may be called by the owner only

FUNCTION set_search_stop_words(p_tenant_id uuid, p_words text[]) RETURNS search_settings
    -- plpgsql, volatile; may be called by app_api

FUNCTION set_search_synonyms(p_tenant_id uuid, p_term text, p_synonyms text[], p_both_ways boolean DEFAULT false) RETURNS search_synonyms
    -- plpgsql, volatile; may be called by app_api

FUNCTION set_tenant_limits(p_tenant_id uuid, p_limits jsonb) RETURNS tenant_limits
    -- plpgsql, volatile; may be called by the owner only

FUNCTION set_tenant_storage_limits(p_tenant_id uuid, p_bytes bigint, p_files bigint) RETURNS tenant_storage
    -- plpgsql, volatile; may be called by the owner only

FUNCTION set_webhook(p_tenant_id uuid, p_url text, p_new_id uuid, p_new_secret text) RETURNS webhook_endpoints
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION similar_documents(p_tenant_id uuid, p_vectors real[], p_models text[], p_conditions jsonb, p_exclude uuid, p_limit integer) RETURNS TABLE(id uuid, similarity double precision, created_at timestamp with time zone)
    -- plpgsql, stable, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION sphere_distance(p_chord double precision) RETURNS double precision
    -- sql, immutable, strict, parallel safe; may be called by everybody

FUNCTION sphere_point(p_longitude double precision, p_latitude double precision) RETURNS cube
    -- sql, immutable, strict, parallel safe; may be called by everybody

FUNCTION start_maintenance(p_task text, p_tick timestamp with time zone) RETURNS boolean
    -- plpgsql, volatile; may be called by app_worker

FUNCTION stream_state(p_stream text, p_epoch integer, p_seen pg_snapshot, p_until pg_snapshot, OUT epoch integer, OUT lost boolean) RETURNS record
    -- plpgsql, volatile; may be called by the owner only

FUNCTION suggest_query(p_tenant_id uuid, p_search jsonb) RETURNS text
    -- plpgsql, stable, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION suggest_words(p_tenant_id uuid, p_prefix text, p_limit integer DEFAULT 8, p_language text DEFAULT NULL::text) RETURNS TABLE(text text, documents bigint, kind text)
    -- plpgsql, stable, SECURITY DEFINER, SET search_path=public, pg_temp, SET plan_cache_mode=force_custom_plan; may be called by app_api

FUNCTION take_quota(p_tenant_id uuid, p_resource text, p_n bigint) RETURNS void
    -- plpgsql, volatile; may be called by the owner only

FUNCTION tenant_columns(p_table text) RETURNS TABLE(name text, expression text)
    -- sql, stable; may be called by the owner only

FUNCTION tenant_queue_tables(p_tenant_id uuid) RETURNS TABLE(name text, relation text)
    -- sql, stable; may be called by the owner only

FUNCTION tenant_resource_field(p_resource text) RETURNS text
    -- sql, immutable; may be called by the owner only

FUNCTION tenant_row_counts(p_tenant_id uuid) RETURNS TABLE(name text, kind text, row_count bigint)
    -- plpgsql, stable, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION tenant_storage_left(p_tenant_id uuid) RETURNS bigint
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION tenant_storage_usage(p_tenant_id uuid, OUT bytes_used bigint, OUT files_used bigint, OUT bytes_limit bigint, OUT files_limit bigint) RETURNS record
    -- sql, stable; may be called by app_api, app_readonly, app_worker

FUNCTION tenant_tables() RETURNS TABLE(name text, tenant_column text, kind text, ord integer)
    -- sql, stable; may be called by the owner only

FUNCTION tenant_usage(p_tenant_id uuid, OUT documents bigint, OUT users bigint, OUT api_keys bigint, OUT jobs_pending bigint, OUT jobs_running bigint, OUT jobs_finished bigint, OUT jobs_today bigint, OUT files bigint, OUT storage_bytes bigint, OUT queues bigint, OUT messages bigint, OUT webhook_endpoints bigint) RETURNS record
    -- plpgsql, stable, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION test_webhook(p_tenant_id uuid, p_id uuid) RETURNS bigint
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION text_words(p_title text, p_body text) RETURNS tsvector
    -- sql, immutable, parallel safe; may be called by the owner only

FUNCTION touch_api_keys(p_ids uuid[], p_times timestamp with time zone[]) RETURNS void
    -- sql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION unit_embedding(p_vector real[], p_field text) RETURNS real[]
    -- plpgsql, immutable, parallel safe, SET search_path=public, pg_temp; may be called by app_worker

FUNCTION update_api_key(p_tenant_id uuid, p_id uuid, p_input jsonb, p_allowed text[]) RETURNS uuid
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION update_document(p_id uuid, p_tenant_id uuid, p_title text DEFAULT NULL::text, p_body text DEFAULT NULL::text, p_metadata hstore DEFAULT NULL::hstore, p_path text DEFAULT NULL::text, p_tag_ids integer[] DEFAULT NULL::integer[], p_longitude double precision DEFAULT NULL::double precision, p_latitude double precision DEFAULT NULL::double precision) RETURNS SETOF documents
    -- plpgsql, volatile; may be called by app_api

FUNCTION update_user(p_tenant_id uuid, p_id uuid, p_email text) RETURNS app_users
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION update_webhook_endpoint(p_tenant_id uuid, p_id uuid, p_input jsonb) RETURNS webhook_endpoints
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION uuid_v7() RETURNS uuid
    -- sql, volatile, parallel safe; may be called by everybody

FUNCTION uuid_v7_floor(p_at timestamp with time zone) RETURNS uuid
    -- sql, immutable, strict, parallel safe; may be called by everybody

FUNCTION wake_webhook_lanes(p_endpoint_ids uuid[]) RETURNS void
    -- plpgsql, volatile; may be called by the owner only

FUNCTION webhook_endpoint_errors(p_input jsonb) RETURNS jsonb
    -- plpgsql, immutable; may be called by the owner only

FUNCTION webhook_health(p_tenant_id uuid, p_window interval DEFAULT '24:00:00'::interval, p_circuit integer DEFAULT 5) RETURNS TABLE(endpoint_id uuid, name text, is_enabled boolean, circuit text, failures integer, resume_at timestamp with time zone, attempts bigint, successes bigint, success_rate double precision, p50_ms double precision, p95_ms double precision, pending bigint, oldest_pending_at timestamp with time zone, dead bigint, last_success_at timestamp with time zone, last_error text)
    -- sql, stable, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_api

FUNCTION webhook_stats(p_circuit integer, OUT lag_seconds double precision, OUT open_circuits bigint, OUT dead bigint) RETURNS record
    -- sql, stable, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by app_worker

FUNCTION webhook_wants(p_events text[], p_job_types text[], p_topic text, p_job_type text) RETURNS boolean
    -- sql, immutable, parallel safe; may be called by the owner only

FUNCTION words_at_one_edit(p_word text) RETURNS text[]
    -- plpgsql, immutable, parallel safe; may be called by the owner only

FUNCTION worker_heartbeat(p_worker_id uuid, p_name text, p_concurrency integer) RETURNS void
    -- sql, volatile; may be called by app_worker

FUNCTION write_graphql_api() RETURNS trigger
    -- plpgsql, volatile, SECURITY DEFINER, SET search_path=public, pg_temp; may be called by the owner only
