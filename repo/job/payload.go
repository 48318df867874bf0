package job

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/tenant"
)

// Reserved is a job that may be enqueued, and the id it will have; or why it may not.
type Reserved struct {
	ID  int64
	Err *errs.Error // as Outcome has it
}

// Reserve judges jobs by the rules of Enqueue and gives each an id, which goes with it to Enqueue or EnqueueMany as
// EnqueueParams.ID. Nothing is stored: it is for payloads that are encrypted for their id first.
func (r *Repo) Reserve(ctx context.Context, jobs []EnqueueParams) ([]Reserved, error) {
	scope, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	if len(jobs) > MaxBatch {
		return nil, errs.Field("jobs", "At most 1,000 jobs can be enqueued at once.")
	}
	text, err := inputText(jobs)
	if err != nil {
		return nil, err
	}
	type row struct {
		ID      int64  `db:"id"`
		Code    string `db:"code"`
		Field   string `db:"field"`
		Message string `db:"message"`
	}
	rows, err := db.List[row](ctx, r.db, `
		-- name: job.Reserve
		SELECT nextval('jobs_id_seq') AS id,
		       coalesce(e.code, '') AS code,
		       coalesce(e.field, '') AS field,
		       coalesce(e.message, '') AS message
		FROM jsonb_array_elements(@jobs::jsonb) WITH ORDINALITY AS j (job, ord)
		CROSS JOIN LATERAL job_error(@tenant, j.job, coalesce(nullif(j.job -> 'payload', 'null'), '{}')) AS e
		ORDER BY j.ord`,
		pgx.NamedArgs{"tenant": scope.TenantID, "jobs": text})
	out := make([]Reserved, len(rows))
	for i, row := range rows {
		out[i].ID = row.ID
		if row.Code != "" {
			out[i].Err = errs.FromSQL(row.Code, row.Message, bulkField(i, row.Field), nil)
		}
	}
	return out, err
}

// GetEncrypted returns one job with its encrypted payload. It is errs.NotFound when there is none.
func (r *Repo) GetEncrypted(ctx context.Context, id int64) (Job, error) {
	scope, err := tenant.From(ctx)
	if err != nil {
		return Job{}, err
	}
	return db.Get[Job](ctx, db.Read(r.db), "job", `
		-- name: job.GetEncrypted
		SELECT `+columns+`, payload_encrypted
		FROM jobs
		WHERE tenant_id = @tenant
		  AND id = @id`,
		pgx.NamedArgs{"tenant": scope.TenantID, "id": id})
}

// PutEncrypted keeps the encrypted form of a job's payload, in place of it when redact is set. It is errs.NotFound when the job
// has no such payload any more.
func (r *Repo) PutEncrypted(ctx context.Context, id int64, payload json.RawMessage, encrypted string, redact bool) (Job, error) {
	scope, err := tenant.From(ctx)
	if err != nil {
		return Job{}, err
	}
	return db.Get[Job](ctx, r.db, "job", `
		-- name: job.PutEncrypted
		UPDATE jobs
		SET payload_encrypted = @encrypted,
		    payload = CASE WHEN @redact THEN '{}' ELSE payload END,
		    updated_at = clock_timestamp()
		WHERE tenant_id = @tenant
		  AND id = @id
		  AND payload = @payload::jsonb
		RETURNING `+columns,
		pgx.NamedArgs{"tenant": scope.TenantID, "id": id, "payload": string(payload), "encrypted": encrypted, "redact": redact})
}

// EncryptBySodium has pgsodium keep the encrypted form of a job's payload, in place of it when redact is set. It is
// errs.NotFound when there is no such job, errs.NotImplemented where pgsodium is not preloaded.
func (r *Repo) EncryptBySodium(ctx context.Context, id int64, redact bool) (Job, error) {
	scope, err := tenant.From(ctx)
	if err != nil {
		return Job{}, err
	}
	var out Job
	err = r.db.Do(ctx, func(tx *db.Tx) error {
		if _, err := db.Exec(ctx, tx, `
			-- name: job.EncryptBySodium
			SELECT encrypt_job_payload(@id, @tenant)`,
			pgx.NamedArgs{"tenant": scope.TenantID, "id": id}); err != nil {
			return err
		}
		out, err = db.Get[Job](ctx, tx, "job", `
			-- name: job.RedactBySodium
			UPDATE jobs
			SET payload = CASE WHEN @redact THEN '{}' ELSE payload END
			WHERE tenant_id = @tenant
			  AND id = @id
			RETURNING `+columns,
			pgx.NamedArgs{"tenant": scope.TenantID, "id": id, "redact": redact})
		return err
	})
	return out, err
}

