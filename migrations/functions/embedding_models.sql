-- embedding_models(tenant) are the models that made the tenant's vectors; null stands for vectors of nobody knows which.
-- One probe of ix_documents_embedded for each model, however many vectors there are.
CREATE OR REPLACE FUNCTION embedding_models(p_tenant_id uuid) RETURNS TABLE (model text)
LANGUAGE sql STABLE AS $$
    WITH RECURSIVE m AS (
        (SELECT d.embedding_model FROM documents d
         WHERE d.tenant_id = p_tenant_id AND d.embedding IS NOT NULL ORDER BY d.embedding_model LIMIT 1)
        UNION ALL
        SELECT (SELECT d.embedding_model FROM documents d
                WHERE d.tenant_id = p_tenant_id AND d.embedding IS NOT NULL AND d.embedding_model > m.embedding_model
                ORDER BY d.embedding_model LIMIT 1)
        FROM m WHERE m.embedding_model IS NOT NULL
    )
    SELECT m.embedding_model FROM m WHERE m.embedding_model IS NOT NULL
    UNION ALL
    SELECT NULL WHERE EXISTS (SELECT FROM documents d
        WHERE d.tenant_id = p_tenant_id AND d.embedding IS NOT NULL AND d.embedding_model IS NULL)
$$;
REVOKE EXECUTE ON FUNCTION embedding_models FROM PUBLIC;
GRANT EXECUTE ON FUNCTION embedding_models TO app_api, app_worker;
