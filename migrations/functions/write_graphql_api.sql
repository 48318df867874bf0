-- write_graphql_api() is what an INSERT, UPDATE or DELETE on a view of graphql_api does: it calls the function that every other
-- door calls. Raises what that raises, with the SQLSTATE and, since graphql.resolve() keeps nothing but the text of an error, a
-- text that says all: stackforge:{"state", "message", "column", "detail"}. SECURITY DEFINER: the role that writes through the views has no rights on the
-- tables; the tenant is that of the transaction. Locks what those functions lock.
CREATE OR REPLACE FUNCTION write_graphql_api() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_tenant uuid := current_tenant();
    v_old jsonb := CASE WHEN TG_OP = 'INSERT' THEN '{}' ELSE to_jsonb(OLD) END;
    v_new jsonb := CASE WHEN TG_OP = 'DELETE' THEN '{}' ELSE to_jsonb(NEW) END;
    v_id text := v_old ->> 'id';
    v_input jsonb; -- what changes, by the names of our inputs
    v_state text;
    v_message text;
    v_column text;
    v_detail text;
BEGIN
    PERFORM assert_tenant(v_tenant);
    IF v_new ->> 'tenant_id' IS DISTINCT FROM v_old ->> 'tenant_id' AND (v_new ->> 'tenant_id')::uuid <> v_tenant THEN
        RAISE EXCEPTION 'The tenant is not the caller''s.' USING ERRCODE = 'ZE403', COLUMN = 'tenantId';
    END IF;
    v_input := coalesce((
        SELECT jsonb_object_agg(left(key, 1) || substr(replace(initcap(replace(key, '_', ' ')), ' ', ''), 2), value)
        FROM jsonb_each(v_new)
        WHERE key <> 'tenant_id' AND value IS DISTINCT FROM coalesce(v_old -> key, 'null')), '{}');

    CASE TG_TABLE_NAME || ' ' || TG_OP
    WHEN 'app_users INSERT' THEN
        PERFORM assert_scope('users:write');
        v_id := (create_user(v_tenant, v_input ->> 'email')).id;
    WHEN 'app_users UPDATE' THEN
        PERFORM assert_scope('users:write');
        PERFORM update_user(v_tenant, v_id::uuid, v_new ->> 'email');
    WHEN 'app_users DELETE' THEN
        PERFORM assert_scope('users:write');
        PERFORM delete_user(v_tenant, v_id::uuid);
    WHEN 'documents INSERT' THEN
        PERFORM assert_scope('documents:write');
        SELECT (c.document).id INTO v_id FROM create_documents(v_tenant, jsonb_build_array(v_input)) c;
    WHEN 'documents UPDATE' THEN
        PERFORM assert_scope('documents:write');
        PERFORM patch_document(v_tenant, v_id::uuid, v_input);
    WHEN 'documents DELETE' THEN
        PERFORM assert_scope('documents:write');
        PERFORM delete_document(v_id::uuid, v_tenant);
    WHEN 'jobs INSERT' THEN
        PERFORM assert_scope('jobs:write');
        SELECT (e.job).id INTO v_id FROM enqueue_jobs(v_tenant, jsonb_build_array(v_input)) e;
    END CASE;

    CASE
    WHEN TG_OP = 'DELETE' THEN
        RETURN OLD;
    WHEN TG_TABLE_NAME = 'app_users' THEN
        SELECT to_jsonb(v) INTO v_new FROM graphql_api.app_users v WHERE v.tenant_id = v_tenant AND v.id = v_id::uuid;
    WHEN TG_TABLE_NAME = 'documents' THEN
        SELECT to_jsonb(v) INTO v_new FROM graphql_api.documents v WHERE v.tenant_id = v_tenant AND v.id = v_id::uuid;
    ELSE
        SELECT to_jsonb(v) INTO v_new FROM graphql_api.jobs v
        WHERE v.tenant_id = v_tenant AND v.status IN ('pending', 'running') AND v.id = v_id::bigint;
    END CASE;
    RETURN jsonb_populate_record(NEW, v_new);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT, v_column = COLUMN_NAME, v_detail = PG_EXCEPTION_DETAIL;
    RAISE EXCEPTION USING ERRCODE = v_state, MESSAGE = 'stackforge:' || jsonb_build_object(
        'state', v_state, 'message', v_message, 'column', v_column, 'detail', v_detail)::text;
END $$;
REVOKE EXECUTE ON FUNCTION write_graphql_api FROM PUBLIC;
CREATE OR REPLACE TRIGGER write_app_users INSTEAD OF INSERT OR UPDATE OR DELETE ON graphql_api.app_users
    FOR EACH ROW EXECUTE FUNCTION write_graphql_api();
CREATE OR REPLACE TRIGGER write_documents INSTEAD OF INSERT OR UPDATE OR DELETE ON graphql_api.documents
    FOR EACH ROW EXECUTE FUNCTION write_graphql_api();
CREATE OR REPLACE TRIGGER write_jobs INSTEAD OF INSERT ON graphql_api.jobs FOR EACH ROW EXECUTE FUNCTION write_graphql_api();
