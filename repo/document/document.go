// Package document creates, reads, changes, deletes and lists documents. The rules are in the SQL functions it calls.
package document

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/tenant"
)

// Document is a text with a title, and what it can be found by.
type Document struct {
	ID             uuid.UUID       `db:"id"`
	TenantID       uuid.UUID       `db:"tenant_id"`
	AuthorID       uuid.UUID       `db:"author_id"`
	ExternalID     *string         `db:"external_id"`
	Title          string          `db:"title"`
	Body           string          `db:"body"`
	Language       string          `db:"language"`
	Metadata       json.RawMessage `db:"metadata"` // an object of strings
	Path           *string         `db:"path"`
	TagIDs         []int32         `db:"tag_ids"`
	Longitude      *float64        `db:"longitude"`
	Latitude       *float64        `db:"latitude"`
	EmbeddingModel *string         `db:"embedding_model"`
	Version        int             `db:"version"`
	CreatedAt      time.Time       `db:"created_at"`
	UpdatedAt      time.Time       `db:"updated_at"`
}

// Author is the user who wrote a document.
type Author struct {
	ID        uuid.UUID `db:"author_id"`
	TenantID  uuid.UUID `db:"tenant_id"`
	Email     string    `db:"author_email"`
	CreatedAt time.Time `db:"author_created_at"`
}

const columns = `d.id, d.tenant_id, d.author_id, d.external_id, d.title, d.body, d.language, hstore_to_json(d.metadata) AS metadata,
		d.path_text AS path, d.tag_ids, d.longitude, d.latitude, d.embedding_model, d.version, d.created_at, d.updated_at`

// ScanRow reads the columns in their order; db.List and db.Get use it. The conversions spare pgx a look for the interfaces
// of uuid.UUID and a check of JSON that PostgreSQL has just written.
func (d *Document) ScanRow(row pgx.Rows) error {
	return row.Scan((*[16]byte)(&d.ID), (*[16]byte)(&d.TenantID), (*[16]byte)(&d.AuthorID), &d.ExternalID, &d.Title, &d.Body,
		&d.Language, (*[]byte)(&d.Metadata), &d.Path,
		&d.TagIDs, &d.Longitude, &d.Latitude, &d.EmbeddingModel, &d.Version, &d.CreatedAt, &d.UpdatedAt)
}

// withAuthor is a document and the user who wrote it.
type withAuthor struct {
	Document
	author Author
}

// ScanRow reads the document's columns, then email and time of the author.
func (d *withAuthor) ScanRow(row pgx.Rows) error {
	err := row.Scan((*[16]byte)(&d.ID), (*[16]byte)(&d.TenantID), (*[16]byte)(&d.AuthorID), &d.ExternalID, &d.Title, &d.Body,
		&d.Language, (*[]byte)(&d.Metadata), &d.Path,
		&d.TagIDs, &d.Longitude, &d.Latitude, &d.EmbeddingModel, &d.Version, &d.CreatedAt, &d.UpdatedAt,
		&d.author.Email, &d.author.CreatedAt)
	d.author.ID, d.author.TenantID = d.AuthorID, d.TenantID
	return err
}

// returned are the columns of a document that a function returns.
const returned = `(r.document).id, (r.document).tenant_id, (r.document).author_id, (r.document).external_id, (r.document).title,
		(r.document).body, (r.document).language, hstore_to_json((r.document).metadata) AS metadata, (r.document).path_text AS path,
		(r.document).tag_ids, (r.document).longitude, (r.document).latitude, (r.document).embedding_model, (r.document).version,
		(r.document).created_at, (r.document).updated_at`

// Input are the fields of a new document or of a change, by their names in the API. On a change an absent field keeps
// its value and a nil clears it.
type Input map[string]any

// Repo reads and changes documents of the context's tenant.
type Repo struct{ db db.Handle }

// New returns a Repo on the database, or on one open transaction.
func New(h db.Handle) *Repo { return &Repo{db: h} }

// Get returns a document and its author in one round trip. It is NotFound when the tenant has none with this id.
//
// Index: documents_pkey, then app_users_pkey; see docs/queries/document.Get.md.
func (r *Repo) Get(ctx context.Context, id uuid.UUID) (Document, Author, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Document{}, Author{}, err
	}
	d, err := db.Get[withAuthor](ctx, db.Read(r.db), "document", `
		-- name: document.Get
		SELECT `+columns+`, u.email::text AS author_email, u.created_at AS author_created_at
		FROM documents d
		JOIN app_users u ON u.tenant_id = d.tenant_id AND u.id = d.author_id
		WHERE d.tenant_id = $1 AND d.id = $2`, s.TenantID, id)
	return d.Document, d.author, err
}

// ByIDs returns the documents with these ids, in no order; missing ones are left out.
//
// Index: one probe of documents_pkey for each id. With id = ANY a plan for the average tenant would read all documents
// of a large one; see docs/queries/document.ByIDs.md.
func (r *Repo) ByIDs(ctx context.Context, ids []uuid.UUID) ([]Document, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	return db.List[Document](ctx, db.Read(r.db), `
		-- name: document.ByIDs
		SELECT `+columns+`
		FROM (SELECT DISTINCT unnest($2::uuid[]) AS id) AS i
		CROSS JOIN LATERAL (SELECT * FROM documents WHERE tenant_id = $1 AND id = i.id OFFSET 0) AS d
		ORDER BY d.id`, s.TenantID, ids)
}

// Create creates a document. It is Validation naming the fields, or Conflict when the tenant has the externalId.
func (r *Repo) Create(ctx context.Context, in Input) (Document, error) {
	list, err := r.create(ctx, []Input{in}, false)
	if err != nil {
		return Document{}, err
	}
	return list[0].Document, nil
}

