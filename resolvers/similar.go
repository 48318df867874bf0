package resolvers

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"stackforge/app"
	"stackforge/errs"
	"stackforge/graph/model"
	"stackforge/repo/embedding"
	"stackforge/scalar"
)

func (r *queryRoot) SimilarDocuments(ctx context.Context, id *string, vector []float64, text *string, first int, filter *model.SimilarFilter) ([]model.SimilarDocument, error) {
	p := app.SimilarParams{Text: text, First: first}
	if id != nil {
		key, err := documentID(*id)
		if err != nil {
			return nil, errs.Field("documentId", "This is neither a uuid nor a hashid of a document.")
		}
		p.DocumentID = &key
	}
	if vector != nil {
		p.Vector = make([]float32, len(vector))
		for i, x := range vector {
			p.Vector[i] = float32(x)
		}
	}
	var err error
	if p.Filter, err = similarFilter(filter); err != nil {
		return nil, err
	}
	hits, err := r.Similar.Similar(ctx, p)
	if err != nil || len(hits) == 0 {
		return []model.SimilarDocument{}, err
	}
	return r.similar(ctx, hits)
}

// similar fetches the documents of hits in one statement.
func (r *queryRoot) similar(ctx context.Context, hits []embedding.Hit) ([]model.SimilarDocument, error) {
	ids := make([]uuid.UUID, len(hits))
	for i := range hits {
		ids[i] = hits[i].ID
	}
	list, err := r.Deps.Documents.ByIDs(ctx, ids)
	if err != nil {
		return nil, err
	}
	docs, err := r.shape(ctx, list)
	byID := make(map[uuid.UUID]model.Document, len(docs))
	for _, d := range docs {
		byID[d.ID] = d
	}
	out := make([]model.SimilarDocument, 0, len(hits))
	for _, h := range hits {
		if d, ok := byID[h.ID]; ok { // else deleted since it was found
			out = append(out, model.SimilarDocument{Document: d, Similarity: h.Similarity})
		}
	}
	return out, err
}

func similarFilter(f *model.SimilarFilter) (embedding.Filter, error) {
	if f == nil {
		return embedding.Filter{}, nil
	}
	out := embedding.Filter{PathPrefix: f.PathPrefix, TagIDs: f.TagIds, TagMatch: strings.ToLower(string(f.TagMatch)), CreatedAt: f.CreatedAt}
	if string(f.Metadata) != "null" {
		out.Metadata = f.Metadata
	}
	if f.AuthorID == nil {
		return out, nil
	}
	author, err := scalar.ParseUUID(*f.AuthorID)
	if err != nil {
		return out, errs.Field("filter.authorId", "This is not an id.")
	}
	out.AuthorID = &author
	return out, nil
}
