-- set_document_embedding(tenant, id, vector, model, version) stores a vector that was made of that version of the text, scaled to
-- length 1. False when the document is gone or its text has changed since (a new job makes a new vector then).
-- Raises ZE400 for what is no vector.
CREATE OR REPLACE FUNCTION set_document_embedding(p_tenant_id uuid, p_id uuid, p_embedding real[], p_model text, p_version int)
RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE documents SET embedding = unit_embedding(p_embedding, 'embedding'), embedding_model = p_model
    WHERE tenant_id = p_tenant_id AND id = p_id AND version = p_version;
    RETURN FOUND;
END $$;
REVOKE EXECUTE ON FUNCTION set_document_embedding FROM PUBLIC;
GRANT EXECUTE ON FUNCTION set_document_embedding TO app_worker;
