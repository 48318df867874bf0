-- What the extension pg_graphql may show of a tenant: five views in a schema of their own, for two roles that read their columns
-- and nothing else. Without the extension they are five views. Locks nothing. To undo by hand: DROP SCHEMA graphql_api CASCADE,
-- then DROP FUNCTION write_graphql_api(), assert_scope(text).
--
-- pg_graphql shows every table and function of its search_path that the role has rights on, but no partitioned table (jobs, files).
-- Hence views, and no functions. Types of extensions (ltree, hstore, citext) are cast to what the dialect can filter. The views run
-- with the caller's rights, so that row-level security holds, and ask for the key's permission. Whoever reads a comment with
-- @graphql in it without the extension reads a comment.
CREATE SCHEMA graphql_api;
COMMENT ON SCHEMA graphql_api IS 'What pg_graphql shows. @graphql({"inflect_names": true, "max_rows": 100, "introspection": true})';
GRANT USAGE ON SCHEMA graphql_api TO app_graphql;

-- assert_scope(scope) is true when the caller has the permission: itself, "*", or "<noun>:*". Raises ZE403.
-- Frozen: the views use it.
CREATE FUNCTION assert_scope(p_scope text) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF string_to_array(current_setting('app.roles', true), ',') && ARRAY[p_scope, '*', split_part(p_scope, ':', 1) || ':*'] THEN
        RETURN true;
    END IF;
    RAISE EXCEPTION 'This needs the permission %.', p_scope USING ERRCODE = 'ZE403';
END $$;
REVOKE EXECUTE ON FUNCTION assert_scope FROM PUBLIC;
GRANT EXECUTE ON FUNCTION assert_scope TO app_graphql;

CREATE VIEW graphql_api.app_users WITH (security_invoker = true) AS
SELECT id,
       tenant_id,
       email::text AS email,
       created_at
FROM app_users
WHERE assert_scope('users:read');
COMMENT ON VIEW graphql_api.app_users IS 'The people of the tenant. @graphql({"primary_key_columns": ["id"], "totalCount": {"enabled": true}})';
GRANT SELECT (tenant_id, id, email, created_at) ON app_users TO app_graphql;

-- No hash of a key: neither the view nor the role has it.
CREATE VIEW graphql_api.api_keys WITH (security_invoker = true) AS
SELECT id,
       tenant_id,
       key_prefix,
       name,
       scopes,
       created_at,
       expires_at,
       revoked_at,
       last_used_at
FROM api_keys
WHERE assert_scope('keys:read');
COMMENT ON VIEW graphql_api.api_keys IS 'The API keys of the tenant, without what opens anything. @graphql({"primary_key_columns": ["id"], "totalCount": {"enabled": true}})';
GRANT SELECT (tenant_id, id, key_prefix, name, scopes, created_at, expires_at, revoked_at, last_used_at) ON api_keys TO app_graphql;

CREATE VIEW graphql_api.documents WITH (security_invoker = true) AS
SELECT id,
       tenant_id,
       author_id,
       external_id,
       title,
       body,
       language,
       hstore_to_jsonb(metadata) AS metadata,
       path_text AS path,
       tag_ids,
       longitude,
       latitude,
       version,
       created_at,
       updated_at
FROM documents
WHERE assert_scope('documents:read');
COMMENT ON VIEW graphql_api.documents IS 'The documents of the tenant. @graphql({"primary_key_columns": ["id"], "totalCount": {"enabled": true}, "foreign_keys": [{"local_name": "documentsCollection", "local_columns": ["author_id"], "foreign_name": "author", "foreign_schema": "graphql_api", "foreign_table": "app_users", "foreign_columns": ["id"]}]})';
GRANT SELECT (tenant_id, id, author_id, external_id, title, body, language, metadata, path_text, tag_ids, longitude, latitude,
    version, created_at, updated_at) ON documents TO app_graphql;

-- Without the name in the object store.
CREATE VIEW graphql_api.files WITH (security_invoker = true) AS
SELECT id,
       tenant_id,
       uploader_id,
       filename,
       content_type,
       size_bytes,
       checksum,
       status,
       created_at,
       completed_at
FROM files
WHERE assert_scope('files:read');
COMMENT ON VIEW graphql_api.files IS 'The files of the tenant. @graphql({"primary_key_columns": ["id"], "totalCount": {"enabled": true}, "foreign_keys": [{"local_name": "filesCollection", "local_columns": ["uploader_id"], "foreign_name": "uploader", "foreign_schema": "graphql_api", "foreign_table": "app_users", "foreign_columns": ["id"]}]})';
GRANT SELECT (tenant_id, id, uploader_id, filename, content_type, size_bytes, checksum, status, created_at, completed_at)
    ON files TO app_graphql;

-- Without ciphertexts: the payload of a job whose payload is encrypted is {}.
CREATE VIEW graphql_api.jobs WITH (security_invoker = true) AS
SELECT id,
       tenant_id,
       type,
       payload,
       status,
       reason,
       priority,
       queue,
       unique_key,
       attempts,
       max_attempts,
       progress,
       result,
       last_error,
       run_at,
       started_at,
       finished_at,
       created_at,
       updated_at
FROM jobs
WHERE assert_scope('jobs:read');
COMMENT ON VIEW graphql_api.jobs IS 'The jobs of the tenant. @graphql({"primary_key_columns": ["id"], "totalCount": {"enabled": true}})';
GRANT SELECT (tenant_id, id, type, payload, status, reason, priority, queue, unique_key, attempts, max_attempts, progress, result,
    last_error, run_at, started_at, finished_at, created_at, updated_at) ON jobs TO app_graphql;

GRANT SELECT ON ALL TABLES IN SCHEMA graphql_api TO app_graphql;

-- Writing goes through write_graphql_api(), to our own functions: the role has no rights on the tables. What has no column here
-- (ids, times, versions) cannot be given.
GRANT INSERT (tenant_id, email), UPDATE (email), DELETE ON graphql_api.app_users TO app_graphql_write;
GRANT INSERT (tenant_id, author_id, external_id, title, body, language, metadata, path, tag_ids, longitude, latitude),
    UPDATE (author_id, external_id, title, body, language, metadata, path, tag_ids, longitude, latitude),
    DELETE ON graphql_api.documents TO app_graphql_write;
GRANT INSERT (tenant_id, type, payload, priority, queue, unique_key, max_attempts, run_at) ON graphql_api.jobs TO app_graphql_write;
