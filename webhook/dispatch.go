package webhook

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"stackforge/errs"
	"stackforge/repo/webhook"
)

// Channel is nudged after the commit of what a dispatcher should look at.
const Channel = "webhooks_ready"

// schedule is when a delivery is tried again, after each failure: over about three days (Standard Webhooks).
func schedule() []time.Duration {
	return []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

// Config says how a Dispatcher works. Zero values take the defaults named here.
type Config struct {
	Concurrency int             // sends at a time in this process; default 256
	PerEndpoint int             // sends to one endpoint at a time, over all processes; default 16
	Timeout     time.Duration   // of a request, as the Sender's; default 15 s
	Poll        time.Duration   // looks for due deliveries at least this often; default 1 s
	Schedule    []time.Duration // after each failure, plus up to a fifth; default nine steps over three days
	Circuit     int             // after so many failures in a row an endpoint rests; default DefaultCircuit
	Cooldown    time.Duration   // for that long, doubled with each further failure; default 30 s
	Longest     time.Duration   // up to this; default 15 minutes
	Grace       time.Duration   // sends under way may end within it after the stop; default 5 s
	MaxAge      time.Duration   // a delivery that is pending for longer is given up; default 4 days
	Retention   time.Duration   // events are kept for so long after they were dispatched; default 7 days
	Hook        func(Event)     // is told how attempts ended, from many goroutines; must not block. Default none
}

// DefaultCircuit is after how many failures in a row an endpoint rests.
const DefaultCircuit = 5

func (c *Config) defaults() {
	c.Concurrency, c.PerEndpoint = or(c.Concurrency, 256), or(c.PerEndpoint, 16)
	c.Timeout, c.Poll = or(c.Timeout, 15*time.Second), or(c.Poll, time.Second)
	if c.Schedule == nil {
		c.Schedule = schedule()
	}
	c.Circuit, c.Cooldown, c.Longest = or(c.Circuit, DefaultCircuit), or(c.Cooldown, 30*time.Second), or(c.Longest, 15*time.Minute)
	c.Grace, c.MaxAge, c.Retention = or(c.Grace, 5*time.Second), or(c.MaxAge, 4*24*time.Hour), or(c.Retention, 7*24*time.Hour)
	if c.Hook == nil {
		c.Hook = func(Event) {}
	}
}

// Event is an attempt that was recorded, or refused because its lease was over.
type Event struct {
	webhook.Result
	EventID   int64
	IsRefused bool
}

// Deps is what a Dispatcher works with.
type Deps struct {
	Queue  queue
	Sender sender
	Wake   <-chan struct{} // a value says that something may be due; nil: only Wake and the poll do
	Log    zerolog.Logger
}

type queue interface {
	keeper
	Claim(ctx context.Context, n int, l webhook.Limits) ([]webhook.Outgoing, error)
	Finish(ctx context.Context, list []webhook.Result, l webhook.Limits) ([]int64, error)
	Release(ctx context.Context, list []webhook.Outgoing) error
}

type keeper interface {
	DropOld(ctx context.Context, keep time.Duration) (int, error)
	Expire(ctx context.Context, keep time.Duration) (int, error)
	Stats(ctx context.Context, circuit int) (webhook.Stats, error)
}

type sender interface {
	Send(ctx context.Context, r Request) Answer
}

// Dispatcher sends what is due, until its context ends. Any number of them may work on one database.
type Dispatcher struct {
	cfg    Config
	deps   Deps
	limits webhook.Limits
	wake   chan struct{} // something may be due
	done   chan ended    // has room for all sends
	busy   atomic.Int64
	counts struct{ delivered, failed, dead, refused atomic.Int64 }
	stats  atomic.Pointer[webhook.Stats]

	// Of the loop.
	empty    int       // claims in a row that got nothing
	failures int       // and that failed
	last     time.Time // of a claim
}

// ended is an attempt that is not recorded yet.
type ended struct {
	out      webhook.Outgoing
	result   webhook.Result
	released bool // the attempt did not end: give the delivery back
}

// NewDispatcher returns a Dispatcher. Nothing happens before Run.
func NewDispatcher(c Config, d Deps) *Dispatcher {
	c.defaults()
	return &Dispatcher{
		cfg: c, deps: d, wake: make(chan struct{}, 1), done: make(chan ended, c.Concurrency),
		// The lease outlives the request and the recording of its end by far.
		limits: webhook.Limits{PerEndpoint: c.PerEndpoint, Lease: c.Timeout + margin, Circuit: c.Circuit, Cooldown: c.Cooldown, Longest: c.Longest},
	}
}

// margin is for how long a lease outlives the request.
const margin = 45 * time.Second

// Wake says that something may be due. It never blocks.
func (d *Dispatcher) Wake() { notify(d.wake) }

// InFlight returns how many sends are under way.
func (d *Dispatcher) InFlight() int { return int(d.busy.Load()) }

// Counts are attempts of this process by how they ended. Refused are those whose lease had been taken over.
type Counts struct{ Delivered, Failed, Dead, Refused int64 }

// Counts returns the attempts since the start.
func (d *Dispatcher) Counts() Counts {
	return Counts{
		Delivered: d.counts.delivered.Load(), Failed: d.counts.failed.Load(), Dead: d.counts.dead.Load(), Refused: d.counts.refused.Load(),
	}
}

// Stats returns the numbers of all webhooks as they were read last, a quarter of a minute ago at most while Run does.
func (d *Dispatcher) Stats() webhook.Stats {
	if s := d.stats.Load(); s != nil {
		return *s
	}
	return webhook.Stats{}
}

// sampleEvery is how often Stats are read.
const sampleEvery = 15 * time.Second

func (d *Dispatcher) sample(ctx context.Context) {
	for ctx.Err() == nil {
		if s, err := d.deps.Queue.Stats(ctx, d.cfg.Circuit); err == nil { // the next one will tell
			d.stats.Store(&s)
		}
		sleep(ctx, sampleEvery)
	}
}

// DropOld deletes events whose retention is over, with the log of their deliveries, and returns how many.
func (d *Dispatcher) DropOld(ctx context.Context) (int, error) {
	return d.deps.Queue.DropOld(ctx, d.cfg.Retention)
}

// Expire gives up deliveries that have waited for too long and returns how many.
func (d *Dispatcher) Expire(ctx context.Context) (int, error) {
	return d.deps.Queue.Expire(ctx, d.cfg.MaxAge)
}

// Run sends until ctx ends, then lets what is under way end within the grace and gives the rest back.
func (d *Dispatcher) Run(ctx context.Context) {
	work := context.WithoutCancel(ctx)
	sends, cancel := context.WithCancel(work)
	defer cancel()
	var sampling sync.WaitGroup
	sampling.Go(func() { d.sample(ctx) })
	d.loop(ctx, work, sends)
	grace := time.AfterFunc(d.cfg.Grace, cancel)
	defer grace.Stop()
	for d.InFlight() > 0 {
		d.record(work, <-d.done)
	}
	sampling.Wait()
}

// loop records what has ended and claims as much as there is room for, one after the other: both lock the endpoints, and a
// claim passes over those that are locked. Records of attempts gather while a claim is under way, and are followed by a
// claim, since their endpoints have room again. So is a claim that got as many as it asked for. Otherwise it waits for a
// wake-up or the poll.
func (d *Dispatcher) loop(ctx, work, sends context.Context) {
	poll := time.NewTimer(0)
	defer poll.Stop()
	due := false
	for {
		var now <-chan time.Time
		if due && d.room() > 0 {
			now = time.After(d.calm())
		}
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
			due = true
			continue
		case <-d.deps.Wake:
			due = true
			continue
		case <-poll.C:
			due = true
			continue
		case e := <-d.done:
			d.record(work, e)
			if due = true; d.room() == 0 || d.calm() > 0 {
				continue
			}
		case <-now:
		}
		due = d.claim(ctx, work, sends)
		poll.Reset(d.cfg.Poll)
	}
}

