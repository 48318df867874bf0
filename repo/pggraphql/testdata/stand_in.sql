-- What stands in the place of pg_graphql's function where the server does not have it.
CREATE SCHEMA IF NOT EXISTS graphql; -- DROP EXTENSION leaves it
GRANT USAGE ON SCHEMA graphql TO app_graphql;
CREATE TABLE graphql.recorded (query text, variables jsonb, operation text, reader boolean, answer jsonb);
GRANT SELECT ON graphql.recorded TO app_graphql;

CREATE FUNCTION graphql.resolve("query" text, "variables" jsonb DEFAULT '{}', "operationName" text DEFAULT NULL, "extensions" jsonb DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    v_answer jsonb;
BEGIN
    CASE query
    WHEN '{ frame }' THEN
        RETURN jsonb_build_object('data', (
            SELECT jsonb_object_agg(name, current_setting(name))
            FROM unnest(ARRAY['role', 'search_path', 'statement_timeout', 'work_mem', 'transaction_read_only', 'lc_messages', 'app.tenant_id']) name));
    WHEN '{ sql }' THEN
        BEGIN
            EXECUTE variables ->> 'sql' INTO v_answer;
            RETURN jsonb_build_object('data', v_answer);
        EXCEPTION WHEN OTHERS THEN
            RETURN jsonb_build_object('data', NULL, 'errors', jsonb_build_array(jsonb_build_object('message', SQLERRM)));
        END;
    ELSE
        SELECT answer INTO STRICT v_answer
        FROM graphql.recorded r
        WHERE r.query = resolve.query AND r.variables = resolve.variables AND r.operation IS NOT DISTINCT FROM resolve."operationName"
          AND (r.query NOT LIKE '%\_\_schema%' OR r.reader = (current_user = 'app_graphql'));
        RETURN v_answer;
    END CASE;
END $$;
