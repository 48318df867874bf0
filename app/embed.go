// Package app holds the operations in which the outside world takes part: mail servers and embedding providers. Rows are
// read and written in short statements before and after; no transaction is open while somebody else is waited for.
package app

import (
	"context"

	"github.com/google/uuid"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/tenant"
)

// Dimensions is the length of every vector.
const Dimensions = 1536

// provider makes vectors of texts: Local or OpenAI.
type provider interface {
	// Embed returns one vector of Dimensions numbers for each text, in their order.
	Embed(ctx context.Context, texts []string) ([][]float32, error)
	// Model names what makes the vectors. Vectors of two models cannot be compared.
	Model() string
}

// Embedder makes the vectors of documents and of queries with one provider.
type Embedder struct {
	db       db.Handle
	provider provider
}

// NewEmbedder returns an Embedder. The handle acts as app_worker to store vectors of documents; Texts needs none.
func NewEmbedder(h db.Handle, p provider) *Embedder { return &Embedder{db: h, provider: p} }

// Embedded is a document's vector that was stored.
type Embedded struct {
	Model   string `json:"model"`
	Version int    `json:"version"` // of the document
}

// Document makes and stores the vector of a document of the context's tenant. When the document changes meanwhile it is
// read once more. It is errs.NotFound when there is no such document, errs.Unavailable when it keeps changing, and
// whatever the provider returns.
func (e *Embedder) Document(ctx context.Context, id uuid.UUID) (Embedded, error) {
	scope, err := tenant.From(ctx)
	if err != nil {
		return Embedded{}, err
	}
	for range 2 {
		d, err := e.read(ctx, scope.TenantID, id)
		if err != nil {
			return Embedded{}, err
		}
		vectors, err := e.provider.Embed(ctx, []string{DocumentText(d.Title, d.Body)})
		if err != nil {
			return Embedded{}, err
		}
		stored, err := db.Get[bool](ctx, e.db, "document", `
			-- name: app.StoreEmbedding
			SELECT set_document_embedding($1, $2, $3::real[], $4, $5)`,
			scope.TenantID, id, vectors[0], e.provider.Model(), d.Version)
		if err != nil || stored {
			return Embedded{Model: e.provider.Model(), Version: d.Version}, err
		}
	}
	return Embedded{}, errs.New(errs.Unavailable, "The document keeps changing; try again.")
}

// Model names what makes the vectors.
func (e *Embedder) Model() string { return e.provider.Model() }

// Texts returns the vectors of texts, in their order.
func (e *Embedder) Texts(ctx context.Context, texts []string) ([][]float32, error) {
	return e.provider.Embed(ctx, texts)
}

// DocumentText is the text of which a document's vector is made. Its first line is the title.
func DocumentText(title, body string) string { return title + "\n\n" + body }

type text struct {
	Title   string `db:"title"`
	Body    string `db:"body"`
	Version int    `db:"version"`
}

func (e *Embedder) read(ctx context.Context, tenantID, id uuid.UUID) (text, error) {
	return db.Get[text](ctx, db.Read(e.db), "document", `
		-- name: app.DocumentText
		SELECT title, body, version
		FROM documents
		WHERE tenant_id = $1
		  AND id = $2`,
		tenantID, id)
}
