-- Documents and what search needs of them. Locks nothing that exists. To undo by hand: drop table documents.
--
-- The column of the point (location) and of the vector (embedding) depend on the server's extensions: functions/
-- document_location*.sql and document_embedding*.sql add them.

-- search_config(language) is the text search configuration of a language code, plain_unaccent for an unknown one.
-- Frozen: the generated column uses it. In plpgsql, because an SQL function that is not inlined is planned anew by every
-- statement, which made a single insert five times as slow.
CREATE FUNCTION search_config(p_language text) RETURNS regconfig
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE p_language
        WHEN 'en' THEN 'public.en_unaccent'::regconfig WHEN 'ar' THEN 'public.ar_unaccent'::regconfig WHEN 'ca' THEN 'public.ca_unaccent'::regconfig
        WHEN 'da' THEN 'public.da_unaccent'::regconfig WHEN 'de' THEN 'public.de_unaccent'::regconfig WHEN 'el' THEN 'public.el_unaccent'::regconfig
        WHEN 'es' THEN 'public.es_unaccent'::regconfig WHEN 'eu' THEN 'public.eu_unaccent'::regconfig WHEN 'fi' THEN 'public.fi_unaccent'::regconfig
        WHEN 'fr' THEN 'public.fr_unaccent'::regconfig WHEN 'ga' THEN 'public.ga_unaccent'::regconfig WHEN 'hi' THEN 'public.hi_unaccent'::regconfig
        WHEN 'hu' THEN 'public.hu_unaccent'::regconfig WHEN 'hy' THEN 'public.hy_unaccent'::regconfig WHEN 'id' THEN 'public.id_unaccent'::regconfig
        WHEN 'it' THEN 'public.it_unaccent'::regconfig WHEN 'lt' THEN 'public.lt_unaccent'::regconfig WHEN 'ne' THEN 'public.ne_unaccent'::regconfig
        WHEN 'nl' THEN 'public.nl_unaccent'::regconfig WHEN 'no' THEN 'public.no_unaccent'::regconfig WHEN 'pt' THEN 'public.pt_unaccent'::regconfig
        WHEN 'ro' THEN 'public.ro_unaccent'::regconfig WHEN 'ru' THEN 'public.ru_unaccent'::regconfig WHEN 'sr' THEN 'public.sr_unaccent'::regconfig
        WHEN 'sv' THEN 'public.sv_unaccent'::regconfig WHEN 'ta' THEN 'public.ta_unaccent'::regconfig WHEN 'tr' THEN 'public.tr_unaccent'::regconfig
        WHEN 'yi' THEN 'public.yi_unaccent'::regconfig ELSE 'public.plain_unaccent'::regconfig END;
END $$;

CREATE TABLE documents (
    tenant_id uuid NOT NULL, -- a tenant, because the author is one of its users
    id uuid NOT NULL DEFAULT uuid_v7(),
    author_id uuid NOT NULL,
    external_id text CONSTRAINT documents_external_id_check CHECK (length(external_id) BETWEEN 1 AND 200),
    title text NOT NULL CONSTRAINT documents_title_check CHECK (length(title) BETWEEN 1 AND 500 AND title ~ '\S'),
    body text NOT NULL,
    language text NOT NULL DEFAULT 'en' CONSTRAINT documents_language_check CHECK (language ~ '^[a-z]{2}$|^plain$'),
    metadata hstore NOT NULL DEFAULT '',
    path ltree,
    -- The same path as text: comparison of text is leakproof, so that a subtree is an index range under row-level security.
    path_text text COLLATE "C" GENERATED ALWAYS AS (ltree2text(path)) STORED,
    tag_ids int[] NOT NULL DEFAULT '{}' CONSTRAINT documents_tag_ids_check
        CHECK (cardinality(tag_ids) <= 1000 AND array_position(tag_ids, NULL) IS NULL),
    longitude double precision CONSTRAINT documents_longitude_check CHECK (longitude BETWEEN -180 AND 180),
    latitude double precision CONSTRAINT documents_latitude_check CHECK (latitude BETWEEN -90 AND 90),
    search_tsv tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector(search_config(language), title), 'A') ||
        setweight(to_tsvector(search_config(language), body), 'B')) STORED,
    embedding_model text, -- which provider and model made the vector; null without one
    version int NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT documents_author_id_fkey FOREIGN KEY (tenant_id, author_id) REFERENCES app_users (tenant_id, id),
    CONSTRAINT documents_location_check CHECK ((longitude IS NULL) = (latitude IS NULL))
);
CREATE UNIQUE INDEX documents_external_id_key ON documents (tenant_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX ix_documents_created ON documents (tenant_id, created_at DESC, id DESC);
CREATE INDEX ix_documents_updated ON documents (tenant_id, updated_at DESC, id DESC);
CREATE INDEX ix_documents_title ON documents (tenant_id, title, id);
CREATE INDEX ix_documents_author ON documents (tenant_id, author_id, created_at DESC, id DESC);
CREATE INDEX ix_documents_path ON documents (tenant_id, path_text, id);
CREATE INDEX ix_documents_search ON documents USING gin (tenant_id, search_tsv);
CREATE INDEX ix_documents_labels ON documents USING gin (tenant_id, tag_ids gin__int_ops, metadata);
SELECT secure_table('documents');

GRANT SELECT, INSERT, UPDATE, DELETE ON documents TO app_api;
GRANT SELECT ON documents TO app_worker, app_readonly;
GRANT UPDATE (embedding_model) ON documents TO app_worker;

-- Per-tenant counts for the dashboard. Nobody reads it directly (a materialized view has no row-level security).
CREATE MATERIALIZED VIEW tenant_document_stats AS
    SELECT tenant_id, count(*) AS document_count, max(created_at) AS newest_document_at, now() AS refreshed_at
    FROM documents
    GROUP BY tenant_id;
CREATE UNIQUE INDEX tenant_document_stats_tenant_id_key ON tenant_document_stats (tenant_id);
