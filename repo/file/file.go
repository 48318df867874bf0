// Package file keeps the records of files; their bytes are in storage. The rules (states, quota, who may be an uploader) are SQL
// functions.
package file

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/nodeid"
	"stackforge/tenant"
)

// Kind names files in global ids.
const Kind = "File"

// Status is where a file stands.
type Status string

// The states of a file.
const (
	Pending  Status = "pending"  // its bytes are on their way
	Ready    Status = "ready"    // it can be downloaded
	Deleting Status = "deleting" // its object is to be deleted; nobody can download it
)

// File is one row of files.
type File struct {
	ID              uuid.UUID  `db:"id"`
	TenantID        uuid.UUID  `db:"tenant_id"`
	UploaderID      *uuid.UUID `db:"uploader_id"` // nil at most while it is pending or being deleted
	Filename        string     `db:"filename"`
	ContentType     string     `db:"content_type"`
	SizeBytes       int64      `db:"size_bytes"` // of a pending one what is set aside for it
	Checksum        *string    `db:"checksum"`   // SHA-256 in hex; of a pending one what it must have, nil for any
	StorageKey      string     `db:"storage_key"`
	Status          Status     `db:"status"`
	UploadExpiresAt *time.Time `db:"expires_at"` // of a direct upload that is not complete: it is given up then
	CreatedAt       time.Time  `db:"created_at"`
	CompletedAt     *time.Time `db:"completed_at"`
}

// NodeID returns the opaque, global id.
func (f File) NodeID() string { return nodeid.Encode(Kind, f.ID.String()) }

// CreateParams is a file whose bytes are to come.
type CreateParams struct {
	UploaderID  *uuid.UUID
	Filename    string
	ContentType string
	SizeBytes   int64          // set aside for it
	OrLess      bool           // the rest of the quota is enough
	Checksum    *string        // that it must have
	Lifetime    *time.Duration // after that it is given up; nil: when the clean-up finds it old
}

// CompleteParams is what is known when the bytes are there. A nil field leaves what the record has.
type CompleteParams struct {
	ID          uuid.UUID
	UploaderID  *uuid.UUID
	ContentType *string
	SizeBytes   int64
	Checksum    string
}

// Usage is what a tenant has stored and may store. A nil limit is none.
type Usage struct {
	Bytes      int64  `db:"bytes_used"` // with what unfinished uploads have set aside
	Files      int64  `db:"files_used"`
	BytesLimit *int64 `db:"bytes_limit"`
	FilesLimit *int64 `db:"files_limit"`
}

const columns = `id, tenant_id, uploader_id, filename, content_type, size_bytes, checksum, storage_key, status, expires_at, created_at,
		       completed_at`

// Repo reads and changes the files of the caller's tenant. Every method is errs.Unauthenticated without a caller in the context;
// files of other tenants do not exist for it.
type Repo struct{ db db.Handle }

// New returns a Repo on the database, or on one open transaction.
func New(h db.Handle) *Repo { return &Repo{db: h} }

// ByIDs returns those of the files that exist, ordered by id.
//
// Index: one probe of files_pkey for each id, in the partition of its month.
func (r *Repo) ByIDs(ctx context.Context, ids []uuid.UUID) ([]File, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	return db.List[File](ctx, db.Read(r.db), `
		-- name: file.ByIDs
		SELECT `+columns+`
		FROM (SELECT DISTINCT unnest(@ids::uuid[]) AS wanted) AS i
		CROSS JOIN LATERAL (SELECT * FROM files WHERE tenant_id = @tenant AND id = i.wanted OFFSET 0) AS f
		ORDER BY id`,
		pgx.NamedArgs{"tenant": s.TenantID, "ids": ids})
}

