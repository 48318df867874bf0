package webhook_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	pages "stackforge/query"
	"stackforge/repo/job"
	repo "stackforge/repo/webhook"
	"stackforge/webhook"
)

func query(first int) pages.Page { return pages.Page{First: &first} }

func TestJobEvents(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	r := newReceiver(t, nil)
	e, _ := w.endpoint(t, r.URL, nil)
	w.start(t, webhook.Config{}, webhook.Deps{})
	done := w.finishJobs(t, "a", 1, false)
	got := receive(t, r.requests)
	body := got.json(t)
	require.Equal(t, "application/json", got.header.Get("content-type"))
	require.NotEmpty(t, body["finished_at"])
	for _, key := range []string{"created_at", "started_at", "finished_at"} {
		require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`, body[key])
		delete(body, key)
	}
	require.Equal(t, map[string]any{
		"event": "job.done", "tenant_id": w.scope.TenantID.String(), "job_id": float64(done[0]), "job_type": "a", "status": "done",
		"reason": nil, "attempts": 1.0, "last_error": nil,
	}, body)

	w.finishJobs(t, "a", 1, true)
	body = receive(t, r.requests).json(t)
	require.Equal(t, []any{"job.failed", "failed", "permanent", "broken"}, []any{body["event"], body["status"], body["reason"], body["last_error"]})

	eventually(t, "both are dispatched", func() bool {
		return w.count(t, `SELECT count(*) FROM core.outbox WHERE dispatched_at IS NOT NULL AND dispatch_attempts = 1 AND error IS NULL`) == 2
	})
	for _, d := range w.deliveries(t) {
		require.Equal(t, repo.Delivered, d.Status)
		require.Equal(t, e.ID, d.EndpointID)
		require.NotNil(t, d.FinishedAt)
		require.Nil(t, d.NextAttemptAt)
		require.Equal(t, 200, *attempts(t, d)[0].ResponseStatus)
	}
}

// One event for each transition to done or failed of a job somebody wants to hear of, none for anything else.
func TestWhatBecomesAnEvent(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	other := w.of(t, dbtest.Tenant(t, w.d))
	w.finishJobs(t, "early", 3, false)
	require.Zero(t, w.outbox(t), "nobody listens")
	w.endpoint(t, "https://example.com/", func(p *repo.Params) {
		p.Events, p.JobTypes = &[]string{"job.failed"}, &[]string{"a", "b"}
	})
	off, _ := w.endpoint(t, "https://example.com/", func(p *repo.Params) { p.Enabled = new(false) })
	w.finishJobs(t, "a", 2, false)
	w.finishJobs(t, "c", 2, true)
	other.finishJobs(t, "a", 2, true)
	require.Zero(t, w.outbox(t))
	require.Zero(t, other.outbox(t))
	failed := w.finishJobs(t, "a", 3, true)
	w.finishJobs(t, "b", 1, true)
	require.Equal(t, 4, w.outbox(t))

	jobs := job.New(w.d.API)
	_, err := w.hooks.Update(w.ctx, off.ID, repo.Params{Enabled: new(true)})
	require.NoError(t, err)
	for _, sql := range []string{`UPDATE jobs SET priority = priority + 1`, `UPDATE jobs SET last_error = 'again' WHERE status = 'failed'`, `UPDATE jobs SET updated_at = now()`} {
		w.d.Exec(t, sql)
	}
	j, _, err := jobs.Enqueue(w.ctx, job.EnqueueParams{Type: "a"})
	require.NoError(t, err)
	require.Equal(t, 4, w.outbox(t), "unrelated changes")
	_, err = jobs.Cancel(w.ctx, j.ID)
	require.NoError(t, err)
	require.Equal(t, 5, w.outbox(t), "a cancelled job has failed")
	_, err = jobs.Requeue(w.ctx, failed[0])
	require.NoError(t, err)
	require.Equal(t, 5, w.outbox(t))
	claimed, err := job.NewRuns(w.d.Worker).Claim(t.Context(), w.scope.TenantID, nil, 10)
	require.NoError(t, err)
	require.Len(t, claimed, 1)
	_, err = job.NewRuns(w.d.Worker).Complete(t.Context(), []job.Success{{Lease: job.Lease{ID: claimed[0].ID, Lease: *claimed[0].LeaseID}}})
	require.NoError(t, err)
	require.Equal(t, 6, w.outbox(t), "and once more, for another transition")
	require.Equal(t, 1, w.count(t, `SELECT count(*) FROM core.outbox WHERE topic = 'job.done'`))

	w.d.Exec(t, `SELECT set_config('app.webhook_url', 'http://127.0.0.1:1/', false); UPDATE jobs SET status = 'failed', reason = 'permanent', finished_at = now() WHERE status = 'done' AND type = 'early'`)
	require.Equal(t, 9, w.outbox(t))
	require.Zero(t, w.count(t, `SELECT count(*) FROM core.outbox o WHERE o::text LIKE '%127.0.0.1%'`), "the setting of a session has no effect")
}

func TestRollbackSendsNothing(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	r := newReceiver(t, nil)
	w.endpoint(t, r.URL, nil)
	w.start(t, webhook.Config{}, webhook.Deps{})
	boom := errors.New("boom")
	err := w.d.API.Do(w.ctx, func(tx *db.Tx) error {
		if _, err := db.Exec(w.ctx, tx, `SELECT publish_event($1, 'order.paid', '{"n": 0}')`, w.scope.TenantID); err != nil {
			return err
		}
		return boom
	})
	require.ErrorIs(t, err, boom)
	ids := w.publish(t, 1)
	got := receive(t, r.requests)
	require.Equal(t, strconv.FormatInt(ids[0], 10), got.id())
	require.JSONEq(t, `{"n": 1}`, string(got.body))
	require.Equal(t, 1, w.outbox(t))
	require.Empty(t, r.requests)
}

func TestEventsThatNobodyWantsAreDispatched(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	w.endpoint(t, "https://example.com/", func(p *repo.Params) { p.Events = &[]string{"job.done"} })
	w.publish(t, 3)
	w.d.Exec(t, `INSERT INTO core.outbox (aggregate_type, aggregate_id, topic, payload) VALUES ('system', '1', 'system.started', '{}')`)
	w.start(t, webhook.Config{}, webhook.Deps{})
	eventually(t, "all are dispatched", func() bool { return w.count(t, `SELECT count(*) FROM core.outbox WHERE dispatched_at IS NULL`) == 0 })
	require.Empty(t, w.deliveries(t))
}

// A receiver's failures are retried by the schedule, and then the delivery is given up.
func TestRetries(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	var n atomic.Int64
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) <= 2 {
			http.Error(w, "not now\x00\xff", http.StatusBadGateway)
		}
	})
	w.endpoint(t, r.URL, nil)
	p := w.start(t, webhook.Config{}, webhook.Deps{})
	id := strconv.FormatInt(w.publish(t, 1)[0], 10)
	for range 3 {
		require.Equal(t, id, receive(t, r.requests).id(), "always under one id")
	}
	require.Equal(t, []repo.Outcome{repo.Retry, repo.Retry, repo.Success}, []repo.Outcome{p.next(t).Outcome, p.next(t).Outcome, p.next(t).Outcome})
	list := attempts(t, w.deliveries(t)[0])
	require.Equal(t, []int{1, 2, 3}, []int{list[0].Number, list[1].Number, list[2].Number})
	require.Equal(t, "The receiver answered 502.", *list[1].Error)
	require.Equal(t, "not now\uFFFD\uFFFD\n", *list[1].Response)
	require.Nil(t, list[2].Error)
	require.Equal(t, 1, w.count(t, `SELECT count(*) FROM core.outbox WHERE dispatch_attempts = 3 AND error = 'The receiver answered 502.' AND dispatched_at IS NOT NULL`))
	require.Equal(t, webhook.Counts{Delivered: 1, Failed: 2}, p.Counts())

	n.Store(-100)
	w.publish(t, 1)
	for range 6 {
		receive(t, r.requests)
		p.next(t)
	}
	dead := w.deliveries(t)[1]
	require.Equal(t, repo.Dead, dead.Status)
	require.Equal(t, 6, dead.Attempts, "one and five of the schedule")
	require.Empty(t, r.requests)
	require.Zero(t, w.count(t, `SELECT count(*) FROM core.outbox WHERE dispatched_at IS NULL`))

	n.Store(100)
	again, err := w.hooks.Redeliver(w.ctx, dead.ID)
	require.NoError(t, err)
	require.Equal(t, dead.EventID, again.EventID)
	require.Equal(t, strconv.FormatInt(dead.EventID, 10), receive(t, r.requests).id())
	require.Equal(t, repo.Success, p.next(t).Outcome)
	require.Len(t, attempts(t, w.deliveries(t)[1]), 7, "the log goes on")
}

func TestOrder(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	var fails atomic.Int64
	var busy, most atomic.Int64
	r := newReceiver(t, func(w http.ResponseWriter, req *http.Request) {
		most.Store(max(most.Load(), busy.Add(1)))
		defer busy.Add(-1)
		if fails.Add(1)%7 == 3 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	w.endpoint(t, r.URL, func(p *repo.Params) { p.Ordering = new(repo.PerEndpoint) })
	for range 3 { // workers
		w.start(t, webhook.Config{}, webhook.Deps{})
	}
	var want []string
	for range 5 {
		for _, id := range w.publish(t, 20) {
			want = append(want, strconv.FormatInt(id, 10))
		}
	}
	var got []string
	for len(got) < len(want) || got[len(got)-1] != want[len(want)-1] {
		if id := receive(t, r.requests).id(); len(got) == 0 || got[len(got)-1] != id { // a repetition directly follows
			got = append(got, id)
		}
	}
	require.Equal(t, want, got)
	require.EqualValues(t, 1, most.Load(), "one at a time")
}

// Two workers never send one delivery at the same time, and an endpoint never gets more than its share at a time.
func TestWorkersShare(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	var mu sync.Mutex
	seen := map[string]int{}
	var busy, most int
	gate := make(chan struct{})
	r := newReceiver(t, func(_ http.ResponseWriter, req *http.Request) {
		mu.Lock()
		seen[req.Header.Get("webhook-id")]++
		busy++
		most = max(most, busy)
		mu.Unlock()
		<-gate
		mu.Lock()
		busy--
		mu.Unlock()
	})
	w.endpoint(t, r.URL, nil)
	for range 3 {
		w.start(t, webhook.Config{PerEndpoint: 7}, webhook.Deps{})
	}
	const events = 300
	w.publish(t, events)
	for range 7 {
		receive(t, r.requests)
	}
	require.Never(t, func() bool { return len(r.requests) > 0 }, 100*time.Millisecond, 10*time.Millisecond, "the eighth waits")
	close(gate)
	eventually(t, "all are delivered", func() bool {
		return w.count(t, `SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'`) == events
	})
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, seen, events)
	for id, n := range seen {
		require.Equal(t, 1, n, id)
	}
	require.Equal(t, 7, most)
}

