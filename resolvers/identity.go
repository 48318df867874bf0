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

func (r *queryRoot) User(ctx context.Context, id, email *string) (*user.User, error) {
	if (id == nil) == (email == nil) {
		return nil, errs.Field("id", "Give either id or email.")
	}
	if email != nil {
		return found(r.Deps.Users.ByEmail(ctx, *email))
	}
	key, err := plainID(*id)
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

func (r *queryRoot) APIKeysConnection(ctx context.Context, first *int, after *string) (model.APIKeyConnection, error) {
	list, info, err := r.Keys.Page(ctx, query.Page{First: first, After: after})
	c := model.APIKeyConnection{Nodes: list, Edges: make([]model.APIKeyEdge, len(list))}
	for i, k := range list {
		c.Edges[i] = model.APIKeyEdge{Node: k, Cursor: apikey.Cursor(k)}
	}
	c.PageInfo = pageInfo(info, c.Edges, func(e model.APIKeyEdge) string { return e.Cursor })
	return c, err
}

func (r *apiKeyConnection) TotalCount(ctx context.Context, _ *model.APIKeyConnection) (int, error) {
	return r.Keys.Count(ctx)
}

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
	err = r.Keys.Revoke(ctx, id, or(input.Force.Value(), false))
	r.Forget(id)
	return model.RevokeAPIKeyPayload{ID: id.String()}, err
}

func (r *mutationRoot) RotateAPIKey(ctx context.Context, input model.RotateAPIKeyInput) (model.RotateAPIKeyPayload, error) {
	id, err := plainID(input.ID)
	if err != nil {
		return model.RotateAPIKeyPayload{}, err
	}
	overlap := time.Duration(or(input.OverlapSeconds.Value(), int(time.Hour/time.Second))) * time.Second
	key, plaintext, err := r.Keys.Rotate(ctx, id, overlap)
	r.Forget(id)
	return model.RotateAPIKeyPayload{APIKey: key, Plaintext: plaintext}, err
}

func (r *mutationRoot) UpdateAPIKey(ctx context.Context, input model.UpdateAPIKeyInput) (model.UpdateAPIKeyPayload, error) {
	id, err := plainID(input.ID)
	if err != nil {
		return model.UpdateAPIKeyPayload{}, err
	}
	c := apikey.Change{
		Name: input.Name.Value(), Expires: input.ExpiresAt.IsSet(), ExpiresAt: input.ExpiresAt.Value(), Force: or(input.Force.Value(), false),
	}
	if scopes, ok := input.Scopes.ValueOK(); ok {
		c.Scopes = append([]string{}, scopes...) // null and [] are both no permission, which is refused
	}
	key, err := r.Keys.Update(ctx, id, c)
	r.Forget(id)
	return model.UpdateAPIKeyPayload{APIKey: key}, err
}

func (r *mutationRoot) CreateUser(ctx context.Context, input model.CreateUserInput) (model.CreateUserPayload, error) {
	u, err := r.Users.Create(ctx, input.Email)
	return model.CreateUserPayload{User: u}, err
}

func (r *mutationRoot) UpdateUser(ctx context.Context, input model.UpdateUserInput) (model.UpdateUserPayload, error) {
	id, err := plainID(input.ID)
	if err != nil {
		return model.UpdateUserPayload{}, err
	}
	u, err := r.Users.Update(ctx, id, input.Email)
	return model.UpdateUserPayload{User: u}, err
}

func (r *mutationRoot) DeleteUser(ctx context.Context, input model.DeleteUserInput) (model.DeleteUserPayload, error) {
	id, err := plainID(input.ID)
	if err != nil {
		return model.DeleteUserPayload{}, err
	}
	var to *uuid.UUID
	if text := input.ReassignTo.Value(); text != nil {
		other, err := scalar.ParseUUID(*text)
		if err != nil {
			return model.DeleteUserPayload{}, errs.Field("reassignTo", "This is not a uuid.")
		}
		to = &other
	}
	moved, err := r.Users.Delete(ctx, id, to)
	return model.DeleteUserPayload{ID: id.String(), ReassignedDocuments: moved.Documents, ReassignedFiles: moved.Files}, err
}

// plainID reads an id that is a uuid.
func plainID(s string) (uuid.UUID, error) {
	id, err := scalar.ParseUUID(s)
	if err != nil {
		return uuid.Nil, errs.Field("id", "This is not a uuid.")
	}
	return id, nil
}
