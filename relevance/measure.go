package main

import (
	"math"
	"slices"
)

// depth is how many hits of a query count.
const depth = 10

// relevantFrom is the least grade with which a hit counts as an answer for the reciprocal rank.
const relevantFrom = 2

// ndcg is the normalised discounted cumulative gain of a ranking, 0 to 1: grades are those of the hits in their order, 0
// for one that is not relevant, and judged those of all relevant documents. A hit of grade g at place p (from 1) gains
// (2^g - 1) / log2(p + 1), and the sum over the first 10 is divided by that of the best possible order.
// Without a relevant document it is 0.
func ndcg(grades, judged []int) float64 {
	best := slices.Clone(judged)
	slices.SortFunc(best, func(a, b int) int { return b - a })
	ideal := gain(best)
	if ideal == 0 {
		return 0
	}
	return gain(grades) / ideal
}

func gain(grades []int) float64 {
	sum := 0.0
	for i, g := range grades[:min(len(grades), depth)] {
		sum += (math.Exp2(float64(g)) - 1) / math.Log2(float64(i+2))
	}
	return sum
}

// reciprocal is 1 divided by the place of the first hit of at least relevantFrom among the first 10, 0 without one. Its
// mean over queries is the MRR.
func reciprocal(grades []int) float64 {
	for i, g := range grades[:min(len(grades), depth)] {
		if g >= relevantFrom {
			return 1 / float64(i+1)
		}
	}
	return 0
}

// figure is the mean over a number of queries.
type figure struct {
	NDCG float64 `json:"ndcg"`
	MRR  float64 `json:"mrr"`
	n    int
}

// mean of an empty list is zero.
func mean(list []figure) figure {
	var m figure
	for _, f := range list {
		m.NDCG += f.NDCG
		m.MRR += f.MRR
	}
	m.n = len(list)
	if m.n > 0 {
		m.NDCG /= float64(m.n)
		m.MRR /= float64(m.n)
	}
	return m
}
