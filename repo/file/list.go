package file

import (
	"context"
	"time"

	"github.com/google/uuid"

	"stackforge/db"
	"stackforge/query"
	"stackforge/tenant"
)

// Filter says which files; all given conditions must hold.
type Filter struct {
	ID, UploaderID        *query.ID
	Filename, ContentType *query.String
	Statuses              []Status // one of these; nil is any
	CreatedAt             *query.Time
	And, Or               []Filter
	Not                   *Filter
}

// Orders are the orders of a list by their names in the API.
func Orders() map[string]query.Order {
	of := func(name string, desc bool) query.Order {
		return query.Order{Name: name, Column: "f.created_at", Type: "timestamptz", ID: "f.id", IDType: "uuid", Desc: desc}
	}
	return map[string]query.Order{"created_at_desc": of("created_at_desc", true), "created_at_asc": of("created_at_asc", false)}
}

// ListParams says which part of which list.
type ListParams struct {
	Page   query.Page
	Filter *Filter
	Order  query.Order
}

// Page is one page of a list.
type Page struct {
	Files []File
	Info  query.Info
	Order query.Order
}

// Cursor returns the cursor of a file of the page.
func (p Page) Cursor(f File) string {
	return p.Order.Cursor(f.CreatedAt.UTC().Format(time.RFC3339Nano), f.ID.String())
}

// List returns a page. It is errs.Validation naming first, last, after, before or a field of the filter.
//
// Index: the ix_files_created of each month, merged; with uploaderId ix_files_uploader. A plan for an average tenant would sort all
// files before the cursor instead.
func (r *Repo) List(ctx context.Context, p ListParams) (Page, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Page{}, err
	}
	w := query.NewWhere(s.TenantID)
	cond := p.Filter.where(w)
	files, info, err := query.Fetch(w, p.Page, p.Order, func(win query.Window) ([]File, error) {
		return db.List[File](ctx, db.Fresh(db.Read(r.db)), `
			-- name: file.List
			SELECT `+columns+`
			FROM files f
			WHERE `+query.And("f.tenant_id = $1", cond, win.Where)+`
			`+win.OrderBy, w.Args()...)
	})
	return Page{Files: files, Info: info, Order: p.Order}, err
}

// Count returns how many files a filter lets through. It is errs.Validation naming a field of the filter.
func (r *Repo) Count(ctx context.Context, f *Filter) (int, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return 0, err
	}
	w := query.NewWhere(s.TenantID)
	cond := f.where(w)
	if err := w.Err(); err != nil {
		return 0, err
	}
	return db.Get[int](ctx, db.Read(r.db), "count", `
		-- name: file.Count
		SELECT count(*)
		FROM files f
		WHERE `+query.And("f.tenant_id = $1", cond), w.Args()...)
}

func (f *Filter) where(w *query.Where) string {
	if f == nil {
		return ""
	}
	conds := []string{
		query.IDs(w, "id", "f.id", "uuid", f.ID, parseID),
		query.IDs(w, "uploaderId", "f.uploader_id", "uuid", f.UploaderID, parseID),
		w.String("filename", "f.filename", f.Filename),
		w.String("contentType", "f.content_type", f.ContentType),
		w.Time("f.created_at", f.CreatedAt),
		query.Not(f.Not.where(w)),
	}
	if f.Statuses != nil {
		list := make([]string, len(f.Statuses))
		for i, s := range f.Statuses {
			list[i] = string(s)
		}
		conds = append(conds, w.Cond("f.status = ANY (?::text[])", list))
	}
	for i := range f.And {
		conds = append(conds, f.And[i].where(w))
	}
	var or []string
	for i := range f.Or {
		or = append(or, query.Always(f.Or[i].where(w)))
	}
	return query.And(append(conds, query.Or(or...))...)
}

func parseID(s string) (uuid.UUID, bool) {
	id, err := uuid.Parse(s)
	return id, err == nil && len(s) == 36
}
