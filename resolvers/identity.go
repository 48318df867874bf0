package resolvers

import (
	"context"
	"time"

	"github.com/google/uuid"

	"stackforge/errs"
	"stackforge/graph/model"
	"stackforge/query"
	"stackforge/repo/apikey"
	"stackforge/repo/user"
	"stackforge/scalar"
	"stackforge/tenant"
)

func (r *queryRoot) User(ctx context.Context, id string) (*user.User, error) {
	key, err := plainID(id)
	if err != nil {
		return nil, err
	}
	return found(r.Deps.Users.Get(ctx, key))
}

func (r *queryRoot) Users(ctx context.Context, first *int) ([]user.User, error) {
	list, _, err := r.Deps.Users.List(ctx, query.Page{First: first})
	return list, err
}

func (r *queryRoot) UsersConnection(ctx context.Context, first *int, after *string) (model.UserConnection, error) {
	list, info, err := r.Deps.Users.List(ctx, query.Page{First: first, After: after})
	c := model.UserConnection{Nodes: list, Edges: make([]model.UserEdge, len(list))}
	for i, u := range list {
		c.Edges[i] = model.UserEdge{Node: u, Cursor: user.Cursor(u)}
	}
	c.PageInfo = pageInfo(info, c.Edges, func(e model.UserEdge) string { return e.Cursor })
	return c, err
}

func (r *userConnection) TotalCount(ctx context.Context, _ *model.UserConnection) (int, error) {
	return r.Users.Count(ctx)
}

func (r *queryRoot) APIKeys(ctx context.Context) ([]apikey.Key, error) { return r.Keys.List(ctx) }

func (r *mutationRoot) IssueToken(ctx context.Context) (model.IssueTokenPayload, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return model.IssueTokenPayload{}, err
	}
	token, lifetime, err := r.Deps.IssueToken(ctx, s)
	return model.IssueTokenPayload{Token: token, ExpiresIn: int(lifetime / time.Second)}, err
}

func (r *mutationRoot) CreateAPIKey(ctx context.Context, input model.CreateAPIKeyInput) (model.CreateAPIKeyPayload, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return model.CreateAPIKeyPayload{}, err
	}
	scopes := input.Scopes.Value()
	if scopes == nil {
		scopes = s.Grantable()
	}
	if len(scopes) == 0 { // not the same as none given, which means all
		return model.CreateAPIKeyPayload{}, errs.Field("scopes", "A key needs at least one permission.")
	}
	for _, scope := range scopes {
		if !s.Allows(scope) {
			return model.CreateAPIKeyPayload{}, &errs.Error{Code: errs.Forbidden, Field: "scopes", Message: "A key cannot give permissions that it lacks itself."}
		}
	}
	key, plaintext, err := r.Keys.Create(ctx, input.Name, scopes, input.ExpiresAt.Value())
	return model.CreateAPIKeyPayload{APIKey: key, Plaintext: plaintext}, err
}

func (r *mutationRoot) RevokeAPIKey(ctx context.Context, input model.RevokeAPIKeyInput) (model.RevokeAPIKeyPayload, error) {
	id, err := plainID(input.ID)
	if err != nil {
		return model.RevokeAPIKeyPayload{}, err
	}
	err = r.Keys.Revoke(ctx, id)
	r.Forget(id)
	return model.RevokeAPIKeyPayload{ID: id.String()}, err
}

func (r *mutationRoot) CreateUser(ctx context.Context, input model.CreateUserInput) (model.CreateUserPayload, error) {
	u, err := r.Users.Create(ctx, input.Email)
	return model.CreateUserPayload{User: u}, err
}

// plainID reads an id that is a uuid.
func plainID(s string) (uuid.UUID, error) {
	id, err := scalar.ParseUUID(s)
	if err != nil {
		return uuid.Nil, errs.Field("id", "This is not a uuid.")
	}
	return id, nil
}
