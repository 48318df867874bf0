-- webhook_endpoint_errors(input) is the list of {field, message} of what is wrong with {name, url, description, events, jobTypes};
-- what is not given is not judged. Whether an address may be reached is the sender's to judge.
CREATE OR REPLACE FUNCTION webhook_endpoint_errors(p_input jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    v_errors jsonb := '[]';
    v_list record;
BEGIN
    IF p_input ? 'name' AND (coalesce(length(p_input ->> 'name'), 0) NOT BETWEEN 1 AND 100 OR p_input ->> 'name' !~ '\S') THEN
        v_errors := v_errors || jsonb_build_object('field', 'name', 'message', 'A name has 1 to 100 characters.');
    END IF;
    IF p_input ? 'url' AND (coalesce(length(p_input ->> 'url'), 0) NOT BETWEEN 1 AND 2048 OR p_input ->> 'url' !~ '^https?://') THEN
        v_errors := v_errors || jsonb_build_object('field', 'url', 'message', 'This must be an http or https URL of at most 2,048 characters.');
    END IF;
    IF length(p_input ->> 'description') > 500 THEN
        v_errors := v_errors || jsonb_build_object('field', 'description', 'message', 'This has more than 500 characters.');
    END IF;
    FOR v_list IN
        SELECT * FROM (VALUES
            ('events', 50, '^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$', 'An event is named like job.done.'),
            ('jobTypes', 100, '^[a-z][a-z0-9_.-]{0,63}$', 'This is not the name of a job type.')) AS t (field, most, pattern, message)
        WHERE p_input ? t.field
    LOOP
        IF jsonb_array_length(p_input -> v_list.field) > v_list.most THEN
            v_errors := v_errors || jsonb_build_object('field', v_list.field, 'message', format('At most %s are allowed.', v_list.most));
        ELSE
            v_errors := v_errors || coalesce((
                SELECT jsonb_agg(jsonb_build_object('field', format('%s[%s]', v_list.field, t.ord - 1), 'message', v_list.message) ORDER BY t.ord)
                FROM jsonb_array_elements_text(p_input -> v_list.field) WITH ORDINALITY AS t (v, ord)
                WHERE length(t.v) > 100 OR t.v !~ v_list.pattern), '[]');
        END IF;
    END LOOP;
    RETURN v_errors;
END $$;
REVOKE EXECUTE ON FUNCTION webhook_endpoint_errors FROM PUBLIC;
