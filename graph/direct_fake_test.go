package graph_test

import (
	"context"
	"encoding/json"
	"time"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/graph/model"
	"stackforge/nodeid"
	"stackforge/repo/apikey"
	"stackforge/repo/job"
	"stackforge/repo/tenancy"
	"stackforge/repo/user"
)

// What the root fields answer; roots in direct_test.go has the same as it must be written.

func (*fake) Viewer(context.Context) (model.Viewer, error) {
	return model.Viewer{Tenant: tenancy.Tenant{ID: id(1), Name: "n", CreatedAt: moment}, KeyID: "k", Scopes: []string{"*"}}, nil
}

func (*fake) Node(_ context.Context, nodeID string) (nodeid.Node, error) { //nolint:ireturn // the generated interface asks for it
	d, _ := aDocument(2)
	j, _ := aJob(3)
	u, _ := aUser(4)
	return map[string]nodeid.Node{"d": d, "j": j, "u": u}[nodeID], nil
}

func (f *fake) Nodes(ctx context.Context, nodeIDs []string) ([]nodeid.Node, error) {
	out := make([]nodeid.Node, len(nodeIDs))
	for i, id := range nodeIDs {
		out[i], _ = f.Node(ctx, id)
	}
	return out, nil
}

func (*fake) Capabilities(context.Context) ([]db.Capability, error) {
	return []db.Capability{{Name: "a", Available: true, Version: "1"}, {Name: "b", Installed: true, Fallback: "f"}}, nil
}

func (*fake) Document(_ context.Context, id string) (*model.Document, error) {
	if id == "none" {
		return nil, nil
	}
	d, _ := aDocument(2)
	return &d, nil
}

func documentsOf(ids ...byte) []model.Document {
	out := []model.Document{}
	for _, n := range ids {
		d, _ := aDocument(n)
		out = append(out, d)
	}
	return out
}

func (*fake) Documents(_ context.Context, first, _ *int, _ *model.DocumentFilter, _ *model.DocumentOrder) ([]model.Document, error) {
	if *first == 1 {
		return []model.Document{}, nil
	}
	return documentsOf(2, 3, 4), nil
}

func (*fake) DocumentsConnection(_ context.Context, first *int, _ *string, _ *int, _ *string, _ *model.DocumentFilter, _ *model.DocumentOrder) (model.DocumentConnection, error) {
	info, _ := aPageInfo(first == nil)
	c := model.DocumentConnection{Nodes: documentsOf(2, 3), PageInfo: info, Edges: []model.DocumentEdge{}}
	if first != nil {
		c.Nodes = []model.Document{}
	}
	for i, d := range c.Nodes {
		c.Edges = append(c.Edges, model.DocumentEdge{Node: d, Cursor: string(rune('c')) + string(rune('0'+i))})
	}
	return c, nil
}

func (*fake) User(context.Context, *string, *string) (*user.User, error) {
	u, _ := aUser(4)
	return &u, nil
}

func (*fake) Users(context.Context, *int) ([]user.User, error) {
	a, _ := aUser(4)
	b, _ := aUser(5)
	return []user.User{a, b}, nil
}

func (f *fake) UsersConnection(ctx context.Context, _ *int, _ *string) (model.UserConnection, error) {
	info, _ := aPageInfo(true)
	list, _ := f.Users(ctx, nil)
	return model.UserConnection{Nodes: list, PageInfo: info, Edges: []model.UserEdge{{Node: list[0], Cursor: "c0"}, {Node: list[1], Cursor: "c1"}}}, nil
}

func (*fake) APIKeys(context.Context) ([]apikey.Key, error) {
	a, _ := aKey(6)
	b, _ := aKey(7)
	return []apikey.Key{a, b}, nil
}

func (*fake) Job(context.Context, *string, *string) (*job.Job, error) {
	j, _ := aJob(2)
	return &j, nil
}

func (*fake) Jobs(context.Context, *int, *int, *model.JobFilter, *model.JobOrder) ([]job.Job, error) {
	a, _ := aJob(2)
	b, _ := aJob(3)
	return []job.Job{a, b}, nil
}

func (f *fake) JobsConnection(ctx context.Context, _ *int, _ *string, _ *int, _ *string, _ *model.JobFilter, _ *model.JobOrder) (model.JobConnection, error) {
	info, _ := aPageInfo(false)
	list, _ := f.Jobs(ctx, nil, nil, nil, nil)
	return model.JobConnection{Nodes: list, PageInfo: info, Edges: []model.JobEdge{{Node: list[0], Cursor: "c0"}, {Node: list[1], Cursor: "c1"}}}, nil
}

