package resolvers_test

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/repo/job"
)

// socket is a client of graphql-transport-ws.
type socket struct {
	t    testing.TB
	conn *websocket.Conn
}

// dial opens a socket and sends connection_init.
func (d *door) dial(init string) *socket {
	d.t.Helper()

	conn, _, err := websocket.Dial(d.t.Context(), "ws"+strings.TrimPrefix(d.url, "http"), &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	require.NoError(d.t, err)
	d.t.Cleanup(func() { _ = conn.CloseNow() })
	s := &socket{t: d.t, conn: conn}
	s.send(`{"type":"connection_init","payload":` + init + `}`)
	return s
}

func (c caller) dial() *socket {
	c.d.t.Helper()

	s := c.d.dial(`{"caller":` + strconv.Quote(c.d.name(c.scope)) + `}`)
	require.Equal(c.d.t, "connection_ack", s.receive()["type"])
	return s
}

func (s *socket) send(text string) {
	s.t.Helper()
	require.NoError(s.t, s.conn.Write(s.t.Context(), websocket.MessageText, []byte(text)))
}

func (s *socket) receive() map[string]any {
	s.t.Helper()

	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	_, text, err := s.conn.Read(ctx)
	require.NoError(s.t, err)
	var m map[string]any
	require.NoError(s.t, json.Unmarshal(text, &m))
	return m
}

const updates = `jobId status type attempts lastError progress at cursor reset job { id status type }`

// subscribe starts jobUpdates with arguments, as operation 1.
func (s *socket) subscribe(args string) {
	s.t.Helper()

	body, err := json.Marshal(map[string]any{"id": "1", "type": "subscribe", "payload": map[string]any{"query": `subscription { jobUpdates` + args + ` { ` + updates + ` } }`}})
	require.NoError(s.t, err)
	s.send(string(body))
}

// update returns the next update.
func (s *socket) update() map[string]any {
	s.t.Helper()

	m := s.receive()
	require.Equal(s.t, "next", m["type"], "%v", m)
	u, ok := at(s.t, m, "payload", "data", "jobUpdates").(map[string]any)
	require.True(s.t, ok, "%v", m)
	return u
}

// live waits until that many subscriptions hear what is committed from then on.
func (d *door) live(n int64) {
	d.t.Helper()
	require.Eventually(d.t, func() bool { return d.subscribed.Load() >= n }, 10*time.Second, time.Millisecond)
}

// run takes a job through its life as a worker does.
type run struct {
	t    testing.TB
	runs *job.Runs
	id   uuid.UUID
	job  job.Job
}

func (c caller) claim() *run {
	c.d.t.Helper()

	r := &run{t: c.d.t, runs: job.NewRuns(c.d.Worker), id: uuid.New()}
	require.NoError(r.t, r.runs.Heartbeat(r.t.Context(), job.Beat{WorkerID: r.id, Name: "test", Concurrency: 1}))
	list, err := r.runs.Claim(r.t.Context(), r.id, nil, 1)
	require.NoError(r.t, err)
	require.Len(r.t, list, 1)
	r.job = list[0]
	c.d.hub.Wake()
	return r
}

func (r *run) lease() job.Lease { return job.Lease{ID: r.job.ID, Lease: *r.job.LeaseID} }

func TestJobUpdates(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	s := c.dial()
	s.subscribe("")
	d.live(1)

	id := c.job(vars{"type": "works"}) // whoever enqueues a job knows of it: that is no update
	r := c.claim()
	u := s.update()
	require.Equal(t, id, u["jobId"])
	require.Equal(t, "works", u["type"])
	require.Equal(t, false, u["reset"])
	require.Equal(t, []any{"RUNNING", 1.0}, []any{u["status"], u["attempts"]})
	require.Equal(t, map[string]any{"id": id, "status": "RUNNING", "type": "works"}, u["job"])
	require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`, u["at"])
	require.NoError(t, r.runs.Progress(t.Context(), r.lease(), 40))
	u = s.update()
	require.Equal(t, []any{"RUNNING", 40.0}, []any{u["status"], u["progress"]})
	_, err := r.runs.Complete(t.Context(), []job.Success{{Lease: r.lease()}})
	require.NoError(t, err)
	require.Equal(t, "DONE", s.update()["status"])

	c.job(vars{"type": "fails", "maxAttempts": 2})
	for _, after := range []string{"PENDING", "FAILED"} {
		r = c.claim()
		require.Equal(t, "RUNNING", s.update()["status"])
		_, err = r.runs.Retry(t.Context(), []job.Again{{Lease: r.lease(), Error: "it broke"}}, 5)
		require.NoError(t, err)
		u = s.update()
		require.Equal(t, []any{after, "it broke"}, []any{u["status"], u["lastError"]})
	}

	id = c.job(nil)
	c.get(`mutation ($id: ID!) { cancelJob(input: {id: $id}) { job { id } } }`, vars{"id": id})
	require.Equal(t, "CANCELLED", s.update()["status"])
	c.get(`mutation ($id: ID!) { retryJob(input: {id: $id}) { job { id } } }`, vars{"id": id})
	require.Equal(t, "PENDING", s.update()["status"])
	s.send(`{"id":"1","type":"complete"}`)
	require.Eventually(t, func() bool { return d.hub.Stats().Subscribers == 0 }, 10*time.Second, time.Millisecond)
}

func TestJobUpdatesFilters(t *testing.T) {
	t.Parallel()

	d := open(t)
	c, foreign := d.tenant(), d.tenant()
	first := c.job(vars{"type": "a"})
	hashid, _ := at(t, c.get(`query ($id: ID!) { job(id: $id) { hashid } }`, vars{"id": first}), "job", "hashid").(string)
	second := c.job(vars{"type": "b"})
	byID, byHash, byType, byStatus, both := c.dial(), c.dial(), c.dial(), c.dial(), c.dial()
	byID.subscribe(`(ids: ["` + first + `"])`)
	byHash.subscribe(`(ids: ["` + hashid + `", "99999"])`)
	byType.subscribe(`(types: ["b"])`)
	byStatus.subscribe(`(statuses: [CANCELLED])`)
	both.subscribe(`(types: ["a", "b"], statuses: [PENDING])`)
	stranger := foreign.dial()
	stranger.subscribe(`(ids: ["` + first + `", "` + second + `"])`)
	everything := foreign.dial()
	everything.subscribe("")
	d.live(7)

	cancel := `mutation ($id: ID!) { cancelJob(input: {id: $id}) { job { id } } }`
	retry := `mutation ($id: ID!) { retryJob(input: {id: $id}) { job { id } } }`
	c.get(cancel, vars{"id": second})
	c.get(cancel, vars{"id": first})
	c.get(retry, vars{"id": second})
	c.get(retry, vars{"id": first})
	heard := func(s *socket, n int) []string {
		t.Helper()
		var out []string
		for range n {
			u := s.update()
			out = append(out, map[any]string{first: "first ", second: "second "}[u["jobId"]]+u["status"].(string)) //nolint:errcheck,forcetypeassert // text
		}
		return out
	}
	require.Equal(t, []string{"first CANCELLED", "first PENDING"}, heard(byID, 2))
	require.Equal(t, []string{"first CANCELLED", "first PENDING"}, heard(byHash, 2))
	require.Equal(t, []string{"second CANCELLED", "second PENDING"}, heard(byType, 2))
	require.Equal(t, []string{"second CANCELLED", "first CANCELLED"}, heard(byStatus, 2))
	require.Equal(t, []string{"second PENDING", "first PENDING"}, heard(both, 2))

	// The other tenant hears of its own job first of all: nothing came before.
	own := foreign.changed()
	require.Equal(t, own, everything.update()["jobId"])
	stranger.send(`{"type":"ping"}`)
	require.Equal(t, "pong", stranger.receive()["type"], "nothing of another tenant's came")
}

// changed makes a job of which there is one update, and returns its id.
func (c caller) changed() string {
	c.d.t.Helper()

	id := c.job(nil)
	c.get(`mutation ($id: ID!) { cancelJob(input: {id: $id}) { job { id } } }`, vars{"id": id})
	return id
}

func TestJobUpdatesGoOnAfterACursor(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	s := c.dial()
	s.subscribe("")
	d.live(1)
	first := c.changed()
	u := s.update()
	require.Equal(t, first, u["jobId"])
	require.NoError(t, s.conn.CloseNow())

	// Missed: they are replayed in order, and then it goes on live on the same socket.
	var want []any
	for range 25 {
		want = append(want, c.changed())
	}
	s = c.dial()
	s.subscribe(`(after: ` + strconv.Quote(u["cursor"].(string)) + `)`) //nolint:errcheck,forcetypeassert // text
	var got []any
	for range 20 {
		u = s.update()
		got = append(got, u["jobId"])
	}
	for range 5 {
		want = append(want, c.changed())
	}
	for range 10 {
		got = append(got, s.update()["jobId"])
	}
	require.Equal(t, want, got)

	// From the middle of what was replayed.
	s = c.dial()
	s.subscribe(`(after: ` + strconv.Quote(u["cursor"].(string)) + `)`) //nolint:errcheck,forcetypeassert // text
	for i := 20; i < 30; i++ {
		require.Equal(t, want[i], s.update()["jobId"])
	}

	t.Run("a cursor that is too old", func(t *testing.T) {
		old := u["cursor"].(string) //nolint:errcheck,forcetypeassert // text
		d.Exec(t, `INSERT INTO core.stream_horizon (stream, dropped_xid) VALUES ($1, pg_current_xact_id()) ON CONFLICT (stream) DO UPDATE SET dropped_xid = excluded.dropped_xid`, job.Stream)
		// Transactions of other tests run on the same server: one that is older than the horizon and ends later is taken for one whose
		// events were dropped, and makes a second reset.
		require.Eventually(t, func() bool {
			over, err := db.Get[bool](t.Context(), d.Owner, "horizon", `SELECT bool_and(pg_snapshot_xmin(pg_current_snapshot()) > dropped_xid) FROM core.stream_horizon`)
			return err == nil && over
		}, time.Minute, 5*time.Millisecond)
		s := c.dial()
		s.subscribe(`(after: ` + strconv.Quote(old) + `)`)
		u := s.update()
		require.Equal(t, true, u["reset"])
		for _, name := range []string{"jobId", "status", "type", "attempts", "lastError", "progress", "job"} {
			require.Nil(t, u[name], name)
		}
		require.NotEmpty(t, u["cursor"])
		id := c.changed()
		u = s.update()
		require.Equal(t, id, u["jobId"])
		require.Equal(t, false, u["reset"])
	})
}

func TestJobUpdatesRefused(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	for _, init := range []string{`null`, `{}`, `{"apiKey":"sk_live_nothing"}`, `{"authorization":"Bearer x.y.z"}`, `{"caller":"nobody"}`, `{"apiKey":"\u0000"}`} {
		s := d.dial(init)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, _, err := s.conn.Read(ctx)
		cancel()
		var closed websocket.CloseError
		require.ErrorAs(t, err, &closed, "%s: %v", init, err)
		require.Equal(t, websocket.StatusCode(4403), closed.Code, init)
	}
	made := at(t, c.get(createKey, vars{"in": vars{"name": "k", "scopes": []string{"jobs:read"}}}), "createApiKey")
	plaintext, _ := at(t, made, "plaintext").(string)
	for _, init := range []string{`{"apiKey":"` + plaintext + `"}`, `{"x-api-key":"` + plaintext + `"}`} {
		require.Equal(t, "connection_ack", d.dial(init).receive()["type"], init)
	}

	for args, want := range map[string][2]string{
		`(ids: ["!"])`: {"VALIDATION_FAILED", "ids"}, `(after: "x")`: {"VALIDATION_FAILED", "after"}, `(statuses: [NOPE])`: {"VALIDATION_FAILED", "statuses[0]"},
		`(types: ["\u0000"])`: {"VALIDATION_FAILED", "types[0]"}, `(types: [5])`: {"VALIDATION_FAILED", "types[0]"},
	} {
		s := c.dial()
		s.subscribe(args)
		m := s.receive()
		require.Equal(t, "error", m["type"], "%s: %v", args, m)
		require.Equal(t, want[0], at(t, m, "payload", 0, "extensions", "code"), args)
		require.Equal(t, want[1], at(t, m, "payload", 0, "extensions", "field"), "%s: %v", args, m)
	}
	s := c.with("documents:*", "jobs:write").dial()
	s.subscribe("")
	m := s.receive()
	require.Equal(t, "error", m["type"], "%v", m)
	require.Equal(t, string(errs.Forbidden), at(t, m, "payload", 0, "extensions", "code"))
	require.Zero(t, d.hub.Stats().Subscribers)
}
