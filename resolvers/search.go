package resolvers

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/google/uuid"

	"stackforge/errs"
	"stackforge/graph/model"
	"stackforge/query"
	"stackforge/repo/search"
)

func (r *queryRoot) SearchDocuments(ctx context.Context, text *string, mode model.SearchMode, pathPrefix *string, tagIDs []int, tagMatch model.TagMatch, near *model.NearInput, metadata json.RawMessage, language string, first int, after *string) (model.SearchConnection, error) {
	p := search.Params{
		Query: text, Mode: strings.ToLower(string(mode)), PathPrefix: pathPrefix, TagIDs: tagIDs, AllTags: tagMatch == model.TagMatchAll,
		Metadata: metadata, Language: language, First: first, After: after,
	}
	if near != nil {
		p.Near = &search.Near{Longitude: near.Longitude, Latitude: near.Latitude, Radius: near.Radius}
	}
	page, err := r.Search.Search(ctx, p)
	if err != nil {
		return model.SearchConnection{}, inNear(err)
	}
	docs, err := r.hitDocuments(ctx, page.Hits)
	if err != nil {
		return model.SearchConnection{}, err
	}
	c := model.SearchConnection{Params: p, Nodes: []model.SearchHit{}, Edges: []model.SearchEdge{}}
	for _, h := range page.Hits {
		d, ok := docs[h.ID]
		if !ok {
			continue // deleted since it was found
		}
		hit := model.SearchHit{Document: d, Score: float64(h.Rank), Distance: h.Distance}
		c.Nodes = append(c.Nodes, hit)
		c.Edges = append(c.Edges, model.SearchEdge{Node: hit, Cursor: h.Cursor()})
	}
	c.PageInfo = pageInfo(page.Info, c.Edges, func(e model.SearchEdge) string { return e.Cursor })
	return c, nil
}

// inNear names the fields of the circle as the schema does: within near.
func inNear(err error) error {
	var list errs.List
	var one *errs.Error
	switch {
	case errors.As(err, &list):
	case errors.As(err, &one):
		list = errs.List{one}
	}
	for _, e := range list {
		switch e.Field {
		case "longitude", "latitude", "radius":
			e.Field = "near." + e.Field
		}
	}
	return err
}

// hitDocuments fetches the documents of hits in one statement.
func (r *queryRoot) hitDocuments(ctx context.Context, hits []search.Hit) (map[uuid.UUID]model.Document, error) {
	out := make(map[uuid.UUID]model.Document, len(hits))
	if len(hits) == 0 {
		return out, nil
	}
	list, err := r.Deps.Documents.ByIDs(ctx, hitIDs(hits))
	if err != nil {
		return nil, err
	}
	docs, err := r.shape(ctx, list)
	for _, d := range docs {
		out[d.ID] = d
	}
	return out, err
}

func (r *searchConnection) TotalCount(ctx context.Context, obj *model.SearchConnection) (int, error) {
	return r.Search.Count(ctx, obj.Params)
}

// pageInfo shapes what a list knows of its page.
func pageInfo[E any](info query.Info, edges []E, cursor func(E) string) model.PageInfo {
	p := model.PageInfo{HasNextPage: info.HasNext, HasPreviousPage: info.HasPrevious}
	if n := len(edges); n > 0 {
		first, last := cursor(edges[0]), cursor(edges[n-1])
		p.StartCursor, p.EndCursor = &first, &last
	}
	return p
}

// rowErrors shapes the errors of one row of a bulk mutation.
func rowErrors(list errs.List) []model.RowError {
	out := make([]model.RowError, len(list))
	for i, e := range list {
		out[i] = rowError(e)
	}
	return out
}

func rowError(e *errs.Error) model.RowError {
	code := e.Code
	if code == "" {
		code = errs.Validation
	}
	out := model.RowError{Code: model.ErrorCode(code), Message: e.Message}
	if e.Field != "" {
		out.Field = &e.Field
	}
	return out
}

func or[T any](v *T, fallback T) T {
	if v == nil {
		return fallback
	}
	return *v
}

func hitIDs(hits []search.Hit) []uuid.UUID {
	out := make([]uuid.UUID, len(hits))
	for i, h := range hits {
		out[i] = h.ID
	}
	return out
}
