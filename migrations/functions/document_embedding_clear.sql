-- document_embedding_clear() drops the vector of a document whose text changes, through whatever door, unless the same statement
-- gives another one, and moves the version on, so that a vector that is being made of the old text is not stored.
CREATE OR REPLACE FUNCTION document_embedding_clear() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.embedding IS NOT DISTINCT FROM OLD.embedding THEN
        NEW.embedding := NULL;
        NEW.embedding_model := NULL;
    END IF;
    IF NEW.version = OLD.version THEN
        NEW.version := OLD.version + 1;
    END IF;
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION document_embedding_clear FROM PUBLIC;
CREATE OR REPLACE TRIGGER documents_embedding_clear BEFORE UPDATE OF title, body ON documents
    FOR EACH ROW WHEN (NEW.title <> OLD.title OR NEW.body <> OLD.body) EXECUTE FUNCTION document_embedding_clear();