func (d *Dispatcher) room() int { return d.cfg.Concurrency - d.InFlight() }

// claim starts to send what is due, and reports whether there may be more.
func (d *Dispatcher) claim(ctx, work, sends context.Context) bool {
	room, claimed := d.room(), time.Now()
	list, err := d.deps.Queue.Claim(work, room, d.limits)
	if err != nil {
		d.failures++
		d.failing("claim", err, d.failures)
		pause(ctx, d.failures)
		return true
	}
	d.failures, d.last = 0, time.Now()
	if d.empty++; len(list) > 0 {
		d.empty = 0
	}
	d.busy.Add(int64(len(list)))
	for _, o := range list {
		go d.send(sends, o, claimed)
	}
	return len(list) == room
}

// calm is for how long a claim is held back because the last ones got nothing: jobs end by the thousand at tenants that have
// no endpoint, and each batch of ends wakes this process.
func (d *Dispatcher) calm() time.Duration {
	if d.empty == 0 {
		return 0
	}
	return min(time.Millisecond<<min(d.empty, 6), 50*time.Millisecond) - time.Since(d.last)
}

// send makes one attempt.
func (d *Dispatcher) send(ctx context.Context, o webhook.Outgoing, claimed time.Time) {
	e := ended{out: o}
	if ctx.Err() != nil || time.Since(claimed) > margin/2 { // too late: another worker may take it before we are done
		e.released = true
	} else {
		a := d.attempt(ctx, o)
		e.released = !a.OK() && ctx.Err() != nil
		e.result = d.judge(o, a)
	}
	d.done <- e
}

