package resolvers

import (
	"context"
	"strconv"

	"stackforge/errs"
	"stackforge/graph/model"
	"stackforge/repo/job"
	"stackforge/transport"
)

// JobUpdates subscribes to the changes of the context's tenant's jobs, after a cursor ("" starts now). The channel is
// closed when the context ends, or when the subscriber falls too far behind; reason then says why, nil for no reason.
type JobUpdates func(ctx context.Context, f job.EventFilter, after string) (events <-chan *job.Event, reason func() error, err error)

func (r *subscriptionRoot) JobUpdates(ctx context.Context, ids, types []string, statuses []job.State, after *string) (<-chan model.JobUpdate, error) {
	f := job.EventFilter{Types: types, States: statuses, IDs: make([]int64, len(ids))}
	for i, id := range ids {
		key, ok := job.ParseID(id)
		if !ok {
			return nil, errs.Field("ids", "This is neither a number nor a hashid of a job.")
		}
		f.IDs[i] = key
	}
	events, reason, err := r.Updates(ctx, f, or(after, ""))
	if err != nil {
		return nil, err
	}
	out := make(chan model.JobUpdate, 1)
	if !transport.Pull(ctx, func() { nextUpdate(ctx, events, reason, out) }) {
		return nil, errs.New(errs.Internal, "A subscription needs a transport that can have it.")
	}
	return out, nil
}

// nextUpdate waits for an event and passes it on; at the end it closes the channel.
func nextUpdate(ctx context.Context, events <-chan *job.Event, reason func() error, out chan<- model.JobUpdate) {
	select {
	case e, ok := <-events:
		if ok {
			out <- newJobUpdate(e)
			return
		}
		if err := reason(); err != nil && ctx.Err() == nil {
			transport.Fail(ctx, err)
		}
	case <-ctx.Done():
	}
	close(out)
}

func newJobUpdate(e *job.Event) model.JobUpdate {
	u := model.JobUpdate{At: e.At, Cursor: e.Cursor, Reset: e.Reset}
	if e.Reset {
		return u
	}
	id, state := strconv.FormatInt(e.JobID, 10), e.State()
	u.JobID, u.Status, u.Type, u.Attempts = &id, &state, &e.Type, &e.Attempts
	u.LastError, u.Progress = e.LastError, e.Progress
	return u
}

func (r *jobUpdate) Job(ctx context.Context, obj *model.JobUpdate) (*job.Job, error) {
	if obj.JobID == nil {
		return nil, nil //nolint:nilnil // null is the answer for a reset
	}
	id, err := jobID(*obj.JobID)
	if err != nil {
		return nil, err
	}
	return found(loadersOf(ctx).jobs().Load(ctx, id))
}
