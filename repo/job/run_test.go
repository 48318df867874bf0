package job_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/errs"
	"stackforge/repo/job"
)

func TestClaim(t *testing.T) {
	t.Parallel()

	b := setup(t)
	low := b.enqueue(t, job.EnqueueParams{Type: "a", Priority: new(-1)})
	early := b.enqueue(t, job.EnqueueParams{Type: "a", RunAt: new(time.Now().Add(-time.Hour))})
	b.enqueue(t, job.EnqueueParams{Type: "a", RunAt: new(time.Now().Add(time.Hour)), Priority: new(9)})
	other := b.enqueue(t, job.EnqueueParams{Type: "b", Priority: new(1)})

	id := uuid.New()
	got, err := b.runs.Claim(t.Context(), id, []string{"a"}, 10)
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, []int64{early.ID, low.ID}, []int64{got[0].ID, got[1].ID})
	for _, j := range got {
		require.Equal(t, []any{job.Running, 1, id}, []any{j.Status, j.Attempts, *j.WorkerID})
		require.NotNil(t, j.StartedAt)
	}
	held, err := b.runs.Held(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, []job.Lease{lease(got[1]), lease(got[0])}, held)
	rest, err := b.runs.Claim(t.Context(), id, nil, 10)
	require.NoError(t, err)
	require.Len(t, rest, 1)
	require.Equal(t, other.ID, rest[0].ID)
	require.NotEqual(t, *rest[0].LeaseID, *got[0].LeaseID)
}

func TestEnds(t *testing.T) {
	t.Parallel()

	b := setup(t)
	for range 8 {
		b.enqueue(t, job.EnqueueParams{Type: "it", MaxAttempts: new(2)})
	}
	j := b.claim(t)
	require.Len(t, j, 8)
	stale := func(l job.Lease) job.Lease { l.Lease += 1000; return l }

	done, err := b.runs.Complete(t.Context(), []job.Success{
		{Lease: lease(j[0]), Result: json.RawMessage(`[1]`)}, {Lease: lease(j[1])}, {Lease: stale(lease(j[2]))},
	})
	require.NoError(t, err)
	require.ElementsMatch(t, []int64{j[0].ID, j[1].ID}, done)

	failed, err := b.runs.Fail(t.Context(), []job.Failure{
		{Lease: lease(j[3]), Error: "e", Reason: job.ReasonNoHandler}, {Lease: stale(lease(j[4])), Error: "e", Reason: job.ReasonPermanent},
	})
	require.NoError(t, err)
	require.Equal(t, []int64{j[3].ID}, failed)

	ended, err := b.runs.Retry(t.Context(), []job.Again{
		{Lease: lease(j[5]), Error: "e", Delay: time.Minute}, {Lease: stale(lease(j[6])), Error: "e"},
	}, 5)
	require.NoError(t, err)
	require.Equal(t, []job.Ended{{ID: j[5].ID, Status: job.Pending}}, ended)

	released, err := b.runs.Release(t.Context(), []job.Lease{lease(j[7]), stale(lease(j[6]))})
	require.NoError(t, err)
	require.EqualValues(t, 1, released)

	type state struct {
		Status   job.Status
		Reason   string
		Attempts int
		Result   string
	}
	var got []state
	list, err := b.jobs.ByIDs(b.ctx, []int64{j[0].ID, j[1].ID, j[2].ID, j[3].ID, j[4].ID, j[5].ID, j[6].ID, j[7].ID})
	require.NoError(t, err)
	for _, x := range list {
		s := state{Status: x.Status, Attempts: x.Attempts, Result: string(x.Result)}
		if x.Reason != nil {
			s.Reason = *x.Reason
		}
		got = append(got, s)
	}
	require.Equal(t, []state{
		{job.Done, "", 1, "[1]"},
		{job.Done, "", 1, ""},
		{job.Running, "", 1, ""},
		{job.Failed, job.ReasonNoHandler, 1, ""},
		{job.Running, "", 1, ""},
		{job.Pending, "", 1, ""},
		{job.Running, "", 1, ""},
		{job.Pending, "", 0, ""},
	}, got)
	require.InDelta(t, time.Minute, list[5].RunAt.Sub(list[5].UpdatedAt), float64(time.Second))
}

func TestSpoiledCompletion(t *testing.T) {
	t.Parallel()

	b := setup(t)
	b.enqueue(t, job.EnqueueParams{Type: "it"})
	j := b.claim(t)[0]
	_, err := b.runs.Complete(t.Context(), []job.Success{{Lease: lease(j), Result: json.RawMessage(`"\u0000"`)}})
	require.True(t, errs.Is(err, errs.Validation))
	got, err := b.jobs.Get(b.ctx, j.ID)
	require.NoError(t, err)
	require.Equal(t, j, got)
}

func TestProgress(t *testing.T) {
	t.Parallel()

	b := setup(t)
	b.enqueue(t, job.EnqueueParams{Type: "it"})
	j := b.claim(t)[0]
	require.NoError(t, b.runs.Progress(t.Context(), lease(j), 30))
	got, err := b.jobs.Get(b.ctx, j.ID)
	require.NoError(t, err)
	require.Equal(t, 30, *got.Progress)
	require.True(t, errs.Is(b.runs.Progress(t.Context(), lease(j), 101), errs.Validation))
	_, err = b.jobs.Cancel(b.ctx, j.ID)
	require.NoError(t, err)
	require.True(t, errs.Is(b.runs.Progress(t.Context(), lease(j), 60), errs.Conflict))
}

func TestMaintenance(t *testing.T) {
	t.Parallel()

	b := setup(t)
	tick := time.Now().UTC().Truncate(time.Minute)
	for i, want := range []bool{true, false, false} {
		mine, err := b.runs.StartMaintenance(t.Context(), "task", tick)
		require.NoError(t, err)
		require.Equal(t, want, mine, i)
	}
	require.NoError(t, b.runs.FinishMaintenance(t.Context(), "task", tick, "ok"))
	mine, err := b.runs.StartMaintenance(t.Context(), "task", tick.Add(time.Minute))
	require.NoError(t, err)
	require.True(t, mine)
	require.NoError(t, b.runs.RefreshStats(t.Context()))
	n, err := b.runs.DocumentCount(b.ctx)
	require.NoError(t, err)
	require.Zero(t, n)
	id := uuid.New()
	require.NoError(t, b.runs.Heartbeat(t.Context(), job.Beat{WorkerID: id, Name: "w", Concurrency: 1}))
	require.NoError(t, b.runs.Leave(t.Context(), id))
}
