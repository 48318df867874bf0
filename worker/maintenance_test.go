package worker_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/job"
	"stackforge/repo/search"
	"stackforge/worker"
)

// unfit are Runs that cannot refresh.
type unfit struct{ *job.Runs }

func (unfit) RefreshStats(context.Context) error { return errs.New(errs.Timeout, "Too slow.") }

func TestMaintenance(t *testing.T) {
	t.Parallel()

	b := setup(t)
	var workers []*process
	for range 3 {
		workers = append(workers, start(t, worker.Config{}, worker.Deps{Runs: unfit{b.runs}}))
	}
	// At the start each task's last tick is due, on one of the three.
	require.Eventually(t, func() bool {
		n, err := db.Get[int](t.Context(), b.d.Owner, "run", `SELECT count(*) FROM core.maintenance_runs WHERE finished_at IS NOT NULL`)
		return err == nil && n >= 9
	}, patience, 10*time.Millisecond)
	ran := map[string]int{}
	for _, w := range workers {
		require.NoError(t, w.stop())
		close(w.events)
		for e := range w.events {
			if e.Kind == worker.Maintained {
				ran[e.Task]++
			}
		}
	}
	type row struct {
		Task    string
		Count   int
		Outcome string
	}
	rows, err := db.List[row](t.Context(), b.d.Owner, `
		SELECT task, count(*), min(outcome) AS outcome
		FROM core.maintenance_runs
		GROUP BY task
		ORDER BY task`)
	require.NoError(t, err)
	want := map[string]string{
		"archive_jobs": "0 jobs", "count_finished_jobs": "0 types", "delete_failed_jobs": "0 jobs", "drop_old_events": "0 days",
		"ensure_partitions": "0 new, 0 ended", "recount_finished_jobs": "0 types", "recover_stale_jobs": "0 jobs",
		"drop_old_idempotency_keys":     "0 keys",
		"refresh_tenant_document_stats": "error: Too slow.",
	}
	require.Len(t, rows, len(want))
	for _, r := range rows {
		require.Equal(t, want[r.Task], r.Outcome, r.Task)
		require.Equal(t, ran[r.Task], r.Count, r.Task)
	}
}

func TestDropOldEvents(t *testing.T) {
	t.Parallel()

	b := setup(t)
	b.d.Exec(t, `
		CREATE TABLE job_events_2020_01_01 PARTITION OF job_events FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2020-01-02 00:00+00');
		ALTER TABLE job_events_2020_01_01 OWNER TO stackforge_owner`)
	n, err := b.runs.DropOldEvents(t.Context(), 24*time.Hour)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	n, err = b.runs.EnsurePartitions(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestWorkersCountTheWordsOfDocuments(t *testing.T) {
	t.Parallel()

	b := setup(t)
	words := func() int {
		n, err := db.Get[int](t.Context(), b.d.Owner, "count", `
			SELECT coalesce(sum(documents), 0)
			FROM core.search_words
			WHERE word = 'heron'`)
		require.NoError(t, err)
		return n
	}
	for range 2 {
		start(t, worker.Config{}, worker.Deps{Runs: b.runs, Search: search.NewMaintenance(b.d.Worker)})
	}
	s := dbtest.Tenant(t, b.d)
	for range 3 {
		b.d.Exec(t, `INSERT INTO documents (tenant_id, author_id, title, body) VALUES ($1, $2, 'Heron', 'a grey heron')`, s.TenantID, s.UserID)
	}
	require.Eventually(t, func() bool { return words() == 3 }, patience, 10*time.Millisecond)
	b.d.Exec(t, `DELETE FROM documents WHERE tenant_id = $1`, s.TenantID)
	require.Eventually(t, func() bool { return words() == 0 }, patience, 10*time.Millisecond)
}

// hooks is a dispatcher that counts.
type hooks struct {
	ran   chan struct{}
	woken chan struct{}
}

func (h hooks) DropOld(context.Context) (int, error) { return 3, nil }
func (h hooks) Expire(context.Context) (int, error)  { return 0, errs.New(errs.Timeout, "Too slow.") }
func (h hooks) Run(ctx context.Context)              { close(h.ran); <-ctx.Done() }

func (h hooks) Wake() {
	select {
	case h.woken <- struct{}{}:
	default:
	}
}

// A worker runs the dispatcher of webhooks, wakes it when jobs have ended, and keeps its outbox small.
func TestWebhooks(t *testing.T) {
	t.Parallel()

	b := setup(t)
	h := hooks{ran: make(chan struct{}), woken: make(chan struct{}, 1)}
	p := start(t, worker.Config{}, worker.Deps{Runs: b.runs, Webhooks: h, Handlers: worker.Table{"it": handle(nothing)}})
	receive(t, h.ran)
	missing := map[string]bool{"expire_webhook_deliveries": true, "drop_old_webhooks": true}
	p.wait(t, worker.Maintained, func(e worker.Event) bool {
		delete(missing, e.Task)
		return len(missing) == 0
	})
	b.enqueue(t, job.EnqueueParams{Type: "it"})
	receive(t, h.woken)
	outcomes, err := db.List[string](t.Context(), b.d.Owner, `SELECT outcome FROM core.maintenance_runs WHERE task LIKE '%webhook%' ORDER BY task`)
	require.NoError(t, err)
	require.Equal(t, []string{"3 events", "error: Too slow."}, outcomes)
}

// keeper is a retention of files that counts.
type keeper struct{}

func (keeper) CleanDetached(context.Context) (int, error) { return 7, nil }
func (keeper) EnqueueCleanup(context.Context) (int64, error) {
	return 0, errs.New(errs.Timeout, "Too slow.")
}

// A worker keeps the files, and what one task fails at does not keep it from the other.
func TestFiles(t *testing.T) {
	t.Parallel()

	b := setup(t)
	p := start(t, worker.Config{}, worker.Deps{Runs: b.runs, Files: keeper{}})
	missing := map[string]bool{"cleanup_files": true, "clean_detached_files": true}
	p.wait(t, worker.Maintained, func(e worker.Event) bool {
		delete(missing, e.Task)
		return len(missing) == 0
	})
	outcomes, err := db.List[string](t.Context(), b.d.Owner, `SELECT outcome FROM core.maintenance_runs WHERE task LIKE '%files' ORDER BY task`)
	require.NoError(t, err)
	require.Equal(t, []string{"7 files", "error: Too slow."}, outcomes)
}
