-- message_error(message) says what is wrong with one message of send_messages: code, field and message, null for nothing.
CREATE OR REPLACE FUNCTION message_error(p_message jsonb, OUT code text, OUT field text, OUT message text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF octet_length((p_message -> 'payload')::text) + coalesce(octet_length((p_message -> 'headers')::text), 0) > 262144 THEN
        code := 'ZE413';
        field := 'payload';
        message := 'A payload with its headers has at most 256 KiB.';
    ELSIF jsonb_typeof(p_message -> 'headers') NOT IN ('object', 'null') THEN
        code := 'ZE400';
        field := 'headers';
        message := 'Headers are an object.';
    ELSIF jsonb_typeof(p_message -> 'delaySeconds') = 'number' AND jsonb_typeof(p_message -> 'deliverAt') = 'string' THEN
        code := 'ZE400';
        field := 'deliverAt';
        message := 'Give either delaySeconds or deliverAt.';
    ELSIF (p_message ->> 'delaySeconds')::numeric NOT BETWEEN 0 AND 31536000 THEN
        code := 'ZE400';
        field := 'delaySeconds';
        message := 'This must be from 0 to 31,536,000, which is a year.';
    ELSIF (p_message ->> 'deliverAt')::timestamptz > now() + interval '366 days' THEN
        code := 'ZE400';
        field := 'deliverAt';
        message := 'This must be within a year.';
    END IF;
END $$;
