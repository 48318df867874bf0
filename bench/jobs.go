package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Sizes of the queue's figures.
const (
	latencyJobs = 200
	latencyGap  = 25 * time.Millisecond
	drainJobs   = 20_000
	bareBatch   = 500
)

// jobsPart measures the queue.
func (b *bench) jobsPart(ctx context.Context) error {
	d, err := b.database(ctx, "bench_jobs")
	if err != nil {
		return err
	}
	c, err := connect(ctx, d.url)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	if err := b.startLatency(ctx, d, c); err != nil {
		return err
	}
	return b.drain(ctx, d, c)
}

// work starts a worker process and waits for its first heartbeat.
func (b *bench) work(ctx context.Context, d *dataset, c *pgx.Conn, more ...string) (*process, error) {
	p, err := b.start(ctx, "worker", b.bin, append(settings(d.url, "127.0.0.1:0", b.dir), more...), "worker")
	if err != nil {
		return nil, err
	}
	for range 500 {
		var n int
		if err := c.QueryRow(ctx, "SELECT count(*) FROM job_workers").Scan(&n); err != nil {
			return nil, err
		}
		if n > 0 {
			return p, nil
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
	}
	p.stop()
	return nil, fmt.Errorf("the worker gave no sign of life: %s", p.tail())
}

// startLatency is the time from the enqueue's transaction to the claim's, by the database's clock, with an idle worker in
// another process than the API.
func (b *bench) startLatency(ctx context.Context, d *dataset, c *pgx.Conn) error {
	s, err := b.serve(ctx, "serve", d.url)
	if err != nil {
		return err
	}
	defer s.stop()
	w, err := b.work(ctx, d, c)
	if err != nil {
		return err
	}
	defer w.stop()
	for range latencyJobs {
		if err := graphql(ctx, s.addr, d.key,
			`{"query":"mutation { enqueueJob(input: {type: \"send_email\", payload: {to: \"someone@example.com\"}}) { job { id } } }"}`); err != nil {
			return err
		}
		if err := sleep(ctx, latencyGap); err != nil {
			return err
		}
	}
	if err := sleep(ctx, 2*time.Second); err != nil {
		return err
	}
	var p50, p95 float64
	var n int
	if err := c.QueryRow(ctx, `
		SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY l), percentile_cont(0.95) WITHIN GROUP (ORDER BY l)
		FROM (SELECT 1000 * extract(epoch FROM started_at - created_at)::float8 AS l FROM jobs WHERE status = 'done') j`).Scan(&n, &p50, &p95); err != nil {
		return err
	}
	if n != latencyJobs {
		return fmt.Errorf("%d of %d jobs are done", n, latencyJobs)
	}
	b.report.note("jobs", "enqueue by GraphQL to start, idle worker", fmt.Sprintf("p50 %.1f ms, p95 %.1f ms", p50, p95), fmt.Sprintf("%d jobs", n), "")
	return nil
}

// drain measures how fast a worker process empties the queue, beside a loop of the same SQL functions with 500 jobs a
// statement and no work between them, and beside River on the same server, as many jobs at a time.
func (b *bench) drain(ctx context.Context, d *dataset, c *pgx.Conn) error {
	if err := fill(ctx, d, c, drainJobs); err != nil {
		return err
	}
	bare, err := drainBare(ctx, c)
	if err != nil {
		return err
	}
	river, err := b.buildRiver(ctx)
	if err != nil {
		b.logf("no figures of River: %v", err)
	}
	for _, concurrency := range []string{"16", "500"} {
		if err := fill(ctx, d, c, drainJobs); err != nil {
			return err
		}
		rate, err := b.drainWorker(ctx, d, c, drainJobs, concurrency)
		if err != nil {
			return err
		}
		what := "drain of 20,000 jobs, WORKER_CONCURRENCY=" + concurrency
		b.report.note("jobs", what, count(rate)+"/s", "bare SQL loop, 500 a statement: "+count(bare)+"/s", fmt.Sprintf("%.2f", rate/bare))
		if river == nil {
			continue
		}
		theirs, err := river(concurrency)
		if err != nil {
			return err
		}
		b.report.ratio("jobs", "the same", count(rate)+"/s", "River: "+count(theirs)+"/s", rate/theirs, 1)
	}
	return nil
}

// buildRiver compiles the module beside this package, which may have to fetch River, and returns what drains a queue of it.
func (b *bench) buildRiver(ctx context.Context) (func(concurrency string) (float64, error), error) {
	bin := filepath.Join(b.dir, "river")
	if out, err := exec.CommandContext(ctx, "go", "-C", "bench/river", "build", "-o", bin, ".").CombinedOutput(); err != nil { //nolint:gosec // our own folder
		return nil, errors.New(string(bytes.TrimSpace(out)))
	}
	if err := b.createDatabase(ctx, "bench_river"); err != nil {
		return nil, err
	}
	return func(concurrency string) (float64, error) {
		cmd := exec.CommandContext(ctx, bin, b.cluster.URL("bench_river"), strconv.Itoa(drainJobs), concurrency) //nolint:gosec // as above
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			return 0, fmt.Errorf("river: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
		}
		return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	}, nil
}

// fill leaves the queue with n jobs that are due, and nothing else.
func fill(ctx context.Context, d *dataset, c *pgx.Conn, n int) error {
	for _, sql := range []string{
		"TRUNCATE jobs, job_events, job_workers",
		fmt.Sprintf(`INSERT INTO jobs (tenant_id, type, payload) SELECT '%s', 'send_email', '{"to":"someone@example.com"}' FROM generate_series(1, %d)`, d.tenant, n),
		"VACUUM (ANALYZE) jobs_live",
		"CHECKPOINT",
	} {
		if _, err := c.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

func drainBare(ctx context.Context, c *pgx.Conn) (float64, error) {
	me := uuid.New()
	begin := time.Now()
	for range drainJobs/bareBatch + 1 {
		rows, err := c.Query(ctx, "SELECT id, lease_id FROM claim_jobs($1, NULL, $2)", me, bareBatch)
		if err != nil {
			return 0, err
		}
		var ids, leases []int64
		for rows.Next() {
			var id, lease int64
			if err := rows.Scan(&id, &lease); err != nil {
				return 0, err
			}
			ids, leases = append(ids, id), append(leases, lease)
		}
		if err := rows.Err(); err != nil {
			return 0, err
		}
		if len(ids) == 0 {
			return drainJobs / time.Since(begin).Seconds(), nil
		}
		if _, err := c.Exec(ctx, "SELECT complete_jobs($1, $2, $3)", ids, leases, make([]*string, len(ids))); err != nil {
			return 0, err
		}
	}
	return 0, fmt.Errorf("the loop did not empty the queue")
}

// drainWorker is the rate at which a worker process ends n jobs.
func (b *bench) drainWorker(ctx context.Context, d *dataset, c *pgx.Conn, n int, concurrency string, more ...string) (float64, error) {
	w, err := b.work(ctx, d, c, append(more, "WORKER_CONCURRENCY="+concurrency)...)
	if err != nil {
		return 0, err
	}
	defer w.stop()
	for range 2400 {
		var left int
		if err := c.QueryRow(ctx, "SELECT count(*) FROM jobs WHERE status IN ('pending', 'running')").Scan(&left); err != nil {
			return 0, err
		}
		if left > 0 {
			if err := sleep(ctx, 100*time.Millisecond); err != nil {
				return 0, err
			}
			continue
		}
		var took float64
		var done int
		err := c.QueryRow(ctx, "SELECT count(*), extract(epoch FROM max(finished_at) - min(started_at))::float8 FROM jobs WHERE status = 'done'").Scan(&done, &took)
		if err == nil && done != n {
			err = fmt.Errorf("%d of %d jobs are done", done, n)
		}
		return float64(done) / took, err
	}
	return 0, fmt.Errorf("the worker did not empty the queue within 4 minutes: %s", w.tail())
}
