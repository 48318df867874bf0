-- check_job_payload() keeps a payload that breaks its type's schema out of jobs, whoever writes it.
-- Raises 23514 (with ZE422 as the hint, so that the API answers INVALID_JOB_PAYLOAD).
-- A CHECK would run again at every claim and completion; this runs only when type or payload are written.
CREATE OR REPLACE FUNCTION check_job_payload() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_error text := job_payload_error(NEW.type, NEW.payload);
BEGIN
    IF v_error IS NOT NULL THEN
        RAISE EXCEPTION '%', v_error USING ERRCODE = '23514', TABLE = 'jobs', CONSTRAINT = 'jobs_payload_check',
            COLUMN = 'payload', HINT = 'ZE422';
    END IF;
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION check_job_payload FROM PUBLIC;
CREATE OR REPLACE TRIGGER jobs_payload_check BEFORE INSERT OR UPDATE OF type, payload ON jobs_live
    FOR EACH ROW EXECUTE FUNCTION check_job_payload();
-- A row with a lease arrives here by completion and was checked when it was enqueued.
CREATE OR REPLACE TRIGGER jobs_payload_check BEFORE INSERT ON jobs_finished
    FOR EACH ROW WHEN (NEW.lease_id IS NULL) EXECUTE FUNCTION check_job_payload();
CREATE OR REPLACE TRIGGER jobs_payload_update_check BEFORE UPDATE OF type, payload ON jobs_finished
    FOR EACH ROW EXECUTE FUNCTION check_job_payload();
