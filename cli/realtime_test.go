package cli_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// truth is what the database says happened to the jobs whose unique keys begin with a word.
func (w *world) truth(t *testing.T, word string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, line := range list[string](t, w, `
		SELECT e.job_id || ' ' || upper(e.status) || ' ' || e.attempts
		FROM job_events e
		WHERE e.job_id IN (SELECT id FROM jobs WHERE unique_key LIKE $1 || '-%')
		ORDER BY e.id`, word) {
		id, what, _ := strings.Cut(line, " ")
		out[id] = append(out[id], what)
	}
	return out
}

// done is how many of those jobs have succeeded.
func (w *world) done(t *testing.T, word string) int {
	t.Helper()
	return one[int](t, w, `SELECT count(*)::int FROM jobs WHERE status = 'done' AND unique_key LIKE $1 || '-%'`, word)
}

const enqueueJobs = `mutation ($input: EnqueueJobsInput!) { enqueueJobs(input: $input) { enqueued } }`

// enqueueMany enqueues quick jobs, some at a time, with unique keys word-0, word-1 and so on.
func enqueueMany(t *testing.T, word string, total, each int, callers ...caller) {
	t.Helper()
	for from := 0; from < total; from += each {
		var jobs []map[string]any
		for i := from; i < min(from+each, total); i++ {
			jobs = append(jobs, map[string]any{"type": "send_email", "payload": mailTo(word), "uniqueKey": fmt.Sprintf("%s-%d", word, i)})
		}
		var data struct{ EnqueueJobs struct{ Enqueued int } }
		callers[from/each%len(callers)].get(t, &data, enqueueJobs, map[string]any{"input": map[string]any{"jobs": jobs}})
		require.Equal(t, len(jobs), data.EnqueueJobs.Enqueued)
	}
}

// only are the histories of the jobs that want has.
func only(log []update, want map[string][]string) map[string][]string {
	all, out := history(log), map[string][]string{}
	for id := range want {
		if h, seen := all[id]; seen {
			out[id] = h
		}
	}
	return out
}

// sees waits until a log has everything that the database has about some jobs, and then requires that it has each
// event once, and those of each job in order.
func sees(t *testing.T, want map[string][]string, log func() []update) {
	t.Helper()
	events := 0
	for _, h := range want {
		events += len(h)
	}
	seen := func() int {
		n := 0
		for _, h := range only(log(), want) {
			n += len(h)
		}
		return n
	}
	for n := 0; n < events; { // as long as it makes progress
		last := n
		eventually(t, func() bool { n = seen(); return n > last || n >= events }, "%d of %d events", last, events)
	}
	require.Equal(t, want, only(log(), want))
}

// Subscribers of two API processes see what a worker process does: every event once and in order. One API is killed and
// its subscriber goes on at the other from its last cursor, and then has missed nothing and seen nothing twice.
func TestJobUpdatesAcrossProcesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	left, right := serveAPI(t, w.environ()), serveAPI(t, w.environ())
	startWorker(t, w.environ())
	a, b := w.caller(left), w.caller(right)
	one, other := a.watch(t, ""), b.watch(t, "")
	one.listening(t, b)
	other.listening(t, a)

	enqueueMany(t, "calm", 40, 4, a, b)
	eventually(t, func() bool { return w.done(t, "calm") == 40 }, "40 jobs done")
	calm := w.truth(t, "calm")
	require.Len(t, calm, 40)
	for id, h := range calm {
		require.Equal(t, []string{"RUNNING 1", "DONE 1"}, h, "job %s", id)
	}
	sees(t, calm, one.log)
	sees(t, calm, other.log)

	// Half of what follows happens before the kill, half after it.
	enqueueMany(t, "storm", 20, 1, b)
	left.kill()
	require.Error(t, one.end(t))
	before := one.log()
	enqueueMany(t, "storm2", 60, 3, b)
	resumed := b.watch(t, before[len(before)-1].Cursor)
	enqueueMany(t, "storm3", 20, 1, b)
	merged := func() []update { return append(append([]update(nil), before...), resumed.log()...) }
	eventually(t, func() bool {
		return w.done(t, "storm") == 20 && w.done(t, "storm2") == 60 && w.done(t, "storm3") == 20
	}, "100 jobs done")
	for _, word := range []string{"storm", "storm2", "storm3"} {
		want := w.truth(t, word)
		require.NotEmpty(t, want)
		sees(t, want, merged)
		sees(t, want, other.log)
	}
	for _, u := range merged() {
		require.False(t, u.Reset)
	}
	cursors := map[string]bool{}
	for _, u := range merged() {
		require.False(t, cursors[u.Cursor], "cursor %s came twice", u.Cursor)
		cursors[u.Cursor] = true
	}
	require.NoError(t, resumed.failure())
	require.NoError(t, other.failure())
}
