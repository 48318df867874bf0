package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Sizes of the figures of webhooks.
const (
	hookBar       = 50 * time.Millisecond
	hookEndpoints = 4
	hookEvents    = 2500 // for each of the endpoints
	hookJobs      = 6000 // of each drain
	hookParallel  = 16   // WEBHOOK_ENDPOINT_CONCURRENCY, and of the bare loop
)

// webhooksPart measures what lies between a commit and the receiver, how many deliveries a worker makes, and what endpoints
// cost the queue of jobs.
func (b *bench) webhooksPart(ctx context.Context) error {
	d, err := b.database(ctx, "bench_webhooks")
	if err != nil {
		return err
	}
	c, err := connect(ctx, d.url)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	r, err := receive(ctx)
	if err != nil {
		return err
	}
	defer r.server.Close()
	if err := b.drainBeside(ctx, d, c, r); err != nil {
		return err
	}
	if err := b.hookLatency(ctx, d, c, r); err != nil {
		return err
	}
	return b.hookRate(ctx, d, c, r)
}

// hookReceiver answers every request with 200 and remembers when what it tells of had happened.
type hookReceiver struct {
	server *http.Server
	url    string
	got    atomic.Int64

	mu     sync.Mutex
	delays []time.Duration // from finished_at to the arrival, on one clock
}

func receive(ctx context.Context) (*hookReceiver, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &hookReceiver{url: "http://" + l.Addr().String()}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: time.Minute}
	go func() { _ = r.server.Serve(l) }() // until Close
	return r, nil
}

// ServeHTTP takes one event.
func (r *hookReceiver) ServeHTTP(_ http.ResponseWriter, req *http.Request) {
	now := time.Now()
	var event struct {
		FinishedAt time.Time `json:"finished_at"`
	}
	if json.NewDecoder(io.LimitReader(req.Body, 1<<20)).Decode(&event) == nil && !event.FinishedAt.IsZero() {
		r.mu.Lock()
		r.delays = append(r.delays, now.Sub(event.FinishedAt))
		r.mu.Unlock()
	}
	r.got.Add(1)
}

