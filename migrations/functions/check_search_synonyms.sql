-- check_search_synonyms() folds a term and its synonyms as the vocabulary is folded and refuses what cannot be: 1 to 50
-- synonyms, each of 1 to 5 words, none of them the term. Doubles become one.
-- Raises ZE400; the columns are term and synonyms[n].
CREATE OR REPLACE FUNCTION check_search_synonyms() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_errors jsonb := '[]';
BEGIN
    NEW.term := search_phrase(NEW.term);
    IF search_phrase_error(NEW.term, 5) IS NOT NULL THEN
        v_errors := v_errors || jsonb_build_object('field', 'term', 'message', search_phrase_error(NEW.term, 5));
    END IF;
    IF coalesce(cardinality(NEW.synonyms), 0) NOT BETWEEN 1 AND 50 THEN
        v_errors := v_errors || jsonb_build_object('field', 'synonyms', 'message', 'A term has 1 to 50 synonyms.');
    ELSE
        SELECT array_agg(s.folded ORDER BY s.ord),
               v_errors || coalesce(jsonb_agg(jsonb_build_object('field', format('synonyms[%s]', s.ord - 1), 'message', s.error) ORDER BY s.ord)
                   FILTER (WHERE s.error IS NOT NULL), '[]')
        INTO NEW.synonyms, v_errors
        FROM (SELECT DISTINCT ON (x.folded, CASE WHEN x.folded = '' THEN x.ord END) x.folded, x.ord, CASE WHEN x.folded = NEW.term AND x.folded <> ''
                  THEN 'A term is no synonym of itself.' ELSE search_phrase_error(x.folded, 5) END AS error
              FROM (SELECT search_phrase(v) AS folded, ord FROM unnest(NEW.synonyms) WITH ORDINALITY AS t (v, ord)) x
              ORDER BY x.folded, CASE WHEN x.folded = '' THEN x.ord END, x.ord) s;
    END IF;
    PERFORM raise_invalid(v_errors);
    IF TG_OP = 'UPDATE' THEN
        NEW.updated_at := now();
    END IF;
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION check_search_synonyms FROM PUBLIC;
CREATE OR REPLACE TRIGGER check_row BEFORE INSERT OR UPDATE ON search_synonyms
    FOR EACH ROW EXECUTE FUNCTION check_search_synonyms();

-- count_search_synonyms() refuses a tenant's 5,001st term. Those who add terms to one tenant wait for each other.
-- Raises ZE400 (column term).
CREATE OR REPLACE FUNCTION count_search_synonyms() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant uuid;
BEGIN
    FOR v_tenant IN SELECT DISTINCT tenant_id FROM new_rows ORDER BY tenant_id LOOP
        PERFORM pg_advisory_xact_lock(hashtextextended('search_synonyms ' || v_tenant, 0));
        IF (SELECT count(*) FROM search_synonyms WHERE tenant_id = v_tenant) > 5000 THEN
            RAISE EXCEPTION 'At most 5,000 terms can have synonyms.' USING ERRCODE = 'ZE400', COLUMN = 'term';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION count_search_synonyms FROM PUBLIC;
CREATE OR REPLACE TRIGGER count_rows AFTER INSERT ON search_synonyms
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_search_synonyms();
