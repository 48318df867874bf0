-- unless: pg_graphql
-- graphql_api.resolve_tenant_documents() returns the documents of the transaction's tenant, newest first; none without a tenant.
-- With the extension pg_graphql it is in the extension's schema, as graphql.resolve_tenant_documents().
CREATE OR REPLACE FUNCTION graphql_api.resolve_tenant_documents() RETURNS SETOF public.documents
LANGUAGE sql STABLE AS $$
    SELECT d.*
    FROM public.documents d
    WHERE d.tenant_id = public.current_tenant()
    ORDER BY d.created_at DESC, d.id DESC
$$;
REVOKE EXECUTE ON FUNCTION graphql_api.resolve_tenant_documents FROM PUBLIC;
GRANT EXECUTE ON FUNCTION graphql_api.resolve_tenant_documents TO app_api, app_worker, app_readonly;
GRANT USAGE ON SCHEMA graphql_api TO app_api, app_worker, app_readonly;
DROP FUNCTION IF EXISTS graphql.resolve_tenant_documents(); -- DROP EXTENSION leaves it
