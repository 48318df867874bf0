-- raise_invalid(errors) raises all input errors at once when there are any: a JSON list of {field, message}.
-- Raises ZE400; the first error is the message and the column, the list is the detail.
CREATE OR REPLACE FUNCTION raise_invalid(p_errors jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF jsonb_array_length(p_errors) > 0 THEN
        RAISE EXCEPTION '%', p_errors -> 0 ->> 'message' USING
            ERRCODE = 'ZE400', COLUMN = p_errors -> 0 ->> 'field', DETAIL = p_errors::text;
    END IF;
END $$;
