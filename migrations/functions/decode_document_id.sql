-- decode_document_id(hashid) is the document's id, null for anything that encode_document_id does not write.
CREATE OR REPLACE FUNCTION decode_document_id(p_hashid text) RETURNS uuid
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = public, pg_temp AS $$
DECLARE
    v_numbers bigint[];
    v_id uuid;
BEGIN
    IF length(p_hashid) > 64 THEN
        RETURN NULL;
    END IF;
    v_numbers := hashid_decode(p_hashid, 'stackforge.documents', 0, 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ1234567890');
    IF cardinality(v_numbers) <> 4 THEN
        RETURN NULL;
    END IF;
    v_id := (SELECT string_agg(lpad(to_hex(n), 8, '0'), '' ORDER BY o) FROM unnest(v_numbers) WITH ORDINALITY AS t (n, o))::uuid;
    RETURN CASE WHEN encode_document_id(v_id) = p_hashid THEN v_id END;
EXCEPTION WHEN invalid_parameter_value OR invalid_text_representation OR numeric_value_out_of_range THEN
    RETURN NULL;
END $$;
