package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"stackforge/db"
	"stackforge/realtime"
	"stackforge/repo/job"
	"stackforge/tenant"
)

// What the subscribers are put through, and the bars.
const (
	subscribers  = 500
	changeRate   = 200 // status changes a second, each committed on its own
	maxSeconds   = 10
	frameBar     = 50 * time.Millisecond
	warmups      = 100
	producers    = 4 // sessions that commit in turn, so that a slow disk does not set the rate
	changesOfJob = 2 // running, done
)

const updateFields = `{ jobId status type attempts lastError at cursor }`

// everything is the payload of a subscription to all jobs.
const everything = `{"query":"subscription { jobUpdates ` + updateFields + ` }"}`

// someOf is the payload of a subscription to some jobs; their ids, in quotes, are variables, as clients send them.
func someOf(ids []string) string {
	return `{"query":"subscription Some($ids: [ID!]) { jobUpdates(ids: $ids) ` + updateFields + ` }","variables":{"ids":[` + strings.Join(ids, ",") + `]}}`
}

func (b *bench) realtimePart(ctx context.Context) error {
	d, err := b.ready(ctx)
	if err != nil {
		return err
	}
	if err := b.fanout(ctx, d, "500 subscribers of all jobs", func(int, []int64) string { return everything }); err != nil {
		return err
	}
	// Every subscriber has jobs of its own (and one for the warm-up), so that nothing can be shared.
	return b.fanout(ctx, d, "500 subscribers, each of its own jobs", func(i int, ids []int64) string {
		list := []string{strconv.Quote(strconv.FormatInt(ids[0], 10))}
		for k := 1 + i; k < len(ids); k += subscribers {
			list = append(list, strconv.Quote(strconv.FormatInt(ids[k], 10)))
		}
		return someOf(list)
	})
}

// producer changes jobs as a worker process does: the same statements as app_worker, and the same nudge after the commit.
type producer struct {
	api, worker *db.DB
	runs        *job.Runs
	nudger      *realtime.Nudger
	stop        func()
}

func newProducer(ctx context.Context, d *dataset) (*producer, error) {
	open := func(role db.Role) (*db.DB, error) {
		return db.Open(ctx, db.Config{URL: d.url, Role: role, MinConns: 2, MaxConns: 4, ApplicationName: "bench"})
	}
	p := &producer{}
	var err, werr error
	p.api, err = open(db.RoleAPI)
	p.worker, werr = open(db.RoleWorker)
	if err := errors.Join(err, werr); err != nil {
		return nil, err
	}
	p.runs = job.NewRuns(p.worker)
	p.nudger = realtime.NewNudger(realtime.NudgerConfig{
		Carrier: realtime.Postgres{DB: p.worker}, Channels: []string{job.EventChannel}, Log: zerolog.Nop(),
	})
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { p.nudger.Run(ctx) })
	p.stop = func() {
		cancel()
		wg.Wait()
		p.api.Close(5 * time.Second)
		p.worker.Close(5 * time.Second)
	}
	return p, nil
}

// enqueue makes jobs that are due in the order of their ids; the first warmup of them never are.
func (p *producer) enqueue(ctx context.Context, d *dataset, warmup, n int) ([]int64, error) {
	ctx = tenant.With(ctx, tenant.Scope{TenantID: d.tenant, Scopes: []string{"*"}})
	never := time.Now().Add(1000 * time.Hour)
	list := make([]job.EnqueueParams, warmup+n)
	for i := range list {
		list[i] = job.EnqueueParams{Type: "send_email", Payload: json.RawMessage(`{"to":"someone@example.com"}`)}
		if i < warmup {
			list[i].RunAt = &never
		}
	}
	var ids []int64
	for chunk := range slices.Chunk(list, job.MaxBatch) {
		out, err := job.New(p.api).EnqueueMany(ctx, chunk, false)
		if err != nil {
			return nil, err
		}
		for _, o := range out {
			ids = append(ids, o.Job.ID)
		}
	}
	return ids, nil
}

// warm cancels and requeues the first job, which is everybody's and never due, until every subscriber has heard of it: then
// all are live.
func (p *producer) warm(ctx context.Context, d *dataset, c *crowd, first int64) error {
	ctx = tenant.With(ctx, tenant.Scope{TenantID: d.tenant, Scopes: []string{"*"}})
	jobs := job.New(p.api)
	for range warmups {
		if _, err := jobs.Cancel(ctx, first); err != nil {
			return err
		}
		p.nudger.Nudge(job.EventChannel)
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
		if c.live() {
			return nil
		}
		if _, err := jobs.Requeue(ctx, first); err != nil {
			return err
		}
		p.nudger.Nudge(job.EventChannel)
	}
	return errors.New("the subscribers did not all get an event")
}