func (d *Dispatcher) attempt(ctx context.Context, o webhook.Outgoing) Answer {
	if len(o.Secrets) == 0 {
		return Answer{Error: "The endpoint has no signing secret."}
	}
	return d.deps.Sender.Send(ctx, Request{ID: strconv.FormatInt(o.EventID, 10), URL: o.URL, Body: []byte(o.Body), Secrets: o.Secrets})
}

// judge says what becomes of a delivery after an attempt.
func (d *Dispatcher) judge(o webhook.Outgoing, a Answer) webhook.Result {
	r := webhook.Result{
		TenantID: o.TenantID, ID: o.ID, Lease: o.Lease, EndpointID: o.EndpointID, Outcome: webhook.Success, Duration: a.Duration,
		ResponseStatus: a.Status, Response: a.Body, Error: a.Error, RetryAfter: a.RetryAfter, IsGone: a.Status == http.StatusGone,
	}
	switch {
	case a.OK():
	case r.IsGone, o.IsTest, o.Tries >= len(d.cfg.Schedule):
		r.Outcome = webhook.GiveUp
	default:
		r.Outcome = webhook.Retry
		r.Delay = d.cfg.Schedule[o.Tries]
		if jitter := r.Delay / 5; jitter > 0 {
			r.Delay += rand.N(jitter) //nolint:gosec // jitter is no secret
		}
		r.Delay = max(r.Delay, a.RetryAfter)
	}
	return r
}

// maxBatch bounds the attempts recorded by one statement.
const maxBatch = 200

// record writes how an attempt ended, together with the others that have ended by now.
func (d *Dispatcher) record(ctx context.Context, first ended) {
	batch := []ended{first}
	for more := true; more && len(batch) < maxBatch; {
		select {
		case e := <-d.done:
			batch = append(batch, e)
		default:
			more = false
		}
	}
	d.write(ctx, batch)
	d.busy.Add(-int64(len(batch)))
}

// recordTries bounds how often a batch is offered to a database that does not answer. After that the leases end, and the
// deliveries are sent again.
const recordTries = 8

func (d *Dispatcher) write(ctx context.Context, batch []ended) {
	var results []webhook.Result
	var given []webhook.Outgoing
	for _, e := range batch {
		if e.released {
			given = append(given, e.out)
		} else {
			results = append(results, e.result)
		}
	}
	if len(given) > 0 {
		if err := d.deps.Queue.Release(ctx, given); err != nil {
			d.failing("release", err, 1) // their leases end
		}
	}
	if len(results) == 0 {
		return
	}
	var held []int64
	for i := 1; ; i++ {
		var err error
		if held, err = d.deps.Queue.Finish(ctx, results, d.limits); err == nil {
			break
		}
		d.failing("record", err, i)
		if i == recordTries {
			return
		}
		pause(ctx, i)
	}
	kept := make(map[int64]bool, len(held))
	for _, id := range held {
		kept[id] = true
	}
	for _, e := range batch {
		if e.released {
			continue
		}
		d.count(e.result, kept[e.result.ID])
		d.cfg.Hook(Event{Result: e.result, EventID: e.out.EventID, IsRefused: !kept[e.result.ID]})
		if e.result.IsGone {
			d.deps.Log.Warn().Stringer("tenant", e.out.TenantID).Stringer("endpoint", e.out.EndpointID).Msg("webhook: the endpoint answered 410 and is switched off")
		}
	}
}

func (d *Dispatcher) count(r webhook.Result, kept bool) {
	switch {
	case !kept:
		d.counts.refused.Add(1)
	case r.Outcome == webhook.Success:
		d.counts.delivered.Add(1)
	case r.Outcome == webhook.GiveUp:
		d.counts.dead.Add(1)
	default:
		d.counts.failed.Add(1)
	}
}

// failing tells of a database that does not answer, once for each time that it is away.
func (d *Dispatcher) failing(what string, err error, failures int) {
	level := zerolog.DebugLevel
	if failures == 1 {
		level = zerolog.WarnLevel
	}
	var cause error
	if e, ok := errors.AsType[*errs.Error](err); ok {
		cause = e.Unwrap()
	}
	d.deps.Log.WithLevel(level).Err(err).AnErr("cause", cause).Msg("webhook: " + what + " failed, trying again")
}

// pause waits longer after each failure: 100 ms doubled up to 5 s, with a jitter of a fifth.
func pause(ctx context.Context, failures int) {
	d := min(100*time.Millisecond<<min(failures-1, 10), 5*time.Second)
	sleep(ctx, d+rand.N(d/5)) //nolint:gosec // jitter is no secret
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// notify sets a flag: a channel of capacity one.
func notify(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
