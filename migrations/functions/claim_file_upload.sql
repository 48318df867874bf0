-- claim_file_upload(tenant, id) begins the look at the bytes of a direct upload and returns the file; for ten minutes nobody else can.
-- A file that is ready is returned as it is.
-- Raises ZE404, ZE409 when it is no direct upload, has expired, or is claimed. Locks the row.
CREATE OR REPLACE FUNCTION claim_file_upload(p_tenant_id uuid, p_id uuid) RETURNS files
LANGUAGE plpgsql AS $$
DECLARE
    v files;
    v_problem text;
BEGIN
    SELECT * INTO v FROM files WHERE tenant_id = p_tenant_id AND id = p_id FOR UPDATE;
    IF NOT FOUND OR v.status = 'deleting' THEN
        RAISE EXCEPTION 'There is no such file.' USING ERRCODE = 'ZE404';
    ELSIF v.status = 'ready' THEN
        RETURN v;
    END IF;
    v_problem := CASE
        WHEN v.expires_at IS NULL THEN 'The file is being uploaded through the server.'
        WHEN v.expires_at < now() THEN 'The upload has expired.'
        WHEN v.claimed_at > now() - interval '10 minutes' THEN 'The upload is being completed already.' END;
    IF v_problem IS NOT NULL THEN
        RAISE EXCEPTION '%', v_problem USING ERRCODE = 'ZE409';
    END IF;
    UPDATE files SET claimed_at = now() WHERE tenant_id = p_tenant_id AND id = p_id RETURNING * INTO v;
    RETURN v;
END $$;
REVOKE EXECUTE ON FUNCTION claim_file_upload FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claim_file_upload TO app_api;
