package job_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/errs"
	"stackforge/query"
	"stackforge/repo/job"
)

func TestList(t *testing.T) {
	t.Parallel()

	b := setup(t)
	var ids []int64
	for i := range 9 {
		ids = append(ids, b.enqueue(t, job.EnqueueParams{Type: "t" + strconv.Itoa(i%2), Priority: new(i)}).ID)
	}
	for order, want := range map[string][]int64{"created_at_asc": ids, "created_at_desc": {ids[8], ids[7], ids[6], ids[5], ids[4], ids[3], ids[2], ids[1], ids[0]}} {
		var got []int64
		p := job.ListParams{Page: query.Page{First: new(4)}, Order: job.Orders()[order]}
		for {
			page, err := b.jobs.List(b.ctx, p)
			require.NoError(t, err)
			for _, j := range page.Jobs {
				got = append(got, j.ID)
			}
			if !page.Info.HasNext {
				break
			}
			p.Page.After = new(page.Cursor(page.Jobs[len(page.Jobs)-1]))
		}
		require.Equal(t, want, got)
	}

	count := func(f *job.Filter) int {
		t.Helper()
		n, err := b.jobs.Count(b.ctx, f)
		require.NoError(t, err)
		return n
	}
	require.Equal(t, 9, count(nil))
	require.Equal(t, 4, count(&job.Filter{Type: &query.String{Eq: new("t1")}}))
	require.Equal(t, 3, count(&job.Filter{Priority: &query.Int{Gte: new(6)}}))
	require.Equal(t, 9, count(&job.Filter{States: []job.State{job.StatePending}}))
	require.Zero(t, count(&job.Filter{States: []job.State{}}))
	require.Equal(t, 9, count(&job.Filter{Or: []job.Filter{{}, {Priority: &query.Int{Eq: new(1)}}}}), "an empty part of an or holds always")
	require.Equal(t, 8, count(&job.Filter{Not: &job.Filter{ID: &query.ID{Eq: new(strconv.FormatInt(ids[0], 10))}}}))

	_, err := b.jobs.List(b.ctx, job.ListParams{Order: job.Orders()["created_at_asc"], Filter: &job.Filter{ID: &query.ID{In: []string{"!"}}}})
	require.ErrorContains(t, err, "filter.id.in")
	_, err = b.jobs.List(t.Context(), job.ListParams{})
	require.True(t, errs.Is(err, errs.Unauthenticated))
	_, err = b.jobs.Count(t.Context(), nil)
	require.True(t, errs.Is(err, errs.Unauthenticated))
}

func TestParseID(t *testing.T) {
	t.Parallel()

	for _, id := range []int64{1, 42, 1 << 40} {
		for _, s := range []string{strconv.FormatInt(id, 10), job.Job{ID: id}.Hashid()} {
			got, ok := job.ParseID(s)
			require.True(t, ok, s)
			require.Equal(t, id, got)
		}
	}
	for _, s := range []string{"", " 1", "1.0", "1e3", "99999999999999999999", "-", "!", "x\x00", "0x10"} {
		_, ok := job.ParseID(s)
		require.False(t, ok, "%q", s)
	}
}
