-- requires: pg_graphql
-- graphql.resolve_tenant_documents() returns the documents of the transaction's tenant, newest first; none without a tenant.
-- It is where the extension's own functions are; without the extension it is in graphql_api.
CREATE OR REPLACE FUNCTION graphql.resolve_tenant_documents() RETURNS SETOF public.documents
LANGUAGE sql STABLE AS $$
    SELECT d.*
    FROM public.documents d
    WHERE d.tenant_id = public.current_tenant()
    ORDER BY d.created_at DESC, d.id DESC
$$;
REVOKE EXECUTE ON FUNCTION graphql.resolve_tenant_documents FROM PUBLIC;
GRANT EXECUTE ON FUNCTION graphql.resolve_tenant_documents TO app_api, app_worker, app_readonly;
DROP FUNCTION IF EXISTS graphql_api.resolve_tenant_documents();
