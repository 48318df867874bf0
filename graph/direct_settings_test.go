package graph_test

import (
	"context"

	"stackforge/graph"
	"stackforge/graph/model"
	"stackforge/repo/searchsettings"
)

// The query searchSettings has the name of the type that it answers, which the root of the resolvers has, too; so queries
// are answered by types of their own.
type (
	fakeQuery struct {
		*fake
		otherQueries
	}
	brokenQuery struct {
		*broken
		deeper
	}
	deeper struct{ otherQueries } // below what broken takes from fake

	settingsAnswers struct{}
	synonymsCount   struct{}
)

func (f *fake) Query() graph.QueryResolver   { return fakeQuery{fake: f} }
func (b *broken) Query() graph.QueryResolver { return brokenQuery{broken: b} }

func (f *fake) SearchSettings() graph.SearchSettingsResolver { return settingsAnswers{} }
func (f *fake) SearchSynonymsConnection() graph.SearchSynonymsConnectionResolver {
	return synonymsCount{}
}

func aSettings() searchsettings.Settings {
	return searchsettings.Settings{StopWords: []string{"a", "<b>"}}
}

func someSynonyms(n byte) (searchsettings.Synonyms, thing) {
	s := searchsettings.Synonyms{ID: id(n), Term: "t\"", Synonyms: []string{"ä", "b c"}, CreatedAt: moment, UpdatedAt: moment}
	return s, thing{"SearchSynonyms", map[string]any{
		"id": quoted(s.ID), "term": text(`"t\""`), "synonyms": text(`["ä","b c"]`), "createdAt": momentText, "updatedAt": momentText,
	}}
}

func (fakeQuery) SearchSettings(context.Context) (searchsettings.Settings, error) {
	return aSettings(), nil
}

func (brokenQuery) SearchSettings(context.Context) (searchsettings.Settings, error) {
	return aSettings(), nil
}

func (*fake) SearchSuggestions(context.Context, string, *string, int) ([]searchsettings.Suggestion, error) {
	return []searchsettings.Suggestion{{Text: "a b", Documents: 3, Kind: searchsettings.Word}, {Text: "A", Kind: searchsettings.Title}}, nil
}

func (*fake) SetSearchStopWords(context.Context, model.SetSearchStopWordsInput) (model.SetSearchStopWordsPayload, error) {
	return model.SetSearchStopWordsPayload{Settings: aSettings()}, nil
}

func (*fake) SetSearchSynonyms(context.Context, model.SetSearchSynonymsInput) (model.SetSearchSynonymsPayload, error) {
	s, _ := someSynonyms(2)
	return model.SetSearchSynonymsPayload{Synonyms: s}, nil
}

func (*fake) RemoveSearchSynonyms(context.Context, model.RemoveSearchSynonymsInput) (model.RemoveSearchSynonymsPayload, error) {
	s, _ := someSynonyms(3)
	return model.RemoveSearchSynonymsPayload{Synonyms: s}, nil
}

func (settingsAnswers) SynonymsConnection(context.Context, *searchsettings.Settings, *int, *string) (model.SearchSynonymsConnection, error) {
	info, _ := aPageInfo(true)
	a, _ := someSynonyms(2)
	b, _ := someSynonyms(3)
	return model.SearchSynonymsConnection{
		Nodes: []searchsettings.Synonyms{a, b}, PageInfo: info, Edges: []model.SearchSynonymsEdge{{Node: a, Cursor: "c0"}, {Node: b, Cursor: "c1"}},
	}, nil
}

func (synonymsCount) TotalCount(context.Context, *model.SearchSynonymsConnection) (int, error) {
	return 77, nil
}

// settingsRoots are the root fields of the settings.
func settingsRoots(info thing) []root {
	_, a := someSynonyms(2)
	_, b := someSynonyms(3)
	settings := thing{"SearchSettings", map[string]any{
		"stopWords": text(`["a","<b>"]`), "synonymsConnection": connection("SearchSynonyms", []any{a, b}, info),
	}}
	return []root{
		{"query", `searchSettings`, settings},
		{"query", `searchSuggestions(prefix: "a")`, []any{
			thing{"SearchSuggestion", map[string]any{"text": text(`"a b"`), "documents": text("3"), "kind": text(`"WORD"`)}},
			thing{"SearchSuggestion", map[string]any{"text": text(`"A"`), "documents": text("0"), "kind": text(`"TITLE"`)}},
		}},
		{"mutation", `setSearchStopWords(input: {words: []})`, thing{"SetSearchStopWordsPayload", map[string]any{"settings": settings}}},
		{"mutation", `setSearchSynonyms(input: {term: "t", synonyms: []})`, thing{"SetSearchSynonymsPayload", map[string]any{"synonyms": a}}},
		{"mutation", `removeSearchSynonyms(input: {term: "t"})`, thing{"RemoveSearchSynonymsPayload", map[string]any{"synonyms": b}}},
	}
}
