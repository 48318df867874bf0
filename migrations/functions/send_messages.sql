-- send_messages(tenant, queue, messages, skip) sends a JSON list of {payload, headers, delaySeconds, deliverAt} and answers per message: ord
-- (from 0) and its id, or code, field and message of what is wrong. Without skip one bad message raises and nothing is sent. The queue is
-- made on its first use.
-- Raises ZE413 for a payload with its headers of more than 256 KiB, ZE400 otherwise. Inserts only.
CREATE OR REPLACE FUNCTION send_messages(p_tenant_id uuid, p_queue text, p_messages jsonb, p_skip boolean DEFAULT false)
RETURNS TABLE (ord int, message_id bigint, code text, field text, message text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_physical text;
    v_now timestamptz := clock_timestamp();
    v_ords int[];
    v_vts timestamptz[];
    v_payloads jsonb[];
    v_headers jsonb[];
    v_ids bigint[];
    v_bad record;
BEGIN
    PERFORM assert_tenant(p_tenant_id);
    v_physical := ensure_message_queue(p_tenant_id, p_queue);
    FOR v_bad IN
        SELECT m.ord::int - 1 AS ord, e.* FROM jsonb_array_elements(p_messages) WITH ORDINALITY AS m (v, ord), message_error(m.v) e WHERE e.code IS NOT NULL
    LOOP
        IF NOT p_skip THEN
            RAISE EXCEPTION '%', v_bad.message USING ERRCODE = v_bad.code,
                COLUMN = CASE WHEN jsonb_array_length(p_messages) = 1 THEN '' ELSE format('messages[%s].', v_bad.ord) END || v_bad.field;
        END IF;
        ord := v_bad.ord;
        code := v_bad.code;
        field := v_bad.field;
        message := v_bad.message;
        v_ords := v_ords || ord;
        RETURN NEXT;
    END LOOP;
    SELECT array_agg(m.ord::int - 1 ORDER BY m.ord),
           array_agg(coalesce((m.v ->> 'deliverAt')::timestamptz, v_now + make_interval(secs => coalesce((m.v ->> 'delaySeconds')::int, 0))) ORDER BY m.ord),
           array_agg(coalesce(m.v -> 'payload', 'null') ORDER BY m.ord), array_agg(nullif(m.v -> 'headers', 'null') ORDER BY m.ord)
    INTO v_ords, v_vts, v_payloads, v_headers
    FROM jsonb_array_elements(p_messages) WITH ORDINALITY AS m (v, ord)
    WHERE m.ord - 1 <> ALL (coalesce(v_ords, '{}'));
    IF v_ords IS NULL THEN
        RETURN;
    END IF;
    -- Ids are given in the order of the rows.
    EXECUTE format($q$
        WITH sent AS (
            INSERT INTO pgmq.%I (vt, message, headers)
            SELECT m.vt, m.payload, m.headers FROM unnest($1, $2, $3) WITH ORDINALITY AS m (vt, payload, headers, ord) ORDER BY m.ord
            RETURNING msg_id)
        SELECT array_agg(msg_id ORDER BY msg_id) FROM sent$q$, 'q_' || v_physical)
    INTO v_ids USING v_vts, v_payloads, v_headers;
    RETURN QUERY SELECT i.ord, i.id, NULL::text, NULL::text, NULL::text FROM unnest(v_ords, v_ids) AS i (ord, id);
END $$;
REVOKE EXECUTE ON FUNCTION send_messages FROM PUBLIC;
GRANT EXECUTE ON FUNCTION send_messages TO app_api, app_worker;
