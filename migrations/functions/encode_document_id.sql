-- encode_document_id(id) is the short public id of a document: its uuid as four numbers of 32 bits, some 28 characters.
CREATE OR REPLACE FUNCTION encode_document_id(p_id uuid) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = public, pg_temp AS $$
    SELECT hashid_encode(ARRAY(
        SELECT ('x' || substr(replace(p_id::text, '-', ''), 8 * i + 1, 8))::bit(32)::bigint FROM generate_series(0, 3) AS i ORDER BY i),
        'stackforge.documents', 0, 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ1234567890')
$$;
