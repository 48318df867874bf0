package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/stretchr/testify/require"
)

// caller talks to an API as one of its clients does.
type caller struct {
	url string // of the server
	key string
}

// answer is a GraphQL response. An error body of the server around it has a code and no errors.
type answer struct {
	status int
	text   string

	Code   string          `json:"code"`
	Data   json.RawMessage `json:"data"`
	Errors []struct {
		Message    string `json:"message"`
		Extensions struct {
			Code  string `json:"code"`
			Field string `json:"field"`
		} `json:"extensions"`
	} `json:"errors"`
}

// codes are those of all errors.
func (a answer) codes() []string {
	var out []string
	if a.Code != "" {
		out = append(out, a.Code)
	}
	for _, e := range a.Errors {
		out = append(out, e.Extensions.Code)
	}
	return out
}

// ask posts an operation. The error is that of the connection.
func (c caller) ask(ctx context.Context, query string, variables map[string]any) (answer, error) {
	return c.askNamed(ctx, query, "", variables)
}

// askNamed posts a document and the name of the one of its operations that is to run.
func (c caller) askNamed(ctx context.Context, query, name string, variables map[string]any) (answer, error) {
	body, err := json.Marshal(map[string]any{"query": query, "operationName": name, "variables": variables})
	if err != nil {
		return answer{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	if c.key != "" {
		r.Header.Set("X-Api-Key", c.key)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: response.StatusCode, text: string(text)}
	if err := json.Unmarshal(text, &a); err != nil {
		return a, fmt.Errorf("%w: %d %s", err, a.status, text)
	}
	return a, nil
}

// get runs an operation that must succeed and reads its data.
func (c caller) get(t *testing.T, into any, query string, variables map[string]any) {
	t.Helper()
	a, err := c.ask(t.Context(), query, variables)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.status, a.text)
	require.Empty(t, a.Errors, a.text)
	require.NoError(t, json.Unmarshal(a.Data, into), a.text)
}

// page returns status and body of a path.
func page(t *testing.T, address string, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

const enqueueJob = `mutation ($input: EnqueueJobInput!) { enqueueJob(input: $input) { job { id status } } }`

// enqueue returns the number of a new job.
func (c caller) enqueue(t *testing.T, typ string, payload map[string]any) string {
	t.Helper()
	var data struct {
		EnqueueJob struct{ Job struct{ ID string } }
	}
	c.get(t, &data, enqueueJob, map[string]any{"input": map[string]any{"type": typ, "payload": payload}})
	return data.EnqueueJob.Job.ID
}

// mailTo is the payload of a send_email job.
func mailTo(subject string) map[string]any {
	return map[string]any{"to": "someone@example.org", "subject": subject, "body": "This is a test."}
}

// job is what the tests look at.
type job struct {
	Status        string
	FailureReason string
	Attempts      int
	LastError     string
}

func (c caller) job(t *testing.T, id string) job {
	t.Helper()
	var data struct{ Job job }
	c.get(t, &data, `query ($id: ID) { job(id: $id) { status failureReason attempts lastError } }`, map[string]any{"id": id})
	return data.Job
}

// awaitJob waits until a job has a status.
func (c caller) awaitJob(t *testing.T, id, status string) job {
	t.Helper()
	var j job
	eventually(t, func() bool { j = c.job(t, id); return j.Status == status }, "job %s %s", id, status)
	return j
}

// update is one event of jobUpdates.
type update struct {
	JobID    string `json:"jobId"`
	Status   string `json:"status"`
	Attempts int    `json:"attempts"`
	Cursor   string `json:"cursor"`
	Reset    bool   `json:"reset"`
}

// frame is a message of graphql-transport-ws.
type frame struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// watcher is an open subscription to jobUpdates.
type watcher struct {
	conn *websocket.Conn
	done chan struct{} // closed when the socket is

	mu      sync.Mutex
	updates []update
	err     error // why it ended
}

// socket opens a WebSocket for GraphQL and waits until its key is accepted.
func (c caller) socket(t *testing.T) *websocket.Conn {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(c.url, "http")+"/graphql",
		&websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.CloseNow() })
	init, err := json.Marshal(map[string]string{"apiKey": c.key})
	require.NoError(t, err)
	require.NoError(t, wsjson.Write(t.Context(), conn, frame{Type: "connection_init", Payload: init}))
	var ack frame
	require.NoError(t, wsjson.Read(t.Context(), conn, &ack))
	require.Equal(t, "connection_ack", ack.Type)
	return conn
}