// Complete makes a pending file ready. One that is ready with the same checksum is returned as it is. It is errs.NotFound,
// errs.Conflict for other bytes, errs.TooLarge above the quota, or errs.Validation naming uploaderId, sizeBytes or checksum.
func (r *Repo) Complete(ctx context.Context, p CompleteParams) (File, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return File{}, err
	}
	return db.Get[File](ctx, r.db, "file", `
		-- name: file.Complete
		SELECT `+columns+`
		FROM complete_file(@tenant, @id, @uploader, @type, @size, @checksum)`,
		pgx.NamedArgs{"tenant": s.TenantID, "id": p.ID, "uploader": p.UploaderID, "type": p.ContentType, "size": p.SizeBytes, "checksum": p.Checksum})
}

// Create makes the record of an upload that begins. It is errs.Validation naming the field, or errs.TooLarge above the quota.
func (r *Repo) Create(ctx context.Context, p CreateParams) (File, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return File{}, err
	}
	return db.Get[File](ctx, r.db, "file", `
		-- name: file.Create
		SELECT `+columns+`
		FROM create_file(@tenant, @uploader, @filename, @type, @size, @checksum, @lifetime, @orLess)`,
		pgx.NamedArgs{
			"tenant": s.TenantID, "uploader": p.UploaderID, "filename": p.Filename, "type": p.ContentType, "size": p.SizeBytes,
			"checksum": p.Checksum, "lifetime": p.Lifetime, "orLess": p.OrLess,
		})
}

// Get returns one file. It is errs.NotFound when there is none.
func (r *Repo) Get(ctx context.Context, id uuid.UUID) (File, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return File{}, err
	}
	return db.Get[File](ctx, db.Read(r.db), "file", `
		-- name: file.Get
		SELECT `+columns+`
		FROM files
		WHERE tenant_id = @tenant AND id = @id`,
		pgx.NamedArgs{"tenant": s.TenantID, "id": id})
}

// MarkDeleted ends the downloads of a file, so that its object can be deleted. It is errs.NotFound when there is none.
func (r *Repo) MarkDeleted(ctx context.Context, id uuid.UUID) (File, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return File{}, err
	}
	return db.Get[File](ctx, r.db, "file", `
		-- name: file.MarkDeleted
		SELECT `+columns+`
		FROM mark_file_deleted(@tenant, @id)`,
		pgx.NamedArgs{"tenant": s.TenantID, "id": id})
}

// ClaimUpload begins to look at the bytes of a direct upload: nobody else may complete it until ReleaseUpload, or for ten minutes.
// A file that is ready is returned as it is. It is errs.NotFound, or errs.Conflict when it is no direct upload, has expired, or
// is claimed.
func (r *Repo) ClaimUpload(ctx context.Context, id uuid.UUID) (File, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return File{}, err
	}
	return db.Get[File](ctx, r.db, "file", `
		-- name: file.ClaimUpload
		SELECT `+columns+`
		FROM claim_file_upload(@tenant, @id)`,
		pgx.NamedArgs{"tenant": s.TenantID, "id": id})
}

// ReleaseUpload lets others complete the upload.
func (r *Repo) ReleaseUpload(ctx context.Context, id uuid.UUID) error {
	s, err := tenant.From(ctx)
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, r.db, `
		-- name: file.ReleaseUpload
		UPDATE files
		SET claimed_at = NULL
		WHERE tenant_id = @tenant AND id = @id AND status = 'pending'`,
		pgx.NamedArgs{"tenant": s.TenantID, "id": id})
	return err
}

// Remove forgets a file that is marked as deleted and whose object is gone.
func (r *Repo) Remove(ctx context.Context, id uuid.UUID) error {
	s, err := tenant.From(ctx)
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, r.db, `
		-- name: file.Remove
		DELETE FROM files
		WHERE tenant_id = @tenant AND id = @id AND status = 'deleting'`,
		pgx.NamedArgs{"tenant": s.TenantID, "id": id})
	return err
}

// Usage returns what the tenant has stored.
func (r *Repo) Usage(ctx context.Context) (Usage, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Usage{}, err
	}
	return db.Get[Usage](ctx, db.Read(r.db), "usage", `
		-- name: file.Usage
		SELECT bytes_used, files_used, bytes_limit, files_limit
		FROM tenant_storage_usage(@tenant)`,
		pgx.NamedArgs{"tenant": s.TenantID})
}
