package app

import (
	"context"
	"errors"
	"slices"
	"time"

	"stackforge/errs"
	"stackforge/repo/embedding"
	"stackforge/repo/search"
)

// queries makes the vectors of a query: Embedder.
type queries interface {
	Query(ctx context.Context, text string) (embedding.Query, error)
}

// Searcher finds documents, with a vector of the query by each model that the tenant has where the mode compares vectors.
type Searcher struct {
	repo    *search.Repo
	vectors queries
}

// NewSearcher returns a Searcher.
func NewSearcher(r *search.Repo, v queries) *Searcher { return &Searcher{repo: r, vectors: v} }

// vectorWait is how long a search waits for the vector of its query.
const vectorWait = 5 * time.Second

// Search is search.Repo.Search. When the vector of a query cannot be made, search.Hybrid goes on by words alone, and so do
// the pages that follow; search.Semantic, and a page that follows one with vectors, are errs.Unavailable.
func (s *Searcher) Search(ctx context.Context, p search.Params) (search.Page, error) {
	p, err := s.prepare(ctx, p)
	if err != nil {
		return search.Page{}, err
	}
	return s.repo.Search(ctx, p)
}

// Ask is search.Repo.Ask: Search for what there is to know beside the hits.
func (s *Searcher) Ask(ctx context.Context, p search.Params) (*search.Found, error) {
	p, err := s.prepare(ctx, p)
	if err != nil {
		return nil, err
	}
	return s.repo.Ask(p)
}

// prepare makes the vector. What is not valid costs none.
func (s *Searcher) prepare(ctx context.Context, p search.Params) (search.Params, error) {
	if err := p.Validate(); err != nil || !p.NeedsVector() {
		return p, err
	}
	if p.Continues() {
		p.WordsOnly = true
		return p, nil
	}
	ctx, cancel := context.WithTimeout(ctx, vectorWait)
	defer cancel()
	q, err := s.vectors.Query(ctx, *p.Query)
	switch {
	case err == nil:
		p.Vector, p.Models = slices.Concat(q.Vectors...), q.Models
		return p, nil
	case errs.Is(err, errs.Unauthenticated):
		return p, err
	case errors.Is(ctx.Err(), context.Canceled):
		return p, err
	case p.Mode == search.Hybrid && p.After == nil:
		p.WordsOnly = true
		return p, nil
	default:
		return p, errs.Wrap(errs.Unavailable, err, "The vector of the query cannot be made at the moment; try again, or search by words.")
	}
}
