package resolvers

import (
	"slices"

	"stackforge/errs"
	"stackforge/graph/model"
	"stackforge/query"
)

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

// chosen are the values that a filter lets through, nil for all.
func chosen[T comparable](eq *T, in []T) []T {
	switch {
	case eq == nil:
		return in
	case in == nil || slices.Contains(in, *eq):
		return []T{*eq}
	default:
		return []T{}
	}
}
