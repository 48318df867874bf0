-- is_payload_ciphertext(text) reports whether a text has the form of an encrypted payload: of this program, or of pgsodium with or
-- without its scheme. Whether it opens only its key can tell.
CREATE OR REPLACE FUNCTION is_payload_ciphertext(p_text text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT octet_length(p_text) <= 400000
       AND p_text ~ '^((sf1:|pgsodium:([0-9]+:)?)?[A-Za-z0-9+/\n]{40,}={0,2}\n?|\\x[0-9a-f]{64,})$'
$$;
REVOKE EXECUTE ON FUNCTION is_payload_ciphertext FROM PUBLIC;
