-- replace_encrypted_payloads(ids, tenants, before, after) puts other ciphertexts in the place of those that are still there, for a change
-- of the key, and returns how many. Only the owner may call it. Locks the rows in the order given.
-- A job that is not among jobs is in the archive, or on its way there; then the next run finds it.
-- Index: jobs_live_id_key, ix_jobs_finished_id and ix_jobs_archive_encrypted of each month; the setting keeps it so where a plan would read all jobs.
CREATE OR REPLACE FUNCTION replace_encrypted_payloads(p_ids bigint[], p_tenant_ids uuid[], p_before text[], p_after text[]) RETURNS int
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    v_count int := 0;
BEGIN
    FOR i IN 1 .. cardinality(p_ids) LOOP
        UPDATE jobs
        SET payload_encrypted = p_after[i]
        WHERE tenant_id = p_tenant_ids[i] AND id = p_ids[i] AND payload_encrypted = p_before[i];
        IF NOT FOUND THEN
            UPDATE jobs_archive
            SET payload_encrypted = p_after[i]
            WHERE tenant_id = p_tenant_ids[i] AND id = p_ids[i] AND payload_encrypted = p_before[i];
        END IF;
        IF FOUND THEN
            v_count := v_count + 1;
        END IF;
    END LOOP;
    RETURN v_count;
END $$;
REVOKE EXECUTE ON FUNCTION replace_encrypted_payloads FROM PUBLIC;
-- Here, since the archive is younger than the numbered file of the other index.
CREATE INDEX IF NOT EXISTS ix_jobs_archive_encrypted ON jobs_archive (id) WHERE payload_encrypted IS NOT NULL;
