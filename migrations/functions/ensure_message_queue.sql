-- ensure_message_queue(tenant, name, field) is the name in pgmq of a queue of the tenant, which it makes on its first use.
-- Raises ZE400 and ZE409 as create_message_queue, naming the field. Not for the roles of the product.
CREATE OR REPLACE FUNCTION ensure_message_queue(p_tenant_id uuid, p_name text, p_field text DEFAULT 'queue') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    v_physical text := (SELECT physical FROM message_queues WHERE tenant_id = p_tenant_id AND name = p_name);
    v_state text;
    v_message text;
BEGIN
    IF v_physical IS NOT NULL THEN
        RETURN v_physical;
    END IF;
    BEGIN
        RETURN (create_message_queue(p_tenant_id, p_name)).physical;
    EXCEPTION WHEN SQLSTATE 'ZE400' OR SQLSTATE 'ZE409' THEN
        GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT;
    END;
    -- Somebody else may have made it while this one waited.
    SELECT physical INTO v_physical FROM message_queues WHERE tenant_id = p_tenant_id AND name = p_name;
    IF v_physical IS NULL THEN
        RAISE EXCEPTION '%', v_message USING ERRCODE = v_state, COLUMN = p_field;
    END IF;
    RETURN v_physical;
END $$;
REVOKE EXECUTE ON FUNCTION ensure_message_queue FROM PUBLIC;
