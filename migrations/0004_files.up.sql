-- File records; the bytes are in the object store. Locks nothing that exists. To undo by hand: drop table files.

CREATE TABLE files (
    tenant_id uuid NOT NULL CONSTRAINT files_tenant_id_fkey REFERENCES tenants (id),
    id uuid NOT NULL DEFAULT uuid_v7(),
    uploader_id uuid NOT NULL,
    filename text NOT NULL CONSTRAINT files_filename_check CHECK (length(filename) BETWEEN 1 AND 255),
    content_type text NOT NULL CONSTRAINT files_content_type_check CHECK (length(content_type) BETWEEN 1 AND 255),
    size_bytes bigint NOT NULL CONSTRAINT files_size_bytes_check CHECK (size_bytes >= 0),
    storage_key text NOT NULL CONSTRAINT files_storage_key_check CHECK (length(storage_key) BETWEEN 1 AND 1024),
    status text NOT NULL DEFAULT 'pending' CONSTRAINT files_status_check CHECK (status IN ('pending', 'ready')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT files_storage_key_key UNIQUE (tenant_id, storage_key),
    CONSTRAINT files_uploader_id_fkey FOREIGN KEY (tenant_id, uploader_id) REFERENCES app_users (tenant_id, id)
);
CREATE INDEX ix_files_created ON files (tenant_id, created_at DESC, id DESC);
CREATE INDEX ix_files_unfinished ON files (tenant_id, created_at) WHERE status = 'pending';
SELECT secure_table('files');

GRANT SELECT, INSERT, UPDATE, DELETE ON files TO app_api;
GRANT SELECT, DELETE ON files TO app_worker;
GRANT SELECT ON files TO app_readonly;
