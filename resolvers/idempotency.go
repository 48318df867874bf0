package resolvers

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"stackforge/errs"
	"stackforge/repo/idempotency"
)

// errUndone undoes the transaction of an operation that answers with errors.
var errUndone = errors.New("the operation has errors")

// once runs a mutation, and under an idempotency key once: see the directive @idempotent.
func (r *Resolver) once(ctx context.Context, op *graphql.OperationContext, present graphql.ErrorPresenterFunc, run func(context.Context) *graphql.Response) *graphql.Response {
	key, given, err := idempotencyKey(op)
	if err == nil && !given {
		return run(ctx)
	}
	var answer *graphql.Response
	if err == nil {
		var kept []byte
		var replayed bool
		kept, replayed, err = r.Idempotency.Once(ctx, key, requestHash(ctx, op), func(ctx context.Context) ([]byte, error) {
			answer = run(ctx)
			switch {
			case answer == nil || len(answer.Errors) > 0:
				return nil, errUndone
			case hasSecret(op.Operation.SelectionSet):
				return nil, nil
			}
			return answer.Data, nil
		})
		if replayed {
			answer = &graphql.Response{Data: kept}
		}
	}
	switch {
	case errors.Is(err, errUndone):
		if answer != nil {
			answer.Data = nil // none of it has come to be
		}
	case err != nil:
		answer = &graphql.Response{Errors: gqlerror.List{present(ctx, err)}}
	}
	return answer
}

// idempotencyKey returns the key of a mutation: that of the header, or of the directive on the operation or its only field.
func idempotencyKey(op *graphql.OperationContext) (key string, given bool, err error) {
	list := op.Headers.Values("Idempotency-Key")
	directives := op.Operation.Directives
	for _, s := range op.Operation.SelectionSet {
		f, ok := s.(*ast.Field)
		if !ok || f.Directives.ForName("idempotent") == nil {
			continue
		}
		if len(op.Operation.SelectionSet) > 1 {
			return "", true, errs.Field("idempotencyKey", "An operation of several fields is done as one: put @idempotent on the operation.")
		}
		directives = append(slices.Clip(directives), f.Directives...)
	}
	for _, d := range directives {
		if d.Name != "idempotent" {
			continue
		}
		text, _ := d.ArgumentMap(op.Variables)["key"].(string)
		list = append(slices.Clip(list), text)
	}
	for _, k := range list {
		if k != list[0] {
			return "", true, errs.Field("idempotencyKey", "There are several idempotency keys; give one.")
		}
	}
	if len(list) == 0 {
		return "", false, nil
	}
	return list[0], true, nil
}

// requestHash tells one operation from another. A map of variables is written in the order of its names.
func requestHash(ctx context.Context, op *graphql.OperationContext) []byte {
	variables, err := json.Marshal(op.Variables)
	if err != nil {
		variables = nil // they came as JSON
	}
	return idempotency.Hash(ctx, []byte("graphql"), []byte(op.RawQuery), []byte(op.OperationName), variables)
}

// hasSecret reports whether an answer has a field that is shown once.
func hasSecret(set ast.SelectionSet) bool {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			if s.Definition != nil && s.Definition.Directives.ForName("secret") != nil || hasSecret(s.SelectionSet) {
				return true
			}
		case *ast.InlineFragment:
			if hasSecret(s.SelectionSet) {
				return true
			}
		case *ast.FragmentSpread:
			if s.Definition != nil && hasSecret(s.Definition.SelectionSet) {
				return true
			}
		}
	}
	return false
}
