-- create_documents(tenant, inputs, skip) creates documents from a JSON list and answers per row: ord (from 0), the document, or
-- the errors of the row (the document is null then). Without skip one bad row raises and nothing is created.
-- Raises ZE400 (column documents[n].field), ZE409 for an externalId or id that exists. Inserts only.
CREATE OR REPLACE FUNCTION create_documents(p_tenant_id uuid, p_inputs jsonb, p_skip boolean DEFAULT false)
RETURNS TABLE (ord int, document documents, errors jsonb)
LANGUAGE plpgsql AS $$
DECLARE
    v_input jsonb;
    v_row documents;
    v_blank documents;
    v_conflict text;
BEGIN
    v_blank.tenant_id := p_tenant_id;
    v_blank.language := 'en';
    v_blank.metadata := '';
    v_blank.tag_ids := '{}';
    FOR ord, v_input IN SELECT t.o - 1, t.v FROM jsonb_array_elements(p_inputs) WITH ORDINALITY AS t (v, o) ORDER BY t.o LOOP
        document := NULL;
        errors := document_errors(p_tenant_id, v_input, true);
        IF errors = '[]' THEN
            v_row := document_from_input(v_blank, v_input);
            INSERT INTO documents (tenant_id, id, author_id, external_id, title, body, language, metadata, path, tag_ids,
                longitude, latitude)
            VALUES (p_tenant_id, coalesce((v_input ->> 'id')::uuid, uuid_v7()), v_row.author_id, v_row.external_id, v_row.title,
                v_row.body, v_row.language, v_row.metadata, v_row.path, v_row.tag_ids, v_row.longitude, v_row.latitude)
            ON CONFLICT DO NOTHING
            RETURNING documents.* INTO document;
            IF document.id IS NULL THEN
                v_conflict := CASE WHEN v_row.external_id IS NOT NULL THEN 'externalId' ELSE 'id' END;
                IF NOT p_skip THEN
                    RAISE EXCEPTION 'A document with this % exists.', v_conflict USING ERRCODE = 'ZE409',
                        COLUMN = CASE WHEN jsonb_array_length(p_inputs) = 1 THEN v_conflict ELSE format('documents[%s].%s', ord, v_conflict) END;
                END IF;
                errors := jsonb_build_array(jsonb_build_object('field', v_conflict, 'code', 'CONFLICT',
                    'message', format('A document with this %s exists.', v_conflict)));
            END IF;
        ELSIF NOT p_skip THEN
            PERFORM raise_invalid((SELECT jsonb_agg(e || jsonb_build_object('field',
                    CASE WHEN jsonb_array_length(p_inputs) = 1 THEN e ->> 'field' ELSE format('documents[%s].%s', ord, e ->> 'field') END))
                FROM jsonb_array_elements(errors) AS t (e)));
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION create_documents FROM PUBLIC;
GRANT EXECUTE ON FUNCTION create_documents TO app_api;