// DecryptBySodium returns a payload that pgsodium encrypted for the caller's tenant. It is errs.InvalidPayload when that
// cannot be, errs.NotImplemented where pgsodium is not preloaded.
func (r *Repo) DecryptBySodium(ctx context.Context, encrypted string) (json.RawMessage, error) {
	scope, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	type row struct {
		Payload json.RawMessage `db:"payload"`
	}
	got, err := db.Get[row](ctx, r.db, "payload", `
		-- name: job.DecryptBySodium
		SELECT decrypt_job_payload(@encrypted, @tenant) AS payload`,
		pgx.NamedArgs{"tenant": scope.TenantID, "encrypted": encrypted})
	return got.Payload, err
}

// SodiumID returns the job that an encrypted payload names, as encrypt_job_payload writes it. Older ones name none.
func SodiumID(encrypted string) (int64, bool) {
	parts := strings.Split(encrypted, ":")
	if len(parts) != 3 || parts[0] != "pgsodium" {
		return 0, false
	}
	id, err := strconv.ParseInt(parts[1], 10, 64)
	return id, err == nil
}

// Ciphertext is the encrypted payload of a job.
type Ciphertext struct {
	ID       int64     `db:"id"`
	TenantID uuid.UUID `db:"tenant_id"`
	Text     string    `db:"payload_encrypted"`
}

// Ciphertexts is what changes the key of all tenants' payloads, those of archived jobs too. Its handle must act as the owner.
type Ciphertexts struct{ db db.Handle }

// NewCiphertexts returns Ciphertexts on the owner's database.
func NewCiphertexts(h db.Handle) *Ciphertexts { return &Ciphertexts{db: h} }

// Count returns how many ciphertexts do not begin with prefix.
func (c *Ciphertexts) Count(ctx context.Context, prefix string) (int, error) {
	return db.Get[int](ctx, db.Read(c.db), "count", `
		-- name: job.CountCiphertexts
		SELECT count(*)::int
		FROM (SELECT payload_encrypted FROM jobs UNION ALL SELECT payload_encrypted FROM jobs_archive) AS j
		WHERE payload_encrypted IS NOT NULL
		  AND NOT starts_with(payload_encrypted, @prefix)`,
		pgx.NamedArgs{"prefix": prefix})
}

// Page returns up to n ciphertexts that do not begin with prefix, by id, of jobs behind one.
//
// Index: ix_jobs_encrypted, ix_jobs_archive_encrypted.
func (c *Ciphertexts) Page(ctx context.Context, after int64, prefix string, n int) ([]Ciphertext, error) {
	return db.List[Ciphertext](ctx, db.Read(c.db), `
		-- name: job.PageCiphertexts
		SELECT id, tenant_id, payload_encrypted
		FROM (SELECT id, tenant_id, payload_encrypted FROM jobs UNION ALL
		      SELECT id, tenant_id, payload_encrypted FROM jobs_archive) AS j
		WHERE payload_encrypted IS NOT NULL
		  AND id > @after
		  AND NOT starts_with(payload_encrypted, @prefix)
		ORDER BY id
		LIMIT @n`,
		pgx.NamedArgs{"after": after, "prefix": prefix, "n": n})
}

// Replace puts other ciphertexts in the place of those that are still there, in one statement, and returns how many.
func (c *Ciphertexts) Replace(ctx context.Context, before []Ciphertext, after []string) (int, error) {
	ids, tenants, texts := make([]int64, len(before)), make([]uuid.UUID, len(before)), make([]string, len(before))
	for i, b := range before {
		ids[i], tenants[i], texts[i] = b.ID, b.TenantID, b.Text
	}
	return db.Get[int](ctx, c.db, "count", `
		-- name: job.ReplaceCiphertexts
		SELECT replace_encrypted_payloads(@ids, @tenants, @before, @after)`,
		pgx.NamedArgs{"ids": ids, "tenants": tenants, "before": texts, "after": after})
}
