-- search_fold(text) is a text as search compares it: composed (NFC), without accents, in lower case, with single spaces.
-- In plpgsql, because an SQL function that is not inlined is planned anew by every statement. IMMUTABLE as to_tsvector with
-- the same dictionary is. Frozen in effect: an index uses it.
CREATE OR REPLACE FUNCTION search_fold(p_text text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    v_text text := lower(CASE WHEN octet_length(p_text) = length(p_text) THEN p_text -- ASCII
        ELSE public.unaccent('public.unaccent'::regdictionary, normalize(p_text)) END);
BEGIN
    RETURN btrim(CASE WHEN v_text ~ '  |[^ \S]|[\x01-\x1f\x7f\u00a0]' THEN regexp_replace(v_text, '[\s\x01-\x1f\x7f\u00a0]+', ' ', 'g') ELSE v_text END);
END $$;

-- Titles by how they begin, for suggestions: an index range, whatever the case and the accents.
CREATE INDEX IF NOT EXISTS ix_documents_title_fold ON documents (tenant_id, search_fold(left(title, 64)) COLLATE "C");
