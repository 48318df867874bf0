-- create_tenant(name, id) creates a tenant and returns it. Only the owner may: operators call it, not the API.
-- Raises ZE400, ZE409.
CREATE OR REPLACE FUNCTION create_tenant(p_name text, p_id uuid DEFAULT NULL) RETURNS tenants
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant tenants;
BEGIN
    IF length(coalesce(p_name, '')) NOT BETWEEN 1 AND 200 OR p_name !~ '\S' THEN
        RAISE EXCEPTION 'A name has 1 to 200 characters.' USING ERRCODE = 'ZE400', COLUMN = 'name';
    END IF;
    INSERT INTO tenants (id, name) VALUES (coalesce(p_id, uuid_v7()), p_name)
    ON CONFLICT DO NOTHING RETURNING * INTO v_tenant;
    IF v_tenant.id IS NULL THEN
        RAISE EXCEPTION 'A tenant with this id exists.' USING ERRCODE = 'ZE409', COLUMN = 'id';
    END IF;
    RETURN v_tenant;
END $$;
REVOKE EXECUTE ON FUNCTION create_tenant FROM PUBLIC;