// A receiver that hangs holds up nobody else.
func TestSlowReceiver(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	gate := make(chan struct{})
	slow := newReceiver(t, func(http.ResponseWriter, *http.Request) { <-gate })
	quick := newReceiver(t, nil)
	w.endpoint(t, slow.URL, nil)
	w.endpoint(t, quick.URL, nil)
	p := w.start(t, webhook.Config{Concurrency: 40, PerEndpoint: 8}, webhook.Deps{})
	w.publish(t, 200)
	for range 200 {
		receive(t, quick.requests)
	}
	for range 200 {
		require.Equal(t, repo.Success, p.next(t).Outcome)
	}
	require.LessOrEqual(t, len(slow.requests), 8)
	close(gate)
	for range 200 {
		p.next(t)
	}
}

// kill is a sender that never comes back, as that of a process that is killed between sending and recording.
type kill struct {
	sent chan webhook.Request
	next *webhook.Sender
}

func (k kill) Send(ctx context.Context, r webhook.Request) webhook.Answer {
	k.next.Send(ctx, r)
	k.sent <- r
	<-ctx.Done()
	return webhook.Answer{Error: "killed"}
}

// dead is a queue of a process that is killed: nothing that it does arrives any more.
type dead struct{ *repo.Queue }

func (dead) Finish(context.Context, []repo.Result, repo.Limits) ([]int64, error) { return nil, nil }
func (dead) Release(context.Context, []repo.Outgoing) error                      { return nil }

