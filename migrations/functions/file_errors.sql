-- file_errors(tenant, uploader, filename, content type, size, checksum) lists what is wrong with a file as [{field, message}]; a
-- missing uploader or checksum is not. Raises nothing.
CREATE OR REPLACE FUNCTION file_errors(p_tenant_id uuid, p_uploader_id uuid, p_filename text, p_content_type text, p_size_bytes bigint, p_checksum text)
RETURNS jsonb
LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object('field', e.field, 'message', e.message)), '[]')
    FROM (VALUES
        (p_uploader_id IS NOT NULL AND NOT EXISTS (SELECT FROM app_users u WHERE u.tenant_id = p_tenant_id AND u.id = p_uploader_id),
            'uploaderId', 'This must be a user of the tenant.'),
        (length(coalesce(p_filename, '')) NOT BETWEEN 1 AND 255, 'filename', 'A name has 1 to 255 characters.'),
        (length(coalesce(p_content_type, '')) NOT BETWEEN 1 AND 255, 'contentType', 'A type has 1 to 255 characters.'),
        (coalesce(p_size_bytes, -1) < 0, 'sizeBytes', 'This must not be negative.'),
        (p_checksum !~ '^[0-9a-f]{64}$', 'checksum', 'This must be a SHA-256 in 64 small hexadecimal digits.')
    ) AS e (wrong, field, message)
    WHERE e.wrong
$$;
