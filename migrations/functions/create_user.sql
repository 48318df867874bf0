-- create_user(tenant, email) creates a user of the tenant and returns it.
-- Raises ZE400, ZE409 when the tenant has the address, in whatever case.
CREATE OR REPLACE FUNCTION create_user(p_tenant_id uuid, p_email text) RETURNS app_users
LANGUAGE plpgsql AS $$
DECLARE
    v_user app_users;
BEGIN
    IF p_email IS NULL OR length(p_email) > 320 OR p_email !~ '^[^@\s]+@[^@\s]+$' THEN
        RAISE EXCEPTION 'This is not an e-mail address.' USING ERRCODE = 'ZE400', COLUMN = 'email';
    END IF;
    INSERT INTO app_users (tenant_id, email) VALUES (p_tenant_id, p_email)
    ON CONFLICT DO NOTHING RETURNING * INTO v_user;
    IF v_user.id IS NULL THEN
        RAISE EXCEPTION 'A user with this e-mail address exists.' USING ERRCODE = 'ZE409', COLUMN = 'email';
    END IF;
    RETURN v_user;
END $$;
REVOKE EXECUTE ON FUNCTION create_user FROM PUBLIC;
GRANT EXECUTE ON FUNCTION create_user TO app_api;
