package resolvers

import (
	"context"
	"encoding/json"

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

func (r *queryRoot) Document(ctx context.Context, id string) (*document.Document, error) {
	key, err := documentID(id)
	if err != nil {
		return nil, err
	}
	d, author, err := r.Deps.Documents.Get(ctx, key)
	if err == nil {
		loadersOf(ctx).users().Prime(author.ID, user.User{ID: author.ID, TenantID: author.TenantID, Email: author.Email, CreatedAt: author.CreatedAt})
	}
	return found(d, err)
}

func (r *queryRoot) Documents(ctx context.Context, first, offset *int, filter *model.DocumentFilter, orderBy *model.DocumentOrder) ([]document.Document, error) {
	page, err := r.documentPage(ctx, query.Page{First: first, Offset: or(offset, 0)}, filter, orderBy)
	return page.Documents, err
}

func (r *queryRoot) DocumentsConnection(ctx context.Context, first *int, after *string, last *int, before *string, filter *model.DocumentFilter, orderBy *model.DocumentOrder) (model.DocumentConnection, error) {
	page, err := r.documentPage(ctx, query.Page{First: first, After: after, Last: last, Before: before}, filter, orderBy)
	if err != nil {
		return model.DocumentConnection{}, err
	}
	c := model.DocumentConnection{Nodes: page.Documents, Edges: make([]model.DocumentEdge, len(page.Documents)), Filter: documentFilter(filter)}
	for i, d := range page.Documents {
		c.Edges[i] = model.DocumentEdge{Node: d, Cursor: page.Cursor(d)}
	}
	c.PageInfo = pageInfo(page.Info, c.Edges, func(e model.DocumentEdge) string { return e.Cursor })
	return c, nil
}

func (r *queryRoot) documentPage(ctx context.Context, page query.Page, filter *model.DocumentFilter, orderBy *model.DocumentOrder) (document.Page, error) {
	order := document.Orders()[string(or(orderBy, model.DocumentOrderCreatedAtDesc))]
	p, err := r.Deps.Documents.List(ctx, document.ListParams{Page: page, Filter: documentFilter(filter), Order: order})
	if err != nil {
		return p, err
	}
	return p, primeAuthors(ctx, p.Documents)
}

func (r *documentConnection) TotalCount(ctx context.Context, obj *model.DocumentConnection) (int, error) {
	return r.Deps.Documents.Count(ctx, obj.Filter)
}

func (r *documentFields) Author(ctx context.Context, obj *document.Document) (user.User, error) {
	return loadersOf(ctx).users().Load(ctx, obj.AuthorID)
}

func (r *mutationRoot) CreateDocument(ctx context.Context, input model.CreateDocumentInput) (model.CreateDocumentPayload, error) {
	d, err := r.Deps.Documents.Create(ctx, newDocument(input))
	return model.CreateDocumentPayload{Document: d}, err
}

func (r *mutationRoot) CreateDocuments(ctx context.Context, input model.CreateDocumentsInput) (model.CreateDocumentsPayload, error) {
	in := make([]document.Input, len(input.Documents))
	for i, d := range input.Documents {
		in[i] = newDocument(d)
	}
	list, err := r.Deps.Documents.CreateMany(ctx, in, input.OnError == model.OnErrorSkip)
	out := model.CreateDocumentsPayload{Results: make([]model.CreateDocumentResult, len(list))}
	for i, o := range list {
		out.Results[i] = model.CreateDocumentResult{Index: i, Document: o.Document, Errors: rowErrors(o.Errors)}
		if o.Document != nil {
			out.Created++
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
	d, err := r.Deps.Documents.Update(ctx, id, in, input.ExpectedVersion)
	return model.UpdateDocumentPayload{Document: d}, err
}

func (r *mutationRoot) DeleteDocument(ctx context.Context, input model.DeleteDocumentInput) (model.DeleteDocumentPayload, error) {
	id, err := documentID(input.ID)
	if err != nil {
		return model.DeleteDocumentPayload{}, err
	}
	return model.DeleteDocumentPayload{ID: id.String()}, r.Deps.Documents.Delete(ctx, id)
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
		out.Metadata = json.RawMessage(m)
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
