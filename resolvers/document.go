package resolvers

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"

	"stackforge/errs"
	"stackforge/graph/model"
	"stackforge/hashid"
	"stackforge/query"
	"stackforge/repo/document"
	"stackforge/repo/user"
	"stackforge/scalar"
)

func (r *queryRoot) Document(ctx context.Context, id string) (*model.Document, error) {
	key, err := documentID(id)
	if err != nil {
		return nil, err
	}
	d, a, err := r.Deps.Documents.Get(ctx, key)
	return found(model.Document{Document: d, Author: author(a)}, err)
}

func (r *queryRoot) Documents(ctx context.Context, first, offset *int, filter *model.DocumentFilter, orderBy *model.DocumentOrder) ([]model.Document, error) {
	page, err := r.documentPage(ctx, query.Page{First: first, Offset: or(offset, 0)}, filter, orderBy)
	return shapePage(page), err
}

func (r *queryRoot) DocumentsConnection(ctx context.Context, first *int, after *string, last *int, before *string, filter *model.DocumentFilter, orderBy *model.DocumentOrder) (model.DocumentConnection, error) {
	page, err := r.documentPage(ctx, query.Page{First: first, After: after, Last: last, Before: before}, filter, orderBy)
	if err != nil {
		return model.DocumentConnection{}, err
	}
	docs := shapePage(page)
	c := model.DocumentConnection{Nodes: docs, Edges: make([]model.DocumentEdge, len(docs)), Filter: documentFilter(filter)}
	for i := range docs {
		c.Edges[i] = model.DocumentEdge{Node: docs[i], Cursor: page.Cursor(docs[i].Document)}
	}
	c.PageInfo = pageInfo(page.Info, c.Edges, func(e model.DocumentEdge) string { return e.Cursor })
	return c, nil
}

func (r *queryRoot) documentPage(ctx context.Context, page query.Page, filter *model.DocumentFilter, orderBy *model.DocumentOrder) (document.Page, error) {
	order := document.Orders()[string(or(orderBy, model.DocumentOrderCreatedAtDesc))]
	return r.Deps.Documents.List(ctx, document.ListParams{
		Page: page, Filter: documentFilter(filter), Order: order, Authors: selects(ctx, "author"),
	})
}

// shapePage makes the documents of a page, with their authors when they came along.
func shapePage(page document.Page) []model.Document {
	out := make([]model.Document, len(page.Documents))
	for i := range page.Documents {
		out[i].Document = page.Documents[i]
		if page.Authors != nil {
			out[i].Author = author(page.Authors[i])
		}
	}
	return out
}

func author(a document.Author) user.User {
	return user.User{ID: a.ID, TenantID: a.TenantID, Email: a.Email, CreatedAt: a.CreatedAt}
}

func (r *documentConnection) TotalCount(ctx context.Context, obj *model.DocumentConnection) (int, error) {
	return r.Documents.Count(ctx, obj.Filter)
}

func (r *mutationRoot) CreateDocument(ctx context.Context, input model.CreateDocumentInput) (model.CreateDocumentPayload, error) {
	created, err := r.Documents.Create(ctx, newDocument(input))
	d, err := r.shapeOne(ctx, created, err)
	return model.CreateDocumentPayload{Document: d}, err
}

func (r *mutationRoot) CreateDocuments(ctx context.Context, input model.CreateDocumentsInput) (model.CreateDocumentsPayload, error) {
	in := make([]document.Input, len(input.Documents))
	for i, d := range input.Documents {
		in[i] = newDocument(d)
	}
	list, err := r.Documents.CreateMany(ctx, in, input.OnError == model.OnErrorSkip)
	if err != nil {
		return model.CreateDocumentsPayload{}, err
	}
	var created []document.Document
	for _, o := range list {
		if o.Document != nil {
			created = append(created, *o.Document)
		}
	}
	docs, err := r.shape(ctx, created)
	out := model.CreateDocumentsPayload{Results: make([]model.CreateDocumentResult, len(list)), Created: len(docs)}
	for i, o := range list {
		out.Results[i] = model.CreateDocumentResult{Index: i, Errors: rowErrors(o.Errors)}
		if o.Document != nil && err == nil {
			out.Results[i].Document, docs = &docs[0], docs[1:]
		}
	}
	return out, err
}

func (r *mutationRoot) UpdateDocument(ctx context.Context, input model.UpdateDocumentInput) (model.UpdateDocumentPayload, error) {
	id, err := documentID(input.ID)
	if err != nil {
		return model.UpdateDocumentPayload{}, err
	}
	in := document.Input{}
	put(in, "authorId", input.AuthorID)
	put(in, "title", input.Title)
	put(in, "body", input.Body)
	put(in, "path", input.Path)
	put(in, "metadata", input.Metadata)
	put(in, "tagIds", input.TagIds)
	put(in, "longitude", input.Longitude)
	put(in, "latitude", input.Latitude)
	put(in, "language", input.Language)
	put(in, "externalId", input.ExternalID)
	changed, err := r.Documents.Update(ctx, id, in, input.ExpectedVersion)
	d, err := r.shapeOne(ctx, changed, err)
	return model.UpdateDocumentPayload{Document: d}, err
}

func (r *mutationRoot) DeleteDocument(ctx context.Context, input model.DeleteDocumentInput) (model.DeleteDocumentPayload, error) {
	id, err := documentID(input.ID)
	if err != nil {
		return model.DeleteDocumentPayload{}, err
	}
	return model.DeleteDocumentPayload{ID: id.String()}, r.Documents.Delete(ctx, id)
}

func newDocument(in model.CreateDocumentInput) document.Input {
	d := document.Input{"authorId": in.AuthorID, "title": in.Title, "body": in.Body}
	put(d, "path", in.Path)
	put(d, "metadata", in.Metadata)
	put(d, "tagIds", in.TagIds)
	put(d, "longitude", in.Longitude)
	put(d, "latitude", in.Latitude)
	put(d, "language", in.Language)
	put(d, "externalId", in.ExternalID)
	return d
}

// put carries a field over only when the client gave it, null included.
func put[T any](in document.Input, name string, v graphql.Omittable[T]) {
	if value, ok := v.ValueOK(); ok {
		in[name] = value
	}
}

// documentID reads a document's id as a client writes it: the uuid, or the hashid.
func documentID(s string) (uuid.UUID, error) {
	if id, err := scalar.ParseUUID(s); err == nil {
		return id, nil
	}
	if id, ok := hashid.ParseDocument(s); ok {
		return id, nil
	}
	return uuid.Nil, errs.Field("id", "This is neither a uuid nor a hashid of a document.")
}

func documentFilter(f *model.DocumentFilter) *document.Filter {
	if f == nil {
		return nil
	}
	out := &document.Filter{
		ID: f.ID.Value(), AuthorID: f.AuthorID.Value(), ExternalID: f.ExternalID.Value(), Title: f.Title.Value(),
		Language: f.Language.Value(), Path: f.Path.Value(), TagIDs: f.TagIds.Value(), CreatedAt: f.CreatedAt.Value(),
		UpdatedAt: f.UpdatedAt.Value(), HasEmbedding: f.HasEmbedding.Value(), Not: documentFilter(f.Not.Value()),
		And: documentFilters(f.And.Value()), Or: documentFilters(f.Or.Value()),
	}
	if m := f.Metadata.Value(); string(m) != "null" {
		out.Metadata = m
	}
	return out
}

func documentFilters(list []model.DocumentFilter) []document.Filter {
	out := make([]document.Filter, len(list))
	for i := range list {
		out[i] = *documentFilter(&list[i])
	}
	return out
}
