package resolvers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/rs/zerolog"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"stackforge/errs"
	"stackforge/tenant"
)

// Present turns any error into what the client reads: message, path, extensions.code, field and requestId. Causes go to
// the log, once, under the same request id.
func Present(log zerolog.Logger) graphql.ErrorPresenterFunc {
	return func(ctx context.Context, err error) *gqlerror.Error {
		out := shape(ctx, err)
		if out.Extensions == nil {
			out.Extensions = map[string]any{}
		}
		if id := tenant.RequestID(ctx); id != "" {
			out.Extensions["requestId"] = id
		}
		logCause(ctx, log, err)
		return out
	}
}

func shape(ctx context.Context, err error) *gqlerror.Error {
	var own *errs.Error
	var list errs.List
	var gql *gqlerror.Error
	isGQL := errors.As(err, &gql)
	switch {
	case errors.As(err, &list) && len(list) > 0:
		own = list[0]
	case errors.As(err, &own):
	case isGQL && graphql.GetFieldContext(ctx) == nil && gql.Unwrap() == nil:
		return shapeRefusal(gql)
	case isGQL && isInput(ctx, gql.Path):
		own = errs.Field(inputField(gql.Path[len(graphql.GetPath(ctx)):]), gql.Message)
	default:
		own = errs.From(err)
	}
	out := &gqlerror.Error{Message: own.Message, Extensions: map[string]any{"code": string(own.Code)}}
	if own.Field != "" {
		out.Extensions["field"] = own.Field
	}
	if isGQL {
		out.Path, out.Locations = gql.Path, gql.Locations
	} else {
		out.Path = graphql.GetPath(ctx)
	}
	return out
}

// shapeRefusal is for a request that was not executed: its document or its variables do not fit the schema.
func shapeRefusal(e *gqlerror.Error) *gqlerror.Error {
	out := &gqlerror.Error{Message: e.Message, Path: e.Path, Locations: e.Locations, Extensions: map[string]any{}}
	maps.Copy(out.Extensions, e.Extensions)
	switch out.Extensions["code"] {
	case nil, errcode.ValidationFailed, errcode.ParseFailed: // one table of codes
		out.Extensions["code"] = string(errs.Validation)
	}
	if field, ok := out.Extensions["field"].(string); ok {
		out.Extensions["field"] = strings.TrimPrefix(field, "input.")
	}
	return out
}

// isInput reports whether a path leads on from the field of the context into its arguments.
func isInput(ctx context.Context, p ast.Path) bool {
	return graphql.GetFieldContext(ctx) != nil && len(p) > len(graphql.GetPath(ctx))
}

// inputField names an input by its path below the field: input.tags[2] is tags[2], and filter.title.eq stays.
func inputField(p ast.Path) string {
	var b strings.Builder
	for i, part := range p {
		switch part := part.(type) {
		case ast.PathName:
			if i == 0 && part == "input" && len(p) > 1 {
				continue
			}
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(string(part))
		case ast.PathIndex:
			fmt.Fprintf(&b, "[%d]", int(part))
		}
	}
	return b.String()
}

func logCause(ctx context.Context, log zerolog.Logger, err error) {
	own := errs.From(err)
	var gql *gqlerror.Error
	if errors.As(err, &gql) && (graphql.GetFieldContext(ctx) == nil && gql.Unwrap() == nil || isInput(ctx, gql.Path)) {
		return
	}
	level := zerolog.WarnLevel
	switch own.Code {
	case errs.Internal:
		level = zerolog.ErrorLevel
	case errs.Unavailable, errs.Timeout, errs.Forbidden, errs.NotImplemented:
	default:
		return
	}
	log.WithLevel(level).Str("requestId", tenant.RequestID(ctx)).Str("code", string(own.Code)).AnErr("cause", own.Unwrap()).Msg("graphql: request failed")
}

// Recover turns a panic into INTERNAL and logs its stack.
func Recover(log zerolog.Logger) graphql.RecoverFunc {
	return func(ctx context.Context, p any) error {
		log.Error().Str("requestId", tenant.RequestID(ctx)).Str("panic", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Msg("graphql: panic")
		return errs.New(errs.Internal, "Something went wrong on our side.")
	}
}
