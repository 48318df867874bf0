package graph_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"stackforge/graph"
	"stackforge/graph/model"
	"stackforge/nodeid"
	"stackforge/repo/apikey"
	"stackforge/repo/document"
	"stackforge/repo/job"
	"stackforge/repo/tenancy"
	"stackforge/repo/user"
)

// direct.go writes plain objects in a way of its own. Here random documents are answered by it, and by an interpreter in
// this file that knows nothing but the specification and a table of what each object's fields are; the answers must be the
// same bytes.

// thing is an object as it must be answered: its type and the values of its fields, which are JSON, nil, things or lists.
type thing struct {
	kind   string
	fields map[string]any
}

// text is a value that is JSON already.
type text string

//go:fix inline
var moment = time.Date(2026, 1, 31, 10, 30, 0, 123456789, time.FixedZone("", 3600))

const momentText = text(`"2026-01-31T09:30:00.123Z"`)

func id(n byte) uuid.UUID { return uuid.UUID{15: n} }

func quoted(v any) text {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text(b)
}

func aUser(n byte) (user.User, thing) {
	u := user.User{ID: id(n), TenantID: id(1), Email: fmt.Sprintf("ä\"%d@example.org", n), CreatedAt: moment}
	return u, thing{"User", map[string]any{
		"id": quoted(u.ID), "nodeId": quoted(nodeid.Encode("User", u.ID.String())), "email": text(fmt.Sprintf(`"ä\"%d@example.org"`, n)), "createdAt": momentText,
	}}
}

func aDocument(n byte) (model.Document, thing) {
	u, author := aUser(n + 100)
	d := model.Document{Author: u, Document: document.Document{
		ID: id(n), TenantID: id(1), AuthorID: u.ID, Title: "Title <&> \u2028 🦀", Body: "line\n\ttab \"q\" \\", Language: "en",
		Metadata: json.RawMessage(`{"k": "v", "ä": "\""}`), Version: int(n), CreatedAt: moment, UpdatedAt: moment,
	}}
	fields := map[string]any{
		"id": quoted(d.ID), "nodeId": quoted(nodeid.Encode("Document", d.ID.String())), "hashid": quoted(d.Hashid()), "tenantId": quoted(id(1)), "author": author, "authorId": quoted(u.ID),
		"title": text("\"Title <&> \u2028 🦀\""), "body": text(`"line\n\ttab \"q\" \\"`), "language": text(`"en"`), "metadata": text(`{"k": "v", "ä": "\""}`), "path": nil, "tagIds": text("[]"),
		"longitude": nil, "latitude": nil, "externalId": nil, "embeddingModel": nil, "version": quoted(n), "createdAt": momentText, "updatedAt": momentText,
	}
	d.TagIDs = []int32{}
	if n%2 == 0 {
		d.Path, d.TagIDs, d.Longitude, d.Latitude = new("a.b"), []int32{1, -2}, new(8.5), new(-1e-7)
		d.ExternalID, d.EmbeddingModel = new(""), new("m")
		fields["path"], fields["tagIds"], fields["longitude"], fields["latitude"] = text(`"a.b"`), text("[1,-2]"), text("8.5"), text("-1e-07")
		fields["externalId"], fields["embeddingModel"] = text(`""`), text(`"m"`)
	}
	return d, thing{"Document", fields}
}

