-- tenant_resource_field(resource) is a resource's name in the API.
CREATE OR REPLACE FUNCTION tenant_resource_field(p_resource text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_resource WHEN 'api_keys' THEN 'apiKeys' WHEN 'jobs_per_day' THEN 'jobsPerDay' WHEN 'queues' THEN 'messageQueues'
        WHEN 'webhook_endpoints' THEN 'webhookEndpoints' WHEN 'storage_bytes' THEN 'storageBytes' ELSE p_resource END
$$;
REVOKE EXECUTE ON FUNCTION tenant_resource_field FROM PUBLIC;
