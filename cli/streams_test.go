package cli_test

import (
	"bufio"
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/stretchr/testify/require"
)

// change is what REST tells of a job.
type change struct {
	Event  string `json:"event"`
	JobID  int64  `json:"jobId"`
	Status string `json:"status"`
	Type   string `json:"type"`
}

// update is the change as GraphQL tells it; REST does not count attempts, of which the jobs of these tests need one.
func (c change) update() update {
	return update{JobID: strconv.FormatInt(c.JobID, 10), Status: strings.ToUpper(c.Status), Attempts: 1}
}

// collect keeps what next returns, until it fails.
func (w *watcher) collect(next func() (update, error)) {
	defer close(w.done)
	for {
		u, err := next()
		w.mu.Lock()
		if w.err = err; err == nil {
			w.updates = append(w.updates, u)
		}
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// jobSocket follows jobs over /ws/jobs.
func (c caller) jobSocket(t *testing.T) *watcher {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(c.url, "http")+"/ws/jobs",
		&websocket.DialOptions{HTTPHeader: http.Header{"X-Api-Key": {c.key}}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.CloseNow() })
	w := &watcher{conn: conn, done: make(chan struct{})}
	go w.collect(func() (update, error) {
		var e change
		err := wsjson.Read(t.Context(), conn, &e)
		return e.update(), err
	})
	return w
}

// jobEvents follows jobs over /jobs/events, from after an event when that is not empty.
func (c caller) jobEvents(t *testing.T, last string) *watcher {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+"/jobs/events", nil)
	require.NoError(t, err)
	r.Header.Set("X-Api-Key", c.key)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	require.Equal(t, http.StatusOK, response.StatusCode)
	w := &watcher{done: make(chan struct{})}
	lines := bufio.NewScanner(response.Body)
	go w.collect(func() (update, error) {
		var id string
		var e change
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch {
			case name == "id":
				id = value
			case name == "event" && value == "reset":
				return update{Reset: true}, nil
			case name == "data":
				if err := json.Unmarshal([]byte(value), &e); err != nil {
					return update{}, err
				}
			case name == "" && e.Event == "job_update":
				u := e.update()
				u.Cursor = id
				return u, nil
			}
		}
		return update{}, cmp.Or(lines.Err(), io.EOF)
	})
	return w
}

// Followers over REST at two API processes see what a worker process does: every change once, and those of a job in order. One
// API is killed, and its follower goes on at the other from its last event: it has missed nothing and sees nothing twice.
func TestJobStreamsAcrossProcesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	left, right := serveAPI(t, w.environ()), serveAPI(t, w.environ())
	startWorker(t, w.environ())
	a, b := w.caller(left), w.caller(right)
	following := []*watcher{a.jobSocket(t), b.jobSocket(t), a.jobEvents(t, ""), b.jobEvents(t, "")}

	enqueueMany(t, "calm", 40, 4, a, b)
	eventually(t, func() bool { return w.done(t, "calm") == 40 }, "40 jobs done")
	calm := w.truth(t, "calm")
	require.Len(t, calm, 40)
	for _, f := range following {
		sees(t, calm, f.log)
	}

	left.kill()
	require.Error(t, following[0].end(t))
	require.Error(t, following[2].end(t))
	before := following[2].log()
	enqueueMany(t, "storm", 20, 2, b) // while it is away
	eventually(t, func() bool { return w.done(t, "storm") == 20 }, "20 jobs done")
	resumed := b.jobEvents(t, before[len(before)-1].Cursor)
	enqueueMany(t, "storm2", 20, 2, b)
	eventually(t, func() bool { return w.done(t, "storm2") == 20 }, "20 more jobs done")
	merged := func() []update { return append(append([]update(nil), before...), resumed.log()...) }
	for _, word := range []string{"storm", "storm2"} {
		want := w.truth(t, word)
		require.Len(t, want, 20)
		sees(t, want, merged)
		sees(t, want, following[1].log)
		sees(t, want, following[3].log)
	}
	seen := map[string]bool{}
	for _, u := range merged() {
		require.False(t, u.Reset)
		require.False(t, seen[u.Cursor], "event %s came twice", u.Cursor)
		seen[u.Cursor] = true
	}
}
