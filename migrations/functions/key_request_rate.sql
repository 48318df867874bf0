-- key_request_rate(key) is how many requests a minute each key of the key's tenant may make, 0 when the operator has set nothing.
-- It goes with authenticate_key, and is SECURITY DEFINER for the same reason: the tenant is not known yet.
CREATE OR REPLACE FUNCTION key_request_rate(p_key_id uuid) RETURNS int
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce((SELECT l.requests_per_minute FROM api_keys k JOIN tenant_limits l ON l.tenant_id = k.tenant_id WHERE k.id = p_key_id), 0)
$$;
REVOKE EXECUTE ON FUNCTION key_request_rate FROM PUBLIC;
GRANT EXECUTE ON FUNCTION key_request_rate TO app_api;
