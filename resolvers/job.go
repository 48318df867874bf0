package resolvers

import (
	"context"
	"strings"

	"stackforge/errs"
	"stackforge/graph/model"
	"stackforge/query"
	"stackforge/repo/job"
)

// Channels of the nudges that go out after a commit.
const (
	jobsReady = "jobs_ready"
	jobEvents = "job_events"
	hooksDue  = "webhooks_ready"
)

func (r *queryRoot) Job(ctx context.Context, id, hashid *string) (*job.Job, error) {
	text := or(id, or(hashid, ""))
	if (id == nil) == (hashid == nil) {
		return nil, errs.Field("id", "Give either id or hashid.")
	}
	key, err := jobID(text)
	if err != nil {
		return nil, err
	}
	return found(r.Deps.Jobs.Get(ctx, key))
}

func (r *queryRoot) Jobs(ctx context.Context, first, offset *int, filter *model.JobFilter, orderBy *model.JobOrder) ([]job.Job, error) {
	page, err := r.jobPage(ctx, query.Page{First: first, Offset: or(offset, 0)}, filter, orderBy)
	return page.Jobs, err
}

func (r *queryRoot) JobsConnection(ctx context.Context, first *int, after *string, last *int, before *string, filter *model.JobFilter, orderBy *model.JobOrder) (model.JobConnection, error) {
	page, err := r.jobPage(ctx, query.Page{First: first, After: after, Last: last, Before: before}, filter, orderBy)
	if err != nil {
		return model.JobConnection{}, err
	}
	c := model.JobConnection{Nodes: page.Jobs, Edges: make([]model.JobEdge, len(page.Jobs)), Filter: jobFilter(filter)}
	for i, j := range page.Jobs {
		c.Edges[i] = model.JobEdge{Node: j, Cursor: page.Cursor(j)}
	}
	c.PageInfo = pageInfo(page.Info, c.Edges, func(e model.JobEdge) string { return e.Cursor })
	return c, nil
}

func (r *queryRoot) jobPage(ctx context.Context, page query.Page, filter *model.JobFilter, orderBy *model.JobOrder) (job.Page, error) {
	order := job.Orders()[string(or(orderBy, model.JobOrderCreatedAtDesc))]
	return r.Deps.Jobs.List(ctx, job.ListParams{Page: page, Filter: jobFilter(filter), Order: order})
}

func (r *jobConnection) TotalCount(ctx context.Context, obj *model.JobConnection) (int, error) {
	return r.Jobs.Count(ctx, obj.Filter)
}

func (r *queryRoot) JobTypes(ctx context.Context) ([]job.Type, error) { return r.Deps.Jobs.Types(ctx) }

func (r *mutationRoot) EnqueueJob(ctx context.Context, input model.EnqueueJobInput) (model.EnqueueJobPayload, error) {
	j, duplicate, err := r.Payloads.Enqueue(ctx, newJob(input))
	if err == nil {
		r.Nudge(ctx, jobsReady)
	}
	return model.EnqueueJobPayload{Job: j, Duplicate: duplicate}, err
}

func (r *mutationRoot) EnqueueJobs(ctx context.Context, input model.EnqueueJobsInput) (model.EnqueueJobsPayload, error) {
	in := make([]job.EnqueueParams, len(input.Jobs))
	for i, j := range input.Jobs {
		in[i] = newJob(j)
	}
	if len(in) == 0 {
		return model.EnqueueJobsPayload{}, errs.Field("jobs", "Give 1 to 1,000 jobs.")
	}
	list, err := r.Payloads.EnqueueMany(ctx, in, input.OnError == model.OnErrorSkip)
	out := model.EnqueueJobsPayload{Results: make([]model.EnqueueJobResult, len(list))}
	for i, o := range list {
		out.Results[i] = model.EnqueueJobResult{Index: o.Index, Job: o.Job, Duplicate: o.Duplicate}
		if o.Err != nil {
			e := rowError(o.Err)
			if e.Field != nil { // the row is named by its index
				if _, field, ok := strings.Cut(*e.Field, "]."); ok {
					e.Field = &field
				}
			}
			out.Results[i].Error = &e
		} else if !o.Duplicate {
			out.Enqueued++
		}
	}
	if out.Enqueued > 0 {
		r.Nudge(ctx, jobsReady)
	}
	return out, err
}

func (r *mutationRoot) CancelJob(ctx context.Context, input model.CancelJobInput) (model.CancelJobPayload, error) {
	id, err := jobID(input.ID)
	if err != nil {
		return model.CancelJobPayload{}, err
	}
	j, err := r.Jobs.Cancel(ctx, id)
	if err == nil {
		r.Nudge(ctx, jobEvents)
		r.Nudge(ctx, hooksDue) // a cancelled job has failed
	}
	return model.CancelJobPayload{Job: j}, err
}

func (r *mutationRoot) RetryJob(ctx context.Context, input model.RetryJobInput) (model.RetryJobPayload, error) {
	id, err := jobID(input.ID)
	if err != nil {
		return model.RetryJobPayload{}, err
	}
	j, err := r.Jobs.Requeue(ctx, id)
	if err == nil {
		r.Nudge(ctx, jobEvents)
		r.Nudge(ctx, jobsReady)
	}
	return model.RetryJobPayload{Job: j}, err
}

func newJob(in model.EnqueueJobInput) job.EnqueueParams {
	p := job.EnqueueParams{
		Type: in.Type, RunAt: in.RunAt.Value(), Priority: in.Priority.Value(), Queue: in.Queue.Value(),
		UniqueKey: in.UniqueKey.Value(), MaxAttempts: in.MaxAttempts.Value(), Encrypt: or(in.Encrypt.Value(), false),
	}
	if v := in.Payload.Value(); string(v) != "null" {
		p.Payload = v
	}
	return p
}

// jobID reads a job's id as a client writes it.
func jobID(s string) (int64, error) {
	if id, ok := job.ParseID(s); ok {
		return id, nil
	}
	return 0, errs.Field("id", "This is neither a number nor a hashid of a job.")
}

func jobFilter(f *model.JobFilter) *job.Filter {
	if f == nil {
		return nil
	}
	out := &job.Filter{
		ID: f.ID.Value(), Type: f.Type.Value(), Queue: f.Queue.Value(), Priority: f.Priority.Value(), RunAt: f.RunAt.Value(),
		CreatedAt: f.CreatedAt.Value(), FinishedAt: f.FinishedAt.Value(), Not: jobFilter(f.Not.Value()),
		And: jobFilters(f.And.Value()), Or: jobFilters(f.Or.Value()),
	}
	if s := f.Status.Value(); s != nil {
		out.States = chosen(s.Eq.Value(), s.In.Value())
	}
	return out
}

func jobFilters(list []model.JobFilter) []job.Filter {
	out := make([]job.Filter, len(list))
	for i := range list {
		out[i] = *jobFilter(&list[i])
	}
	return out
}
