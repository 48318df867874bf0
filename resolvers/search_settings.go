package resolvers

import (
	"context"

	"stackforge/graph/model"
	"stackforge/query"
	"stackforge/repo/searchsettings"
)

func (r *queryRoot) SearchSettings(ctx context.Context) (searchsettings.Settings, error) {
	return r.Deps.SearchSettings.Get(ctx)
}

func (r *queryRoot) SearchSuggestions(ctx context.Context, prefix string, language *string, first int) ([]searchsettings.Suggestion, error) {
	return r.Deps.SearchSettings.Suggest(ctx, prefix, or(language, ""), first)
}

func (r *searchSettings) SynonymsConnection(ctx context.Context, _ *searchsettings.Settings, first *int, after *string) (model.SearchSynonymsConnection, error) {
	list, info, err := r.Deps.SearchSettings.ListSynonyms(ctx, query.Page{First: first, After: after})
	c := model.SearchSynonymsConnection{Nodes: list, Edges: make([]model.SearchSynonymsEdge, len(list))}
	for i, s := range list {
		c.Edges[i] = model.SearchSynonymsEdge{Node: s, Cursor: searchsettings.Cursor(s)}
	}
	c.PageInfo = pageInfo(info, c.Edges, func(e model.SearchSynonymsEdge) string { return e.Cursor })
	return c, err
}

func (r *searchSynonymsConnection) TotalCount(ctx context.Context, _ *model.SearchSynonymsConnection) (int, error) {
	return r.Deps.SearchSettings.CountSynonyms(ctx)
}

func (r *mutationRoot) SetSearchStopWords(ctx context.Context, input model.SetSearchStopWordsInput) (model.SetSearchStopWordsPayload, error) {
	s, err := r.Deps.SearchSettings.SetStopWords(ctx, input.Words)
	return model.SetSearchStopWordsPayload{Settings: s}, err
}

func (r *mutationRoot) SetSearchSynonyms(ctx context.Context, input model.SetSearchSynonymsInput) (model.SetSearchSynonymsPayload, error) {
	s, err := r.Deps.SearchSettings.SetSynonyms(ctx, searchsettings.SynonymsParams{
		Term: input.Term, Synonyms: input.Synonyms, BothWays: input.BothWays,
	})
	return model.SetSearchSynonymsPayload{Synonyms: s}, err
}

func (r *mutationRoot) RemoveSearchSynonyms(ctx context.Context, input model.RemoveSearchSynonymsInput) (model.RemoveSearchSynonymsPayload, error) {
	s, err := r.Deps.SearchSettings.RemoveSynonyms(ctx, input.Term)
	return model.RemoveSearchSynonymsPayload{Synonyms: s}, err
}