// maxBulk bounds the rows of one bulk call.
const maxBulk = 1000

// Outcome is what became of one row of CreateMany: a document, or errors.
type Outcome struct {
	Document *Document
	Errors   errs.List
}

// CreateMany creates up to 1,000 documents. With skip a row that is not valid is reported and left out; without, nothing is
// created and the error names documents[n].field.
func (r *Repo) CreateMany(ctx context.Context, in []Input, skip bool) ([]Outcome, error) {
	if len(in) < 1 || len(in) > maxBulk {
		return nil, errs.Field("documents", "Give 1 to "+strconv.Itoa(maxBulk)+" documents.")
	}
	rows, err := r.create(ctx, in, skip)
	if err != nil {
		return nil, inList(err, len(in))
	}
	out := make([]Outcome, len(rows))
	for i, row := range rows {
		if len(row.Errors) == 0 {
			out[i].Document = &rows[i].Document
			continue
		}
		for _, e := range row.Errors {
			out[i].Errors = append(out[i].Errors, &errs.Error{Code: e.Code, Field: e.Field, Message: e.Message})
		}
	}
	return out, nil
}

// inList names the fields of a list of one by their place in it. create_documents, which also makes single documents, does so
// for longer lists only.
func inList(err error, rows int) error {
	if rows > 1 {
		return err
	}
	var list errs.List
	var one *errs.Error
	switch {
	case errors.As(err, &list):
	case errors.As(err, &one):
		list = errs.List{one}
	}
	for _, e := range list {
		if e.Field != "" {
			e.Field = "documents[0]." + e.Field
		}
	}
	return err
}

type inputError struct {
	Code    errs.Code `json:"code"`
	Field   string    `json:"field"`
	Message string    `json:"message"`
}

type created struct {
	Document
	Errors []inputError
}

func (r *Repo) create(ctx context.Context, in []Input, skip bool) ([]created, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	input, err := json.Marshal(in)
	if err != nil {
		return nil, errs.Field("input", "This cannot be written as JSON.")
	}
	// A row that was left out has a null document, so every column is optional here.
	type row struct {
		ID             *uuid.UUID      `db:"id"`
		TenantID       *uuid.UUID      `db:"tenant_id"`
		AuthorID       *uuid.UUID      `db:"author_id"`
		ExternalID     *string         `db:"external_id"`
		Title          *string         `db:"title"`
		Body           *string         `db:"body"`
		Language       *string         `db:"language"`
		Metadata       json.RawMessage `db:"metadata"`
		Path           *string         `db:"path"`
		TagIDs         []int32         `db:"tag_ids"`
		Longitude      *float64        `db:"longitude"`
		Latitude       *float64        `db:"latitude"`
		EmbeddingModel *string         `db:"embedding_model"`
		Version        *int            `db:"version"`
		CreatedAt      *time.Time      `db:"created_at"`
		UpdatedAt      *time.Time      `db:"updated_at"`
		Errors         json.RawMessage `db:"errors"`
	}
	rows, err := db.List[row](ctx, r.db, `
		-- name: document.Create
		SELECT `+returned+`, r.errors
		FROM create_documents(@tenant, @input, @skip) r
		ORDER BY r.ord`,
		pgx.NamedArgs{"tenant": s.TenantID, "input": json.RawMessage(input), "skip": skip})
	if err != nil {
		return nil, err
	}
	out := make([]created, len(rows))
	for i, x := range rows {
		if x.ID == nil {
			if err := json.Unmarshal(x.Errors, &out[i].Errors); err != nil {
				return nil, errs.Wrap(errs.Internal, err, "Something went wrong on our side.")
			}
			continue
		}
		out[i].Document = Document{
			ID: *x.ID, TenantID: *x.TenantID, AuthorID: *x.AuthorID, ExternalID: x.ExternalID, Title: *x.Title, Body: *x.Body,
			Language: *x.Language, Metadata: x.Metadata, Path: x.Path, TagIDs: x.TagIDs, Longitude: x.Longitude, Latitude: x.Latitude,
			EmbeddingModel: x.EmbeddingModel, Version: *x.Version, CreatedAt: *x.CreatedAt, UpdatedAt: *x.UpdatedAt,
		}
	}
	return out, nil
}

// Update changes a document: absent fields keep, nil clears. It is NotFound, Validation naming the fields, or Conflict when
// the document is not at the expected version (nil expects none).
func (r *Repo) Update(ctx context.Context, id uuid.UUID, in Input, expectedVersion *int) (Document, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Document{}, err
	}
	input, err := json.Marshal(in)
	if err != nil {
		return Document{}, errs.Field("input", "This cannot be written as JSON.")
	}
	return db.Get[Document](ctx, r.db, "document", `
		-- name: document.Update
		SELECT `+columns+`
		FROM patch_document(@tenant, @id, @input, @version) d`,
		pgx.NamedArgs{"tenant": s.TenantID, "id": id, "input": json.RawMessage(input), "version": expectedVersion})
}

// Delete deletes a document. It is NotFound when the tenant has none with this id.
func (r *Repo) Delete(ctx context.Context, id uuid.UUID) error {
	s, err := tenant.From(ctx)
	if err != nil {
		return err
	}
	type row struct {
		Deleted bool `db:"deleted"`
	}
	d, err := db.Get[row](ctx, r.db, "document", `
		-- name: document.Delete
		SELECT delete_document(@id, @tenant) AS deleted`, pgx.NamedArgs{"tenant": s.TenantID, "id": id})
	if err == nil && !d.Deleted {
		return errs.New(errs.NotFound, "There is no such document.")
	}
	return err
}
