-- requires: vector
-- The vector of a document with pgvector, and its indexes. Vectors are compared at half precision first and in full then, so
-- the index is half as large as the vectors. Building it takes about 1.5 ms a vector and locks documents against writes.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'documents'::regclass AND attname = 'embedding' AND NOT attisdropped) THEN
        ALTER TABLE documents ADD COLUMN embedding vector(1536);
    ELSIF (SELECT atttypid FROM pg_attribute WHERE attrelid = 'documents'::regclass AND attname = 'embedding') = 'real[]'::regtype THEN
        ALTER TABLE documents DROP CONSTRAINT IF EXISTS documents_embedding_check, DROP COLUMN IF EXISTS embedding_cubes;
        DROP INDEX IF EXISTS ix_documents_embedded, ix_documents_unembedded; -- for their conditions, which are made again below
        ALTER TABLE documents ALTER COLUMN embedding TYPE vector(1536) USING embedding::vector(1536);
    END IF;
    IF to_regtype('halfvec') IS NOT NULL THEN -- from pgvector 0.7; without the index searches are exact scans
        CREATE INDEX IF NOT EXISTS ix_documents_embedding ON documents
            USING hnsw ((embedding::halfvec(1536)) halfvec_cosine_ops) WHERE embedding IS NOT NULL;
    END IF;
END $$;
-- Which models a tenant has, how many vectors, and those of a former model in order.
CREATE INDEX IF NOT EXISTS ix_documents_embedded ON documents (tenant_id, embedding_model, id) WHERE embedding IS NOT NULL;
-- Those without a vector, in order.
CREATE INDEX IF NOT EXISTS ix_documents_unembedded ON documents (tenant_id, id) WHERE embedding IS NULL;
GRANT UPDATE (embedding) ON documents TO app_worker;
