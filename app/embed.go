// Package app holds the operations in which the outside world takes part: mail servers and embedding providers. Rows are
// read and written in short statements before and after; no transaction is open while somebody else is waited for.
package app

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/repo/embedding"
)

// Dimensions is the length of every vector.
const Dimensions = embedding.Dimensions

// Provider makes vectors of texts: Local or OpenAI.
type Provider interface {
	// Embed returns one vector of Dimensions numbers for each text, in their order.
	Embed(ctx context.Context, texts []string) ([][]float32, error)
	// Model names what makes the vectors. Vectors of two models cannot be compared.
	Model() string
}

// Embedder makes the vectors of documents and of queries.
type Embedder struct {
	repo     *embedding.Repo
	provider Provider
	former   []Provider
}

// NewEmbedder returns an Embedder that makes vectors with p. Former providers make vectors of queries alone, for documents
// whose vectors are not made anew yet; Local always can. The handle acts as app_worker to store vectors of documents.
func NewEmbedder(h db.Handle, p Provider, former ...Provider) *Embedder {
	return &Embedder{repo: embedding.New(h), provider: p, former: append(former, Local{})}
}

// Embedded is a document's vector that was stored.
type Embedded struct {
	Model   string `json:"model"`
	Version int    `json:"version"` // of the document
}

// Document makes and stores the vector of a document of the context's tenant. When the document changes meanwhile it is
// read once more. It is errs.NotFound when there is no such document, errs.Unavailable when it keeps changing, and
// whatever the provider returns.
func (e *Embedder) Document(ctx context.Context, id uuid.UUID) (Embedded, error) {
	for range 2 {
		d, err := e.repo.Text(ctx, id)
		if err != nil {
			return Embedded{}, err
		}
		vectors, err := e.provider.Embed(ctx, []string{DocumentText(d.Title, d.Body)})
		if err != nil {
			return Embedded{}, err
		}
		stored, err := e.repo.Store(ctx, e.Model(), []embedding.Vector{{ID: id, Version: d.Version, Numbers: vectors[0]}})
		if err != nil || stored == 1 {
			return Embedded{Model: e.Model(), Version: d.Version}, err
		}
	}
	return Embedded{}, errs.New(errs.Unavailable, "The document keeps changing; try again.")
}

// Model names what makes the vectors.
func (e *Embedder) Model() string { return e.provider.Model() }

// Texts returns the vectors of texts by the present model, in their order.
func (e *Embedder) Texts(ctx context.Context, texts []string) ([][]float32, error) {
	return e.provider.Embed(ctx, texts)
}

// Query returns the vectors of a text by each model of which the context's tenant has vectors, the present model first, so that
// a change of model leaves no gap. There is at least one vector: that of the present model when the tenant has none.
// A former model that does not answer is left out as long as another one does; otherwise the error is the provider's.
func (e *Embedder) Query(ctx context.Context, text string) (embedding.Query, error) {
	models, err := e.repo.Models(ctx)
	if err != nil {
		return embedding.Query{}, err
	}
	return e.query(ctx, text, models, embedding.Query{})
}

// query adds to q the vectors of a text by those of the models that it has not.
func (e *Embedder) query(ctx context.Context, text string, models []string, q embedding.Query) (embedding.Query, error) {
	var failed error
	for i, p := range append([]Provider{e.provider}, e.former...) {
		if slices.Contains(q.Models, p.Model()) || !slices.Contains(models, p.Model()) {
			continue
		}
		v, err := p.Embed(ctx, []string{text})
		switch {
		case err == nil:
			q.Models, q.Vectors = append(q.Models, p.Model()), append(q.Vectors, v[0])
		case i == 0:
			return q, err
		default:
			failed = err
		}
	}
	if len(q.Models) > 0 || failed != nil {
		return q, failedUnless(len(q.Models) > 0, failed)
	}
	v, err := e.provider.Embed(ctx, []string{text})
	if err != nil {
		return q, err
	}
	return embedding.Query{Models: []string{e.Model()}, Vectors: v}, nil
}

func failedUnless(ok bool, err error) error {
	if ok {
		return nil
	}
	return err
}

// SimilarParams says what documents shall be similar to: exactly one of DocumentID, Vector and Text.
type SimilarParams struct {
	DocumentID *uuid.UUID
	Vector     []float32 // of the present model
	Text       *string   // at most MaxText bytes
	Filter     embedding.Filter
	First      int
}

// MaxText is the longest text to find similar documents by, in bytes.
const MaxText = 100_000

// Similar returns the documents most similar to a document (without it), to a vector or to a text. It is errs.Validation naming
// the field, errs.NotFound when there is no such document, errs.Conflict when it has no vector, and what the provider returns.
func (e *Embedder) Similar(ctx context.Context, p SimilarParams) ([]embedding.Hit, error) {
	given := 0
	for _, is := range []bool{p.DocumentID != nil, p.Vector != nil, p.Text != nil} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return nil, errs.Field("documentId", "Give exactly one of documentId, vector and text.")
	case p.Vector != nil:
		if err := embedding.Check(p.Vector); err != nil {
			return nil, err
		}
	case p.Text != nil && (len(*p.Text) > MaxText || strings.TrimSpace(*p.Text) == ""):
		return nil, errs.Field("text", "This must have 1 to 100,000 bytes and not be blank.")
	}
	q, err := e.similarTo(ctx, p)
	if err != nil {
		return nil, err
	}
	return e.repo.Similar(ctx, q, p.Filter, p.DocumentID, p.First)
}

func (e *Embedder) similarTo(ctx context.Context, p SimilarParams) (embedding.Query, error) {
	if p.Text != nil {
		return e.Query(ctx, *p.Text)
	}
	models, err := e.repo.Models(ctx)
	if err != nil {
		return embedding.Query{}, err
	}
	if p.Vector != nil {
		q := embedding.Query{Vectors: [][]float32{p.Vector}}
		if len(models) > 1 && slices.Contains(models, e.Model()) {
			q.Models = []string{e.Model()}
		}
		return q, nil
	}
	d, err := e.repo.Get(ctx, *p.DocumentID)
	if err != nil || len(models) < 2 || d.Model == nil {
		return embedding.Query{Vectors: [][]float32{d.Numbers}}, err
	}
	return e.query(ctx, DocumentText(d.Title, d.Body), models, embedding.Query{Models: []string{*d.Model}, Vectors: [][]float32{d.Numbers}})
}

// DocumentText is the text of which a document's vector is made. Its first line is the title.
func DocumentText(title, body string) string { return title + "\n\n" + body }
