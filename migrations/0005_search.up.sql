-- Search: the vocabulary of each tenant, its synonyms and stop words, and indexes over documents.
-- Locks documents against writes while two indexes are built. To undo by hand: drop the tables search_synonyms, search_settings,
-- core.search_words, core.search_word_changes, core.search_tenants, and the indexes ix_documents_title_search and ix_documents_point.

-- The words of a tenant's documents as they are written (lower case, without accents, not stemmed), each with the lexeme
-- that stands for it in documents.search_tsv. Typos, sounds, prefixes and suggestions are looked up here and become a
-- full-text query. Partitions keep a tenant's trigrams apart from those of most others: one index for 1,000 tenants cost
-- ten times as much a lookup.
CREATE TABLE core.search_words (
    tenant_id uuid NOT NULL,
    word text COLLATE "C" NOT NULL,
    language text NOT NULL,
    lexeme text COLLATE "C", -- null for a stop word of the language
    soundex text COLLATE "C",
    metaphone text COLLATE "C",
    documents int NOT NULL, -- how many have the word, and how many in the title; lag behind by seconds
    titles int NOT NULL,
    -- How frequent the word is, in powers of two from 4 documents on: an index can order by it, and most changes of the count
    -- leave it as it is, so that no index need be touched.
    frequency smallint NOT NULL GENERATED ALWAYS AS (width_bucket(documents,
        '{4,8,16,32,64,128,256,512,1024,2048,4096,8192,16384,32768,65536,131072,262144,524288,1048576}'::int[])) STORED
) PARTITION BY HASH (tenant_id);
-- Not unique: nobody waits for somebody else who adds the same word. fold_search_words removes doubles.
CREATE INDEX ix_search_words_word ON core.search_words (tenant_id, word, language);
CREATE INDEX ix_search_words_lexeme ON core.search_words (tenant_id, lexeme);
CREATE INDEX ix_search_words_soundex ON core.search_words (tenant_id, soundex);
CREATE INDEX ix_search_words_metaphone ON core.search_words (tenant_id, metaphone);
CREATE INDEX ix_search_words_prefix ON core.search_words (tenant_id, left(word, 2) COLLATE "C", frequency DESC) WHERE lexeme IS NOT NULL;
CREATE INDEX ix_search_words_trigrams ON core.search_words USING gin (tenant_id, word gin_trgm_ops) WITH (fastupdate = off);
SELECT secure_table('core.search_words');
DO $$
BEGIN
    FOR i IN 0..31 LOOP
        EXECUTE format('CREATE TABLE core.search_words_%s PARTITION OF core.search_words FOR VALUES WITH (MODULUS 32, REMAINDER %s)
            WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05)', lpad(i::text, 2, '0'), i);
        PERFORM secure_table(format('core.search_words_%s', lpad(i::text, 2, '0'))::regclass);
    END LOOP;
END $$;

-- What statements on documents change in those counts; fold_search_words adds it up. One row per statement, tenant and
-- language, so that writers share no row.
CREATE TABLE core.search_word_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id uuid NOT NULL,
    language text NOT NULL,
    documents int NOT NULL,
    words text[] NOT NULL,
    counts int[] NOT NULL,
    titles int[] NOT NULL
);
SELECT secure_table('core.search_word_changes');

CREATE TABLE core.search_tenants (
    tenant_id uuid PRIMARY KEY,
    documents bigint NOT NULL DEFAULT 0, -- lags behind by seconds
    -- The full-text index that serves the tenant: the shared one, or one of its own (stackforge search index).
    index_kind text NOT NULL DEFAULT 'shared' CONSTRAINT search_tenants_index_kind_check CHECK (index_kind IN ('shared', 'gin', 'rum'))
);
SELECT secure_table('core.search_tenants');

CREATE TABLE search_synonyms (
    tenant_id uuid NOT NULL CONSTRAINT search_synonyms_tenant_id_fkey REFERENCES tenants (id),
    id uuid NOT NULL DEFAULT uuid_v7(),
    term text COLLATE "C" NOT NULL CONSTRAINT search_synonyms_term_check CHECK (length(term) BETWEEN 1 AND 100),
    first_word text COLLATE "C" GENERATED ALWAYS AS (split_part(term, ' ', 1)) STORED,
    synonyms text[] NOT NULL CONSTRAINT search_synonyms_synonyms_check
        CHECK (cardinality(synonyms) BETWEEN 1 AND 50 AND array_position(synonyms, NULL) IS NULL),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT search_synonyms_term_key UNIQUE (tenant_id, term)
);
CREATE INDEX ix_search_synonyms_first_word ON search_synonyms (tenant_id, first_word);
SELECT secure_table('search_synonyms');

CREATE TABLE search_settings (
    tenant_id uuid PRIMARY KEY CONSTRAINT search_settings_tenant_id_fkey REFERENCES tenants (id),
    stop_words text[] NOT NULL DEFAULT '{}' CONSTRAINT search_settings_stop_words_check
        CHECK (cardinality(stop_words) <= 1000 AND array_position(stop_words, NULL) IS NULL),
    updated_at timestamptz NOT NULL DEFAULT now()
);
SELECT secure_table('search_settings');

GRANT SELECT, INSERT, UPDATE, DELETE ON search_synonyms, search_settings TO app_api;
GRANT SELECT ON search_synonyms, search_settings TO app_worker, app_readonly;

-- Ranking reads the words of hundreds of rows: they stay in the row, and the body moves out when a row grows over 2 kB.
ALTER TABLE documents ALTER COLUMN search_tsv SET STORAGE MAIN;

-- The words of titles alone: a title hit of a word that thousands of bodies have.
CREATE INDEX ix_documents_title_search ON documents USING gin (tenant_id, ts_filter(search_tsv, '{a}')) WITH (gin_pending_list_limit = 256);
-- Boxes of degrees, with PostGIS and without.
CREATE INDEX ix_documents_point ON documents USING gist (tenant_id, point(longitude, latitude)) WHERE longitude IS NOT NULL;
-- Words that wait in a list are searched one by one, so the lists are short; the worker empties them, too.
ALTER INDEX ix_documents_search SET (gin_pending_list_limit = 512);
ALTER INDEX ix_documents_labels SET (gin_pending_list_limit = 512);
