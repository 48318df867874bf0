package loadtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// Of the flood.
const (
	churnEvery = 2 * time.Second
	churnPart  = 10 // one in so many sockets is closed and opened anew
	spike      = 2  // times as many sockets
	statuses   = "pending running done failed cancelled"
)

// phase is a part of the flood: at its end there are so many sockets, in percent of the connections.
type phase struct {
	part    float64 // of the duration
	percent int
}

func phases() []phase {
	return []phase{{0.25, 100}, {0.35, 100}, {0.15, 100 * spike}, {0.25, 20}}
}

// flood keeps a number of sockets open while jobs are enqueued, and checks every frame.
type flood struct {
	*runner
	mu    sync.Mutex
	open  []context.CancelFunc
	wg    sync.WaitGroup
	jobs  sync.Map // ids of jobs known to be the tenant's
	n     atomic.Int64
	asked atomic.Int64
}

func socketFlood(ctx context.Context, r *runner) error {
	f := &flood{runner: r}
	defer f.wg.Wait()
	sockets, cancel := context.WithCancel(ctx)
	defer cancel()
	f.wg.Go(func() { f.produce(ctx, r.user(0)) })
	have := 0
	lastChurn := time.Now()
	for _, p := range phases() {
		start, length := time.Now(), time.Duration(p.part*float64(r.opt.Duration))
		from, to := have, max(r.connections()*p.percent/100, 1)
		for ctx.Err() == nil && time.Since(start) < length {
			have = from + int(float64(to-from)*min(time.Since(start).Seconds()/length.Seconds()*1.25, 1))
			f.keep(sockets, have)
			if time.Since(lastChurn) >= churnEvery {
				lastChurn = time.Now()
				f.churn(sockets)
			}
			if wait(ctx, 50*time.Millisecond) != nil {
				break
			}
		}
	}
	return nil
}

// keep opens or closes sockets until there are n.
func (f *flood) keep(ctx context.Context, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.open) > n {
		f.open[len(f.open)-1]()
		f.open = f.open[:len(f.open)-1]
	}
	for len(f.open) < n {
		c, cancel := context.WithCancel(ctx)
		f.open = append(f.open, cancel)
		u := f.user(int(f.n.Add(1)))
		f.wg.Go(func() { f.listen(c, u) })
	}
}

// churn closes one in ten and lets keep open others.
func (f *flood) churn(ctx context.Context) {
	f.mu.Lock()
	n := len(f.open)
	for range n / churnPart {
		f.open[0]()
		f.open = slices.Delete(f.open, 0, 1)
	}
	f.mu.Unlock()
	f.keep(ctx, n)
}

// produce enqueues jobs in batches of different sizes.
func (f *flood) produce(ctx context.Context, u *user) {
	for ctx.Err() == nil {
		for range pick(u, weighted[int]{5, 1}, weighted[int]{3, 5}, weighted[int]{2, 20}) {
			in := u.newJob()
			delete(in, "runAt")
			id, err := u.enqueue(ctx, in)
			if err != nil {
				break
			}
			f.jobs.Store(id, true)
		}
		_ = wait(ctx, 100*time.Millisecond)
	}
}

func (f *flood) listen(ctx context.Context, u *user) {
	began := time.Now()
	conn, err := u.dial(ctx)
	if err != nil {
		if ctx.Err() == nil {
			u.rec.failed("open socket", time.Since(began), reason(err))
		}
		return
	}
	u.rec.done("open socket", time.Since(began), http.StatusSwitchingProtocols, true, nil)
	defer func() { _ = conn.CloseNow() }()
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			if ctx.Err() == nil {
				u.rec.wrong("socket closed by the server: " + closed(err))
			}
			return
		}
		if err := f.frame(ctx, u, text); err != nil && ctx.Err() == nil {
			u.rec.wrong(err.Error())
		}
	}
}

func closed(err error) string {
	if c := websocket.CloseStatus(err); c != -1 {
		return "code " + strconv.Itoa(int(c))
	}
	return reason(err)
}

// dial opens /ws/jobs, or a subscription to jobUpdates.
func (u *user) dial(ctx context.Context) (*websocket.Conn, error) {
	base := "ws" + strings.TrimPrefix(u.world.opt.URL, "http")
	if u.door == REST {
		conn, _, err := websocket.Dial(ctx, base+"/ws/jobs", &websocket.DialOptions{HTTPHeader: http.Header{"X-Api-Key": {u.world.opt.Key}}}) //nolint:bodyclose // the library closes it
		return conn, err
	}
	conn, _, err := websocket.Dial(ctx, base+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}}) //nolint:bodyclose // the library closes it
	if err != nil {
		return nil, err
	}
	err = wsjson.Write(ctx, conn, map[string]any{"type": "connection_init", "payload": map[string]any{"apiKey": u.world.opt.Key}})
	var ack struct {
		Type string `json:"type"`
	}
	if err == nil {
		err = wsjson.Read(ctx, conn, &ack)
	}
	if err == nil && ack.Type != "connection_ack" {
		err = fmt.Errorf("the server answered %q to connection_init", ack.Type)
	}
	if err == nil {
		err = wsjson.Write(ctx, conn, map[string]any{
			"id": "1", "type": "subscribe", "payload": map[string]any{"query": `subscription { jobUpdates { event: __typename jobId status type } }`},
		})
	}
	if err != nil {
		_ = conn.CloseNow()
		return nil, err
	}
	return conn, nil
}

// frame checks what came over a socket.
func (f *flood) frame(ctx context.Context, u *user, text []byte) error {
	var e struct {
		Event  string          `json:"event"`
		JobID  json.RawMessage `json:"jobId"`
		Status string          `json:"status"`
		Type   string          `json:"type"`
	}
	if u.door == GraphQL {
		var m struct {
			Type    string `json:"type"`
			Payload struct {
				Data struct {
					JobUpdates json.RawMessage `json:"jobUpdates"`
				} `json:"data"`
			} `json:"payload"`
		}
		if err := json.Unmarshal(text, &m); err != nil || m.Type == "error" {
			return fmt.Errorf("frame: %w: %.100s", errUnexpected, text)
		}
		if m.Type != "next" {
			return nil // ping and the like
		}
		text = m.Payload.Data.JobUpdates
	}
	if err := json.Unmarshal(text, &e); err != nil || e.Event == "" || e.Type == "" || !slices.Contains(strings.Fields(statuses), strings.ToLower(e.Status)) {
		return fmt.Errorf("frame without its fields: %.100s", text)
	}
	u.rec.frame()
	return f.own(ctx, u, strings.Trim(string(e.JobID), `"`))
}

// mostAsked bounds how many jobs, made by others than this flood, are asked for.
const mostAsked = 200

// own asks for a job that this flood has not made: when the tenant cannot read it, the frame was another tenant's.
func (f *flood) own(ctx context.Context, u *user, id string) error {
	if _, ok := f.jobs.Load(id); ok || f.asked.Add(1) > mostAsked {
		return nil
	}
	_, err := u.do(ctx, call{
		name: "read job", method: http.MethodGet, path: "/jobs/" + id, want: []int{http.StatusOK}, gone: "job",
		query: `query ($id: ID!) { job(id: $id) { id } }`, vars: map[string]any{"id": id},
	})
	if err == nil {
		f.jobs.Store(id, true)
	}
	return err
}
