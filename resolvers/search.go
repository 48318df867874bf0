package resolvers

import (
	"context"
	"encoding/json"
	"strings"

	"stackforge/errs"
	"stackforge/graph/model"
	"stackforge/query"
	"stackforge/repo/document"
	"stackforge/repo/search"
	"stackforge/repo/user"
	"stackforge/scalar"
	"stackforge/tenant"
)

// explainScope is the permission to see how a page was found.
const explainScope = "search:explain"

func (r *queryRoot) SearchDocuments(ctx context.Context, text *string, mode model.SearchMode, pathPrefix *string, tagIDs []int, tagMatch model.TagMatch,
	near *model.NearInput, within *model.BoundingBoxInput, metadata json.RawMessage, authorID *string, createdAt *query.Time, language string,
	weights model.HybridWeightsInput, first int, after *string, offset int, explain bool,
) (model.SearchConnection, error) {
	if err := mayExplain(ctx, explain); err != nil {
		return model.SearchConnection{}, err
	}
	p := search.Params{
		Query: text, Mode: strings.ToLower(string(mode)), PathPrefix: pathPrefix, TagIDs: tagIDs, TagMatch: strings.ToLower(string(tagMatch)),
		Metadata: metadata, CreatedAt: createdAt, Language: language, Weights: &search.Weights{Words: weights.Words, Vector: weights.Vector},
		First: first, After: after, Offset: offset,
		Authors: selects(ctx, "author"), Bodies: selects(ctx, "body"), Counts: selects(ctx, "totalCount") || selects(ctx, "totalCountIsExact"),
	}
	if near != nil {
		p.Near = &search.Near{Longitude: near.Longitude, Latitude: near.Latitude, Radius: near.Radius}
	}
	if within != nil {
		p.Within = &search.Box{West: within.West, South: within.South, East: within.East, North: within.North}
	}
	if err := byAuthor(&p, authorID); err != nil {
		return model.SearchConnection{}, err
	}
	if !selectsHits(ctx) {
		found, err := r.Search.Ask(ctx, p)
		return model.SearchConnection{Found: found, Explain: explain, Warnings: warnings(found)}, err
	}
	page, err := r.Search.Search(ctx, p)
	if err != nil {
		return model.SearchConnection{}, err
	}
	c := model.SearchConnection{Found: page.Found, Explain: explain, Warnings: warnings(page.Found), Nodes: make([]model.SearchHit, len(page.Hits))}
	for i := range page.Hits {
		c.Nodes[i] = hit(&page, i)
	}
	if selects(ctx, "edges") || selects(ctx, "pageInfo") {
		c.Edges = make([]model.SearchEdge, len(page.Hits))
		for i := range page.Hits {
			c.Edges[i] = model.SearchEdge{Node: c.Nodes[i], Cursor: page.Found.Cursor(&page.Hits[i])}
		}
		c.PageInfo = pageInfo(page.Info, c.Edges, func(e model.SearchEdge) string { return e.Cursor })
	}
	return c, nil
}

func mayExplain(ctx context.Context, explain bool) error {
	s, err := tenant.From(ctx)
	if err == nil && explain && !s.Allows(explainScope) {
		return errs.Newf(errs.Forbidden, "This needs the permission %s.", explainScope)
	}
	return err
}

func byAuthor(p *search.Params, id *string) error {
	if id == nil {
		return nil
	}
	key, err := scalar.ParseUUID(*id)
	if err != nil {
		return errs.Field("authorId", "This is not an id.")
	}
	p.AuthorID = &key
	return nil
}

// selectsHits reports whether the operation asks for the page itself; counts and facets do without.
func selectsHits(ctx context.Context) bool {
	return selects(ctx, "nodes") || selects(ctx, "edges") || selects(ctx, "pageInfo")
}

func hit(page *search.Page, i int) model.SearchHit {
	h := &page.Hits[i]
	return model.SearchHit{
		Document: model.Document{Document: document.Document(h.Document), Author: user.User(h.Author)},
		Score:    h.Score, Distance: h.Distance, Scores: h.Scores, Found: page.Found,
	}
}

func warnings(f *search.Found) []model.SearchWarning {
	if f != nil && f.WordsOnly() {
		return []model.SearchWarning{model.SearchWarningVectorsUnavailable}
	}
	return []model.SearchWarning{}
}

func (r *searchConnection) TotalCount(ctx context.Context, obj *model.SearchConnection) (int, error) {
	n, err := obj.Found.Count(ctx)
	return n.Hits, err
}

func (r *searchConnection) TotalCountIsExact(ctx context.Context, obj *model.SearchConnection) (bool, error) {
	n, err := obj.Found.Count(ctx)
	return n.Exact, err
}

func (r *searchConnection) Facets(ctx context.Context, obj *model.SearchConnection, paths model.PathFacetInput, metadataValuesOf []string, first int) (search.Facets, error) {
	return obj.Found.Facets(ctx, search.FacetParams{
		Paths: selects(ctx, "paths"), Level: paths.Level, Tags: selects(ctx, "tags"), MetadataKeys: selects(ctx, "metadataKeys"),
		MetadataValues: selects(ctx, "metadataValues"), MetadataOf: metadataValuesOf, Months: selects(ctx, "months"), First: first,
	})
}

func (r *searchConnection) DidYouMean(ctx context.Context, obj *model.SearchConnection) (*string, error) {
	return obj.Found.DidYouMean(ctx)
}

func (r *searchConnection) Explanation(ctx context.Context, obj *model.SearchConnection) (*search.Explanation, error) {
	if !obj.Explain {
		return nil, nil //nolint:nilnil // null is the answer
	}
	e, err := obj.Found.Explain(ctx)
	return found(e, err)
}

func (r *searchHit) Highlights(ctx context.Context, obj *model.SearchHit, fragments, words int) ([]search.Highlight, error) {
	return obj.Found.Highlights(ctx, obj.Document.ID, fragments, words)
}
