-- set_search_stop_words(tenant, words) makes these the words that searches of the tenant leave out, and returns the settings.
-- Raises ZE400. Locks the tenant's row.
CREATE OR REPLACE FUNCTION set_search_stop_words(p_tenant_id uuid, p_words text[]) RETURNS search_settings
LANGUAGE plpgsql AS $$
DECLARE
    v_row search_settings;
BEGIN
    INSERT INTO search_settings AS s (tenant_id, stop_words) VALUES (p_tenant_id, p_words)
    ON CONFLICT (tenant_id) DO UPDATE SET stop_words = excluded.stop_words
    RETURNING s.* INTO v_row;
    RETURN v_row;
END $$;
REVOKE EXECUTE ON FUNCTION set_search_stop_words FROM PUBLIC;
GRANT EXECUTE ON FUNCTION set_search_stop_words TO app_api;
