package seed

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
)

// The rows of this package. A zero CreatedAt with an Age means that long before now.

// Tenant is one of the fixed tenants.
type Tenant struct {
	ID   uuid.UUID
	Name string
}

// User is a user of a tenant.
type User struct {
	TenantID  uuid.UUID `json:"tenant_id"`
	ID        uuid.UUID `json:"id"`
	Email     string    `json:"email"`
	CreatedAt time.Time `json:"created_at"`
}

// Document is a document of a tenant.
type Document struct {
	TenantID  uuid.UUID         `json:"tenant_id"`
	ID        uuid.UUID         `json:"id"`
	AuthorID  uuid.UUID         `json:"author_id"`
	Title     string            `json:"title"`
	Body      string            `json:"body"`
	Language  string            `json:"language"`
	Metadata  map[string]string `json:"metadata"`
	Path      string            `json:"path"`
	TagIDs    []int             `json:"tag_ids"`
	Longitude *float64          `json:"longitude"`
	Latitude  *float64          `json:"latitude"`
	CreatedAt time.Time         `json:"created_at"`
}

// Job is a job of a tenant in whatever status. UniqueKey is what a second run knows it by.
type Job struct {
	TenantID   uuid.UUID      `json:"tenant_id"`
	UniqueKey  string         `json:"unique_key"`
	Type       string         `json:"type"`
	Payload    map[string]any `json:"payload"`
	Status     string         `json:"status"` // pending, running, done, failed
	Reason     *string        `json:"reason"`
	Priority   int            `json:"priority"`
	Attempts   int            `json:"attempts"`
	Progress   *int           `json:"progress"`
	LastError  *string        `json:"last_error"`
	RunAt      time.Time      `json:"run_at"`
	StartedAt  *time.Time     `json:"started_at"`
	FinishedAt *time.Time     `json:"finished_at"`
	CreatedAt  time.Time      `json:"created_at"`
}

// File is a finished upload of a tenant: the record. Its bytes are Content of its name, for who has a store to put them into.
type File struct {
	TenantID    uuid.UUID `json:"tenant_id"`
	ID          uuid.UUID `json:"id"`
	UploaderID  uuid.UUID `json:"uploader_id"`
	Filename    string    `json:"filename"`
	ContentType string    `json:"content_type"`
	SizeBytes   int64     `json:"size_bytes"`
	Checksum    string    `json:"checksum"`
	StorageKey  string    `json:"storage_key"`
	CreatedAt   time.Time `json:"created_at"`
}

// insert sends rows as one JSON list to a statement that adds those that are not there, and returns how many it added.
func insert[T any](ctx context.Context, tx *db.Tx, sql string, rows []T) (int64, error) {
	list, err := json.Marshal(rows)
	if err != nil {
		return 0, err
	}
	return db.Exec(ctx, tx, sql, pgx.NamedArgs{"rows": string(list)})
}

// insertUsers returns the ids of those that were not there.
func insertUsers(ctx context.Context, tx *db.Tx, rows []User) ([]uuid.UUID, error) {
	list, err := json.Marshal(rows)
	if err != nil {
		return nil, err
	}
	return db.List[uuid.UUID](ctx, tx, `
		-- name: seed.Users
		INSERT INTO app_users (tenant_id, id, email, created_at)
		SELECT tenant_id, id, email, created_at
		FROM jsonb_to_recordset(@rows::jsonb) AS r (tenant_id uuid, id uuid, email text, created_at timestamptz)
		ON CONFLICT DO NOTHING
		RETURNING id`, pgx.NamedArgs{"rows": string(list)})
}

func insertDocuments(ctx context.Context, tx *db.Tx, rows []Document) (int64, error) {
	return insert(ctx, tx, `
		-- name: seed.Documents
		INSERT INTO documents (tenant_id, id, author_id, title, body, language, metadata, path, tag_ids, longitude, latitude,
		    created_at, updated_at)
		SELECT tenant_id, id, author_id, title, body, language,
		       coalesce((SELECT hstore(array_agg(m.key ORDER BY m.key), array_agg(m.value ORDER BY m.key))
		           FROM jsonb_each_text(metadata) m), ''),
		       path::ltree, ARRAY(SELECT t.v::int FROM jsonb_array_elements_text(tag_ids) WITH ORDINALITY AS t (v, o) ORDER BY t.o),
		       longitude, latitude, created_at, created_at
		FROM jsonb_to_recordset(@rows::jsonb) AS r (tenant_id uuid, id uuid, author_id uuid, title text, body text, language text,
		    metadata jsonb, path text, tag_ids jsonb, longitude float8, latitude float8, created_at timestamptz)
		ON CONFLICT DO NOTHING`, rows)
}

