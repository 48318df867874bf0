package graph_test

import (
	"context"

	"stackforge/graph"
	"stackforge/graph/model"
	"stackforge/repo/apikey"
)

type keyCount struct{}

func (*fake) ApiKeyConnection() graph.ApiKeyConnectionResolver { return keyCount{} } //nolint:revive // the generated interface has it so

func (keyCount) TotalCount(context.Context, *model.APIKeyConnection) (int, error) { return 77, nil }

func (*fake) APIKeysConnection(context.Context, *int, *string) (model.APIKeyConnection, error) {
	info, _ := aPageInfo(true)
	a, _ := aKey(6)
	b, _ := aKey(7)
	return model.APIKeyConnection{Nodes: []apikey.Key{a, b}, PageInfo: info, Edges: []model.APIKeyEdge{{Node: a, Cursor: "c0"}, {Node: b, Cursor: "c1"}}}, nil
}

func (*fake) UpdateAPIKey(context.Context, model.UpdateAPIKeyInput) (model.UpdateAPIKeyPayload, error) {
	k, _ := aKey(6)
	return model.UpdateAPIKeyPayload{APIKey: k}, nil
}

func (*fake) RotateAPIKey(context.Context, model.RotateAPIKeyInput) (model.RotateAPIKeyPayload, error) {
	k, _ := aKey(6)
	return model.RotateAPIKeyPayload{APIKey: k, Plaintext: "p\"<"}, nil
}

func (*fake) UpdateUser(context.Context, model.UpdateUserInput) (model.UpdateUserPayload, error) {
	u, _ := aUser(5)
	return model.UpdateUserPayload{User: u}, nil
}

func (*fake) DeleteUser(_ context.Context, in model.DeleteUserInput) (model.DeleteUserPayload, error) {
	return model.DeleteUserPayload{ID: in.ID, ReassignedDocuments: 1 << 40, ReassignedFiles: 2}, nil
}

// identityRoots are the root fields of users and API keys that direct_test.go lacks.
func identityRoots(info thing) []root {
	key := func(n byte) thing { _, x := aKey(n); return x }
	_, u := aUser(5)
	return []root{
		{"query", `apiKeysConnection`, connection("ApiKey", []any{key(6), key(7)}, info)},
		{"mutation", `updateApiKey(input: {id: "x"})`, thing{"UpdateApiKeyPayload", map[string]any{"apiKey": key(6)}}},
		{"mutation", `rotateApiKey(input: {id: "x"})`, thing{"RotateApiKeyPayload", map[string]any{"apiKey": key(6), "plaintext": text(`"p\"<"`)}}},
		{"mutation", `updateUser(input: {id: "x", email: "e"})`, thing{"UpdateUserPayload", map[string]any{"user": u}}},
		{"mutation", `deleteUser(input: {id: "x"})`, thing{"DeleteUserPayload", map[string]any{
			"id": text(`"x"`), "reassignedDocuments": text("1099511627776"), "reassignedFiles": text("2"),
		}}},
	}
}
