-- assert_operator() ends a function that tells of all tenants unless the caller has the scope of an operator, which "*" does not
-- include and no tenant can grant. Raises 42501. The owner in psql may call without.
CREATE OR REPLACE FUNCTION assert_operator() RETURNS void
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF string_to_array(current_setting('app.roles', true), ',') && '{operator:read,operator:*}' THEN
        RETURN;
    END IF;
    IF current_tenant() IS NULL AND current_setting('role') IN ('none', 'stackforge_owner')
        AND pg_has_role(session_user, 'stackforge_owner', 'MEMBER') THEN
        RETURN;
    END IF;
    RAISE EXCEPTION 'This is for operators.' USING ERRCODE = '42501';
END $$;