func aJob(n int64) (job.Job, thing) {
	j := job.Job{ID: n, TenantID: id(1), Type: "t", Payload: json.RawMessage(`{"a": [1, null]}`), Status: job.Pending, Queue: "default", RunAt: moment, CreatedAt: moment, UpdatedAt: moment}
	fields := map[string]any{
		"id": quoted(fmt.Sprint(n)), "nodeId": quoted(nodeid.Encode("Job", fmt.Sprint(n))), "hashid": quoted(j.Hashid()), "type": text(`"t"`), "payload": text(`{"a": [1, null]}`), "status": text(`"PENDING"`),
		"failureReason": nil, "priority": text("0"), "queue": text(`"default"`), "uniqueKey": nil, "attempts": text("0"), "maxAttempts": nil, "progress": nil, "result": nil, "lastError": nil,
		"encrypted": text("false"), "runAt": momentText, "startedAt": nil, "finishedAt": nil, "createdAt": momentText, "updatedAt": momentText,
	}
	if n%2 == 0 {
		j.Status, j.Reason, j.Priority, j.UniqueKey, j.Attempts, j.MaxAttempts, j.Progress = job.Failed, new("no_handler"), -5, new("k"), 3, new(3), new(0)
		j.Result, j.LastError, j.StartedAt, j.FinishedAt = json.RawMessage(`null`), new("it\nbroke"), &moment, &moment
		for name, v := range map[string]text{
			"status": `"FAILED"`, "failureReason": `"NO_HANDLER"`, "priority": "-5", "uniqueKey": `"k"`, "attempts": "3", "maxAttempts": "3", "progress": "0", "result": "null",
			"lastError": `"it\nbroke"`, "startedAt": momentText, "finishedAt": momentText,
		} {
			fields[name] = v
		}
	}
	return j, thing{"Job", fields}
}

func aKey(n byte) (apikey.Key, thing) {
	k := apikey.Key{ID: id(n), TenantID: id(1), Prefix: "sk_live_abcd", Name: "k", Scopes: []string{"a:read", "*"}, CreatedAt: moment}
	fields := map[string]any{
		"id": quoted(k.ID), "prefix": text(`"sk_live_abcd"`), "name": text(`"k"`), "scopes": text(`["a:read","*"]`), "createdAt": momentText, "expiresAt": nil, "revokedAt": nil, "lastUsedAt": nil,
		"previousEndsAt": nil,
	}
	if n%2 == 0 {
		k.ExpiresAt, k.RevokedAt, k.LastUsedAt, k.PreviousEndsAt = &moment, &moment, &moment, &moment
		fields["expiresAt"], fields["revokedAt"], fields["lastUsedAt"], fields["previousEndsAt"] = momentText, momentText, momentText, momentText
	}
	return k, thing{"ApiKey", fields}
}

func aPageInfo(full bool) (model.PageInfo, thing) {
	p := model.PageInfo{HasNextPage: full}
	fields := map[string]any{"hasNextPage": text(fmt.Sprint(full)), "hasPreviousPage": text("false"), "startCursor": nil, "endCursor": nil}
	if full {
		p.StartCursor, p.EndCursor = new("s"), new("e")
		fields["startCursor"], fields["endCursor"] = text(`"s"`), text(`"e"`)
	}
	return p, thing{"PageInfo", fields}
}

// connection is a page as it must be answered.
func connection(kind string, nodes []any, info thing) thing {
	edges := make([]any, len(nodes))
	for i, n := range nodes {
		edges[i] = thing{kind + "Edge", map[string]any{"node": n, "cursor": quoted(fmt.Sprint("c", i))}}
	}
	return thing{kind + "Connection", map[string]any{"edges": edges, "nodes": nodes, "pageInfo": info, "totalCount": text("77")}}
}

// fake answers every root field with values that roots has as they must be written.
type fake struct {
	graph.ResolverRoot
}

// Root fields whose objects have the form of others are not answered here: a call of them would panic.
type (
	otherQueries       struct{ graph.QueryResolver }
	otherMutations     struct{ graph.MutationResolver }
	otherSubscriptions struct{ graph.SubscriptionResolver }

	fakeMutation struct {
		*fake
		otherMutations
	}
	fakeSubscription struct {
		*fake
		otherSubscriptions
	}
)

// Tenant has the name of its type, which the root of the resolvers has, too.
func (q otherQueries) Tenant(ctx context.Context) (tenancy.Tenant, error) {
	return q.QueryResolver.Tenant(ctx)
}

type (
	documentCount struct {
		graph.DocumentConnectionResolver
	}
	jobCount  struct{ graph.JobConnectionResolver }
	userCount struct{ graph.UserConnectionResolver }
	updateJob struct{ graph.JobUpdateResolver }
)

