-- check_search_settings() folds stop words as the vocabulary is folded, sorts them and refuses what cannot be: at most
-- 1,000, each one word of 1 to 100 characters. Doubles become one.
-- Raises ZE400; the columns are words and words[n].
CREATE OR REPLACE FUNCTION check_search_settings() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_errors jsonb := '[]';
BEGIN
    IF coalesce(cardinality(NEW.stop_words), 0) > 1000 THEN
        v_errors := jsonb_build_array(jsonb_build_object('field', 'words', 'message', 'At most 1,000 stop words are allowed.'));
    ELSE
        SELECT coalesce(array_agg(s.folded ORDER BY s.folded COLLATE "C"), '{}'),
               coalesce(jsonb_agg(jsonb_build_object('field', format('words[%s]', s.ord - 1), 'message', s.error) ORDER BY s.ord)
                   FILTER (WHERE s.error IS NOT NULL), '[]')
        INTO NEW.stop_words, v_errors
        FROM (SELECT DISTINCT ON (x.folded, CASE WHEN x.folded = '' THEN x.ord END) x.folded, x.ord, search_phrase_error(x.folded, 1) AS error
              FROM (SELECT search_phrase(v) AS folded, ord FROM unnest(NEW.stop_words) WITH ORDINALITY AS t (v, ord)) x
              ORDER BY x.folded, CASE WHEN x.folded = '' THEN x.ord END, x.ord) s;
    END IF;
    PERFORM raise_invalid(v_errors);
    IF TG_OP = 'UPDATE' THEN
        NEW.updated_at := now();
    END IF;
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION check_search_settings FROM PUBLIC;
CREATE OR REPLACE TRIGGER check_row BEFORE INSERT OR UPDATE ON search_settings
    FOR EACH ROW EXECUTE FUNCTION check_search_settings();
