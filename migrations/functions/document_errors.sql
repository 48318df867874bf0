-- document_errors(tenant, input, create) returns what is wrong with the input of a document as a JSON list of
-- {field, message}; empty when nothing is. On create the required fields must be there; otherwise only what is given counts.
CREATE OR REPLACE FUNCTION document_errors(p_tenant_id uuid, p_input jsonb, p_create boolean) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_errors jsonb := '[]';
    v_text text;
    v_required text;
BEGIN
    FOREACH v_required IN ARRAY ARRAY['authorId', 'title', 'body'] LOOP
        IF coalesce(jsonb_typeof(p_input -> v_required), CASE WHEN p_create THEN 'null' ELSE 'string' END) <> 'string' THEN
            v_errors := v_errors || jsonb_build_object('field', v_required, 'message',
                CASE WHEN coalesce(jsonb_typeof(p_input -> v_required), 'null') = 'null'
                    THEN 'This field is required.' ELSE 'This must be a string.' END);
        END IF;
    END LOOP;

    IF jsonb_typeof(p_input -> 'authorId') = 'string' THEN
        v_text := p_input ->> 'authorId';
        IF v_text !~ '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$' THEN
            v_errors := v_errors || jsonb_build_object('field', 'authorId', 'message', 'This is not a uuid.');
        ELSIF NOT EXISTS (SELECT FROM app_users WHERE tenant_id = p_tenant_id AND id = v_text::uuid) THEN
            v_errors := v_errors || jsonb_build_object('field', 'authorId', 'message', 'There is no such user.');
        END IF;
    END IF;

    IF jsonb_typeof(p_input -> 'title') = 'string' THEN
        v_text := p_input ->> 'title';
        IF length(v_text) > 500 THEN
            v_errors := v_errors || jsonb_build_object('field', 'title', 'message', 'A title has at most 500 characters.');
        ELSIF v_text !~ '\S' THEN
            v_errors := v_errors || jsonb_build_object('field', 'title', 'message', 'A title cannot be blank.');
        END IF;
    END IF;

    IF coalesce(jsonb_typeof(p_input -> 'language'), 'null') <> 'null'
        AND (jsonb_typeof(p_input -> 'language') <> 'string' OR p_input ->> 'language' <> 'plain'
            AND search_config(p_input ->> 'language') = 'plain_unaccent'::regconfig) THEN
        v_errors := v_errors || jsonb_build_object('field', 'language', 'message',
            'This is not a language code such as "en", or "plain" for no stemming.');
    END IF;

    IF coalesce(jsonb_typeof(p_input -> 'path'), 'null') <> 'null' THEN
        v_text := CASE WHEN jsonb_typeof(p_input -> 'path') = 'string' THEN path_error(p_input ->> 'path')
            ELSE 'This must be a string.' END;
        IF v_text IS NOT NULL THEN
            v_errors := v_errors || jsonb_build_object('field', 'path', 'message', v_text);
        END IF;
    END IF;

    IF coalesce(jsonb_typeof(p_input -> 'metadata'), 'null') <> 'null' THEN
        IF jsonb_typeof(p_input -> 'metadata') <> 'object' THEN
            v_errors := v_errors || jsonb_build_object('field', 'metadata', 'message', 'This must be an object.');
        ELSIF EXISTS (SELECT FROM jsonb_each(p_input -> 'metadata') WHERE jsonb_typeof(value) <> 'string') THEN
            v_errors := v_errors || jsonb_build_object('field', 'metadata', 'message', 'Every value must be a string.');
        ELSIF (SELECT count(*) FROM jsonb_object_keys(p_input -> 'metadata')) > 200 THEN
            v_errors := v_errors || jsonb_build_object('field', 'metadata', 'message', 'At most 200 keys are allowed.');
        ELSIF EXISTS (SELECT FROM jsonb_each_text(p_input -> 'metadata') WHERE length(key) > 200 OR length(value) > 2000) THEN
            -- An entry of the index on metadata holds at most some 8,000 bytes.
            v_errors := v_errors || jsonb_build_object('field', 'metadata', 'message',
                'A key has at most 200 characters and a value at most 2,000.');
        END IF;
    END IF;

    IF coalesce(jsonb_typeof(p_input -> 'tagIds'), 'null') <> 'null' THEN
        IF jsonb_typeof(p_input -> 'tagIds') <> 'array' OR EXISTS (
            SELECT FROM jsonb_array_elements(p_input -> 'tagIds') AS t (v)
            WHERE CASE WHEN jsonb_typeof(v) = 'number'
                THEN v::numeric % 1 <> 0 OR v::numeric NOT BETWEEN -2147483648 AND 2147483647 ELSE true END) THEN
            v_errors := v_errors || jsonb_build_object('field', 'tagIds', 'message', 'This must be a list of whole numbers of 32 bits.');
        ELSIF jsonb_array_length(p_input -> 'tagIds') > 1000 THEN
            v_errors := v_errors || jsonb_build_object('field', 'tagIds', 'message', 'At most 1,000 tags are allowed.');
        END IF;
    END IF;

    v_errors := v_errors || location_errors(p_input);

    IF coalesce(jsonb_typeof(p_input -> 'externalId'), 'null') <> 'null'
        AND (jsonb_typeof(p_input -> 'externalId') <> 'string' OR length(p_input ->> 'externalId') NOT BETWEEN 1 AND 200) THEN
        v_errors := v_errors || jsonb_build_object('field', 'externalId', 'message', 'This must be a string of 1 to 200 characters.');
    END IF;
    IF coalesce(jsonb_typeof(p_input -> 'id'), 'null') <> 'null'
        AND (p_input ->> 'id') !~ '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$' THEN
        v_errors := v_errors || jsonb_build_object('field', 'id', 'message', 'This is not a uuid.');
    END IF;
    RETURN v_errors;
END $$;
