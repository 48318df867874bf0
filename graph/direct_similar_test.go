package graph_test

import (
	"context"

	"stackforge/graph/model"
)

func (*fake) SimilarDocuments(context.Context, *string, []float64, *string, int, *model.SimilarFilter) ([]model.SimilarDocument, error) {
	docs := documentsOf(2, 3)
	return []model.SimilarDocument{{Document: docs[0], Similarity: 0.75}, {Document: docs[1], Similarity: -1}}, nil
}

// similarThing is what SimilarDocuments answers as it must be written.
func similarThing(doc func(byte) thing) []any {
	return []any{
		thing{"SimilarDocument", map[string]any{"document": doc(2), "similarity": text("0.75")}},
		thing{"SimilarDocument", map[string]any{"document": doc(3), "similarity": text("-1")}},
	}
}