func TestLeaseEnds(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	r := newReceiver(t, nil)
	w.endpoint(t, r.URL, nil)
	k := kill{sent: make(chan webhook.Request, 1), next: webhook.NewSender(webhook.SenderConfig{Guard: open})}
	w.publish(t, 1)
	first := w.start(t, webhook.Config{Grace: time.Millisecond}, webhook.Deps{Sender: k, Queue: dead{repo.NewQueue(w.d.Worker)}})
	receive(t, k.sent)
	id := receive(t, r.requests).id()
	first.stop()

	second := w.start(t, webhook.Config{}, webhook.Deps{})
	require.Never(t, func() bool { return len(r.requests) > 0 }, 100*time.Millisecond, 10*time.Millisecond, "its lease holds")
	require.Equal(t, repo.Sending, w.deliveries(t)[0].Status)
	w.d.Exec(t, `UPDATE webhook_deliveries SET next_attempt_at = now() - interval '1 second'; UPDATE webhook_lanes SET due_at = now()`)
	require.Equal(t, id, receive(t, r.requests).id(), "twice, under the same id")
	require.Equal(t, repo.Success, second.next(t).Outcome)
}

// What was claimed and not sent when the process stops goes back at once.
func TestStopGivesBack(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	gate := make(chan struct{})
	defer close(gate)
	r := newReceiver(t, func(http.ResponseWriter, *http.Request) { <-gate })
	w.endpoint(t, r.URL, nil)
	p := w.start(t, webhook.Config{Grace: time.Millisecond}, webhook.Deps{})
	w.publish(t, 1)
	receive(t, r.requests)
	p.stop()
	d := w.deliveries(t)[0]
	require.Equal(t, repo.Pending, d.Status)
	require.Zero(t, d.Attempts)
}

