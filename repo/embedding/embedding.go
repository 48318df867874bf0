// Package embedding reads the texts that vectors are made of, stores vectors, and finds documents by them.
package embedding

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/tenant"
)

// Dimensions is the length of every vector.
const Dimensions = 1536

// Repo reads and stores vectors of the context's tenant.
type Repo struct{ db db.Handle }

// New returns a Repo on the database, or on one open transaction. To store, the handle acts as app_worker.
func New(h db.Handle) *Repo { return &Repo{db: h} }

// Text is what a document's vector is made of.
type Text struct {
	ID      uuid.UUID `db:"id"`
	Title   string    `db:"title"`
	Body    string    `db:"body"`
	Version int       `db:"version"`
}

// Text returns the text of a document. It is NotFound when the tenant has no such document.
func (r *Repo) Text(ctx context.Context, id uuid.UUID) (Text, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Text{}, err
	}
	return db.Get[Text](ctx, db.Read(r.db), "document", `
		-- name: embedding.Text
		SELECT id, title, body, version
		FROM documents
		WHERE tenant_id = $1
		  AND id = $2`, s.TenantID, id)
}

// Missing returns the first n texts without a vector whose ids come after one, in the order of ids.
//
// Index: ix_documents_unembedded.
func (r *Repo) Missing(ctx context.Context, after uuid.UUID, n int) ([]Text, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	return db.List[Text](ctx, db.Read(r.db), `
		-- name: embedding.Missing
		SELECT id, title, body, version
		FROM documents
		WHERE tenant_id = $1
		  AND embedding IS NULL
		  AND id > $2
		ORDER BY id
		LIMIT $3`, s.TenantID, after, n)
}

// OfModel returns the first n texts with a vector of a model whose ids come after one, in the order of ids. Model "" is
// that of vectors of which nobody knows what made them.
//
// Index: ix_documents_embedded.
func (r *Repo) OfModel(ctx context.Context, model string, after uuid.UUID, n int) ([]Text, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	if model == "" {
		return db.List[Text](ctx, db.Read(r.db), `
		-- name: embedding.OfNoModel
		SELECT id, title, body, version
		FROM documents
		WHERE tenant_id = $1
		  AND embedding IS NOT NULL
		  AND embedding_model IS NULL
		  AND id > $2
		ORDER BY id
		LIMIT $3`, s.TenantID, after, n)
	}
	return db.List[Text](ctx, db.Read(r.db), `
		-- name: embedding.OfModel
		SELECT id, title, body, version
		FROM documents
		WHERE tenant_id = $1
		  AND embedding IS NOT NULL
		  AND embedding_model = $2
		  AND id > $3
		ORDER BY id
		LIMIT $4`, s.TenantID, model, after, n)
}

// Models returns the models that made the tenant's vectors; "" stands for vectors of which nobody knows what made them.
//
// Index: ix_documents_embedded, one probe for each model.
func (r *Repo) Models(ctx context.Context) ([]string, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return nil, err
	}
	type row struct {
		Model string `db:"model"`
	}
	rows, err := db.List[row](ctx, db.Read(r.db), `
		-- name: embedding.Models
		SELECT coalesce(model, '') AS model
		FROM embedding_models($1)
		ORDER BY 1`, s.TenantID)
	out := make([]string, len(rows))
	for i := range rows {
		out[i] = rows[i].Model
	}
	return out, err
}

// Counts are numbers of documents.
type Counts struct {
	Missing int `db:"missing"` // without a vector
	Changed int `db:"changed"` // with a vector of another model
}

// Count returns how many vectors the tenant lacks and how many another model made.
//
// Index: ix_documents_unembedded, ix_documents_embedded.
func (r *Repo) Count(ctx context.Context, model string) (Counts, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Counts{}, err
	}
	return db.Get[Counts](ctx, db.Read(r.db), "count", `
		-- name: embedding.Count
		SELECT (SELECT count(*) FROM documents WHERE tenant_id = $1 AND embedding IS NULL) AS missing,
		       (SELECT count(*) FROM documents
		        WHERE tenant_id = $1 AND embedding IS NOT NULL AND embedding_model IS DISTINCT FROM $2) AS changed`, s.TenantID, model)
}

// Vector is the vector of one version of a document's text.
type Vector struct {
	ID      uuid.UUID
	Version int
	Numbers []float32
}

// Store stores vectors that a model made and returns how many; the others belong to documents that are gone or have another
// text by now. It is Validation naming embeddings[n] for what is no vector; then none is stored.
func (r *Repo) Store(ctx context.Context, model string, vectors []Vector) (int, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return 0, err
	}
	ids, versions := make([]uuid.UUID, len(vectors)), make([]int, len(vectors))
	numbers := make([]float32, 0, Dimensions*len(vectors))
	for i, v := range vectors {
		ids[i], versions[i] = v.ID, v.Version
		numbers = append(numbers, v.Numbers...)
	}
	type row struct {
		Stored int `db:"stored"`
	}
	n, err := db.Get[row](ctx, r.db, "document", `
		-- name: embedding.Store
		SELECT count(*) AS stored
		FROM set_document_embeddings($1, $2, $3, $4, $5)`, s.TenantID, ids, numbers, model, versions)
	return n.Stored, err
}

// Stored is a document's vector and the model that made it.
type Stored struct {
	Text
	Model   *string   `db:"embedding_model"`
	Numbers []float32 `db:"embedding"`
}

// Get returns the vector of a document with its text. It is NotFound when the tenant has no such document, and Conflict when it
// has no vector.
func (r *Repo) Get(ctx context.Context, id uuid.UUID) (Stored, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Stored{}, err
	}
	d, err := db.Get[Stored](ctx, db.Read(r.db), "document", `
		-- name: embedding.Get
		SELECT id, title, body, version, embedding_model, embedding::real[] AS embedding
		FROM documents
		WHERE tenant_id = $1
		  AND id = $2`, s.TenantID, id)
	if err == nil && d.Numbers == nil {
		return d, errs.New(errs.Conflict, "The document has no vector yet; a job of type generate_embedding makes one.")
	}
	return d, err
}

// Query is one text as vectors: Vectors[i] is by Models[i]. Without models the one vector is compared with all.
type Query struct {
	Models  []string
	Vectors [][]float32
}

func (q Query) numbers() []float32 { return slices.Concat(q.Vectors...) }
