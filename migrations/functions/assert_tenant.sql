-- assert_tenant(tenant) ends a SECURITY DEFINER function whose tenant argument is not the caller's tenant.
-- Raises 42501. The owner in psql may leave app.tenant_id unset; the roles of the product may not.
CREATE OR REPLACE FUNCTION assert_tenant(p_tenant_id uuid) RETURNS void
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF p_tenant_id = current_tenant() THEN
        RETURN;
    END IF;
    IF current_tenant() IS NULL AND p_tenant_id IS NOT NULL
        AND current_setting('role') IN ('none', 'stackforge_owner')
        AND pg_has_role(session_user, 'stackforge_owner', 'MEMBER') THEN
        RETURN;
    END IF;
    RAISE EXCEPTION 'The tenant is not the caller''s.' USING ERRCODE = '42501';
END $$;
