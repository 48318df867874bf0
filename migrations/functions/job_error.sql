-- job_error(tenant, job, payload) says what is wrong with one job of enqueue_jobs: our SQLSTATE, field and message; nulls when nothing is.
-- A null payload is one that is encrypted and was judged before.
CREATE OR REPLACE FUNCTION job_error(p_tenant_id uuid, p_job jsonb, p_payload jsonb, OUT code text, OUT field text, OUT message text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    code := 'ZE400';
    IF coalesce(p_job ->> 'type', '') !~ '^[a-z][a-z0-9_.-]{0,63}$' THEN
        field := 'type';
        message := 'A type is 1 to 64 characters: a small letter, then small letters, digits, "_", "." or "-".';
    ELSIF jsonb_typeof(p_payload) <> 'object' THEN
        field := 'payload';
        message := 'A payload is a JSON object.';
    ELSIF pg_column_size(p_payload) > 262144 THEN
        code := 'ZE413';
        field := 'payload';
        message := 'A payload has at most 256 KiB.';
    ELSIF coalesce(p_job ->> 'queue', 'default') !~ '^[a-z][a-z0-9_.-]{0,63}$' THEN
        field := 'queue';
        message := 'A queue is 1 to 64 characters: a small letter, then small letters, digits, "_", "." or "-".';
    ELSIF length(p_job ->> 'uniqueKey') NOT BETWEEN 1 AND 200 THEN
        field := 'uniqueKey';
        message := 'A unique key has 1 to 200 characters.';
    ELSIF (p_job ->> 'maxAttempts')::numeric NOT BETWEEN 1 AND 100 THEN
        field := 'maxAttempts';
        message := 'This must be from 1 to 100.';
    ELSIF p_payload IS NULL THEN
        code := NULL;
    ELSE
        code := 'ZE422';
        field := 'payload';
        message := job_payload_error(p_job ->> 'type', p_payload);
        IF message IS NULL AND p_job ->> 'type' = 'reindex_search' AND (p_payload ->> 'tenant_id')::uuid <> p_tenant_id THEN
            code := 'ZE403';
            field := 'payload.tenant_id';
            message := 'The tenant_id of reindex_search must be the caller''s own.';
        END IF;
        IF message IS NULL THEN
            code := NULL;
            field := NULL;
        END IF;
    END IF;
END $$;
