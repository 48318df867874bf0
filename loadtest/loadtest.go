// Package loadtest drives a running server with the traffic of ten scenarios and tells how it did: through the REST endpoints,
// through GraphQL, or through both so that they can be compared. It knows the server only by its addresses and an API key.
//
// A closed loop keeps as many requests under way as there are connections. An open loop starts them at a fixed rate whether
// or not the server keeps up, and counts their time from when they should have begun, so that a server that stalls cannot
// hide it.
package loadtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Doors to the server.
const (
	REST    = "rest"
	GraphQL = "graphql"
)

// Options say what to send, and for how long.
type Options struct {
	URL         string        // of the server, such as http://localhost:3000
	Key         string        // an API key of the tenant that is used; it gets many rows
	Duration    time.Duration // of each scenario
	Connections int           // requests at a time, of each scenario
	Rate        int           // iterations a second of each scenario; 0 is a closed loop
	Scenarios   []string      // names; none stands for all
	Parallel    bool          // all scenarios at once, instead of one after the other
	Doors       []string      // REST, GraphQL or both, one after the other; none stands for REST
	Seed        int           // documents made before the first scenario, and half as many jobs
	Progress    func(Tick)    // is told once a second; nil tells nobody
}

// Tick is what happened in one second.
type Tick struct {
	Door     string
	Scenario string
	Second   int
	Requests int64
	Failed   int64
	P50, P99 time.Duration
}

// Names are the scenarios.
func Names() []string {
	var out []string
	for _, s := range scenarios() {
		out = append(out, s.name)
	}
	return out
}

// scenario is one kind of traffic.
type scenario struct {
	name        string
	about       string
	connections int // at most; 0 leaves it to the options
	prepare     func(ctx context.Context, u *user) error
	step        func(ctx context.Context, u *user) error // one iteration
	run         func(ctx context.Context, r *runner) error
}

func scenarios() []scenario {
	return []scenario{
		{name: "crud-flood", about: "create, read, update and delete documents of 500 B to 50 KB, and ask for ones that are not there", step: crudStep},
		{name: "search-mix", about: "60 % words, 30 % typos, 10 % sounds; hostile texts; circles, paths and tags", step: searchStep},
		{name: "job-storm", about: "bursts of 1, 5 and 20 jobs, some of them for later; lists by status, deep pages", step: jobStep},
		{name: "geo-proximity", about: "circles of 500 m to 200 km around twelve cities, between them, and where nothing is", prepare: geoPrepare, step: geoStep},
		{name: "auth-burst", about: "tokens, and credentials that must be refused", step: authStep},
		{name: "dashboard-analytics", about: "50 % statistics, 30 % months, 20 % jobs by status", connections: 10, step: dashboardStep},
		{name: "message-queue", about: "send, read and archive in five queues", step: messageStep},
		{name: "encryption-cycle", about: "encrypt a job's payload, decrypt it and compare", step: encryptionStep},
		{name: "websocket-flood", about: "sockets that come and go while jobs change", run: socketFlood},
		{name: "mixed-workload", about: "what an application does: mostly searches and reads", step: mixedStep},
	}
}

// Check reports what is wrong with the options.
func (o Options) Check() error {
	switch {
	case o.Key == "":
		return errors.New("a key is required")
	case o.Duration < time.Second || o.Duration > time.Hour:
		return errors.New("the duration must be from 1 second to 1 hour")
	case o.Connections < 1 || o.Connections > 10_000:
		return errors.New("there must be 1 to 10,000 connections")
	case o.Rate < 0 || o.Seed < 0:
		return errors.New("a rate or a number of documents cannot be negative")
	}
	for _, n := range o.Scenarios {
		if !slices.Contains(Names(), n) {
			return fmt.Errorf("there is no scenario %q; there are %s", n, strings.Join(Names(), ", "))
		}
	}
	for _, d := range o.Doors {
		if d != REST && d != GraphQL {
			return fmt.Errorf("there is no door %q; there are %s and %s", d, REST, GraphQL)
		}
	}
	return nil
}

// Run prepares the tenant, runs the scenarios and reports. It fails only when the server cannot be used at all; what went
// wrong in a scenario is in the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if len(o.Doors) == 0 {
		o.Doors = []string{REST}
	}
	rep := &Report{URL: o.URL, Started: time.Now().UTC(), Duration: o.Duration, Connections: o.Connections, Rate: o.Rate, Parallel: o.Parallel}
	w, err := newWorld(ctx, o)
	if err != nil {
		return nil, err
	}
	for _, door := range o.Doors {
		list, err := runDoor(ctx, o, w, door)
		rep.Scenarios = append(rep.Scenarios, list...)
		if err != nil {
			return rep, err
		}
	}
	return rep, nil
}

