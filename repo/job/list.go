package job

import (
	"context"
	"strconv"
	"time"

	"stackforge/db"
	"stackforge/hashid"
	"stackforge/query"
	"stackforge/tenant"
)

// Filter says which jobs; all given conditions must hold.
type Filter struct {
	ID                           *query.ID
	Type, Queue                  *query.String
	States                       []State // one of these; nil is any
	Priority                     *query.Int
	RunAt, CreatedAt, FinishedAt *query.Time
	And, Or                      []Filter
	Not                          *Filter
}

// Orders are the orders of a list by their names in the API.
func Orders() map[string]query.Order {
	of := func(name string, desc bool) query.Order {
		return query.Order{Name: name, Column: "j.created_at", Type: "timestamptz", ID: "j.id", IDType: "bigint", Desc: desc}
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
	Jobs  []Job
	Info  query.Info
	Order query.Order
}

// Cursor returns the cursor of a job of the page.
func (p Page) Cursor(j Job) string {
	return p.Order.Cursor(j.CreatedAt.UTC().Format(time.RFC3339Nano), strconv.FormatInt(j.ID, 10))
}

// List returns a page. It is Validation naming first, last, after, before, offset or a field of the filter.
//
// Index: ix_jobs_live_tenant and the ix_jobs_finished_tenant of each month, merged; see docs/queries/job.List.md.
func (r *Repo) List(ctx context.Context, p ListParams) (Page, error) {
	s, err := tenant.From(ctx)
	if err != nil {
		return Page{}, err
	}
	w := query.NewWhere(s.TenantID)
	cond := p.Filter.where(w)
	h := db.Read(r.db)
	if p.Page.After != nil || p.Page.Before != nil {
		h = db.Fresh(h) // a kept plan sorts all that is behind the cursor
	}
	jobs, info, err := query.Fetch(w, p.Page, p.Order, func(win query.Window) ([]Job, error) {
		return db.List[Job](ctx, h, `
			-- name: job.List
			SELECT `+columns+`
			FROM jobs j
			WHERE `+query.And("j.tenant_id = $1", cond, win.Where)+`
			`+win.OrderBy, w.Args()...)
	})
	return Page{Jobs: jobs, Info: info, Order: p.Order}, err
}

// Count returns how many jobs a filter lets through. It is Validation naming a field of the filter.
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
		-- name: job.Count
		SELECT count(*) AS count
		FROM jobs j
		WHERE `+query.And("j.tenant_id = $1", cond), w.Args()...)
	return n.Count, err
}

func (f *Filter) where(w *query.Where) string {
	if f == nil {
		return ""
	}
	conds := []string{
		query.IDs(w, "id", "j.id", "bigint", f.ID, ParseID),
		w.String("type", "j.type", f.Type),
		w.String("queue", "j.queue", f.Queue),
		w.Int("priority", "j.priority", f.Priority),
		w.Time("j.run_at", f.RunAt),
		w.Time("j.created_at", f.CreatedAt),
		w.Time("j.finished_at", f.FinishedAt),
		query.Not(f.Not.where(w)),
	}
	if f.States != nil {
		// The values are constants of ours, and as text they let the planner leave out whole partitions.
		states := []string{"false"}
		for _, s := range f.States {
			states = append(states, w.Cond("("+s.cond()+")"))
		}
		conds = append(conds, query.Or(states...))
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

// ParseID reads a job's id as a client writes it: the number, or the hashid.
func ParseID(s string) (int64, bool) {
	if id, err := strconv.ParseInt(s, 10, 64); err == nil {
		return id, true
	}
	return hashid.ParseJob(s)
}
