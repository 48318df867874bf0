package document

import (
	"context"
	"time"

	"github.com/google/uuid"

	"stackforge/db"
	"stackforge/query"
	"stackforge/tenant"
)

// Filter says which documents; all given conditions must hold.
type Filter struct {
	ID, AuthorID         *query.ID
	ExternalID           *query.String
	Title, Language      *query.String
	Path                 *query.Path
	Metadata             []byte // a JSON object of strings: has all of them
	TagIDs               *TagFilter
	CreatedAt, UpdatedAt *query.Time
	HasEmbedding         *bool
	And, Or              []Filter
	Not                  *Filter
}

// TagFilter are conditions on tags.
type TagFilter struct{ Any, All []int }

// Orders are the orders of a list by their names in the API.
func Orders() map[string]query.Order {
	of := func(name, column, typ string, desc bool) query.Order {
		return query.Order{Name: name, Column: column, Type: typ, ID: "d.id", IDType: "uuid", Desc: desc}
	}
	return map[string]query.Order{
		"created_at_desc": of("created_at_desc", "d.created_at", "timestamptz", true),
		"created_at_asc":  of("created_at_asc", "d.created_at", "timestamptz", false),
		"updated_at_desc": of("updated_at_desc", "d.updated_at", "timestamptz", true),
		"updated_at_asc":  of("updated_at_asc", "d.updated_at", "timestamptz", false),
		"title_asc":       of("title_asc", "d.title", "text", false),
		"title_desc":      of("title_desc", "d.title", "text", true),
	}
}

// ListParams says which part of which list.
type ListParams struct {
	Page    query.Page
	Filter  *Filter
	Order   query.Order
	Authors bool // fetch them too
}

// Page is one page of a list.
type Page struct {
	Documents []Document
	Authors   []Author // one for each document, when they were asked for
	Info      query.Info
	Order     query.Order
}

// Cursor returns the cursor of a document of the page.
func (p Page) Cursor(d Document) string {
	switch p.Order.Column {
	case "d.title":
		return p.Order.Cursor(d.Title, d.ID.String())
	case "d.updated_at":
		return p.Order.Cursor(d.UpdatedAt.UTC().Format(time.RFC3339Nano), d.ID.String())
	default:
		return p.Order.Cursor(d.CreatedAt.UTC().Format(time.RFC3339Nano), d.ID.String())
	}
}

// List returns a page. It is Validation naming first, last, after, before, offset or a field of the filter.
//
// Index: ix_documents_created, ix_documents_updated or ix_documents_title by order, or ix_documents_path for a subtree; tags and
// metadata are checked row by row (their operators are not leakproof). See docs/queries/document.List.md.
func (r *Repo) List(ctx context.Context, p ListParams) (Page, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Page{}, err
	}
	w := query.NewWhere(s.TenantID)
	cond := p.Filter.where(w)
	page := Page{Order: p.Order}
	if !p.Authors {
		page.Documents, page.Info, err = query.Fetch(w, p.Page, p.Order, func(win query.Window) ([]Document, error) {
			return db.List[Document](ctx, db.Read(r.db), `
				-- name: document.List
				SELECT `+columns+`
				FROM documents d
				WHERE `+query.And("d.tenant_id = $1", cond, win.Where)+`
				`+win.OrderBy, w.Args()...)
		})
		return page, err
	}
	rows, info, err := query.Fetch(w, p.Page, p.Order, func(win query.Window) ([]withAuthor, error) {
		return db.List[withAuthor](ctx, db.Read(r.db), `
			-- name: document.ListWithAuthors
			SELECT `+columns+`, u.email::text AS author_email, u.created_at AS author_created_at
			FROM documents d
			JOIN app_users u ON u.tenant_id = d.tenant_id AND u.id = d.author_id
			WHERE `+query.And("d.tenant_id = $1", cond, win.Where)+`
			`+win.OrderBy, w.Args()...)
	})
	page.Documents, page.Authors, page.Info = make([]Document, len(rows)), make([]Author, len(rows)), info
	for i := range rows {
		page.Documents[i], page.Authors[i] = rows[i].Document, rows[i].author
	}
	return page, err
}

// Count returns how many documents a filter lets through. It is Validation naming a field of the filter.
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
	type row struct {
		Count int `db:"count"`
	}
	n, err := db.Get[row](ctx, db.Read(r.db), "count", `
		-- name: document.Count
		SELECT count(*) AS count
		FROM documents d
		WHERE `+query.And("d.tenant_id = $1", cond), w.Args()...)
	return n.Count, err
}

func (f *Filter) where(w *query.Where) string {
	if f == nil {
		return ""
	}
	conds := []string{
		query.IDs(w, "id", "d.id", "uuid", f.ID, parseUUID),
		query.IDs(w, "authorId", "d.author_id", "uuid", f.AuthorID, parseUUID),
		w.String("externalId", "d.external_id", f.ExternalID),
		w.String("title", "d.title", f.Title),
		w.String("language", "d.language", f.Language),
		w.Path("path", "d.path_text", f.Path),
		w.Time("d.created_at", f.CreatedAt),
		w.Time("d.updated_at", f.UpdatedAt),
		f.Not.not(w),
	}
	if len(f.Metadata) > 0 {
		conds = append(conds, w.Cond("d.metadata @> (SELECT coalesce(hstore(array_agg(key), array_agg(value)), '') FROM jsonb_each_text(?::jsonb))", string(f.Metadata)))
	}
	if t := f.TagIDs; t != nil && t.Any != nil {
		conds = append(conds, w.Cond("d.tag_ids && ?::int[]", t.Any))
	}
	if t := f.TagIDs; t != nil && t.All != nil {
		conds = append(conds, w.Cond("d.tag_ids @> ?::int[]", t.All))
	}
	if f.HasEmbedding != nil {
		conds = append(conds, w.Cond("(d.embedding_model IS NOT NULL) = ?", *f.HasEmbedding))
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

func (f *Filter) not(w *query.Where) string { return query.Not(f.where(w)) }

func parseUUID(s string) (uuid.UUID, bool) {
	if len(s) != 36 {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(s)
	return id, err == nil
}
