-- release_tenant_quota(resource) is the trigger behind every DELETE of what is limited: it gives the room back.
CREATE OR REPLACE FUNCTION release_tenant_quota() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM give_quota(c.tenant_id, TG_ARGV[0], c.n)
    FROM (SELECT o.tenant_id, count(*) AS n FROM old_rows o GROUP BY o.tenant_id ORDER BY o.tenant_id) c;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION release_tenant_quota FROM PUBLIC;
CREATE OR REPLACE TRIGGER tenant_released AFTER DELETE ON app_users REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION release_tenant_quota('users');
CREATE OR REPLACE TRIGGER tenant_released AFTER DELETE ON documents REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION release_tenant_quota('documents');
CREATE OR REPLACE TRIGGER tenant_released AFTER DELETE ON message_queues REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION release_tenant_quota('queues');
CREATE OR REPLACE TRIGGER tenant_released AFTER DELETE ON webhook_endpoints REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION release_tenant_quota('webhook_endpoints');
