package graph_test

import (
	"context"
	"encoding/json"
	"maps"

	"stackforge/graph"
	"stackforge/graph/model"
	"stackforge/query"
	"stackforge/repo/search"
)

type (
	searchAnswers struct {
		graph.SearchConnectionResolver
	}
	hitAnswers struct{ graph.SearchHitResolver }
)

func (*fake) SearchDocuments(context.Context, *string, model.SearchMode, *string, []int, model.TagMatch, *model.NearInput, *model.BoundingBoxInput, json.RawMessage,
	*string, *query.Time, string, model.HybridWeightsInput, int, *string, int, bool,
) (model.SearchConnection, error) {
	info, _ := aPageInfo(true)
	docs := documentsOf(2, 3)
	hits := []model.SearchHit{
		{Document: docs[0], Score: 0.25, Distance: new(1234.5), Scores: search.Scores{Words: new(0.125), Similarity: new(-1.0)}}, {Document: docs[1]},
	}
	return model.SearchConnection{
		Nodes: hits, PageInfo: info, Edges: []model.SearchEdge{{Node: hits[0], Cursor: "c0"}, {Node: hits[1], Cursor: "c1"}},
		Warnings: []model.SearchWarning{model.SearchWarningVectorsUnavailable},
	}, nil
}

func (searchAnswers) TotalCount(context.Context, *model.SearchConnection) (int, error) {
	return 77, nil
}

func (searchAnswers) TotalCountIsExact(context.Context, *model.SearchConnection) (bool, error) {
	return true, nil
}

func (searchAnswers) DidYouMean(context.Context, *model.SearchConnection) (*string, error) {
	return new("<b>"), nil
}

func (searchAnswers) Facets(context.Context, *model.SearchConnection, model.PathFacetInput, []string, int) (search.Facets, error) {
	return search.Facets{
		Paths: []search.FacetCount{{Value: "a", Count: 2}, {Value: "b", Count: 1}}, Tags: []search.FacetCount{}, MetadataKeys: []search.FacetCount{},
		Months: []search.FacetCount{{Value: "2026-01", Count: 3}}, MetadataValues: []search.MetadataFacet{{Key: "k", Values: []search.FacetCount{{Value: "v", Count: 1}}}},
	}, nil
}

func (searchAnswers) Explanation(context.Context, *model.SearchConnection) (*search.Explanation, error) {
	return &search.Explanation{Indexes: []string{"i"}, Steps: []search.Step{
		{Name: "s", Indexes: []string{"i"}, Milliseconds: new(0.5), Plan: json.RawMessage(`{"Plan": []}`)}, {Name: "t", Indexes: []string{}, Plan: json.RawMessage(`[]`)},
	}}, nil
}

func (hitAnswers) Highlights(_ context.Context, h *model.SearchHit, _, _ int) ([]search.Highlight, error) {
	if h.Distance == nil {
		return []search.Highlight{}, nil
	}
	return []search.Highlight{{Field: search.Body, HTML: "<mark>", Text: "t", Ranges: []search.Range{{Start: 1, Length: 2}}}}, nil
}

// searchThing is what SearchDocuments answers as it must be written.
func searchThing(info thing, doc func(byte) thing) thing {
	counts := func(list ...any) []any {
		out := []any{}
		for i := 0; i < len(list); i += 2 {
			out = append(out, thing{"FacetCount", map[string]any{"value": quoted(list[i]), "count": quoted(list[i+1])}})
		}
		return out
	}
	hit := func(document thing, score, distance, words, similarity any, highlights ...any) thing {
		if highlights == nil {
			highlights = []any{}
		}
		return thing{"SearchHit", map[string]any{
			"document": document, "score": score, "distance": distance, "highlights": highlights,
			"scores": thing{"SearchScores", map[string]any{"words": words, "similarity": similarity}},
		}}
	}
	c := connection("Search", []any{
		hit(doc(2), text("0.25"), text("1234.5"), text("0.125"), text("-1"), thing{"SearchHighlight", map[string]any{
			"field": text(`"BODY"`), "html": text(`"<mark>"`), "text": text(`"t"`),
			"ranges": []any{thing{"SearchRange", map[string]any{"start": text("1"), "length": text("2")}}},
		}}),
		hit(doc(3), text("0"), nil, nil, nil),
	}, info)
	maps.Copy(c.fields, map[string]any{
		"totalCountIsExact": text("true"), "didYouMean": text(`"<b>"`), "warnings": text(`["VECTORS_UNAVAILABLE"]`),
		"facets": thing{"SearchFacets", map[string]any{
			"paths": counts("a", 2, "b", 1), "tags": counts(), "metadataKeys": counts(), "months": counts("2026-01", 3),
			"metadataValues": []any{thing{"MetadataFacet", map[string]any{"key": text(`"k"`), "values": counts("v", 1)}}},
		}},
		"explanation": thing{"SearchExplanation", map[string]any{"indexes": text(`["i"]`), "steps": []any{
			thing{"SearchStep", map[string]any{"name": text(`"s"`), "indexes": text(`["i"]`), "milliseconds": text("0.5"), "plan": text(`{"Plan": []}`)}},
			thing{"SearchStep", map[string]any{"name": text(`"t"`), "indexes": text(`[]`), "milliseconds": nil, "plan": text("[]")}},
		}}},
	})
	return c
}