func TestGone(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	r := newReceiver(t, status(http.StatusGone))
	e, _ := w.endpoint(t, r.URL, nil)
	p := w.start(t, webhook.Config{}, webhook.Deps{})
	w.publish(t, 1)
	require.True(t, p.next(t).IsGone)
	got, err := w.hooks.Get(w.ctx, e.ID)
	require.NoError(t, err)
	require.False(t, got.IsEnabled)
	require.Equal(t, repo.Gone, *got.DisabledReason)
	require.Equal(t, repo.Dead, w.deliveries(t)[0].Status)
	_, err = w.hooks.Redeliver(w.ctx, w.deliveries(t)[0].ID)
	require.True(t, errs.Is(err, errs.Conflict))
	_, err = w.hooks.Test(w.ctx, &e.ID)
	require.True(t, errs.Is(err, errs.Conflict))
	got, err = w.hooks.Update(w.ctx, e.ID, repo.Params{Enabled: new(true)})
	require.NoError(t, err)
	require.Nil(t, got.DisabledReason)
}

// A receiver that asks to wait gets nothing before that, whatever is due.
func TestRetryAfter(t *testing.T) {
	t.Parallel()

	for _, code := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		for name, value := range map[string]string{"seconds": "3600", "a date": time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)} {
			t.Run(strconv.Itoa(code)+" "+name, func(t *testing.T) {
				t.Parallel()

				w := newWorld(t)
				r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Retry-After", value)
					w.WriteHeader(code)
				})
				e, _ := w.endpoint(t, r.URL, nil)
				p := w.start(t, webhook.Config{}, webhook.Deps{})
				w.publish(t, 1)
				require.InDelta(t, 3600, p.next(t).Delay.Seconds(), 30)
				require.InDelta(t, 3600, time.Until(*w.deliveries(t)[0].NextAttemptAt).Seconds(), 60)
				w.publish(t, 3)
				eventually(t, "they are routed", func() bool { return len(w.deliveries(t)) == 4 })
				receive(t, r.requests)
				require.Never(t, func() bool { return len(r.requests) > 0 }, 100*time.Millisecond, 10*time.Millisecond, "the others wait, too")
				h := health(t, w, e)
				require.InDelta(t, 3600, time.Until(*h.ResumeAt).Seconds(), 60)
				require.Equal(t, repo.Closed, h.Circuit)
			})
		}
	}
}

func health(t *testing.T, w world, e repo.Endpoint) repo.Health {
	t.Helper()

	list, err := w.hooks.Health(w.ctx, time.Hour)
	require.NoError(t, err)
	i := slices.IndexFunc(list, func(h repo.Health) bool { return h.EndpointID == e.ID })
	require.GreaterOrEqual(t, i, 0)
	return list[i]
}

