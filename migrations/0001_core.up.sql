-- Tenants, users, API keys, and what every other file builds on: ids, the tenant check, text search.
-- Locks nothing that exists. To undo by hand: drop schema public and core of an empty database.

-- uuid_v7() is a time-ordered uuid (RFC 9562): new rows stay together and an id pages like a time.
-- Frozen: column defaults use it.
CREATE FUNCTION uuid_v7() RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT encode(set_bit(set_bit(overlay(
               uuid_send(gen_random_uuid())
               PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
               FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;

-- current_tenant() is the tenant of the transaction, null when none is set. After a transaction a setting is '', not null.
-- Frozen: policies use its text (inlined there so that the planner sees a plain setting).
CREATE FUNCTION current_tenant() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT nullif(current_setting('app.tenant_id', true), '')::uuid
$$;

-- secure_table(table) turns row-level security on, forced, with the tenant's policy. The owner keeps its rows in sight:
-- SECURITY DEFINER functions run as the owner, carry the tenant as an argument and check it (assert_tenant). A policy on
-- the caller would keep every operator that is not leakproof (@@, <@, &&, @>) from using an index.
-- Frozen: numbered files call it.
CREATE FUNCTION secure_table(p_table regclass, p_column name DEFAULT 'tenant_id') RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_name text := (SELECT relname FROM pg_class WHERE oid = p_table);
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', p_table);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', p_table);
    EXECUTE format($p$CREATE POLICY %I ON %s
        USING (%3$I = nullif(current_setting('app.tenant_id', true), '')::uuid)
        WITH CHECK (%3$I = nullif(current_setting('app.tenant_id', true), '')::uuid)$p$,
        'p_' || v_name || '_tenant', p_table, p_column);
    EXECUTE format('CREATE POLICY %I ON %s TO CURRENT_USER USING (true) WITH CHECK (true)',
        'p_' || v_name || '_owner', p_table);
END $$;
REVOKE EXECUTE ON FUNCTION secure_table FROM PUBLIC;

-- Accent folding for every language that PostgreSQL stems: en_unaccent, de_unaccent, …; plain_unaccent stems nothing.
-- A configuration is immutable where a call of unaccent() is not, so generated columns may use it.
DO $$
DECLARE
    l record;
BEGIN
    FOR l IN
        SELECT * FROM (VALUES
            ('ar', 'arabic'), ('ca', 'catalan'), ('da', 'danish'), ('de', 'german'), ('el', 'greek'), ('en', 'english'),
            ('es', 'spanish'), ('eu', 'basque'), ('fi', 'finnish'), ('fr', 'french'), ('ga', 'irish'), ('hi', 'hindi'),
            ('hu', 'hungarian'), ('hy', 'armenian'), ('id', 'indonesian'), ('it', 'italian'), ('lt', 'lithuanian'),
            ('ne', 'nepali'), ('nl', 'dutch'), ('no', 'norwegian'), ('pt', 'portuguese'), ('ro', 'romanian'),
            ('ru', 'russian'), ('sr', 'serbian'), ('sv', 'swedish'), ('ta', 'tamil'), ('tr', 'turkish'), ('yi', 'yiddish'),
            ('plain', 'simple')) AS t (code, config)
    LOOP
        EXECUTE format('CREATE TEXT SEARCH CONFIGURATION %I (COPY = pg_catalog.%I)', l.code || '_unaccent', l.config);
        EXECUTE format('ALTER TEXT SEARCH CONFIGURATION %I ALTER MAPPING FOR hword, hword_part, word WITH unaccent, %I',
            l.code || '_unaccent', CASE WHEN l.config = 'simple' THEN 'simple' ELSE l.config || '_stem' END);
    END LOOP;
END $$;

CREATE TABLE tenants (
    id uuid PRIMARY KEY DEFAULT uuid_v7(),
    name text NOT NULL CONSTRAINT tenants_name_check CHECK (length(name) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL DEFAULT now()
);
SELECT secure_table('tenants', 'id');

CREATE TABLE app_users (
    tenant_id uuid NOT NULL CONSTRAINT app_users_tenant_id_fkey REFERENCES tenants (id),
    id uuid NOT NULL DEFAULT uuid_v7(),
    email citext NOT NULL CONSTRAINT app_users_email_check
        CHECK (length(email) <= 320 AND email ~ '^[^@\s]+@[^@\s]+$'),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT app_users_email_key UNIQUE (tenant_id, email)
);
CREATE INDEX ix_app_users_created ON app_users (tenant_id, created_at DESC, id DESC);
SELECT secure_table('app_users');

-- The plaintext of a key is shown once and kept nowhere. The roles of the product cannot read key_hash.
CREATE TABLE api_keys (
    tenant_id uuid NOT NULL CONSTRAINT api_keys_tenant_id_fkey REFERENCES tenants (id),
    id uuid NOT NULL DEFAULT uuid_v7(),
    key_prefix text NOT NULL CONSTRAINT api_keys_key_prefix_check CHECK (length(key_prefix) = 12),
    key_hash text NOT NULL CONSTRAINT api_keys_key_hash_key UNIQUE
        CONSTRAINT api_keys_key_hash_check CHECK (key_hash ~ '^[0-9a-f]{64}$'),
    name text NOT NULL CONSTRAINT api_keys_name_check CHECK (length(name) BETWEEN 1 AND 200),
    scopes text[] NOT NULL DEFAULT '{*}' CONSTRAINT api_keys_scopes_check
        CHECK (cardinality(scopes) BETWEEN 1 AND 50 AND array_position(scopes, NULL) IS NULL),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ix_api_keys_created ON api_keys (tenant_id, created_at DESC, id DESC);
-- A token names its key by id alone.
CREATE INDEX ix_api_keys_id ON api_keys (id);
SELECT secure_table('api_keys');

GRANT USAGE ON SCHEMA public, core TO app_api, app_worker, app_readonly;
GRANT SELECT ON core.schema_version TO app_api, app_worker, app_readonly;
GRANT SELECT ON tenants, app_users TO app_api, app_worker, app_readonly;
GRANT INSERT ON app_users TO app_api;
GRANT SELECT (tenant_id, id, key_prefix, name, scopes, created_at, expires_at, revoked_at, last_used_at)
    ON api_keys TO app_api, app_readonly;
GRANT INSERT ON api_keys TO app_api;
GRANT UPDATE (revoked_at) ON api_keys TO app_api;
