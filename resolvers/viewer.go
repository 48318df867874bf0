package resolvers

import (
	"context"
	"strconv"
	"time"

	"stackforge/errs"
	"stackforge/graph/model"
	"stackforge/nodeid"
	"stackforge/repo/capability"
	"stackforge/repo/document"
	"stackforge/repo/file"
	"stackforge/repo/job"
	"stackforge/repo/user"
	"stackforge/repo/webhook"
	"stackforge/scalar"
	"stackforge/tenant"
)

func (r *queryRoot) Viewer(ctx context.Context) (model.Viewer, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return model.Viewer{}, err
	}
	t, err := r.Tenants.Get(ctx, s.TenantID)
	v := model.Viewer{Tenant: t, KeyID: s.KeyID.String(), Scopes: s.Scopes}
	if limit, remaining, reset, limited := r.Left(s); limited {
		v.RateLimit = &model.RateLimit{Limit: limit, Remaining: remaining, ResetsAt: time.Now().Add(reset).UTC()}
	}
	return v, err
}

func (r *queryRoot) Capabilities(ctx context.Context) ([]capability.Capability, error) {
	return r.Deps.Capabilities.List(ctx)
}

// maxNodes bounds one call of nodes.
const maxNodes = 100

func (r *queryRoot) Nodes(ctx context.Context, nodeIDs []string) ([]nodeid.Node, error) {
	if len(nodeIDs) > maxNodes {
		return nil, errs.Field("nodeIds", "At most "+strconv.Itoa(maxNodes)+" ids are allowed.")
	}
	// The loaders make one statement per kind of what is asked for here.
	out := make([]nodeid.Node, len(nodeIDs))
	thunks := make([]func() (nodeid.Node, error), len(nodeIDs))
	for i, id := range nodeIDs {
		thunks[i] = r.nodeThunk(ctx, id)
	}
	for i, thunk := range thunks {
		n, err := thunk()
		if err != nil && !errs.Is(err, errs.NotFound) {
			return nil, err
		}
		if err == nil {
			out[i] = n
		}
	}
	return out, r.addAuthors(ctx, out)
}

// addAuthors completes the documents among nodes.
func (r *queryRoot) addAuthors(ctx context.Context, nodes []nodeid.Node) error {
	var docs []document.Document
	for _, n := range nodes {
		if d, ok := n.(model.Document); ok {
			docs = append(docs, d.Document)
		}
	}
	shaped, err := r.shape(ctx, docs)
	if err != nil {
		return err
	}
	for i, n := range nodes {
		if _, ok := n.(model.Document); ok {
			nodes[i], shaped = shaped[0], shaped[1:]
		}
	}
	return nil
}

func (r *queryRoot) Node(ctx context.Context, nodeID string) (nodeid.Node, error) { //nolint:ireturn // the generated interface asks for it
	n, err := r.nodeThunk(ctx, nodeID)()
	if err != nil {
		return nil, absent(err)
	}
	nodes := []nodeid.Node{n}
	err = r.addAuthors(ctx, nodes)
	return nodes[0], err
}

// nodeThunk starts to load a node; the function it returns waits for it.
func (r *queryRoot) nodeThunk(ctx context.Context, nodeID string) func() (nodeid.Node, error) {
	missing := func() (nodeid.Node, error) { return nil, errs.New(errs.NotFound, "There is no such node.") }
	kind, id, ok := nodeid.Decode(nodeID)
	if !ok {
		return missing
	}
	l := loadersOf(ctx)
	switch kind {
	case document.Kind:
		if key, err := scalar.ParseUUID(id); err == nil && allowed(ctx, "documents:read") {
			load := l.documents().LoadThunk(ctx, key)
			return func() (nodeid.Node, error) {
				d, err := load()
				return model.Document{Document: d}, err
			}
		}
	case file.Kind:
		if key, err := scalar.ParseUUID(id); err == nil && allowed(ctx, "files:read") {
			return thunk(l.files().LoadThunk(ctx, key))
		}
	case user.Kind:
		if key, err := scalar.ParseUUID(id); err == nil && allowed(ctx, "users:read") {
			return thunk(l.users().LoadThunk(ctx, key))
		}
	case webhook.Kind:
		if key, err := scalar.ParseUUID(id); err == nil && allowed(ctx, "webhooks:read") {
			return thunk(l.webhooks().LoadThunk(ctx, key))
		}
	case job.Kind:
		if key, err := strconv.ParseInt(id, 10, 64); err == nil && allowed(ctx, "jobs:read") {
			return thunk(l.jobs().LoadThunk(ctx, key))
		}
	}
	return missing
}

func thunk[T nodeid.Node](load func() (T, error)) func() (nodeid.Node, error) {
	return func() (nodeid.Node, error) {
		n, err := load()
		if err != nil {
			return nil, err
		}
		return n, nil
	}
}

func allowed(ctx context.Context, scope string) bool {
	s := tenant.Lookup(ctx)
	return s != nil && s.Allows(scope)
}

// absent turns NotFound into no error: a query answers null for what is not there.
func absent(err error) error {
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	return err
}

// found returns the thing, or nil when it is not there.
func found[T any](v T, err error) (*T, error) {
	if err != nil {
		return nil, absent(err)
	}
	return &v, nil
}
