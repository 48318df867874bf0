package rest

import (
	"cmp"
	"context"
	"net/http"
	"sync"
	"time"

	"stackforge/auth"
	"stackforge/httpd"
	"stackforge/repo/job"
	"stackforge/tenant"
)

// eventsScope is the permission to follow jobs.
const eventsScope = "jobs:read"

// StreamTimes are the times of streams; zero fields take their defaults.
type StreamTimes struct {
	Heartbeat time.Duration // between two comments of an event stream: 15 s
	Ping      time.Duration // between two pings of a WebSocket: 30 s
	Answer    time.Duration // for a client to take a message or to answer a ping: 10 s; then it is gone
}

func (t StreamTimes) withDefaults() StreamTimes {
	return StreamTimes{
		Heartbeat: cmp.Or(t.Heartbeat, 15*time.Second), Ping: cmp.Or(t.Ping, 30*time.Second), Answer: cmp.Or(t.Answer, 10*time.Second),
	}
}

// streams are the open ones.
type streams struct {
	closing chan struct{} // closed when the server stops

	mu     sync.Mutex
	open   sync.WaitGroup
	closed bool
}

func newStreams() *streams { return &streams{closing: make(chan struct{})} }

// enter counts a stream in; false when the server stops.
func (s *streams) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.open.Add(1)
	}
	return !s.closed
}

func (s *streams) leave() { s.open.Done() }

func (s *streams) shutdown(ctx context.Context) {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	s.mu.Unlock()
	gone := make(chan struct{})
	go func() { s.open.Wait(); close(gone) }()
	select {
	case <-gone:
	case <-ctx.Done():
	}
}

// JobEvent is one change of a job.
type JobEvent struct {
	Event  string     `json:"event" enum:"job_update" doc:"Always job_update." example:"job_update"`
	JobID  int64      `json:"jobId" doc:"The job's number." example:"1"`
	Status job.Status `json:"status" enum:"pending,running,done,failed" doc:"Where it stands now." example:"done"`
	Type   string     `json:"type" doc:"The job's type." example:"send_email"`
}

func eventOf(e *job.Event) JobEvent {
	return JobEvent{Event: "job_update", JobID: e.JobID, Status: e.Status, Type: e.Type}
}

// caller authorizes a stream. When ok is false, the request was answered.
func (a *API) caller(w http.ResponseWriter, r *http.Request, c auth.Credentials) (ctx context.Context, until time.Time, ok bool) {
	s, until, ok := a.Authorize(w, r, c)
	if !ok {
		return nil, until, false
	}
	if err := permitted(s, eventsScope); err != nil {
		httpd.WriteError(w, r, err)
		return nil, until, false
	}
	return tenant.With(r.Context(), s), until, true
}

// hold returns a context that ends with the caller's key, beside what ends with ctx.
func (a *API) hold(ctx context.Context) context.Context {
	s := tenant.Lookup(ctx)
	if a.Hold == nil || s == nil {
		return ctx
	}
	return a.Hold(ctx, *s)
}

// expiry fires when a credential ends, never for the zero time.
func expiry(until time.Time) (<-chan time.Time, func() bool) {
	if until.IsZero() {
		return nil, func() bool { return true }
	}
	t := time.NewTimer(time.Until(until))
	return t.C, t.Stop
}

// transitions lets through changes of status: the log also has progress.
func transitions() func(*job.Event) bool {
	return func(e *job.Event) bool { return e.Reset || e.Progress == nil || e.Status != job.Running }
}
