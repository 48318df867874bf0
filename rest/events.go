package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"stackforge/auth"
	"stackforge/errs"
	"stackforge/httpd"
	"stackforge/realtime"
	"stackforge/repo/job"
)

// events adds GET /jobs/events: every change of the status of the tenant's jobs, as server-sent events that can be resumed.
func (a *API) events() {
	op := operation("Jobs", http.MethodGet, "/jobs/events", "jobEvents", "Follow jobs by server-sent events", http.StatusOK, 400)
	op.Description = "Sends `event: job_update` with a JobEvent as data for every change of a job's status. Each has an id; a client that sends " +
		"the last one it saw as Last-Event-ID gets what came after it, also what happened while it was away. `event: reset` " +
		"means that events were lost: read the jobs anew. A comment is sent every 15 seconds."
	secure(&op, eventsScope)
	list := func(name, doc string, example any) *huma.Param {
		return &huma.Param{Name: name, In: "query", Description: doc, Schema: &huma.Schema{Type: huma.TypeString}, Example: example}
	}
	op.Parameters = []*huma.Param{
		{Name: "Last-Event-ID", In: "header", Description: "The id of the last event that was seen.", Schema: &huma.Schema{Type: huma.TypeString}},
		list("types", "Only jobs of these types, with commas between them, at most 100.", "send_email"),
		list("jobIds", "Only these jobs, by number or short id, with commas between them, at most 100.", "1,2"),
	}
	answers(&op, "text/event-stream", &huma.Schema{
		Type: huma.TypeString, Examples: []any{"id: Zm9v\nevent: job_update\ndata: {\"event\":\"job_update\",\"jobId\":1,\"status\":\"done\",\"type\":\"send_email\"}\n\n"},
	})
	a.describe(op)
	a.mux.HandleFunc("GET /jobs/events", a.eventStream)
}

func (a *API) eventStream(w http.ResponseWriter, r *http.Request) {
	ctx, until, ok := a.caller(w, r, auth.FromRequest(r))
	if !ok {
		return
	}
	keep, err := eventFilter(r.URL.Query())
	if err != nil {
		httpd.WriteError(w, r, err)
		return
	}
	if !a.streams.enter() {
		httpd.WriteError(w, r, errs.New(errs.Unavailable, "The server is shutting down."))
		return
	}
	defer a.streams.leave()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sub, err := a.Subscribe(ctx, keep, r.Header.Get("Last-Event-Id"))
	if err != nil {
		if e, ok := errorsField(err); ok && e.Field == "after" {
			e.Field = "Last-Event-ID"
		}
		httpd.WriteError(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	s := &eventStream{w: w, control: http.NewResponseController(w), wait: a.Times.Answer}
	// The id without data makes a client that has seen no event yet resume from here.
	s.begin(sub.Begin())
	s.run(a.hold(ctx), a, sub, until)
}

// eventFilter reads the parameters.
func eventFilter(q url.Values) (func(*job.Event) bool, error) {
	var f job.EventFilter
	f.Types = split(q.Get("types"))
	for _, text := range split(q.Get("jobIds")) {
		id, ok := job.ParseID(text)
		if !ok {
			return nil, errs.Field("jobIds", "This is neither a number nor a hashid of a job.")
		}
		f.IDs = append(f.IDs, id)
	}
	chosen, err := f.Func()
	if err != nil {
		if e, ok := errorsField(err); ok && e.Field == "ids" {
			e.Field = "jobIds"
		}
		return nil, err
	}
	changed := transitions()
	return func(e *job.Event) bool { return changed(e) && (chosen == nil || chosen(e)) }, nil
}

func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// eventStream writes server-sent events.
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	wait    time.Duration
	buf     bytes.Buffer
	err     error
}

// retryAfter is how long a client waits before it connects again, in milliseconds.
const retryAfter = "3000"

func (s *eventStream) begin(cursor string) {
	s.buf.WriteString("retry: " + retryAfter + "\n")
	if cursor != "" {
		s.buf.WriteString("id: " + cursor + "\n")
	}
	s.buf.WriteString("\n")
	s.flush()
}

// run sends events until the stream ends or the client is gone.
func (s *eventStream) run(ctx context.Context, a *API, sub *realtime.Subscription[*job.Event], until time.Time) {
	expired, stop := expiry(until)
	defer stop()
	beat := time.NewTicker(a.Times.Heartbeat)
	defer beat.Stop()
	for s.err == nil {
		select {
		case <-ctx.Done():
			return
		case <-a.streams.closing:
			return
		case <-expired:
			return
		case <-beat.C:
			s.buf.WriteString(":\n\n")
			s.flush()
		case e, ok := <-sub.Events():
			if !ok {
				return // it resumes by its last id
			}
			s.add(e)
			s.more(sub)
			s.flush()
		}
	}
}

// more takes what is waiting, so that a burst goes out in few writes.
func (s *eventStream) more(sub *realtime.Subscription[*job.Event]) {
	for s.buf.Len() < 16<<10 {
		select {
		case e, ok := <-sub.Events():
			if !ok {
				return
			}
			s.add(e)
		default:
			return
		}
	}
}

func (s *eventStream) add(e *job.Event) {
	name, data := "job_update", []byte("{}")
	if e.Reset {
		name = "reset"
	} else if text, err := json.Marshal(eventOf(e)); err == nil {
		data = text
	}
	s.buf.WriteString("id: " + e.Cursor + "\nevent: " + name + "\ndata: ")
	s.buf.Write(data)
	s.buf.WriteString("\n\n")
}

// flush sends what was added. A client that takes nothing for a while is gone.
func (s *eventStream) flush() {
	_ = s.control.SetWriteDeadline(time.Now().Add(s.wait)) // where the server cannot, the connection's own limits hold
	if _, s.err = s.w.Write(s.buf.Bytes()); s.err == nil {
		s.err = s.control.Flush()
	}
	s.buf.Reset()
}