// await waits until so many events have arrived.
func (r *hookReceiver) await(ctx context.Context, n int64) error {
	for range 12_000 {
		if r.got.Load() >= n {
			return nil
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("%d of %d events arrived within 2 minutes", r.got.Load(), n)
}

// endpoints makes so many, and takes those away that were there. No worker may run meanwhile.
func endpoints(ctx context.Context, d *dataset, c *pgx.Conn, url string, n int) error {
	for _, sql := range []string{
		"TRUNCATE core.outbox, webhook_endpoints, webhook_deliveries CASCADE",
		fmt.Sprintf(`SELECT create_webhook_endpoint('%s', uuid_v7(), jsonb_build_object('name', n::text, 'url', '%s'), 'whsec_' || encode(sha256(n::text::bytea), 'base64'))
			FROM generate_series(1, %d) n`, d.tenant, url, n),
	} {
		if _, err := c.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// hookLatency is the time from the end of a job, by the database's clock, to the arrival of its event, beside a bare POST to
// the same receiver. The connection is warm for both.
func (b *bench) hookLatency(ctx context.Context, d *dataset, c *pgx.Conn, r *hookReceiver) error {
	if err := endpoints(ctx, d, c, r.url, 1); err != nil {
		return err
	}
	w, err := b.work(ctx, d, c, "WEBHOOK_ALLOW_PRIVATE=1")
	if err != nil {
		return err
	}
	defer w.stop()
	r.got.Store(0)
	r.delays = nil
	for range latencyJobs {
		if _, err := c.Exec(ctx, `SELECT enqueue_job($1, 'send_email', '{"to":"someone@example.com"}'); `, d.tenant); err != nil {
			return err
		}
		if _, err := c.Exec(ctx, `SELECT pg_notify('jobs_ready', '')`); err != nil {
			return err
		}
		if err := sleep(ctx, latencyGap); err != nil {
			return err
		}
	}
	if err := r.await(ctx, latencyJobs); err != nil {
		return err
	}
	r.mu.Lock()
	delays := slices.Sorted(slices.Values(r.delays))
	r.mu.Unlock()
	p50, p95 := delays[len(delays)/2], delays[len(delays)*95/100]
	bare, err := posts(ctx, r.url, latencyJobs, 1)
	if err != nil {
		return err
	}
	b.report.bound("webhooks", "end of a job to its arrival at the receiver", fmt.Sprintf("p50 %s, p95 %s", millis(p50), millis(p95)),
		"bare POST: p50 "+millis(bare.p50), "", "p50 ≤ 50 ms", p50 <= hookBar)
	return nil
}

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }

// hookRate is how many deliveries a worker makes in a second when plenty are due, beside a loop of POSTs that signs nothing and
// keeps no record.
func (b *bench) hookRate(ctx context.Context, d *dataset, c *pgx.Conn, r *hookReceiver) error {
	if err := endpoints(ctx, d, c, r.url, hookEndpoints); err != nil {
		return err
	}
	w, err := b.work(ctx, d, c, "WEBHOOK_ALLOW_PRIVATE=1")
	if err != nil {
		return err
	}
	defer w.stop()
	r.got.Store(0)
	begin := time.Now()
	if _, err := c.Exec(ctx, `SELECT count(publish_event($1, 'order.paid', jsonb_build_object('order', n))) FROM generate_series(1, $2::int) n`, d.tenant, hookEvents); err != nil {
		return err
	}
	if err := r.await(ctx, hookEvents*hookEndpoints); err != nil {
		return err
	}
	rate := float64(hookEvents*hookEndpoints) / time.Since(begin).Seconds()
	bare, err := posts(ctx, r.url, hookEvents*hookEndpoints, hookParallel*hookEndpoints)
	if err != nil {
		return err
	}
	b.report.note("webhooks", fmt.Sprintf("deliveries of %s events to %d endpoints", count(hookEvents), hookEndpoints), count(rate)+"/s",
		"bare POSTs, as many at a time: "+count(bare.rate)+"/s", fmt.Sprintf("%.2f", rate/bare.rate))
	return nil
}

type posted struct {
	p50  time.Duration
	rate float64
}

// posts sends bare requests over warm connections.
func posts(ctx context.Context, url string, n, parallel int) (posted, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: parallel}}
	var mu sync.Mutex
	var times []time.Duration
	var failure error
	var next atomic.Int64
	begin := time.Now()
	var wg sync.WaitGroup
	for range parallel {
		wg.Go(func() {
			for next.Add(1) <= int64(n) {
				start := time.Now()
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(`{"order": 1}`))
				if err == nil {
					var res *http.Response
					if res, err = client.Do(req); err == nil {
						_, err = io.Copy(io.Discard, res.Body)
						_ = res.Body.Close()
					}
				}
				mu.Lock()
				times = append(times, time.Since(start))
				if err != nil {
					failure = err
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	out := posted{rate: float64(n) / time.Since(begin).Seconds()}
	slices.Sort(times)
	out.p50 = times[len(times)/2]
	return out, failure
}

// drainBeside is the rate at which a worker empties the queue of jobs whose tenant has no endpoint, beside a database without
// any, and with one that wants every event. The measured sides take turns, so that they meet the same machine.
func (b *bench) drainBeside(ctx context.Context, d *dataset, c *pgx.Conn, r *hookReceiver) error {
	sides := map[string]func() error{
		"none": func() error { return endpoints(ctx, d, c, r.url, 0) },
		"other": func() error {
			if err := endpoints(ctx, d, c, r.url, 0); err != nil {
				return err
			}
			other := uuid.New()
			if _, err := c.Exec(ctx, `INSERT INTO tenants (id, name) VALUES ($1, 'other')`, other); err != nil {
				return err
			}
			_, err := c.Exec(ctx, `SELECT create_webhook_endpoint($1, uuid_v7(), jsonb_build_object('name', 'x', 'url', $2::text), 'whsec_AAAAAAAAAAAAAAAAAAAAAAAA')`, other, r.url)
			return err
		},
		"one": func() error { return endpoints(ctx, d, c, r.url, 1) },
	}
	rates := map[string]float64{}
	const rounds = 3
	for range rounds {
		for _, name := range []string{"none", "other", "one"} {
			if err := fill(ctx, d, c, hookJobs); err != nil {
				return err
			}
			if err := sides[name](); err != nil {
				return err
			}
			rate, err := b.drainWorker(ctx, d, c, hookJobs, "16", "WEBHOOK_ALLOW_PRIVATE=1")
			if err != nil {
				return err
			}
			rates[name] = max(rates[name], rate)
		}
	}
	b.report.note("webhooks", fmt.Sprintf("drain of %s jobs, another tenant has an endpoint", count(hookJobs)), count(rates["other"])+"/s", "no endpoint at all: "+count(rates["none"])+"/s",
		fmt.Sprintf("%.2f", rates["other"]/rates["none"]))
	b.report.note("webhooks", fmt.Sprintf("drain of %s jobs, their tenant has an endpoint", count(hookJobs)), count(rates["one"])+"/s", "no endpoint at all: "+count(rates["none"])+"/s",
		fmt.Sprintf("%.2f", rates["one"]/rates["none"]))
	return nil
}
