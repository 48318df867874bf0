-- touch_api_keys(ids, times) records when keys were last used; a time never goes back. SECURITY DEFINER because one call
-- carries keys of many tenants. The API calls it once a second at most.
CREATE OR REPLACE FUNCTION touch_api_keys(p_ids uuid[], p_times timestamptz[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE api_keys k
    SET last_used_at = t.at
    FROM (SELECT * FROM unnest(p_ids, p_times) AS t (id, at) ORDER BY id) t
    WHERE k.id = t.id AND (k.last_used_at IS NULL OR k.last_used_at < t.at)
$$;
REVOKE EXECUTE ON FUNCTION touch_api_keys FROM PUBLIC;
GRANT EXECUTE ON FUNCTION touch_api_keys TO app_api;
