package loadtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// call is one request in the form of each door. A GraphQL answer counts by the status that the same outcome has over REST,
// so that both can be compared: its first error's code, or 404 where the field named by gone is null.
type call struct {
	name    string
	method  string
	path    string
	body    any
	query   string
	vars    map[string]any
	want    []int             // statuses that are right
	gone    string            // field of the GraphQL answer that is null for what is not there
	headers map[string]string // instead of the API key
}

// answer is what came back. At REST it is the body; at GraphQL its data.
type answer struct {
	status int
	body   []byte
}

// statuses of error codes, as the documentation has them.
func statusOf(code string) int {
	switch code {
	case "VALIDATION_FAILED", "INVALID_JOB_PAYLOAD", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED":
		return http.StatusBadRequest
	case "UNAUTHENTICATED":
		return http.StatusUnauthorized
	case "FORBIDDEN":
		return http.StatusForbidden
	case "NOT_FOUND":
		return http.StatusNotFound
	case "CONFLICT":
		return http.StatusConflict
	case "PAYLOAD_TOO_LARGE":
		return http.StatusRequestEntityTooLarge
	case "RATE_LIMITED":
		return http.StatusTooManyRequests
	case "NOT_IMPLEMENTED":
		return http.StatusNotImplemented
	case "UNAVAILABLE":
		return http.StatusServiceUnavailable
	case "TIMEOUT":
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

// user sends requests, one at a time.
type user struct {
	world *world
	door  string
	rec   *recorder
	rng   *rand.Rand
	due   time.Time // when the iteration should have begun; zero in a closed loop

	documents []string // that it has made
	tokens    []string
}

// errUnexpected ends an iteration whose next request would make no sense. The recorder has counted it already.
var errUnexpected = errors.New("unexpected answer")

// do sends a request and counts it. It fails when the answer's status is not among those wanted, and when there is none.
func (u *user) do(ctx context.Context, c call) (answer, error) {
	req, err := u.request(ctx, c)
	if err != nil {
		return answer{}, err
	}
	began := time.Now()
	if !u.due.IsZero() {
		began, u.due = u.due, time.Time{} // only the first request of an iteration has waited for it
	}
	a, err := u.send(req, c)
	took := time.Since(began)
	if err != nil {
		if ctx.Err() == nil {
			u.rec.failed(c.name, took, reason(err))
		}
		return a, err
	}
	ok := slices.Contains(c.want, a.status)
	u.rec.done(c.name, took, a.status, ok, a.body)
	if !ok {
		return a, fmt.Errorf("%w: %s: status %d", errUnexpected, c.name, a.status)
	}
	return a, nil
}

func (u *user) request(ctx context.Context, c call) (*http.Request, error) {
	method, path, body := c.method, c.path, c.body
	if u.door == GraphQL && c.query != "" {
		method, path, body = http.MethodPost, "/graphql", map[string]any{"query": c.query, "variables": c.vars}
	}
	var r io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		r = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.world.opt.URL+path, r)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.headers == nil {
		req.Header.Set("X-Api-Key", u.world.opt.Key)
	}
	for k, v := range c.headers {
		req.Header.Set(k, v)
	}
	return req, nil
}

func (u *user) send(req *http.Request, c call) (answer, error) {
	res, err := u.world.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	a := answer{status: res.StatusCode, body: text}
	if err != nil || u.door != GraphQL || c.query == "" || res.StatusCode >= http.StatusUnauthorized && res.StatusCode != http.StatusUnprocessableEntity {
		return a, err
	}
	return graphQLAnswer(a, c)
}

// graphQLAnswer gives a GraphQL answer the status that REST would have.
func graphQLAnswer(a answer, c call) (answer, error) {
	var out struct {
		Data   json.RawMessage `json:"data"`
		Errors []struct {
			Extensions struct {
				Code string `json:"code"`
			} `json:"extensions"`
		} `json:"errors"`
	}
	if err := json.Unmarshal(a.body, &out); err != nil {
		return a, fmt.Errorf("the answer is no JSON: %w", err)
	}
	a.status = http.StatusOK
	if len(out.Errors) > 0 {
		a.status = statusOf(out.Errors[0].Extensions.Code)
		return a, nil
	}
	a.body = out.Data
	if c.gone != "" {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(out.Data, &fields); err != nil {
			return a, fmt.Errorf("the answer has no data: %w", err)
		}
		if string(fields[c.gone]) == "null" {
			a.status = http.StatusNotFound
		}
	}
	return a, nil
}

// at reads one value of an answer: by the names of rest at REST and of graphql at GraphQL.
func (u *user) at(a answer, rest, graphql string, into any) error {
	path := rest
	if u.door == GraphQL {
		path = graphql
	}
	raw := json.RawMessage(a.body)
	for _, name := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' }) {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(raw, &fields); err != nil {
			return fmt.Errorf("the answer has no %s: %w", path, err)
		}
		raw = fields[name]
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("the answer has no %s: %w", path, err)
	}
	return nil
}