func insertFiles(ctx context.Context, tx *db.Tx, rows []File) (int64, error) {
	return insert(ctx, tx, `
		-- name: seed.Files
		INSERT INTO files (tenant_id, id, uploader_id, filename, content_type, size_bytes, checksum, storage_key, status, created_at, completed_at)
		SELECT tenant_id, id, uploader_id, filename, content_type, size_bytes, checksum, storage_key, 'ready', created_at, created_at
		FROM jsonb_to_recordset(@rows::jsonb) AS r (tenant_id uuid, id uuid, uploader_id uuid, filename text, content_type text,
		    size_bytes bigint, checksum text, storage_key text, created_at timestamptz)
		ON CONFLICT DO NOTHING`, rows)
}

// insertJobs adds jobs; with check only those whose unique key is not there, in whatever status by now. The check reads
// all jobs of the tenant, so it is for a few.
func insertJobs(ctx context.Context, tx *db.Tx, rows []Job, check bool) (int64, error) {
	list, err := json.Marshal(rows)
	if err != nil {
		return 0, err
	}
	return db.Exec(ctx, tx, `
		-- name: seed.Jobs
		INSERT INTO jobs (tenant_id, unique_key, type, payload, status, reason, priority, attempts, progress, last_error, lease_id,
		    run_at, started_at, finished_at, created_at, updated_at)
		SELECT r.tenant_id, r.unique_key, r.type, r.payload, r.status, r.reason, r.priority, r.attempts, r.progress, r.last_error,
		       CASE WHEN r.status = 'running' THEN nextval('job_lease_seq') END,
		       r.run_at, r.started_at, r.finished_at, r.created_at, coalesce(r.finished_at, r.started_at, r.created_at)
		FROM ROWS FROM (jsonb_to_recordset(@rows::jsonb) AS (tenant_id uuid, unique_key text, type text, payload jsonb,
		    status text, reason text, priority int, attempts int, progress int, last_error text, run_at timestamptz,
		    started_at timestamptz, finished_at timestamptz, created_at timestamptz)) WITH ORDINALITY AS r
		WHERE NOT @check::boolean OR NOT EXISTS (
		    SELECT FROM jobs j
		    WHERE j.tenant_id = r.tenant_id AND j.unique_key = r.unique_key)
		ORDER BY r.ordinality`, pgx.NamedArgs{"rows": string(list), "check": check})
}

// encryptJobs encrypts the payloads of three fixed jobs, in the transaction that adds them: of one beside the payload, of the
// others in its place. One of those is a job to come, which a worker can decrypt.
func encryptJobs(ctx context.Context, tx *db.Tx, encrypt func(tenantID uuid.UUID, job int64, payload []byte) (string, error)) error {
	type row struct {
		ID        int64           `db:"id"`
		TenantID  uuid.UUID       `db:"tenant_id"`
		UniqueKey string          `db:"unique_key"`
		Payload   json.RawMessage `db:"payload"`
	}
	list, err := db.List[row](ctx, tx, `
		-- name: seed.Plaintexts
		SELECT id, tenant_id, unique_key, payload
		FROM jobs
		WHERE tenant_id = ANY (@tenants)
		  AND unique_key = ANY (ARRAY['seed:7', 'seed:13', 'seed:14'])
		  AND payload_encrypted IS NULL
		ORDER BY id`, pgx.NamedArgs{"tenants": []uuid.UUID{id(1), id(2)}})
	if err != nil {
		return err
	}
	for _, j := range list {
		text, err := encrypt(j.TenantID, j.ID, j.Payload)
		if err != nil {
			return err
		}
		if _, err := db.Exec(ctx, tx, `
			-- name: seed.Encrypt
			UPDATE jobs
			SET payload_encrypted = @text,
			    payload = CASE WHEN @redact THEN '{}' ELSE payload END
			WHERE tenant_id = @tenant
			  AND id = @id`, pgx.NamedArgs{"tenant": j.TenantID, "id": j.ID, "text": text, "redact": j.UniqueKey != "seed:7"}); err != nil {
			return err
		}
	}
	return nil
}

// insertMessages sends messages to a queue that is not there yet.
func insertMessages(ctx context.Context, tx *db.Tx, tenantID uuid.UUID, queue string, payloads []map[string]any) (int64, error) {
	list := make([]map[string]any, len(payloads))
	for i, p := range payloads {
		list[i] = map[string]any{"payload": p}
	}
	text, err := json.Marshal(list)
	if err != nil {
		return 0, err
	}
	return db.Exec(ctx, tx, `
		-- name: seed.Messages
		SELECT s.message_id
		FROM (SELECT FROM message_queues WHERE tenant_id = @tenant AND name = @queue HAVING count(*) = 0) AS absent,
		     LATERAL send_messages(@tenant, @queue, @messages::jsonb) AS s`,
		pgx.NamedArgs{"tenant": tenantID, "queue": queue, "messages": string(text)})
}
