package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Sizes of the dashboard's figures.
const (
	dashboardRows = 1_000_000 // documents, and finished jobs
	dashboardBar  = time.Millisecond
)

// dashboardPart measures what a dashboard asks of a tenant with a million documents and a million finished jobs, beside a
// statement that does nothing and beside plain counts of the same. Times are the server's own, of EXPLAIN ANALYZE.
func (b *bench) dashboardPart(ctx context.Context) error {
	d, err := b.database(ctx, "bench_dashboard")
	if err != nil {
		return err
	}
	c, err := connect(ctx, d.url)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	start := time.Now()
	if err := fillDashboard(ctx, d, c); err != nil {
		return fmt.Errorf("load the data: %w", err)
	}
	b.logf("%s documents and jobs loaded in %s", count(dashboardRows), time.Since(start).Round(time.Second))
	return b.dashboardFigures(ctx, d, c)
}

// fillDashboard loads rows without what searches need, which takes most of the time and changes nothing here.
func fillDashboard(ctx context.Context, d *dataset, c *pgx.Conn) error {
	for _, sql := range []string{
		`SET session_replication_role = replica`,
		`DROP INDEX ix_documents_search, ix_documents_title_search, ix_documents_labels`,
		`INSERT INTO app_users (tenant_id, email) VALUES ('` + d.tenant.String() + `', 'user@example.com')`,
		`INSERT INTO documents (tenant_id, author_id, title, body, created_at)
		 SELECT u.tenant_id, u.id, 'title ' || n, repeat('word ', 60), now() - n * interval '31 seconds'
		 FROM app_users u, generate_series(1, ` + fmt.Sprint(dashboardRows) + `) n
		 WHERE u.tenant_id = '` + d.tenant.String() + `'`,
		`INSERT INTO jobs (tenant_id, type, status, reason, last_error, created_at, run_at, started_at, finished_at)
		 SELECT '` + d.tenant.String() + `', 'type' || n % 8, CASE n % 50 WHEN 0 THEN 'failed' ELSE 'done' END, CASE n % 50 WHEN 0 THEN 'permanent' END,
		        CASE n % 50 WHEN 0 THEN 'host ' || n || ' is away' END, at - interval '3 s', at - interval '3 s', at - interval '2 s', at
		 FROM generate_series(1, ` + fmt.Sprint(dashboardRows) + `) n, LATERAL (SELECT now() - n * interval '7 seconds' AS at) f`,
		`INSERT INTO jobs (tenant_id, type) SELECT '` + d.tenant.String() + `', 'type' || n % 8 FROM generate_series(1, 1000) n`,
		`RESET session_replication_role`,
		`VACUUM (ANALYZE)`,
		`CHECKPOINT`,
	} {
		if _, err := c.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) dashboardFigures(ctx context.Context, d *dataset, c *pgx.Conn) error {
	begin := time.Now()
	if _, err := c.Exec(ctx, `SELECT refresh_tenant_document_stats()`); err != nil {
		return err
	}
	refresh := time.Since(begin)
	begin = time.Now()
	if _, err := c.Exec(ctx, `SELECT count_finished_jobs(true)`); err != nil {
		return err
	}
	recount := time.Since(begin)
	begin = time.Now()
	if _, err := c.Exec(ctx, `SELECT count_finished_jobs()`); err != nil {
		return err
	}
	increment := time.Since(begin)
	if _, err := c.Exec(ctx, `SELECT set_config('role', 'app_api', false), set_config('app.tenant_id', $1, false)`, d.tenant.String()); err != nil {
		return err
	}
	id := "'" + d.tenant.String() + "'"
	nothing := "SELECT 1"
	documents := "SELECT count(*) FROM documents WHERE tenant_id = " + id
	jobs := "SELECT type, status, count(*) FROM jobs WHERE tenant_id = " + id + " GROUP BY 1, 2"
	asked := []struct {
		what, sql, peer string
		bar             time.Duration
	}{
		{"stats of the last refresh", "SELECT * FROM get_tenant_stats(" + id + ")", nothing, dashboardBar},
		{"stats, fresh", "SELECT * FROM get_tenant_stats_fresh(" + id + ")", documents, 0},
		{"pivot of 6 months", "SELECT * FROM get_tenant_documents_pivot(" + id + ", 6)", documents, 0},
		{"pivot of 6 months, fresh", "SELECT * FROM get_tenant_documents_pivot(" + id + ", 6, true)", documents, 0},
		{"breakdown", "SELECT * FROM get_tenant_jobs_breakdown(" + id + ")", jobs, 0},
		{"breakdown, fresh", "SELECT * FROM get_tenant_jobs_breakdown(" + id + ", true)", jobs, 0},
		{"series of 24 hours", "SELECT * FROM get_tenant_job_series(" + id + ", 'hour', 24)", jobs, 0},
		{"series of 7 days by hour", "SELECT * FROM get_tenant_job_series(" + id + ", 'hour', 168)", jobs, 0},
		{"errors of 7 days", "SELECT * FROM get_tenant_job_errors(" + id + ")", jobs, 0},
		{"storage", "SELECT * FROM get_tenant_storage(" + id + ")", nothing, 0},
	}
	peers := map[string]time.Duration{}
	for _, a := range asked {
		if _, ok := peers[a.peer]; ok {
			continue
		}
		took, err := typical(ctx, c, a.peer)
		if err != nil {
			return err
		}
		peers[a.peer] = took
	}
	for _, a := range asked {
		took, err := typical(ctx, c, a.sql)
		if err != nil {
			return fmt.Errorf("%s: %w", a.what, err)
		}
		peer := map[string]string{nothing: "SELECT 1", documents: "count(*) of the documents", jobs: "GROUP BY over the jobs"}[a.peer] + ": " + fine(peers[a.peer])
		ratio := fmt.Sprintf("%.2f", float64(took)/float64(max(peers[a.peer], 1)))
		if a.bar > 0 {
			b.report.bound("dashboard", a.what, fine(took), peer, ratio, "≤ "+fine(a.bar), took <= a.bar)
		} else {
			b.report.note("dashboard", a.what, fine(took), peer, ratio)
		}
	}
	b.report.note("dashboard", "refresh of the views", fine(refresh), "", "")
	b.report.note("dashboard", "count of finished jobs, all", fine(recount), "", "")
	b.report.note("dashboard", "count of finished jobs, those since", fine(increment), "", "")
	return nil
}

// typical is the median of the server's time of a statement, warm.
func typical(ctx context.Context, c *pgx.Conn, sql string) (time.Duration, error) {
	const runs = 15
	var times []time.Duration
	for i := range 5 + runs {
		took, err := explained(ctx, c, sql)
		if err != nil {
			return 0, err
		}
		if i >= 5 {
			times = append(times, took)
		}
	}
	slices.Sort(times)
	return quantile(times, .5), nil
}

// explained runs a statement under EXPLAIN ANALYZE and returns the server's time.
func explained(ctx context.Context, c *pgx.Conn, sql string) (time.Duration, error) {
	var text []byte
	if err := c.QueryRow(ctx, "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) "+sql).Scan(&text); err != nil {
		return 0, err
	}
	var out []struct {
		Milliseconds float64 `json:"Execution Time"`
	}
	if err := json.Unmarshal(text, &out); err != nil || len(out) != 1 {
		return 0, fmt.Errorf("the plan cannot be read: %w", err)
	}
	return time.Duration(out[0].Milliseconds * float64(time.Millisecond)), nil
}
