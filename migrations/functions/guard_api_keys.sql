-- guard_api_keys() is guard_tenant for API keys: their limit counts those that have neither ended nor been revoked, and an end
-- comes by itself, so they are counted anew. They are few and rarely made: one at a time for a tenant.
-- Raises ZE404, ZE409 (column limits.apiKeys).
CREATE OR REPLACE FUNCTION guard_api_keys() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    c record;
    v_limit bigint;
    v_used bigint;
BEGIN
    FOR c IN SELECT n.tenant_id, count(*) AS n FROM new_rows n GROUP BY n.tenant_id ORDER BY n.tenant_id LOOP
        PERFORM pg_advisory_xact_lock_shared(hashtextextended(c.tenant_id::text, 11)); -- see guard_tenant
        PERFORM pg_advisory_xact_lock(hashtextextended(c.tenant_id::text, 12));
        SELECT l.api_keys INTO v_limit
        FROM tenants t
        LEFT JOIN tenant_limits l ON l.tenant_id = t.id
        WHERE t.id = c.tenant_id AND t.deleting_at IS NULL;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'There is no such tenant.' USING ERRCODE = 'ZE404';
        END IF;
        SELECT count(*) INTO v_used FROM api_keys
        WHERE tenant_id = c.tenant_id AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now());
        IF v_used > v_limit THEN
            RAISE EXCEPTION '%', format('The limit of %s api keys is reached: %s in use, %s more asked for.', v_limit, v_used - c.n, c.n)
                USING ERRCODE = 'ZE409', COLUMN = 'limits.apiKeys';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION guard_api_keys FROM PUBLIC;
CREATE OR REPLACE TRIGGER tenant_guarded AFTER INSERT ON api_keys REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION guard_api_keys();