func (f *fake) Mutation() graph.MutationResolver { return fakeMutation{fake: f} }

func (f *fake) Subscription() graph.SubscriptionResolver             { return fakeSubscription{fake: f} }
func (f *fake) DocumentConnection() graph.DocumentConnectionResolver { return documentCount{} }
func (f *fake) JobConnection() graph.JobConnectionResolver           { return jobCount{} }
func (f *fake) UserConnection() graph.UserConnectionResolver         { return userCount{} }
func (f *fake) SearchConnection() graph.SearchConnectionResolver     { return searchAnswers{} }
func (f *fake) SearchHit() graph.SearchHitResolver                   { return hitAnswers{} }
func (f *fake) JobUpdate() graph.JobUpdateResolver                   { return updateJob{} }

func (documentCount) TotalCount(context.Context, *model.DocumentConnection) (int, error) {
	return 77, nil
}
func (jobCount) TotalCount(context.Context, *model.JobConnection) (int, error)   { return 77, nil }
func (userCount) TotalCount(context.Context, *model.UserConnection) (int, error) { return 77, nil }

func (updateJob) Job(_ context.Context, u *model.JobUpdate) (*job.Job, error) {
	if u.Reset {
		return nil, nil
	}
	j, _ := aJob(2)
	return &j, nil
}

// root is one root field as a document has it, without its selection, and what it must answer.
type root struct {
	op, field string
	want      any
}

