package realtime_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"stackforge/db/dbtest"
	"stackforge/realtime"
	"stackforge/repo/job"
	"stackforge/tenant"
)

// TestHistory has several writers with late commits, savepoints and rollbacks beside two transactions that stay open all
// the while: one that has nothing to do with jobs, and one that made an event first and commits it last.
func TestHistory(t *testing.T) {
	t.Parallel()

	const writers, transactions, jobCount, cutters, cuts = 5, 120, 12, 4, 250

	d := dbtest.New(t)
	rnd := seeds(t)
	tenants := []jobs{newJobs(t, d, jobCount), newJobs(t, d, jobCount)}
	last := newJobs(t, d, 1)
	last.scope = tenants[0].scope
	exec(t, d.Connect(t), `UPDATE jobs SET tenant_id = $1 WHERE id = $2`, last.scope.TenantID, last.ids[0])
	processes := []*process{start(t, d, "one", realtime.Config[*job.Event]{Buffer: 10_000}), start(t, d, "two", realtime.Config[*job.Event]{Buffer: 10_000})}

	unrelated, late := d.Connect(t), d.Connect(t)
	exec(t, unrelated, `BEGIN; INSERT INTO tenants (name) VALUES ('unrelated')`)
	exec(t, late, `BEGIN`)
	change(t, late, last.ids[0])

	// Subscribers in both processes that stay, and clients that are cut off at random points and resume in either.
	type client struct {
		scope tenant.Scope
		got   []*job.Event
	}
	var clients []*client
	total := make([]int, len(tenants)) // events to come, once known
	known := make(chan struct{})
	ctx, giveUp := context.WithCancel(context.WithoutCancel(t.Context())) // some time after that
	defer giveUp()
	isKnown := func() bool {
		select {
		case <-known:
			return true
		default:
			return false
		}
	}
	var readers, begun sync.WaitGroup
	collect := func(c *client, index int, run func(c *client, done func() bool)) {
		c.scope = tenants[index].scope
		clients = append(clients, c)
		begun.Add(1)
		readers.Go(func() {
			run(c, func() bool { return isKnown() && len(c.got) >= total[index] })
		})
	}
	for index := range tenants {
		for _, p := range processes {
			collect(&client{}, index, func(c *client, done func() bool) {
				sub := p.subscribe(t, c.scope, "")
				begun.Done()
				for !done() {
					var look <-chan struct{}
					if !isKnown() {
						look = known
					}
					select {
					case e, ok := <-sub.Events():
						if !ok {
							t.Errorf("the subscription ended: %v", sub.Err())
							return
						}
						c.got = append(c.got, e)
					case <-look:
					case <-ctx.Done():
						return
					}
				}
			})
		}
	}
	var resumed, wasted int
	var mu sync.Mutex
	for i := range cutters {
		index := i % len(tenants)
		r := rnd()
		collect(&client{}, index, func(c *client, done func() bool) {
			sub := processes[0].subscribe(t, c.scope, "")
			at := sub.Begin()
			begun.Done()
			n, idle := 0, 0
			for (!done() || n < cuts) && ctx.Err() == nil {
				take := r.IntN(4)
				for range take {
					select {
					case e := <-sub.Events():
						c.got = append(c.got, e)
						at = e.Cursor
						continue
					case <-time.After(250 * time.Millisecond): // nothing at the moment
						idle++
					}
					break
				}
				sub.Close() // what is in its buffer is lost with it
				sub = processes[r.IntN(2)].subscribe(t, c.scope, at)
				n++
			}
			mu.Lock()
			resumed += n
			wasted += idle
			mu.Unlock()
		})
	}
	begun.Wait()

	var g errgroup.Group
	start := time.Now()
	for i := range writers {
		conn, r := d.Connect(t), rnd()
		g.Go(func() error {
			ctx := context.WithoutCancel(t.Context())
			return write(ctx, conn, r, tenants[i%2].ids, transactions, func() {
				if r.IntN(2) == 0 { // some do not nudge, as in psql
					processes[0].nudger.Nudge(job.EventChannel)
				}
			})
		})
	}
	require.NoError(t, g.Wait())

	// The two transactions are still open, and yet what was committed has come: nobody stalls behind them.
	marker := tenants[1].ids[0]
	sub := processes[1].subscribe(t, tenants[1].scope, "")
	committed := time.Now()
	change(t, d.Connect(t), marker)
	e := next(t, sub)
	require.Equal(t, marker, e.JobID)
	require.Less(t, time.Since(committed), time.Second)
	t.Logf("behind two open transactions an event without a nudge came after %v", time.Since(committed))

	exec(t, unrelated, `COMMIT`)
	exec(t, late, `COMMIT`)
	logs := make([][]int64, len(tenants))
	for i := range tenants {
		logs[i] = log(t, d, tenants[i].scope)
		total[i] = len(logs[i])
	}
	close(known)
	defer time.AfterFunc(patience, giveUp).Stop()
	readers.Wait()

	for i, c := range clients {
		want := logs[0]
		if c.scope.TenantID != tenants[0].scope.TenantID {
			want = logs[1]
		}
		t.Run(fmt.Sprintf("client %d has got everything once", i), func(t *testing.T) {
			t.Parallel()

			received(t, want, c.got)
		})
	}
	require.GreaterOrEqual(t, resumed, 1000)
	t.Logf("%d and %d events in %v, resumed at %d points (%d of them with nothing new)", total[0], total[1], time.Since(start), resumed, wasted)
}
