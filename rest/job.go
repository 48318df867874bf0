package rest

import (
	"context"
	"net/http"
	"time"

	"stackforge/errs"
	"stackforge/query"
	"stackforge/repo/job"
)

// Channels of the nudges that go out after a commit.
const jobsReady = "jobs_ready"

// Job is a job as REST shows it.
type Job struct {
	ID         int64   `json:"id" doc:"The number." example:"42"`
	Hashid     string  `json:"hashid" doc:"The short public id." example:"jRkZqW"`
	Type       string  `json:"type" doc:"What is to be done." example:"send_email"`
	Payload    object  `json:"payload" doc:"What it is to be done with." example:"{\"to\":\"someone@example.org\"}"`
	Status     string  `json:"status" enum:"pending,running,done,failed" doc:"Where it stands; a cancelled job has failed." example:"pending"`
	Priority   int     `json:"priority" doc:"Higher runs first." example:"0"`
	Attempts   int     `json:"attempts" doc:"Runs that were started." example:"0"`
	RunAt      moment  `json:"runAt" doc:"It does not run before."`
	StartedAt  maybe   `json:"startedAt" doc:"When the last run began."`
	FinishedAt maybe   `json:"finishedAt" doc:"When it was done or had failed for good."`
	LastError  *string `json:"lastError" doc:"Why the last run failed." example:"connection refused"`
	CreatedAt  moment  `json:"createdAt" doc:"When it was enqueued."`
	UpdatedAt  moment  `json:"updatedAt" doc:"When it was last changed."`
}

// NewJob is a job to enqueue.
type NewJob struct {
	Type     string  `json:"type" doc:"A lower-case letter, then up to 63 letters, digits, underscores, dots and hyphens." example:"send_email"`
	Payload  object  `json:"payload,omitzero" required:"false" nullable:"true" doc:"At most 256 KiB; must fit the schema of the type. Default {}." example:"{\"to\":\"someone@example.org\",\"subject\":\"Hello\",\"body\":\"Hello!\"}"`
	Priority *int32  `json:"priority,omitempty" nullable:"true" minimum:"-2147483648" maximum:"2147483647" doc:"Higher runs first. Default 0." example:"0"`
	RunAt    *string `json:"runAt,omitempty" nullable:"true" format:"date-time" doc:"It does not run before. Default now." example:"2026-01-31T09:30:00.000Z"`
}

// JobList is a page of jobs.
type JobList struct {
	Items      []Job      `json:"items" nullable:"false" doc:"The newest first."`
	Pagination pagination `json:"pagination" doc:"Where the page stands."`
}

type jobAnswer struct{ Body Job }

func (a *API) jobs() {
	enqueue := operation("Jobs", http.MethodPost, "/jobs", "enqueueJob", "Enqueue a job", http.StatusCreated, 400, 403, 409, 413, 415)
	leads(&enqueue, "id", "getJob", "encryptJob", "decryptJob")
	handle(a, "jobs:write", enqueue,
		func(ctx context.Context, in *struct {
			Once
			Body NewJob
		},
		) (*jobAnswer, error) {
			p, err := in.Body.params()
			if err != nil {
				return nil, err
			}
			j, _, err := a.Jobs.Enqueue(ctx, p)
			if err != nil {
				return nil, err
			}
			a.Nudge(ctx, jobsReady)
			return &jobAnswer{jobOf(j)}, nil
		})
	handle(a, "jobs:read", operation("Jobs", http.MethodGet, "/jobs", "listJobs", "List jobs", http.StatusOK, 400),
		func(ctx context.Context, in *struct {
			Status string `query:"status" enum:"pending,running,done,failed" doc:"Only jobs that stand there."`
			Limit  limit  `query:"limit" doc:"Most jobs of the page, brought into 1 to 100."`
			Offset offset `query:"offset" doc:"Jobs before the page, brought into 0 to 1,000,000."`
		},
		) (*struct{ Body JobList }, error) {
			list, err := a.listJobs(ctx, in.Status, in.Limit.value(), in.Offset.n)
			return &struct{ Body JobList }{list}, err
		})
	handle(a, "jobs:read", operation("Jobs", http.MethodGet, "/jobs/{id}", "getJob", "Read a job", http.StatusOK, 400, 404),
		func(ctx context.Context, in *jobID) (*jobAnswer, error) {
			id, err := in.parse()
			if err != nil {
				return nil, err
			}
			j, err := a.Jobs.Get(ctx, id)
			return &jobAnswer{jobOf(j)}, err
		})
}

type jobID struct {
	ID string `path:"id" pattern:"^([0-9]+|[a-zA-Z]+)$" doc:"The number, or the short public id." example:"1"`
}

// parse reads the id: a number or a hashid.
func (j jobID) parse() (int64, error) {
	if id, ok := job.ParseID(j.ID); ok {
		return id, nil
	}
	return 0, errs.Field("id", "This is neither a number nor a hashid of a job.")
}

func (n NewJob) params() (job.EnqueueParams, error) {
	p := job.EnqueueParams{Type: n.Type}
	if s := string(n.Payload.RawMessage); s != "null" {
		p.Payload = n.Payload.RawMessage
	}
	if n.Priority != nil {
		v := int(*n.Priority)
		p.Priority = &v
	}
	if n.RunAt != nil {
		at, err := time.Parse(time.RFC3339, *n.RunAt)
		if err != nil {
			return p, errs.Field("runAt", notMoment)
		}
		p.RunAt = &at
	}
	return p, nil
}

func (a *API) listJobs(ctx context.Context, status string, limit, offset int) (JobList, error) {
	f, err := jobFilter(status)
	if err != nil {
		return JobList{}, err
	}
	page, err := a.Jobs.List(ctx, job.ListParams{Page: query.Page{First: &limit, Offset: offset}, Filter: f, Order: job.Orders()["created_at_desc"]})
	out := JobList{
		Items:      make([]Job, len(page.Jobs)),
		Pagination: pagination{Limit: limit, Offset: offset, Count: len(page.Jobs), HasMore: page.Info.HasNext},
	}
	for i, j := range page.Jobs {
		out.Items[i] = jobOf(j)
	}
	return out, err
}

// jobFilter lets through the jobs of a status; those that were cancelled have failed.
func jobFilter(status string) (*job.Filter, error) {
	switch job.Status(status) {
	case "":
		return nil, nil //nolint:nilnil // no condition
	case job.Pending:
		return &job.Filter{States: []job.State{job.StatePending}}, nil
	case job.Running:
		return &job.Filter{States: []job.State{job.StateRunning}}, nil
	case job.Done:
		return &job.Filter{States: []job.State{job.StateDone}}, nil
	case job.Failed:
		return &job.Filter{States: []job.State{job.StateFailed, job.StateCancelled}}, nil
	default:
		return nil, errs.Field("status", "This must be one of pending, running, done and failed.")
	}
}

func jobOf(j job.Job) Job {
	return Job{
		ID: j.ID, Hashid: j.Hashid(), Type: j.Type, Payload: object{j.Payload}, Status: string(j.Status), Priority: j.Priority, Attempts: j.Attempts,
		RunAt: moment{j.RunAt}, StartedAt: maybe{j.StartedAt}, FinishedAt: maybe{j.FinishedAt}, LastError: j.LastError,
		CreatedAt: moment{j.CreatedAt}, UpdatedAt: moment{j.UpdatedAt},
	}
}
