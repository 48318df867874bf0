package transport

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"stackforge/errs"
)

// Header values that are shared between answers, so they cost nothing to set. Nobody may change them.
//
//nolint:gochecknoglobals // constants; Go has no constant slices
var (
	headerJSON    = []string{jsonType + "; charset=utf-8"}
	headerGraphQL = []string{graphQLType + "; charset=utf-8"}
	headerVary    = []string{"Accept"}
)

// buffers holds the bytes of requests and answers. Large ones are left to the collector.
//
//nolint:gochecknoglobals // a pool is only useful when it is shared
var buffers = sync.Pool{New: func() any { return &buffer{b: make([]byte, 0, 4096)} }}

type buffer struct{ b []byte }

const keptBuffer = 128 << 10

func getBuffer() *buffer {
	b, _ := buffers.Get().(*buffer)
	b.b = b.b[:0]
	return b
}

func putBuffer(b *buffer) {
	if cap(b.b) <= keptBuffer {
		buffers.Put(b)
	}
}

func (h *Handler) post(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	t := negotiate(r.Header["Accept"])
	req, refused := h.readPost(r, t)
	if refused != nil {
		if refused.status == http.StatusRequestEntityTooLarge {
			w.Header().Set("Connection", "close")
		}
		h.observe(r.Context(), nil, "post", start, h.refuse(w, r, t, refused))
		return
	}
	h.serve(w, r, t, &req, "post", start)
}

// readPost checks the headers and reads the body.
func (h *Handler) readPost(r *http.Request, t mediaType) (request, *refused) {
	var req request
	if t == typeNone {
		return req, refusal(http.StatusNotAcceptable, "The answer can be "+jsonType+" or "+graphQLType+".")
	}
	contentType := r.Header["Content-Type"]
	if len(contentType) != 1 || !isJSON(contentType[0]) {
		return req, refusal(http.StatusUnsupportedMediaType, "The Content-Type must be "+jsonType+" in UTF-8.")
	}
	if r.ContentLength > int64(h.limits.Body) {
		return req, h.tooLarge()
	}
	body := getBuffer()
	defer putBuffer(body)
	if err := body.read(r.Body, r.ContentLength, h.limits.Body); err != nil {
		if errors.Is(err, errTooLarge) {
			return req, h.tooLarge()
		}
		return req, refusal(http.StatusBadRequest, "The request body could not be read.")
	}
	if len(body.b) == 0 {
		return req, refusal(http.StatusBadRequest, "The request body is empty.")
	}
	req, err := parseRequest(string(body.b))
	if err != nil {
		return req, malformed(err)
	}
	return req, nil
}

// malformed is for JSON that cannot be read, or that is no GraphQL request.
func malformed(err error) *refused {
	r := refusal(http.StatusBadRequest, "The request is not valid: "+err.Error()+".")
	if errors.As(err, new(shapeError)) {
		r.draft = http.StatusUnprocessableEntity
	}
	return r
}

func (h *Handler) tooLarge() *refused {
	return refusal(http.StatusRequestEntityTooLarge, "The request body may have at most "+strconv.Itoa(h.limits.Body)+" bytes.")
}

var errTooLarge = errors.New("too large")