// operate runs a query over a socket and returns what came back: the answer or the error.
func operate(t *testing.T, conn *websocket.Conn, query string) string {
	t.Helper()
	payload, err := json.Marshal(map[string]string{"query": query})
	require.NoError(t, err)
	require.NoError(t, wsjson.Write(t.Context(), conn, frame{ID: "1", Type: "subscribe", Payload: payload}))
	for {
		var f frame
		require.NoError(t, wsjson.Read(t.Context(), conn, &f))
		if f.Type == "next" || f.Type == "error" {
			return string(f.Payload)
		}
	}
}

// watch subscribes, after a cursor when that is not empty.
func (c caller) watch(t *testing.T, after string) *watcher {
	t.Helper()
	conn := c.socket(t)
	variables := map[string]any{}
	if after != "" {
		variables["after"] = after
	}
	subscribe, err := json.Marshal(map[string]any{
		"query": `subscription ($after: String) { jobUpdates(after: $after) { jobId status attempts cursor reset } }`, "variables": variables,
	})
	require.NoError(t, err)
	require.NoError(t, wsjson.Write(t.Context(), conn, frame{ID: "1", Type: "subscribe", Payload: subscribe}))
	w := &watcher{conn: conn, done: make(chan struct{})}
	go w.read(t.Context())
	return w
}

func (w *watcher) read(ctx context.Context) {
	defer close(w.done)
	for {
		var f frame
		err := wsjson.Read(ctx, w.conn, &f)
		var p struct {
			Data struct {
				JobUpdates update `json:"jobUpdates"`
			} `json:"data"`
		}
		switch {
		case err != nil:
		case f.Type == "ping":
			err = wsjson.Write(ctx, w.conn, frame{Type: "pong"})
		case f.Type == "next":
			if err = json.Unmarshal(f.Payload, &p); err == nil && p.Data.JobUpdates.Cursor == "" {
				err = errors.New("no update: " + string(f.Payload))
			}
		case f.Type == "pong":
		default:
			err = fmt.Errorf("%s: %s", f.Type, f.Payload)
		}
		w.mu.Lock()
		if err != nil {
			w.err = err
		} else if f.Type == "next" {
			w.updates = append(w.updates, p.Data.JobUpdates)
		}
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// log returns the updates so far.
func (w *watcher) log() []update {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]update(nil), w.updates...)
}

// end waits until the socket is closed and returns why.
func (w *watcher) end(t *testing.T) error {
	t.Helper()
	select {
	case <-w.done:
	case <-time.After(patience):
		require.Fail(t, "the socket stays open")
	}
	return w.failure()
}

// failure is why the subscription ended, nil while it goes on.
func (w *watcher) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// listening enqueues jobs until the subscription, which has no other sign of it, is seen to be live.
func (w *watcher) listening(t *testing.T, c caller) {
	t.Helper()
	for range 100 {
		c.enqueue(t, "cleanup_files", map[string]any{"older_than_hours": 24})
		seen := func() bool { return len(w.log()) > 0 || w.failure() != nil }
		for range 20 {
			if seen() {
				require.NoError(t, w.failure())
				return
			}
			select {
			case <-t.Context().Done():
			case <-tick():
			}
		}
	}
	require.Fail(t, "the subscription shows nothing")
}

// history is what happened to each job in the order of the updates: status and attempt.
func history(log []update) map[string][]string {
	out := map[string][]string{}
	for _, u := range log {
		out[u.JobID] = append(out[u.JobID], fmt.Sprintf("%s %d", u.Status, u.Attempts))
	}
	return out
}