func runDoor(ctx context.Context, o Options, w *world, door string) ([]Result, error) {
	var list []*runner
	for i, s := range scenarios() {
		if len(o.Scenarios) > 0 && !slices.Contains(o.Scenarios, s.name) {
			continue
		}
		list = append(list, &runner{opt: o, world: w, door: door, scenario: s, seed: uint64(i) + 1, rec: newRecorder()})
	}
	out := make([]Result, len(list))
	run := func(ctx context.Context, i int) error {
		err := list[i].run(ctx)
		out[i] = list[i].result(err)
		return ctx.Err()
	}
	if !o.Parallel {
		for i := range list {
			if err := run(ctx, i); err != nil {
				return out[:i+1], err
			}
		}
		return out, nil
	}
	g, gctx := errgroup.WithContext(ctx)
	for i := range list {
		g.Go(func() error { return run(gctx, i) })
	}
	return out, g.Wait()
}

// runner runs one scenario through one door.
type runner struct {
	opt      Options
	world    *world
	door     string
	scenario scenario
	seed     uint64
	rec      *recorder
	began    time.Time
	took     time.Duration
}

// connections are the requests at a time.
func (r *runner) connections() int {
	if n := r.scenario.connections; n > 0 {
		return min(n, r.opt.Connections)
	}
	return r.opt.Connections
}

// user is one of those who send requests, each with a random sequence of its own that is the same in every run.
func (r *runner) user(n int) *user {
	return &user{world: r.world, door: r.door, rec: r.rec, rng: rand.New(rand.NewPCG(r.seed, uint64(n)))} //nolint:gosec // reproducible traffic
}

func (r *runner) run(ctx context.Context) error {
	if r.scenario.prepare != nil {
		u := r.user(-1)
		u.rec = newRecorder() // is not part of the traffic
		if err := r.scenario.prepare(ctx, u); err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, r.opt.Duration)
	defer cancel()
	r.began = time.Now()
	r.rec.start(r.began)
	defer func() { r.took = time.Since(r.began) }()
	var wg sync.WaitGroup
	wg.Go(func() { r.tick(ctx) })
	defer wg.Wait()
	if r.scenario.run != nil {
		return r.scenario.run(ctx, r)
	}
	due := r.schedule(ctx)
	for n := range r.connections() {
		wg.Go(func() { r.work(ctx, r.user(n), due) })
	}
	return nil
}

// schedule hands out when iterations are due. In a closed loop that is always now.
func (r *runner) schedule(ctx context.Context) <-chan time.Time {
	if r.opt.Rate == 0 {
		return nil
	}
	due := make(chan time.Time, 1<<16)
	go func() {
		defer close(due)
		every := time.Second / time.Duration(r.opt.Rate)
		for at := time.Now(); ctx.Err() == nil; at = at.Add(every) {
			if wait(ctx, time.Until(at)) != nil {
				return
			}
			select {
			case due <- at:
			case <-ctx.Done():
				return
			}
		}
	}()
	return due
}

func (r *runner) work(ctx context.Context, u *user, due <-chan time.Time) {
	for ctx.Err() == nil {
		u.due = time.Time{}
		if due != nil {
			select {
			case <-ctx.Done():
				return
			case at, ok := <-due:
				if !ok {
					return
				}
				u.due = at
			}
		}
		if err := r.scenario.step(ctx, u); err != nil && ctx.Err() == nil {
			u.rec.wrong(err.Error())
			_ = wait(ctx, 50*time.Millisecond) // a server that refuses at once must not be asked in a tight loop
		}
	}
}

// tick tells about each second that has passed.
func (r *runner) tick(ctx context.Context) {
	for second := 1; ; second++ {
		if wait(ctx, time.Until(r.began.Add(time.Duration(second)*time.Second))) != nil {
			return
		}
		if s, ok := r.rec.second(second - 1); ok && r.opt.Progress != nil {
			s.Door, s.Scenario = r.door, r.scenario.name
			r.opt.Progress(s)
		}
	}
}

func (r *runner) result(err error) Result {
	out := r.rec.result(r.took)
	out.Name, out.About, out.Door = r.scenario.name, r.scenario.about, r.door
	if err != nil {
		out.Errors = append([]Count{{Text: err.Error(), N: 1}}, out.Errors...)
		out.Unexpected++
	}
	return out
}

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