// text is at for a value that is a string or a number.
func (u *user) text(a answer, rest, graphql string) (string, error) {
	var v json.RawMessage
	if err := u.at(a, rest, graphql, &v); err != nil {
		return "", err
	}
	return strings.Trim(string(v), `"`), nil
}

// reason is a short text for an error of the network, the same for all of its kind.
func reason(err error) string {
	var op *net.OpError
	var u *url.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &u) && u.Timeout():
		return "no answer in time"
	case errors.As(err, &op):
		return op.Op + ": " + op.Err.Error()
	case errors.As(err, &u):
		return u.Err.Error()
	}
	return err.Error()
}

// world is what all users share: the connections and what is in the tenant.
type world struct {
	opt    Options
	http   *http.Client
	author string // a user of the tenant
	tenant string
}

// requestTimeout bounds one request.
const requestTimeout = 30 * time.Second

// newWorld connects, finds a user of the tenant and makes the documents and jobs to start with.
func newWorld(ctx context.Context, o Options) (*world, error) {
	conns := o.Connections * len(scenarios())
	t := &http.Transport{MaxIdleConns: conns, MaxIdleConnsPerHost: conns, IdleConnTimeout: time.Minute}
	w := &world{opt: o, http: &http.Client{Transport: t, Timeout: requestTimeout}}
	u := &user{world: w, door: GraphQL, rec: newRecorder(), rng: rand.New(rand.NewPCG(1, 2))} //nolint:gosec // reproducible traffic
	a, err := u.do(ctx, call{name: "viewer", query: `{ viewer { tenant { id } } users(first: 1) { id } }`, want: []int{http.StatusOK}})
	if err != nil {
		return nil, fmt.Errorf("ask the server who the key belongs to: %w", err)
	}
	var users []struct {
		ID string `json:"id"`
	}
	if err := errors.Join(u.at(a, "", "viewer.tenant.id", &w.tenant), u.at(a, "", "users", &users)); err != nil {
		return nil, err
	}
	if len(users) == 0 {
		return nil, errors.New("the tenant has no user who could be the author of documents: create one with the mutation createUser")
	}
	w.author = users[0].ID
	return w, w.seed(ctx, u)
}

// seedBatch is how many documents or jobs are made at a time.
const seedBatch = 100

func (w *world) seed(ctx context.Context, u *user) error {
	for left := w.opt.Seed; left > 0; left -= seedBatch {
		var list []map[string]any
		for range min(left, seedBatch) {
			list = append(list, u.newDocument(500+u.rng.IntN(2000)))
		}
		if _, err := u.do(ctx, call{
			name: "seed documents", query: `mutation ($in: CreateDocumentsInput!) { createDocuments(input: $in) { created } }`,
			vars: map[string]any{"in": map[string]any{"documents": list}}, want: []int{http.StatusOK},
		}); err != nil {
			return fmt.Errorf("make documents to start with: %w", err)
		}
	}
	for left := w.opt.Seed / 2; left > 0; left -= seedBatch {
		var list []map[string]any
		for range min(left, seedBatch) {
			list = append(list, u.newJob())
		}
		if _, err := u.do(ctx, call{
			name: "seed jobs", query: `mutation ($in: EnqueueJobsInput!) { enqueueJobs(input: $in) { enqueued } }`,
			vars: map[string]any{"in": map[string]any{"jobs": list}}, want: []int{http.StatusOK},
		}); err != nil {
			return fmt.Errorf("make jobs to start with: %w", err)
		}
	}
	return nil
}
