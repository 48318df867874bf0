-- Encrypted job payloads, and idempotency keys. The index locks jobs against writes while it is built: seconds for a million.
-- To undo by hand: drop index ix_jobs_encrypted; drop table core.idempotency_keys.

-- What is to be encrypted anew when the key changes, in the order of ids. It costs jobs in the clear nothing.
CREATE INDEX ix_jobs_encrypted ON jobs (id) WHERE payload_encrypted IS NOT NULL;

-- What was done under an idempotency key, and its answer. The row is written in the transaction of the effect, so that
-- there is neither one without the other. Reached through functions only: an answer may hold what its caller may not read.
CREATE TABLE core.idempotency_keys (
    tenant_id uuid NOT NULL,
    key text NOT NULL CONSTRAINT idempotency_keys_key_check CHECK (key ~ '^[!-~]{1,255}$'),
    request_hash bytea NOT NULL CONSTRAINT idempotency_keys_request_hash_check CHECK (octet_length(request_hash) = 32),
    response bytea, -- null: it had a secret in it, or was too long to keep
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX ix_idempotency_keys_created ON core.idempotency_keys (created_at);
SELECT secure_table('core.idempotency_keys');
