package worker_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/repo/job"
	"stackforge/worker"
)

// BenchmarkDrain runs 20,000 jobs that do nothing and reports jobs/s from the first claim to the last recorded end.
func BenchmarkDrain(b *testing.B) {
	for _, concurrency := range []int{16, 64} {
		b.Run(fmt.Sprint(concurrency), func(b *testing.B) {
			for b.Loop() {
				drain(b, concurrency)
			}
		})
	}
}

func drain(b *testing.B, concurrency int) {
	b.Helper()

	b.StopTimer()
	const count = 20_000
	env := setup(b)
	params := make([]job.EnqueueParams, job.MaxBatch)
	for i := range params {
		params[i] = job.EnqueueParams{Type: "it"}
	}
	for range count / job.MaxBatch {
		_, err := env.jobs.EnqueueMany(env.ctx, params, false)
		require.NoError(b, err)
	}
	ends := make(chan struct{}, count)
	claims := 0
	w := worker.New(worker.Config{Concurrency: concurrency, Hook: func(e worker.Event) {
		switch e.Kind {
		case worker.Ended:
			ends <- struct{}{}
		case worker.Claimed:
			claims++
		}
	}}, worker.Deps{
		Runs:     job.NewRuns(env.d.Open(b, db.Config{Role: db.RoleWorker, MaxConns: 8})),
		Handlers: worker.Table{"it": handle(nothing)}, Log: zerolog.Nop(),
	})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	b.StartTimer()
	start := time.Now()
	go func() { done <- w.Run(ctx) }()
	for range count {
		<-ends
	}
	elapsed := time.Since(start)
	b.StopTimer()
	cancel()
	require.NoError(b, <-done)
	b.ReportMetric(float64(count)/elapsed.Seconds(), "jobs/s")
	b.ReportMetric(float64(count)/float64(claims), "jobs/claim")
	b.StartTimer()
}

// BenchmarkPickup reports how long a job waits from its enqueuing to its start, with a wake-up and a worker that is idle.
func BenchmarkPickup(b *testing.B) {
	env := setup(b)
	wake := make(chan struct{})
	waits := make(chan time.Duration, 1)
	var asked time.Time
	p := start(b, worker.Config{Poll: time.Hour, Heartbeat: time.Hour}, worker.Deps{
		Runs: env.runs, Wake: wake, Handlers: worker.Table{
			"it": handle(func(context.Context, *worker.Run) (any, error) { waits <- time.Since(asked); return nil, nil }),
		},
	})
	p.wait(b, worker.Claimed, nil)
	var all []time.Duration
	for b.Loop() {
		asked = time.Now()
		env.enqueue(b, job.EnqueueParams{Type: "it"})
		wake <- struct{}{}
		all = append(all, <-waits)
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(all[len(all)*95/100].Microseconds()), "p95-µs")
}
