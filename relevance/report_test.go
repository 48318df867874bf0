package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// even is a table in which every mode has the same figures everywhere.
func even(ndcg, mrr float64) table {
	t := table{}
	for _, m := range modes() {
		t[m.name] = map[string]figure{meant: {NDCG: ndcg, MRR: mrr}, whole: {NDCG: ndcg, MRR: mrr}}
	}
	return t
}

func TestFell(t *testing.T) {
	t.Parallel()

	floors := even(0.5, 0.6).floors()
	require.Equal(t, figure{NDCG: 0.48, MRR: 0.58}, floors["FTS"])
	require.Empty(t, even(0.48, 0.58).fell(floors))

	worse := even(0.5, 0.6)
	worse["FUZZY"][meant] = figure{NDCG: 0.47, MRR: 0.57}
	require.Equal(t, []string{
		"nDCG@10 of FUZZY fell to 0.470, its floor is 0.480",
		"MRR of FUZZY fell to 0.570, its floor is 0.580",
	}, worse.fell(floors))

	hybrid := even(0.5, 0.6)
	hybrid["SEMANTIC"][whole] = figure{NDCG: 0.51, MRR: 0.6}
	require.Equal(t, []string{"nDCG@10 of HYBRID over all queries is 0.500, SEMANTIC alone has 0.510"}, hybrid.fell(floors))

	require.Len(t, even(0.5, 0.6).fell(nil), len(modes()), "a mode without a floor")
}