// read appends all of r; length is what the client announced, -1 when unknown.
func (b *buffer) read(r io.Reader, length int64, limit int) error {
	if length >= 0 && int(length) >= cap(b.b) {
		b.b = make([]byte, 0, length+1) // one more, so that the end is seen without growing
	}
	for {
		if len(b.b) == cap(b.b) {
			b.b = append(b.b, 0)[:len(b.b)]
		}
		n, err := r.Read(b.b[len(b.b):cap(b.b)])
		b.b = b.b[:len(b.b)+n]
		switch {
		case len(b.b) > limit:
			return errTooLarge
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

func (h *Handler) get(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	w.Header().Set("Cache-Control", "private, no-store")
	t := negotiate(r.Header["Accept"])
	req, refused := h.readGet(r, t)
	if refused != nil {
		h.observe(r.Context(), nil, "get", start, h.refuse(w, r, t, refused))
		return
	}
	h.serve(w, r, t, &req, "get", start)
}

func (h *Handler) readGet(r *http.Request, t mediaType) (request, *refused) {
	var req request
	if t == typeNone {
		return req, refusal(http.StatusNotAcceptable, "The answer can be "+jsonType+" or "+graphQLType+".")
	}
	if len(r.URL.RawQuery) > h.limits.URL {
		return req, refusal(http.StatusRequestURITooLong, "The URL is too long; use POST.")
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return req, refusal(http.StatusBadRequest, "The query string of the URL is not valid.")
	}
	// The parameters go through the same checks as the members of a body.
	for name, to := range map[string]*string{"query": &req.query, "operationName": &req.operationName} {
		if *to, err = parameter(values, name); err == nil {
			err = cleanText(*to, name)
		}
		if err != nil {
			return req, refusal(http.StatusBadRequest, err.Error())
		}
	}
	for name, to := range map[string]*map[string]any{"variables": &req.variables, "extensions": &req.extensions} {
		text, err := parameter(values, name)
		if err == nil && text != "" {
			*to, err = parseMap(text, name)
		}
		if err != nil {
			return req, malformed(err)
		}
	}
	return req, nil
}

// parameter returns a parameter of a URL, which may stand there once.
func parameter(values url.Values, name string) (string, error) {
	list := values[name]
	switch len(list) {
	case 0:
		return "", nil
	case 1:
		return list[0], nil
	}
	return "", errors.New("the parameter " + name + " is given more than once")
}

// serve runs one operation and writes its answer.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, t mediaType, req *request, transport string, start time.Time) {
	ctx := r.Context()
	op, refused := h.open(ctx, req, start)
	if refused == nil {
		refused = allowedOver(op, transport)
	}
	if refused != nil {
		h.observe(ctx, op, transport, start, h.refuse(w, r, t, refused))
		return
	}
	op.Headers = r.Header
	ctx = h.cfg.BeforeOperation(ctx)
	answer, refused := h.execute(ctx, op)
	if refused != nil {
		h.observe(ctx, op, transport, start, h.refuse(w, r, t, refused))
		return
	}
	if answer == nil {
		// The request was cancelled before it was executed.
		answer = &graphql.Response{Errors: gqlerror.List{h.cfg.Present(ctx, canceled(ctx))}}
	}
	out := getBuffer()
	out.b = appendAnswer(out.b, answer)
	status := http.StatusOK
	if h.cfg.Draft2026 && t == typeGraphQL && len(answer.Errors) > 0 {
		status = statusPartial
	}
	write(w, t, status, out.b)
	putBuffer(out)
	h.observe(ctx, op, transport, start, answer.Errors)
}

// statusPartial is the draft's status for an answer with data and errors.
const statusPartial = 294

func canceled(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return context.Canceled
}

// allowedOver refuses operations that cannot go over a transport.
func allowedOver(op *operation, transport string) *refused {
	switch op.Operation.Operation {
	case ast.Subscription:
		return refusal(http.StatusBadRequest,
			"Subscriptions need a WebSocket with the subprotocol graphql-transport-ws.")
	case ast.Mutation:
		if transport == "get" {
			r := refusal(http.StatusMethodNotAllowed, "Mutations must be sent by POST.")
			r.allow = http.MethodPost
			return r
		}
	case ast.Query:
	}
	return nil
}

// refuse writes errors without data, and returns them as the client reads them.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, t mediaType, refused *refused) gqlerror.List {
	if refused.allow != "" {
		w.Header().Set("Allow", refused.allow)
	}
	out := getBuffer()
	out.b = append(out.b, `{"errors":`...)
	list := h.present(r.Context(), refused.list)
	out.b = appendRefusal(out.b, list)
	out.b = append(out.b, '}')
	write(w, t, refused.statusFor(t, h.cfg.Draft2026), out.b)
	putBuffer(out)
	return list
}

// write sends an answer in one piece.
func write(w http.ResponseWriter, t mediaType, status int, body []byte) {
	header := w.Header()
	header["Content-Type"] = headerJSON
	if t == typeGraphQL {
		header["Content-Type"] = headerGraphQL
	}
	if header["Vary"] == nil {
		header["Vary"] = headerVary
	} else {
		header.Add("Vary", "Accept")
	}
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away is no error of ours
}

// appendAnswer appends an executed operation's answer: errors first, as the specification advises, then data.
func appendAnswer(buf []byte, answer *graphql.Response) []byte {
	buf = append(buf, '{')
	if len(answer.Errors) > 0 {
		text, err := json.Marshal(answer.Errors)
		if err != nil {
			text, _ = json.Marshal(gqlerror.List{coded(string(errs.Internal), "An error could not be shown.")})
		}
		buf = append(buf, `"errors":`...)
		buf = append(buf, text...)
		buf = append(buf, ',')
	}
	buf = append(buf, `"data":`...)
	if len(answer.Data) == 0 {
		buf = append(buf, "null"...)
	} else {
		buf = append(buf, answer.Data...)
	}
	if len(answer.Extensions) > 0 {
		if text, err := json.Marshal(answer.Extensions); err == nil {
			buf = append(buf, `,"extensions":`...)
			buf = append(buf, text...)
		}
	}
	return append(buf, '}')
}

func (h *Handler) observe(ctx context.Context, op *operation, transport string, start time.Time, list gqlerror.List) {
	seen := Operation{Transport: transport, Duration: time.Since(start), Events: 1, Errors: list}
	if op != nil {
		seen.Name, seen.Kind = op.Operation.Name, op.kind()
	}
	h.cfg.Observe(ctx, seen)
}
