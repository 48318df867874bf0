-- notify_job_webhook() writes one event to the outbox for each job that a statement brought to done or failed, when an
-- enabled endpoint of its tenant wants it. It runs once per statement, beside log_job_events, sends nothing and notifies
-- nobody: a worker does, after the commit. The payload of the job is left out, for it may be secret.
-- The session setting app.webhook_url has no effect: on a pooled connection it would outlive its transaction, and send the
-- events of one tenant to the address of another, without a signature.
-- The finished rows among the old ones are hashed and the endpoints are probed by ix_webhook_endpoints_enabled, so that no plan
-- compares each job with each other, or with the endpoints of all tenants.
CREATE OR REPLACE FUNCTION notify_job_webhook() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM webhook_endpoints WHERE is_enabled) THEN
        RETURN NULL;
    END IF;
    INSERT INTO core.outbox (tenant_id, aggregate_type, aggregate_id, topic, payload)
    SELECT n.tenant_id, 'job', n.id::text, 'job.' || n.status, jsonb_build_object(
        'event', 'job.' || n.status, 'tenant_id', n.tenant_id, 'job_id', n.id, 'job_type', n.type, 'status', n.status,
        'reason', n.reason, 'attempts', n.attempts, 'last_error', n.last_error,
        'created_at', to_char(n.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'started_at', to_char(n.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'finished_at', to_char(n.finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
    FROM new_jobs n
    WHERE n.status IN ('done', 'failed')
      AND (n.id, n.status) NOT IN (SELECT o.id, o.status FROM old_jobs o WHERE o.status IN ('done', 'failed'))
      AND (SELECT true FROM webhook_endpoints e
           WHERE e.is_enabled AND e.tenant_id = n.tenant_id AND webhook_wants(e.events, e.job_types, 'job.' || n.status, n.type)
           LIMIT 1)
    ORDER BY n.id;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION notify_job_webhook FROM PUBLIC;
CREATE OR REPLACE TRIGGER jobs_webhooks AFTER UPDATE ON jobs REFERENCING OLD TABLE AS old_jobs NEW TABLE AS new_jobs
    FOR EACH STATEMENT EXECUTE FUNCTION notify_job_webhook();
