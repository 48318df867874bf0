-- search_phrase(text) is a synonym or a stop word as searches see it: folded, and without the signs that text search does
-- not keep: c++ is c and AT&T is at t, while e-mail and node.js are words. '' when nothing is left.
CREATE OR REPLACE FUNCTION search_phrase(p_text text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN (SELECT coalesce(string_agg(CASE WHEN t.w = ANY (tsvector_to_array(to_tsvector('public.plain_unaccent', t.w))) THEN t.w
                ELSE nullif(btrim(regexp_replace(t.w, '[!-/:-@[-`{-~]+', ' ', 'g')), '') END, ' ' ORDER BY t.ord), '')
            FROM string_to_table(search_fold(p_text), ' ') WITH ORDINALITY AS t (w, ord));
END $$;

-- search_phrase_error(phrase, words) says what is wrong with such a phrase of a synonym or a stop word, null when nothing
-- is: 1 to 100 characters, up to that many words, and something that the index of words keeps.
CREATE OR REPLACE FUNCTION search_phrase_error(p_phrase text, p_words int) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN CASE
        WHEN length(p_phrase) > 100 THEN 'At most 100 characters are allowed.'
        WHEN array_length(string_to_array(p_phrase, ' '), 1) > p_words THEN
            CASE p_words WHEN 1 THEN 'This must be one word.' ELSE format('At most %s words are allowed.', p_words) END
        WHEN length(to_tsvector('public.plain_unaccent', coalesce(p_phrase, ''))) = 0 THEN 'This has neither letters nor digits.'
    END;
END $$;
