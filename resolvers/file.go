package resolvers

import (
	"context"
	"encoding/json"
	"time"

	"stackforge/app"
	"stackforge/errs"
	"stackforge/graph"
	"stackforge/graph/model"
	"stackforge/query"
	"stackforge/repo/file"
	"stackforge/repo/user"
	"stackforge/scalar"
)

type (
	fileConnection struct{ *Resolver }
	fileType       struct{ *Resolver }
)

// File returns the resolvers of what a file computes on demand.
func (r *Resolver) File() graph.FileResolver { return &fileType{r} }

// FileConnection returns the resolvers of what a page of files computes on demand.
func (r *Resolver) FileConnection() graph.FileConnectionResolver { return &fileConnection{r} }

func (r *queryRoot) File(ctx context.Context, id string) (*file.File, error) {
	key, err := plainID(id)
	if err != nil {
		return nil, err
	}
	return found(r.FileRecords.Get(ctx, key))
}

func (r *queryRoot) FilesConnection(ctx context.Context, first *int, after *string, last *int, before *string, filter *model.FileFilter, orderBy *model.FileOrder) (model.FileConnection, error) {
	page, err := r.FileRecords.List(ctx, file.ListParams{
		Page: query.Page{First: first, After: after, Last: last, Before: before}, Filter: fileFilter(filter),
		Order: file.Orders()[string(or(orderBy, model.FileOrderCreatedAtDesc))],
	})
	if err != nil {
		return model.FileConnection{}, err
	}
	c := model.FileConnection{Nodes: page.Files, Edges: make([]model.FileEdge, len(page.Files)), Filter: fileFilter(filter)}
	for i, f := range page.Files {
		c.Edges[i] = model.FileEdge{Node: f, Cursor: page.Cursor(f)}
	}
	c.PageInfo = pageInfo(page.Info, c.Edges, func(e model.FileEdge) string { return e.Cursor })
	return c, nil
}

func (r *fileConnection) TotalCount(ctx context.Context, obj *model.FileConnection) (int, error) {
	return r.FileRecords.Count(ctx, obj.Filter)
}

func (r *queryRoot) StorageUsage(ctx context.Context) (file.Usage, error) {
	return r.FileRecords.Usage(ctx)
}

func (r *fileType) Uploader(ctx context.Context, obj *file.File) (*user.User, error) {
	if obj.UploaderID == nil {
		return nil, nil //nolint:nilnil // nobody yet
	}
	return found(loadersOf(ctx).users().Load(ctx, *obj.UploaderID))
}

func (r *fileType) DownloadURL(ctx context.Context, obj *file.File, expiresIn *int) (*string, error) {
	link, err := r.link(ctx, obj, expiresIn)
	if link == nil {
		return nil, err
	}
	return &link.URL, err
}

func (r *fileType) ExpiresAt(ctx context.Context, obj *file.File, expiresIn *int) (*time.Time, error) {
	link, err := r.link(ctx, obj, expiresIn)
	if link == nil {
		return nil, err
	}
	return &link.ExpiresAt, err
}

func (r *fileType) PublicURL(_ context.Context, obj *file.File) (*string, error) {
	if url := r.Files.PublicURL(*obj); url != "" {
		return &url, nil
	}
	return nil, nil //nolint:nilnil // it is not public
}

// link is nil for a file that cannot be downloaded.
func (r *fileType) link(ctx context.Context, obj *file.File, expiresIn *int) (*app.Link, error) {
	if obj.Status != file.Ready {
		return nil, nil //nolint:nilnil // see above
	}
	link, err := r.Files.Link(ctx, *obj, time.Duration(or(expiresIn, int(app.LinkLifetime/time.Second)))*time.Second)
	if err != nil {
		return nil, err
	}
	return &link, nil
}

func (r *mutationRoot) CreateUpload(ctx context.Context, input model.CreateUploadInput) (model.CreateUploadPayload, error) {
	uploader, err := scalar.ParseUUID(input.UploaderID)
	if err != nil {
		return model.CreateUploadPayload{}, errs.Field("uploaderId", "This is not a uuid.")
	}
	d, err := r.Files.Begin(ctx, app.BeginParams{
		Filename: input.Filename, ContentType: or(input.ContentType.Value(), ""), SizeBytes: input.SizeBytes, Checksum: input.Checksum.Value(),
		UploaderID: uploader,
	})
	if err != nil {
		return model.CreateUploadPayload{}, err
	}
	headers, err := json.Marshal(d.Headers)
	return model.CreateUploadPayload{File: d.File, URL: d.Link.URL, Method: d.Method, Headers: headers, ExpiresAt: d.Link.ExpiresAt}, err
}

func (r *mutationRoot) CompleteUpload(ctx context.Context, input model.CompleteUploadInput) (model.CompleteUploadPayload, error) {
	id, err := plainID(input.ID)
	if err != nil {
		return model.CompleteUploadPayload{}, err
	}
	f, err := r.Files.Finish(ctx, id)
	return model.CompleteUploadPayload{File: f}, err
}

func (r *mutationRoot) DeleteFile(ctx context.Context, input model.DeleteFileInput) (model.DeleteFilePayload, error) {
	id, err := plainID(input.ID)
	if err != nil {
		return model.DeleteFilePayload{}, err
	}
	return model.DeleteFilePayload{ID: id.String()}, r.Files.Delete(ctx, id)
}

func fileFilter(f *model.FileFilter) *file.Filter {
	if f == nil {
		return nil
	}
	out := &file.Filter{
		ID: f.ID.Value(), UploaderID: f.UploaderID.Value(), Filename: f.Filename.Value(), ContentType: f.ContentType.Value(),
		CreatedAt: f.CreatedAt.Value(), Not: fileFilter(f.Not.Value()), And: fileFilters(f.And.Value()), Or: fileFilters(f.Or.Value()),
	}
	if s := f.Status.Value(); s != nil {
		out.Statuses = chosen(s.Eq.Value(), s.In.Value())
	}
	return out
}

func fileFilters(list []model.FileFilter) []file.Filter {
	out := make([]file.Filter, len(list))
	for i := range list {
		out[i] = *fileFilter(&list[i])
	}
	return out
}
