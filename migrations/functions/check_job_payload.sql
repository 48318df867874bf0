-- check_job_payload() keeps a payload that breaks its type's schema out of jobs, whoever writes it.
-- Raises 23514 (with ZE422 as the hint, so that the API answers INVALID_JOB_PAYLOAD).
-- A CHECK would run again at every claim and completion; this runs only when type, payload or its encrypted form are written.
-- A redacted row, {} beside a ciphertext, passes: only who has the key can make one that opens, and does so of a checked
-- payload. Any other ciphertext fails the job when it is run.
CREATE OR REPLACE FUNCTION check_job_payload() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_error text;
BEGIN
    IF NEW.payload_encrypted IS NOT NULL THEN
        IF NOT is_payload_ciphertext(NEW.payload_encrypted) THEN
            v_error := 'This is not an encrypted payload.';
        ELSIF TG_OP = 'UPDATE' AND NEW.type = OLD.type AND NEW.payload = OLD.payload THEN
            RETURN NEW; -- what was checked before, encrypted now
        ELSIF NEW.payload = '{}' AND TG_OP = 'UPDATE' AND NEW.type <> OLD.type THEN
            v_error := 'The type of a job whose payload is encrypted cannot change.';
        ELSIF NEW.payload = '{}' THEN
            RETURN NEW;
        ELSIF TG_OP = 'UPDATE' AND NEW.payload <> OLD.payload AND NEW.payload_encrypted = OLD.payload_encrypted THEN
            NEW.payload_encrypted := NULL; -- of the payload before
        END IF;
    END IF;
    v_error := coalesce(v_error, job_payload_error(NEW.type, NEW.payload));
    IF v_error IS NOT NULL THEN
        RAISE EXCEPTION '%', v_error USING ERRCODE = '23514', TABLE = 'jobs', CONSTRAINT = 'jobs_payload_check',
            COLUMN = 'payload', HINT = 'ZE422';
    END IF;
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION check_job_payload FROM PUBLIC;
CREATE OR REPLACE TRIGGER jobs_payload_check BEFORE INSERT OR UPDATE OF type, payload, payload_encrypted ON jobs_live
    FOR EACH ROW EXECUTE FUNCTION check_job_payload();
-- A row with a lease arrives here by completion and was checked when it was enqueued.
CREATE OR REPLACE TRIGGER jobs_payload_check BEFORE INSERT ON jobs_finished
    FOR EACH ROW WHEN (NEW.lease_id IS NULL) EXECUTE FUNCTION check_job_payload();
CREATE OR REPLACE TRIGGER jobs_payload_update_check BEFORE UPDATE OF type, payload, payload_encrypted ON jobs_finished
    FOR EACH ROW EXECUTE FUNCTION check_job_payload();
