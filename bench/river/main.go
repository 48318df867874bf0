// Command river drains a queue of River, for the bench to stand beside: river <database URL> <jobs> <concurrency>. The database must
// be empty or River's. It inserts that many jobs of one type, whose work is nothing, then starts a client of River that fetches
// as often as River lets it, waits until all are completed and prints how many a second were, by the clock of the database: from
// the first start to the last end, as the bench measures our own worker. It is a module of its own, so that the program does not
// depend on River.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

const insertBatch = 1000

type email struct {
	To string `json:"to"`
}

func (email) Kind() string { return "send_email" }

type nothing struct{ river.WorkerDefaults[email] }

func (nothing) Work(context.Context, *river.Job[email]) error { return nil }

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "river:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: river <database URL> <jobs> <concurrency>")
	}
	jobs, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	concurrency, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, args[0])
	if err != nil {
		return err
	}
	defer pool.Close()
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, nothing{})
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		FetchCooldown:     river.FetchCooldownMin, // the default of 100 ms alone would hold it at ten times the concurrency a second
		FetchPollInterval: river.FetchPollIntervalMin,
		Logger:            slog.New(slog.NewTextHandler(io.Discard, nil)),
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: concurrency}},
		Workers:           workers,
	})
	if err != nil {
		return err
	}
	if err := fill(ctx, pool, client, jobs); err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	rate, err := drain(ctx, pool)
	if err != nil {
		return err
	}
	fmt.Println(rate)
	return client.Stop(ctx)
}

// fill leaves the queue with n jobs that are due, and nothing else.
func fill(ctx context.Context, pool *pgxpool.Pool, client *river.Client[pgx.Tx], n int) error {
	if _, err := pool.Exec(ctx, "TRUNCATE river_job"); err != nil {
		return err
	}
	for left := n; left > 0; left -= insertBatch {
		batch := make([]river.InsertManyParams, min(left, insertBatch))
		for i := range batch {
			batch[i].Args = email{To: "someone@example.com"}
		}
		if _, err := client.InsertManyFast(ctx, batch); err != nil {
			return err
		}
	}
	for _, sql := range []string{"VACUUM (ANALYZE) river_job", "CHECKPOINT"} {
		if _, err := pool.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// drain waits until no job is left and returns the jobs a second.
func drain(ctx context.Context, pool *pgxpool.Pool) (float64, error) {
	for range 2400 {
		var left int
		if err := pool.QueryRow(ctx, "SELECT count(*) FROM river_job WHERE state <> 'completed'").Scan(&left); err != nil {
			return 0, err
		}
		if left == 0 {
			var rate float64
			err := pool.QueryRow(ctx, "SELECT count(*) / extract(epoch FROM max(finalized_at) - min(attempted_at))::float8 FROM river_job").Scan(&rate)
			return rate, err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return 0, fmt.Errorf("the queue is not empty after 4 minutes")
}
