-- get_audit_settings() tells how pgaudit is set, which of the given tables are audited as objects, and what is missing for an
-- audit of every write, every change of the schema, and every read of documents (sentences; none when all is well).
-- Raises 42501 without the scope of an operator.
CREATE OR REPLACE FUNCTION get_audit_settings()
RETURNS TABLE (is_loaded boolean, log text, log_catalog boolean, log_parameter boolean, role text, audited_tables text[], missing text[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_classes text[];
BEGIN
    PERFORM assert_operator();
    -- pg_settings has a setting of a library only when the library is loaded.
    SELECT max(s.setting) FILTER (WHERE s.name = 'pgaudit.log'), bool_or(s.setting = 'on') FILTER (WHERE s.name = 'pgaudit.log_catalog'),
           bool_or(s.setting = 'on') FILTER (WHERE s.name = 'pgaudit.log_parameter'), nullif(max(s.setting) FILTER (WHERE s.name = 'pgaudit.role'), '')
    INTO log, log_catalog, log_parameter, role
    FROM pg_settings s
    WHERE s.name LIKE 'pgaudit.%';
    is_loaded := log IS NOT NULL;
    audited_tables := '{}';
    missing := '{}';
    IF NOT is_loaded THEN
        missing := ARRAY['pgaudit is not in shared_preload_libraries.'];
        RETURN NEXT;
        RETURN;
    END IF;
    v_classes := string_to_array(replace(lower(log), ' ', ''), ',');
    missing := missing || ARRAY(
        SELECT format('pgaudit.log lacks %s.', x) FROM unnest('{write,ddl}'::text[]) x WHERE NOT v_classes && ARRAY['all', x] OR '-' || x = ANY (v_classes));
    IF log_catalog THEN
        missing := missing || 'pgaudit.log_catalog is on: reads of the catalogue drown the rest.'::text;
    END IF;
    IF to_regrole(quote_ident(role)) IS NULL THEN
        missing := missing || 'pgaudit.role names no role, so reads of documents are not audited.'::text;
    ELSE
        audited_tables := ARRAY(
            SELECT DISTINCT a.table_name::text COLLATE "C" FROM information_schema.role_table_grants a
            WHERE a.grantee = role AND a.table_schema = 'public' ORDER BY 1);
        IF NOT has_table_privilege(role, 'documents', 'SELECT') THEN
            missing := missing || 'The role of pgaudit.role may not SELECT documents, so reads of them are not audited.'::text;
        END IF;
    END IF;
    RETURN NEXT;
END $$;
REVOKE EXECUTE ON FUNCTION get_audit_settings FROM PUBLIC;
GRANT EXECUTE ON FUNCTION get_audit_settings TO app_api;