func (*fake) JobTypes(context.Context) ([]job.Type, error) {
	return []job.Type{{Type: "t", Description: "d", PayloadSchema: json.RawMessage(`{"type": "object"}`)}}, nil
}

func (*fake) CreateDocument(context.Context, model.CreateDocumentInput) (model.CreateDocumentPayload, error) {
	return model.CreateDocumentPayload{Document: documentsOf(2)[0]}, nil
}

func (*fake) CreateDocuments(context.Context, model.CreateDocumentsInput) (model.CreateDocumentsPayload, error) {
	return model.CreateDocumentsPayload{Created: 1, Results: []model.CreateDocumentResult{
		{Index: 0, Document: &documentsOf(3)[0], Errors: []model.RowError{}},
		{Index: 1, Errors: []model.RowError{{Code: model.ErrorCodeConflict, Field: new("f"), Message: "m"}, {Code: model.ErrorCodeValidationFailed, Message: "n"}}},
	}}, nil
}

func (*fake) UpdateDocument(context.Context, model.UpdateDocumentInput) (model.UpdateDocumentPayload, error) {
	return model.UpdateDocumentPayload{Document: documentsOf(3)[0]}, nil
}

func (*fake) DeleteDocument(context.Context, model.DeleteDocumentInput) (model.DeleteDocumentPayload, error) {
	return model.DeleteDocumentPayload{ID: "gone"}, nil
}

func (*fake) IssueToken(context.Context) (model.IssueTokenPayload, error) {
	return model.IssueTokenPayload{Token: "a.b.c", ExpiresIn: 3600}, nil
}

func (*fake) CreateAPIKey(context.Context, model.CreateAPIKeyInput) (model.CreateAPIKeyPayload, error) {
	k, _ := aKey(7)
	return model.CreateAPIKeyPayload{APIKey: k, Plaintext: "p"}, nil
}

func (*fake) RevokeAPIKey(context.Context, model.RevokeAPIKeyInput) (model.RevokeAPIKeyPayload, error) {
	return model.RevokeAPIKeyPayload{ID: "k"}, nil
}

func (*fake) CreateUser(context.Context, model.CreateUserInput) (model.CreateUserPayload, error) {
	u, _ := aUser(4)
	return model.CreateUserPayload{User: u}, nil
}

func (*fake) EnqueueJob(context.Context, model.EnqueueJobInput) (model.EnqueueJobPayload, error) {
	j, _ := aJob(3)
	return model.EnqueueJobPayload{Job: j, Duplicate: true}, nil
}

func (*fake) EnqueueJobs(context.Context, model.EnqueueJobsInput) (model.EnqueueJobsPayload, error) {
	j, _ := aJob(3)
	return model.EnqueueJobsPayload{Enqueued: 1, Results: []model.EnqueueJobResult{{Job: &j}, {Index: 1, Error: &model.RowError{Code: model.ErrorCodeForbidden, Message: "m"}}}}, nil
}

func (*fake) CancelJob(context.Context, model.CancelJobInput) (model.CancelJobPayload, error) {
	j, _ := aJob(2)
	return model.CancelJobPayload{Job: j}, nil
}

func (*fake) DecryptJobPayload(context.Context, model.DecryptJobPayloadInput) (model.DecryptJobPayloadPayload, error) {
	return model.DecryptJobPayloadPayload{Payload: []byte(`{"a": 1}`)}, nil
}

func (*fake) EncryptJobPayload(context.Context, model.EncryptJobPayloadInput) (model.EncryptJobPayloadPayload, error) {
	j, _ := aJob(2)
	return model.EncryptJobPayloadPayload{Job: j}, nil
}

func (*fake) RetryJob(context.Context, model.RetryJobInput) (model.RetryJobPayload, error) {
	j, _ := aJob(3)
	return model.RetryJobPayload{Job: j}, nil
}

func (*fake) JobUpdates(context.Context, []string, []string, []job.State, *string) (<-chan model.JobUpdate, error) {
	c := make(chan model.JobUpdate, 2)
	c <- model.JobUpdate{JobID: new("2"), Status: new(job.StateCancelled), Type: new("t"), Attempts: new(0), LastError: new("e"), Progress: new(5), At: moment, Cursor: "c"}
	c <- model.JobUpdate{At: moment.Add(24 * time.Hour), Cursor: "d", Reset: true}
	close(c)
	return c, nil
}

// broken answers with a null where none may be, deep within a page.
type broken struct{ fake }

func (*broken) Documents(context.Context, *int, *int, *model.DocumentFilter, *model.DocumentOrder) ([]model.Document, error) {
	list := documentsOf(2, 3)
	list[1].Longitude = new(infinity())
	return list, nil
}

func (*broken) Users(context.Context, *int) ([]user.User, error) {
	return nil, errs.New(errs.Timeout, "late")
}
