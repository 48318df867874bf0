package transport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"stackforge/errs"
)

// refused is a request that was not executed.
type refused struct {
	status   int // HTTP status today's clients expect
	draft    int // HTTP status of the 2026 draft
	document bool
	allow    string // header Allow, "" for none
	list     gqlerror.List
}

// kind of a refusal: document errors (parse, validation, operation, variables) are answered 200 to clients that ask for
// plain application/json, unless the draft's statuses are on.
func (r *refused) statusFor(t mediaType, draft bool) int {
	switch {
	case draft:
		return r.draft
	case r.document && t == typeJSON:
		return http.StatusOK
	}
	return r.status
}

func coded(code, message string) *gqlerror.Error {
	return &gqlerror.Error{Message: message, Extensions: map[string]any{"code": code}}
}

// refusal is about the request rather than its document.
func refusal(status int, message string) *refused {
	code := errs.Validation
	switch status {
	case http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong:
		code = errs.TooLarge
	case http.StatusForbidden:
		code = errs.Forbidden
	case http.StatusServiceUnavailable:
		code = errs.Unavailable
	}
	return &refused{status: status, draft: status, list: gqlerror.List{coded(string(code), message)}}
}

// documentRefusal is for a document or variables that are not valid.
func documentRefusal(list ...*gqlerror.Error) *refused {
	for _, e := range list {
		if e.Extensions["code"] == nil {
			errcode.Set(e, errcode.ValidationFailed)
		}
	}
	return &refused{status: http.StatusBadRequest, draft: http.StatusUnprocessableEntity, document: true, list: list}
}

// limitRefusal names the limit in extensions.limit. It is always a 400.
func limitRefusal(name string, limit int, what string) *refused {
	e := coded(string(errs.Validation), fmt.Sprintf("The document is too complex: at most %d %s are allowed.", limit, what))
	e.Extensions["limit"] = name
	return &refused{status: http.StatusBadRequest, draft: http.StatusBadRequest, list: gqlerror.List{e}}
}

func asGraphQL(err error) *gqlerror.Error {
	if e, ok := errors.AsType[*gqlerror.Error](err); ok {
		return e
	}
	return gqlerror.Wrap(err)
}

// presentSafely passes errors that carry a code, which are written for clients, and hides all others.
func presentSafely(_ context.Context, err error) *gqlerror.Error {
	var e *gqlerror.Error
	if errors.As(err, &e) && e.Extensions["code"] != nil && e.Err == nil {
		return e
	}
	hidden := coded(string(errs.Internal), "Something went wrong on our side.")
	if e != nil {
		hidden.Path, hidden.Locations = e.Path, e.Locations
	}
	return hidden
}

// present shows a list to the presenter, at most maxErrors of it.
func (h *Handler) present(ctx context.Context, list gqlerror.List) gqlerror.List {
	out := make(gqlerror.List, 0, min(len(list), maxErrors))
	for _, e := range list {
		if len(out) == maxErrors {
			break
		}
		shown := h.cfg.Present(ctx, e)
		if shown == nil {
			shown = e
		}
		out = append(out, shown)
	}
	return out
}

// The answer to a refused request stays small whatever was sent.
const (
	maxErrors      = 20
	maxErrorText   = 500      // bytes of one message
	maxErrorsBytes = 15 << 10 // bytes of the whole list
)

// appendRefusal appends the list as JSON and leaves out what does not fit.
func appendRefusal(buf []byte, list gqlerror.List) []byte {
	buf = append(buf, '[')
	from := len(buf)
	for i, e := range list {
		if i >= maxErrors {
			break
		}
		short := *e
		short.Message = shorten(e.Message, maxErrorText)
		if len(short.Locations) > 10 {
			short.Locations = short.Locations[:10]
		}
		text, err := json.Marshal(&short)
		if err != nil || len(text) > maxErrorsBytes/2 {
			text, _ = json.Marshal(coded(string(errs.Internal), "An error could not be shown."))
		}
		if len(buf)-from+len(text) > maxErrorsBytes {
			break
		}
		if len(buf) > from {
			buf = append(buf, ',')
		}
		buf = append(buf, text...)
	}
	return append(buf, ']')
}

// shorten cuts a text to at most n bytes, between characters.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const dots = "…"
	n -= len(dots)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + dots
}

// logPanic is the default Recover.
func (h *Handler) logPanic(ctx context.Context, p any) error {
	h.cfg.Log.Error().Ctx(ctx).Interface("panic", p).Stack().Msg("resolver panicked")
	return coded(string(errs.Internal), "Something went wrong on our side.")
}

// recoverHTTP answers a panic outside of resolvers.
func (h *Handler) recoverHTTP(w http.ResponseWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it the same way
		panic(p)
	}
	e := h.cfg.Recover(r.Context(), p)
	_ = h.refuse(w, r, typeJSON, &refused{
		status: http.StatusInternalServerError, draft: http.StatusInternalServerError, list: gqlerror.List{asGraphQL(e)},
	})
}
