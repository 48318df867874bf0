-- update_user(tenant, id, email) changes a user's address and returns the user.
-- Raises ZE400, ZE404, ZE409 when another user of the tenant has the address, in whatever case. SECURITY DEFINER: the API's role
-- may not change users otherwise. Locks the row.
CREATE OR REPLACE FUNCTION update_user(p_tenant_id uuid, p_id uuid, p_email text) RETURNS app_users
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_user app_users;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    IF p_email IS NULL OR length(p_email) > 320 OR p_email !~ '^[^@\s]+@[^@\s]+$' THEN
        RAISE EXCEPTION 'This is not an e-mail address.' USING ERRCODE = 'ZE400', COLUMN = 'email';
    END IF;
    UPDATE app_users SET email = p_email WHERE tenant_id = p_tenant_id AND id = p_id RETURNING * INTO v_user;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no such user.' USING ERRCODE = 'ZE404';
    END IF;
    RETURN v_user;
EXCEPTION WHEN unique_violation THEN
    RAISE EXCEPTION 'A user with this e-mail address exists.' USING ERRCODE = 'ZE409', COLUMN = 'email';
END $$;
REVOKE EXECUTE ON FUNCTION update_user FROM PUBLIC;
GRANT EXECUTE ON FUNCTION update_user TO app_api;
