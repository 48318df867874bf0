-- unless: vector
-- The vector of a document with contrib only: an array of real.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'documents'::regclass AND attname = 'embedding' AND NOT attisdropped) THEN
        ALTER TABLE documents ADD COLUMN embedding real[]
            CONSTRAINT documents_embedding_check CHECK (array_length(embedding, 1) = 1536 AND array_position(embedding, NULL) IS NULL);
    END IF;
END $$;
GRANT UPDATE (embedding) ON documents TO app_worker;
