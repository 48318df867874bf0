package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The expected values are worked out by hand: log2(2) = 1, log2(3) = 1.584963, log2(4) = 2, log2(5) = 2.321928,
// log2(6) = 2.584963, log2(11) = 3.459432, log2(12) = 3.584963.
func TestNDCG(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		grades, judged []int
		want           float64
	}{
		"the best order":               {[]int{3, 2, 1}, []int{1, 2, 3}, 1},
		"nothing found":                {nil, []int{3}, 0},
		"nothing relevant found":       {[]int{0, 0}, []int{3}, 0},
		"nothing is relevant":          {[]int{0}, nil, 0},
		"the only one second":          {[]int{0, 3}, []int{3}, 0.630930},                         // 1 / log2(3)
		"the only one tenth":           {[]int{0, 0, 0, 0, 0, 0, 0, 0, 0, 3}, []int{3}, 0.289065}, // 1 / log2(11)
		"the eleventh does not count":  {[]int{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3}, []int{3}, 0},     // it would be 0.278943
		"one of two":                   {[]int{3}, []int{3, 3}, 0.613147},                         // 7 / (7 + 7/1.584963)
		"grades upside down":           {[]int{1, 2, 3}, []int{3, 2, 1}, 0.680607},                // (1 + 1.892789 + 3.5) / (7 + 1.892789 + 0.5)
		"a gap":                        {[]int{3, 0, 2, 0, 1}, []int{3, 2, 1}, 0.946136},          // (7 + 1.5 + 0.386853) / 9.392789
		"twelve relevant, ten counted": {[]int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.InDelta(t, c.want, ndcg(c.grades, c.judged), 0.000001)
		})
	}
}

func TestNDCGKeepsItsArguments(t *testing.T) {
	t.Parallel()

	judged := []int{1, 3, 2}
	ndcg([]int{3}, judged)
	require.Equal(t, []int{1, 3, 2}, judged)
}

func TestReciprocal(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		grades []int
		want   float64
	}{
		"nothing found":               {nil, 0},
		"first":                       {[]int{2, 3}, 1},
		"a grade of 1 is no answer":   {[]int{1, 1, 0, 2}, 0.25},
		"tenth":                       {[]int{0, 0, 0, 0, 0, 0, 0, 0, 0, 3}, 0.1},
		"the eleventh does not count": {[]int{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.InDelta(t, c.want, reciprocal(c.grades), 1e-12)
		})
	}
}

func TestMean(t *testing.T) {
	t.Parallel()

	require.Equal(t, figure{}, mean(nil))
	require.Equal(t, figure{NDCG: 0.5, MRR: 0.75, n: 2}, mean([]figure{{NDCG: 1, MRR: 1}, {NDCG: 0, MRR: 0.5}}))
}
