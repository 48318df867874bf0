-- message_queue(tenant, name, field) is a queue of the tenant.
-- Raises ZE404, naming the field, when there is none.
CREATE OR REPLACE FUNCTION message_queue(p_tenant_id uuid, p_name text, p_field text DEFAULT 'queue') RETURNS message_queues
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_queue message_queues;
BEGIN
    SELECT * INTO v_queue FROM message_queues WHERE tenant_id = p_tenant_id AND name = p_name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no such queue.' USING ERRCODE = 'ZE404', COLUMN = p_field;
    END IF;
    RETURN v_queue;
END $$;
