-- maintain_search() brings what lags behind up to date: it folds noted changes into the vocabulary's counts and empties the
-- lists of words that wait to be put into the full-text indexes. It returns how many changes it folded; call it again while
-- that is not 0. Locks nothing that a reader or a writer of documents waits for.
CREATE OR REPLACE FUNCTION maintain_search() RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_folded int := fold_search_words(50);
BEGIN
    IF v_folded > 0 THEN
        PERFORM gin_clean_pending_list(i.indexrelid)
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
        WHERE i.indrelid = 'documents'::regclass AND a.amname = 'gin' AND i.indisvalid;
    END IF;
    RETURN v_folded;
END $$;
REVOKE EXECUTE ON FUNCTION maintain_search FROM PUBLIC;
GRANT EXECUTE ON FUNCTION maintain_search TO app_worker;
