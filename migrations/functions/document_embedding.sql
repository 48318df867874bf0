-- requires: vector
-- The vector of a document with pgvector.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'documents'::regclass AND attname = 'embedding' AND NOT attisdropped) THEN
        ALTER TABLE documents ADD COLUMN embedding vector(1536);
    ELSIF (SELECT atttypid FROM pg_attribute WHERE attrelid = 'documents'::regclass AND attname = 'embedding') = 'real[]'::regtype THEN
        ALTER TABLE documents DROP CONSTRAINT IF EXISTS documents_embedding_check;
        ALTER TABLE documents ALTER COLUMN embedding TYPE vector(1536) USING embedding::vector(1536);
    END IF;
END $$;
GRANT UPDATE (embedding) ON documents TO app_worker;