func TestCircuit(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	var ok atomic.Bool
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		if !ok.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	e, _ := w.endpoint(t, r.URL, func(p *repo.Params) { p.Name = new("default") })
	p := w.start(t, webhook.Config{Circuit: webhook.DefaultCircuit, PerEndpoint: 1, Cooldown: time.Hour, Longest: 90 * time.Minute, Schedule: []time.Duration{time.Nanosecond, time.Nanosecond}}, webhook.Deps{})
	w.publish(t, 10)
	for range webhook.DefaultCircuit {
		p.next(t)
	}
	require.Never(t, func() bool { return len(r.requests) > webhook.DefaultCircuit }, 100*time.Millisecond, 10*time.Millisecond, "it rests")
	h := health(t, w, e)
	require.Equal(t, repo.Open, h.Circuit)
	require.Equal(t, webhook.DefaultCircuit, h.Failures)
	require.InDelta(t, 3600, time.Until(*h.ResumeAt).Seconds(), 60)
	require.InDelta(t, 0, *h.SuccessRate, 0)
	require.Equal(t, "The receiver answered 500.", *h.LastError)

	rest := func() {
		w.d.Exec(t, `UPDATE webhook_lanes SET resume_at = now() - interval '1 second', due_at = now()`)
	}
	rest()
	p.next(t)
	require.Never(t, func() bool { return len(r.requests) > webhook.DefaultCircuit+1 }, 100*time.Millisecond, 10*time.Millisecond, "one probe")
	require.InDelta(t, 5400, time.Until(*health(t, w, e).ResumeAt).Seconds(), 60, "longer this time, up to the longest")

	ok.Store(true)
	test, err := w.hooks.Test(w.ctx, nil)
	require.NoError(t, err)
	require.Equal(t, repo.Delivered, test.Status, "a test is sent meanwhile, and its success closes the circuit")
	eventually(t, "the rest follows", func() bool {
		return w.count(t, `SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'`) == 0
	})
	h = health(t, w, e)
	require.Equal(t, repo.Closed, h.Circuit)
	require.Zero(t, h.Failures)
	require.Nil(t, h.ResumeAt)
	require.NotNil(t, h.P95)
}

func TestTestEvent(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusTeapot) })
	e, _ := w.endpoint(t, r.URL, func(p *repo.Params) { p.Events, p.Ordering = &[]string{"job.done"}, new(repo.PerEndpoint) })
	w.publish(t, 1)
	w.start(t, webhook.Config{}, webhook.Deps{})
	d, err := w.hooks.Test(w.ctx, &e.ID)
	require.NoError(t, err)
	require.Equal(t, repo.Dead, d.Status, "once, whatever the outcome")
	require.True(t, d.IsTest)
	require.Equal(t, 418, *attempts(t, d)[0].ResponseStatus)
	require.Equal(t, "no\n", *attempts(t, d)[0].Response)
	got := receive(t, r.requests)
	require.Equal(t, "webhook.test", got.json(t)["event"])
	require.Equal(t, e.ID.String(), got.json(t)["endpoint_id"])
	require.Zero(t, health(t, w, e).Failures, "tests do not open the circuit")
	_, err = w.hooks.Test(w.ctx, nil)
	require.True(t, errs.Is(err, errs.NotFound), "there is no default")
}

// While a secret's former one counts, both sign.
func TestRotation(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	r := newReceiver(t, nil)
	e, first := w.endpoint(t, r.URL, nil)
	w.start(t, webhook.Config{}, webhook.Deps{})
	signed := func(secrets ...string) {
		t.Helper()
		w.publish(t, 1)
		got := receive(t, r.requests)
		seconds, err := strconv.ParseInt(got.header.Get("webhook-timestamp"), 10, 64)
		require.NoError(t, err)
		want, err := webhook.Sign(secrets, got.id(), time.Unix(seconds, 0), got.body)
		require.NoError(t, err)
		require.Equal(t, want, got.header.Get("webhook-signature"))
	}
	signed(first)
	_, second, err := w.hooks.Rotate(w.ctx, e.ID, 24)
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	signed(second, first)
	w.d.Exec(t, `UPDATE webhook_secrets SET expires_at = now() - interval '1 second' WHERE expires_at IS NOT NULL`)
	signed(second)
	_, third, err := w.hooks.Rotate(w.ctx, e.ID, 0)
	require.NoError(t, err)
	signed(third)
	require.Equal(t, 1, w.count(t, `SELECT count(*) FROM webhook_secrets WHERE expires_at IS NULL OR expires_at > now()`))
	key, err := base64.StdEncoding.DecodeString(third[len("whsec_"):])
	require.NoError(t, err)
	require.Len(t, key, 32)
	_, _, err = w.hooks.Rotate(w.ctx, e.ID, 169)
	require.True(t, errs.Is(err, errs.Validation))
}