func roots() []root {
	doc := func(n byte) thing { _, x := aDocument(n); return x }
	usr := func(n byte) thing { _, x := aUser(n); return x }
	jb := func(n int64) thing { _, x := aJob(n); return x }
	key := func(n byte) thing { _, x := aKey(n); return x }
	info := func(full bool) thing { _, x := aPageInfo(full); return x }
	payload := func(kind string, fields map[string]any) thing { return thing{kind + "Payload", fields} }
	rowError := func(code string, field any, message text) thing {
		return thing{"RowError", map[string]any{"code": text(code), "field": field, "message": message}}
	}
	capability := func(name string, available, installed bool, version, fallback string) thing {
		return thing{"Capability", map[string]any{
			"name": quoted(name), "available": quoted(available), "installed": quoted(installed), "version": quoted(version), "fallback": quoted(fallback),
		}}
	}
	search := root{"query", `searchDocuments`, searchThing(info(true), doc)}
	return slices.Concat(settingsRoots(info(true)), dashboardRoots(), fileRoots(info(true)), webhookRoots(info(true)), identityRoots(info(true)), messageRoots(info(true)), []root{
		{"query", `viewer`, thing{"Viewer", map[string]any{
			"tenant": aTenant(), "keyId": text(`"k"`), "scopes": text(`["*"]`), "rateLimit": nil,
		}}},
		{"query", `node(nodeId: "d")`, doc(2)},
		{"query", `node(nodeId: "j")`, jb(3)},
		{"query", `node(nodeId: "none")`, nil},
		{"query", `nodes(nodeIds: ["u", "none", "d", "j", "d"])`, []any{usr(4), nil, doc(2), jb(3), doc(2)}},
		{"query", `capabilities`, []any{capability("a", true, false, "1", ""), capability("b", false, true, "", "f")}},
		{"query", `document(id: "x")`, doc(2)},
		{"query", `document(id: "none")`, nil},
		{"query", `documents`, []any{doc(2), doc(3), doc(4)}},
		{"query", `documents(first: 1)`, []any{}},
		{"query", `documentsConnection`, connection("Document", []any{doc(2), doc(3)}, info(true))},
		{"query", `documentsConnection(first: 1)`, connection("Document", []any{}, info(false))},
		{"query", `user(id: "x")`, usr(4)},
		{"query", `users`, []any{usr(4), usr(5)}},
		{"query", `usersConnection`, connection("User", []any{usr(4), usr(5)}, info(true))},
		{"query", `apiKeys`, []any{key(6), key(7)}},
		{"query", `job(id: 2)`, jb(2)},
		{"query", `jobs`, []any{jb(2), jb(3)}},
		{"query", `jobsConnection`, connection("Job", []any{jb(2), jb(3)}, info(false))},
		{"query", `jobTypes`, []any{thing{"JobType", map[string]any{"type": text(`"t"`), "description": text(`"d"`), "payloadSchema": text(`{"type": "object"}`)}}}},
		search, search, search, search, // as often as it takes for each field deep in it to be selected
		{"query", `similarDocuments`, similarThing(doc)},
		{"mutation", `createDocument(input: {authorId: "x", title: "t", body: "b"})`, payload("CreateDocument", map[string]any{"document": doc(2)})},
		{"mutation", `createDocuments(input: {documents: []})`, payload("CreateDocuments", map[string]any{"created": text("1"), "results": []any{
			thing{"CreateDocumentResult", map[string]any{"index": text("0"), "document": doc(3), "errors": []any{}}},
			thing{"CreateDocumentResult", map[string]any{"index": text("1"), "document": nil, "errors": []any{rowError(`"CONFLICT"`, text(`"f"`), `"m"`), rowError(`"VALIDATION_FAILED"`, nil, `"n"`)}}},
		}})},
		{"mutation", `updateDocument(input: {id: "x"})`, payload("UpdateDocument", map[string]any{"document": doc(3)})},
		{"mutation", `deleteDocument(input: {id: "x"})`, payload("DeleteDocument", map[string]any{"id": text(`"gone"`)})},
		{"mutation", `issueToken`, payload("IssueToken", map[string]any{"token": text(`"a.b.c"`), "expiresIn": text("3600")})},
		{"mutation", `createApiKey(input: {name: "n"})`, payload("CreateApiKey", map[string]any{"apiKey": key(7), "plaintext": text(`"p"`)})},
		{"mutation", `revokeApiKey(input: {id: "x"})`, payload("RevokeApiKey", map[string]any{"id": text(`"k"`)})},
		{"mutation", `createUser(input: {email: "x"})`, payload("CreateUser", map[string]any{"user": usr(4)})},
		{"mutation", `enqueueJob(input: {type: "x"})`, payload("EnqueueJob", map[string]any{"job": jb(3), "duplicate": text("true")})},
		{"mutation", `enqueueJobs(input: {jobs: []})`, payload("EnqueueJobs", map[string]any{"enqueued": text("1"), "results": []any{
			thing{"EnqueueJobResult", map[string]any{"index": text("0"), "job": jb(3), "duplicate": text("false"), "error": nil}},
			thing{"EnqueueJobResult", map[string]any{"index": text("1"), "job": nil, "duplicate": text("false"), "error": rowError(`"FORBIDDEN"`, nil, `"m"`)}},
		}})},
		{"mutation", `cancelJob(input: {id: "x"})`, payload("CancelJob", map[string]any{"job": jb(2)})},
		{"mutation", `encryptJobPayload(input: {id: "x"})`, payload("EncryptJobPayload", map[string]any{"job": jb(2)})},
		{"mutation", `decryptJobPayload(input: {id: "x"})`, payload("DecryptJobPayload", map[string]any{"payload": text(`{"a": 1}`)})},
		{"mutation", `retryJob(input: {id: "x"})`, payload("RetryJob", map[string]any{"job": jb(3)})},
	})
}

// updates is what the subscription answers.
func updates() []thing {
	return []thing{
		{"JobUpdate", map[string]any{
			"jobId": text(`"2"`), "status": text(`"CANCELLED"`), "type": text(`"t"`), "attempts": text("0"), "lastError": text(`"e"`), "progress": text("5"), "at": momentText,
			"cursor": text(`"c"`), "reset": text("false"), "job": func() thing { _, x := aJob(2); return x }(),
		}},
		{"JobUpdate", map[string]any{
			"jobId": nil, "status": nil, "type": nil, "attempts": nil, "lastError": nil, "progress": nil, "at": text(`"2026-02-01T09:30:00.123Z"`), "cursor": text(`"d"`), "reset": text("true"), "job": nil,
		}},
	}
}
