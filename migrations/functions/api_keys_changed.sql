-- api_keys_changed() is the trigger that tells every process to ask again what it remembers of keys, when some were revoked or
-- changed. Touching last_used_at is not in its list of columns, so the hot path knows nothing of it.
CREATE OR REPLACE FUNCTION api_keys_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('api_keys_changed', '');
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION api_keys_changed FROM PUBLIC;
CREATE OR REPLACE TRIGGER api_keys_changed AFTER UPDATE OF revoked_at, expires_at, scopes, key_hash ON api_keys
    FOR EACH STATEMENT EXECUTE FUNCTION api_keys_changed();
