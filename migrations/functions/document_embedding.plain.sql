-- unless: vector
-- The vector of a document with contrib only: an array of real, and the same scaled to length 1 and cut into 16 points of
-- 96 dimensions, because cube_distance is C. A comparison takes 30 µs; sum(a * b) over two unnested arrays takes 360 µs.

-- embedding_cubes(vector) are those points; null for a vector without direction. Frozen: a generated column uses it.
CREATE OR REPLACE FUNCTION embedding_cubes(p_vector real[]) RETURNS cube[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    v_length double precision := (SELECT sqrt(sum(x::double precision * x)) FROM unnest(p_vector) x);
    v_unit double precision[] := ARRAY(SELECT x / nullif(v_length, 0) FROM unnest(p_vector) WITH ORDINALITY AS t (x, ord) ORDER BY ord);
BEGIN
    IF v_length = 0 THEN
        RETURN NULL;
    END IF;
    RETURN ARRAY(SELECT public.cube(v_unit[i * 96 + 1 : i * 96 + 96]) FROM generate_series(0, 15) i ORDER BY i);
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'documents'::regclass AND attname = 'embedding' AND NOT attisdropped) THEN
        ALTER TABLE documents ADD COLUMN embedding real[]
            CONSTRAINT documents_embedding_check CHECK (array_length(embedding, 1) = 1536 AND array_position(embedding, NULL) IS NULL);
    END IF;
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'documents'::regclass AND attname = 'embedding_cubes' AND NOT attisdropped) THEN
        ALTER TABLE documents ADD COLUMN embedding_cubes cube[] GENERATED ALWAYS AS (embedding_cubes(embedding)) STORED;
        -- Uncompressed: unpacking took twice as long as comparing, and numbers hardly shrink.
        ALTER TABLE documents ALTER COLUMN embedding_cubes SET STORAGE EXTERNAL, ALTER COLUMN embedding SET STORAGE EXTERNAL;
    END IF;
END $$;
-- Which models a tenant has, how many vectors, and those of a former model in order.
CREATE INDEX IF NOT EXISTS ix_documents_embedded ON documents (tenant_id, embedding_model, id) WHERE embedding IS NOT NULL;
-- Those without a vector, in order.
CREATE INDEX IF NOT EXISTS ix_documents_unembedded ON documents (tenant_id, id) WHERE embedding IS NULL;
GRANT UPDATE (embedding) ON documents TO app_worker;