// change claims and completes all jobs at the rate, one at a time, and returns the time after each commit by event.
func (p *producer) change(ctx context.Context, jobs int, index func(id int64, running bool) int, since func() int64) ([]int64, error) {
	committed := make([]int64, changesOfJob*jobs)
	me := uuid.New()
	if err := p.runs.Heartbeat(ctx, job.Beat{WorkerID: me, Name: "bench", Concurrency: producers}); err != nil {
		return nil, err
	}
	var g errgroup.Group
	for i := range producers {
		g.Go(func() error {
			if err := sleep(ctx, time.Duration(i)*time.Second/changeRate); err != nil {
				return err
			}
			tick := time.NewTicker(producers * time.Second / changeRate)
			defer tick.Stop()
			for n := i; n < jobs; n += producers {
				if err := p.changeOne(ctx, me, tick.C, func(id int64, running bool) { committed[index(id, running)] = since() }); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return committed, p.runs.Leave(ctx, me)
}

// changeOne claims a job and completes it, each at a tick. done is called right after each commit.
func (p *producer) changeOne(ctx context.Context, me uuid.UUID, tick <-chan time.Time, done func(id int64, running bool)) error {
	<-tick
	claimed, err := p.runs.Claim(ctx, me, nil, 1)
	if err != nil {
		return err
	}
	if len(claimed) != 1 || claimed[0].LeaseID == nil {
		return fmt.Errorf("a claim gave %d jobs", len(claimed))
	}
	id := claimed[0].ID
	done(id, true)
	p.nudger.Nudge(job.EventChannel)
	<-tick
	ended, err := p.runs.Complete(ctx, []job.Success{{Lease: job.Lease{ID: id, Lease: *claimed[0].LeaseID}}})
	if err != nil {
		return err
	}
	if len(ended) != 1 {
		return fmt.Errorf("job %d was not this run's", id)
	}
	done(id, false)
	p.nudger.Nudge(job.EventChannel)
	return nil
}

// fanout measures the time from a commit to the frames that tell of it.
func (b *bench) fanout(ctx context.Context, d *dataset, what string, query func(i int, ids []int64) string) error {
	s, err := b.serve(ctx, "serve", d.url)
	if err != nil {
		return err
	}
	defer s.stop()
	p, err := newProducer(ctx, d)
	if err != nil {
		return err
	}
	defer p.stop()
	seconds := min(b.seconds, maxSeconds)
	ids, err := p.enqueue(ctx, d, 1, seconds*changeRate/changesOfJob)
	if err != nil {
		return err
	}
	at := make(map[int64]int, len(ids))
	for i, id := range ids[1:] {
		at[id] = i
	}
	which := func(id int64, status []byte) (int, bool) {
		i, ok := at[id]
		switch {
		case !ok:
			return 0, false
		case string(status) == "RUNNING":
			return changesOfJob * i, true
		default:
			return changesOfJob*i + 1, string(status) == "DONE"
		}
	}
	epoch := time.Now()
	since := func() int64 { return int64(time.Since(epoch)) }
	c, err := gather(subscribers, s.addr, d.key, changesOfJob*(len(ids)-1), func(i int) string { return query(i, ids) }, which, since)
	if err != nil {
		return err
	}
	defer c.leave()
	if err := p.warm(ctx, d, c, ids[0]); err != nil {
		return err
	}
	floor := lateness(ctx)
	begin := time.Now()
	committed, err := p.change(ctx, len(ids)-1, func(id int64, running bool) int {
		if running {
			return changesOfJob * at[id]
		}
		return changesOfJob*at[id] + 1
	}, since)
	if err != nil {
		return err
	}
	took := time.Since(begin)
	late := floor()
	if err := sleep(ctx, 2*time.Second); err != nil { // whatever comes later than that is missing
		return err
	}
	c.leave()
	all := query(0, ids) == everything
	return b.fanoutReport(c, what, committed, took, late, func(subscriber, event int) bool {
		return all || (event/changesOfJob)%subscribers == subscriber
	})
}

// lateness measures, until the returned function is called, how late this machine wakes a process that asked for a short
// sleep, and gives the 99th percentile: no frame can be more punctual than that.
func lateness(ctx context.Context) func() time.Duration {
	ctx, cancel := context.WithCancel(ctx)
	var late []time.Duration
	done := make(chan struct{})
	go func() {
		defer close(done)
		const nap = 5 * time.Millisecond
		for begin := time.Now(); sleep(ctx, nap) == nil; begin = time.Now() {
			late = append(late, time.Since(begin)-nap)
		}
	}()
	return func() time.Duration {
		cancel()
		<-done
		slices.Sort(late)
		return quantile(late, .99)
	}
}

func (b *bench) fanoutReport(c *crowd, what string, committed []int64, took, floor time.Duration, wants func(subscriber, event int) bool) error {
	var late []time.Duration
	missing, twice, foreign := 0, 0, 0
	for i, s := range c.all {
		twice += s.twice
		for e, got := range s.got {
			switch {
			case got == 0 && wants(i, e):
				missing++
			case got != 0 && !wants(i, e):
				foreign++
			case got != 0:
				late = append(late, max(0, time.Duration(got-committed[e])))
			}
		}
	}
	if len(late) == 0 {
		return errors.Join(errors.New("no frame came"), c.trouble())
	}
	slices.Sort(late)
	p99 := quantile(late, .99)
	rate := float64(len(committed)) / took.Seconds()
	b.report.bound("realtime", what+": commit to frame",
		fmt.Sprintf("p50 %s, p99 %s, max %s", ms(quantile(late, .5)), ms(p99), ms(late[len(late)-1])),
		fmt.Sprintf("a timer that does nothing: p99 %s late; %s commits/s, %s frames/s", ms(floor), count(rate), count(float64(len(late))/took.Seconds())), "", "p99 < 50 ms", p99 < frameBar)
	b.report.bound("realtime", what+": frames missing, doubled, foreign", fmt.Sprintf("%d, %d, %d", missing, twice, foreign),
		"of "+count(float64(len(late)+missing)), "", "0", missing+twice+foreign == 0)
	return c.trouble()
}
