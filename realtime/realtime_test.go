package realtime_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/realtime"
	"stackforge/repo/job"
	"stackforge/tenant"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// never is a poll interval that no test lives to see.
const never = time.Hour

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// process is what one process of the product has: a hub with its connection that listens, and a nudger.
type process struct {
	*realtime.Hub[*job.Event]
	nudger *realtime.Nudger
	stop   context.CancelFunc
}

// start runs a process on the database until the test ends. Its listening connection is called name.
func start(tb testing.TB, d *dbtest.DB, name string, c realtime.Config[*job.Event]) *process {
	tb.Helper()

	h := d.Open(tb, db.Config{Role: db.RoleAPI})
	listener, err := db.NewListener(db.Config{URL: d.URL, ApplicationName: name}, zerolog.Nop(), job.EventChannel)
	require.NoError(tb, err)
	carrier := realtime.Postgres{DB: h, Listener: listener}
	c.Source = job.NewReader(h)
	c.Replays = 2 // of a pool of four
	c.Log = zerolog.New(zerolog.NewTestWriter(tb)).Level(zerolog.WarnLevel)
	p := &process{Hub: realtime.New(c)}
	p.nudger = realtime.NewNudger(realtime.NudgerConfig{
		Carrier: carrier, Channels: []string{job.EventChannel}, Local: map[string]func(){job.EventChannel: p.Wake},
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	p.stop = cancel
	var wg sync.WaitGroup
	wg.Go(func() { p.Run(ctx) })
	wg.Go(func() { p.nudger.Run(ctx) })
	wg.Go(func() { realtime.Listen(ctx, carrier, map[string]func(){job.EventChannel: p.Wake}) })
	tb.Cleanup(func() { cancel(); wg.Wait() })
	return p
}

// subscribe subscribes to all events of a tenant.
func (p *process) subscribe(tb testing.TB, s tenant.Scope, after string) *realtime.Subscription[*job.Event] {
	tb.Helper()

	sub, err := p.Subscribe(tenant.With(tb.Context(), s), nil, after)
	require.NoError(tb, err)
	tb.Cleanup(sub.Close)
	return sub
}

// next returns the next event.
func next(tb testing.TB, sub *realtime.Subscription[*job.Event]) *job.Event {
	tb.Helper()

	select {
	case e, ok := <-sub.Events():
		require.True(tb, ok, "the subscription ended: %v", sub.Err())
		return e
	case <-time.After(patience):
		require.FailNow(tb, "no event came")
		return nil
	}
}

// jobs are jobs of one tenant that tests change. attempts counts the changes of a job, so that its events are numbered.
type jobs struct {
	scope tenant.Scope
	ids   []int64
}

func newJobs(tb testing.TB, d *dbtest.DB, n int) jobs {
	tb.Helper()

	j := jobs{scope: dbtest.Tenant(tb, d)}
	conn := d.Connect(tb)
	for range n {
		var id int64
		err := conn.QueryRow(tb.Context(), `INSERT INTO jobs (tenant_id, type) VALUES ($1, 'nope') RETURNING id`, j.scope.TenantID).Scan(&id)
		require.NoError(tb, err)
		j.ids = append(j.ids, id)
	}
	return j
}

const changeSQL = `UPDATE jobs SET attempts = attempts + 1 WHERE id = $1`

func change(tb testing.TB, conn *pgx.Conn, id int64) {
	tb.Helper()

	_, err := conn.Exec(tb.Context(), changeSQL, id)
	require.NoError(tb, err)
}

func exec(tb testing.TB, conn *pgx.Conn, sql string, args ...any) {
	tb.Helper()

	_, err := conn.Exec(tb.Context(), sql, args...)
	require.NoError(tb, err)
}

// write makes n transactions of a careless client: some wait before their commit, some roll back, wholly or to a savepoint.
func write(ctx context.Context, conn *pgx.Conn, r *rand.Rand, ids []int64, n int, committed func()) error {
	for range n {
		tx, err := conn.Begin(ctx)
		if err != nil {
			return err
		}
		// In the order of the ids, so that two writers never wait for each other.
		for _, id := range ids {
			if r.IntN(len(ids)) > 2 {
				continue
			}
			sp, err := tx.Begin(ctx)
			if err != nil {
				return err
			}
			if _, err := sp.Exec(ctx, changeSQL, id); err != nil {
				return err
			}
			if r.IntN(5) == 0 {
				err = sp.Rollback(ctx)
			} else {
				err = sp.Commit(ctx)
			}
			if err != nil {
				return err
			}
		}
		if r.IntN(3) == 0 { // the server waits: the commit is late
			if _, err := tx.Exec(ctx, `SELECT pg_sleep($1)`, r.Float64()*0.03); err != nil {
				return err
			}
		}
		if r.IntN(6) == 0 {
			err = tx.Rollback(ctx)
		} else if err = tx.Commit(ctx); err == nil {
			committed()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// log returns the ids of all events of the tenant.
func log(tb testing.TB, d *dbtest.DB, s tenant.Scope) []int64 {
	tb.Helper()

	ids, err := db.List[int64](tb.Context(), d.Owner, `SELECT id FROM job_events WHERE tenant_id = $1 ORDER BY id`, s.TenantID)
	require.NoError(tb, err)
	return ids
}

// received checks a client's log: in it are all the events of the tenant, each once, those of a job in the order of its
// changes.
func received(tb testing.TB, want []int64, got []*job.Event) {
	tb.Helper()

	ids := make([]int64, len(got))
	changes := map[int64]int{}
	for i, e := range got {
		require.False(tb, e.Reset)
		ids[i] = e.ID
		changes[e.JobID]++
		require.Equal(tb, changes[e.JobID], e.Attempts, "event %d of job %d came out of order", e.ID, e.JobID)
	}
	require.ElementsMatch(tb, want, ids)
}

// seeds returns a random generator whose seed is in the log.
func seeds(tb testing.TB) func() *rand.Rand {
	tb.Helper()

	seed := uint64(time.Now().UnixNano())
	tb.Logf("seed %d", seed)
	n := uint64(0)
	return func() *rand.Rand { n++; return rand.New(rand.NewPCG(seed, n)) }
}

// describe names an event.
func describe(e *job.Event) string { return fmt.Sprintf("%d#%d", e.JobID, e.Attempts) }
