package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Bars and sizes of tenants' administration.
const (
	exportBar  = 0.5 // of a bare COPY of the same columns
	tenantJobs = 100_000
	guardRuns  = 10 // of each side, in turns
)

// tenantsPart measures what an operator does with a tenant of 100,000 documents and as many jobs: export beside COPY of the same
// columns, the counts of its use, what the guards of limits cost an insert, and deletion beside bare DELETEs.
func (b *bench) tenantsPart(ctx context.Context) error {
	d, err := b.ready(ctx)
	if err != nil {
		return err
	}
	mine, peer := *d, *d
	mine.url, peer.url = b.cluster.URL("bench_tenants"), b.cluster.URL("bench_tenants_peer")
	if err := b.clone(ctx, "stackforge", "bench_tenants"); err != nil {
		return err
	}
	c, err := connect(ctx, mine.url)
	if err != nil {
		return err
	}
	for _, sql := range []string{
		fmt.Sprintf(`INSERT INTO jobs (tenant_id, type, payload, status, created_at, run_at, finished_at)
			SELECT '%s', 'type' || n %% 8, jsonb_build_object('to', 'user' || n || '@example.com', 'n', n), 'done', at, at AS run_at, at AS ended_at
			FROM generate_series(1, %d) n, LATERAL (SELECT now() - n * interval '7 seconds' AS at) f`, d.tenant, tenantJobs),
		"VACUUM (ANALYZE)", "CHECKPOINT",
	} {
		if _, err := c.Exec(ctx, sql); err != nil {
			return errors.Join(err, c.Close(ctx))
		}
	}
	if err := c.Close(ctx); err != nil {
		return err
	}
	if err := b.clone(ctx, "bench_tenants", "bench_tenants_peer"); err != nil {
		return err
	}
	for _, part := range []func(ctx context.Context, d *dataset) error{b.tenantExport, b.tenantUsage, b.tenantGuards} {
		if err := part(ctx, &mine); err != nil {
			return err
		}
	}
	return b.tenantDeletion(ctx, &mine, &peer)
}

// clone copies a database. Whoever uses it loses the connection.
func (b *bench) clone(ctx context.Context, from, to string) error {
	c, err := connect(ctx, b.cluster.URL("postgres"))
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, from) // vacuum, too
	if err == nil {
		_, err = c.Exec(ctx, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", to, from))
	}
	return errors.Join(err, c.Close(ctx))
}

// tenantExport compares exports over HTTP with COPY of the same columns of the same tables.
func (b *bench) tenantExport(ctx context.Context, d *dataset) error {
	s, err := b.serve(ctx, "tenants", d.url)
	if err != nil {
		return err
	}
	defer s.stop()
	c, err := connect(ctx, d.url)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	copies, rows, err := exportCopies(ctx, c, d)
	if err != nil {
		return err
	}
	var took [2][]float64
	var exported, copied int64
	for range 5 {
		begin := time.Now()
		if exported, err = export(ctx, s.addr, d.key); err != nil {
			return err
		}
		took[0] = append(took[0], time.Since(begin).Seconds())
		begin = time.Now()
		w := &counter{}
		for _, sql := range copies {
			if _, err := c.PgConn().CopyTo(ctx, w, sql); err != nil {
				return err
			}
		}
		copied = w.n
		took[1] = append(took[1], time.Since(begin).Seconds())
	}
	ours, peer := median(took[0]), median(took[1])
	b.report.ratio("tenants", fmt.Sprintf("export of %s rows", count(float64(rows))), fmt.Sprintf("%s rows/s, %s", count(float64(rows)/ours), mib(exported)),
		fmt.Sprintf("COPY of the same columns: %s rows/s, %s", count(float64(rows)/peer), mib(copied)), peer/ours, exportBar)
	return nil
}

// exportCopies are the COPY statements of what an export has, and how many rows that is.
func exportCopies(ctx context.Context, c *pgx.Conn, d *dataset) (copies []string, rows int64, err error) {
	var all []string
	if _, err := c.Exec(ctx, `SELECT set_config('app.tenant_id', $1, false)`, d.tenant.String()); err != nil {
		return nil, 0, err
	}
	err = c.QueryRow(ctx, `
		SELECT array_agg(format('COPY (SELECT %s FROM %s WHERE %I = %L) TO STDOUT',
		                        (SELECT string_agg(quote_ident(k.name), ', ') FROM tenant_columns(t.name) k), t.name, t.tenant_column, $1::uuid) ORDER BY t.ord),
		       sum(c.row_count)
		FROM tenant_tables() t
		JOIN tenant_row_counts($1) c USING (name)
		WHERE t.kind IN ('data', 'log') AND c.row_count > 0`, d.tenant).Scan(&all, &rows)
	return all, rows, err
}

// export reads an export to its end and returns its size.
func export(ctx context.Context, addr, key string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/tenant/export", http.NoBody)
	if err != nil {
		return 0, err
	}
	req.Header.Set("X-Api-Key", key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return 0, errors.New(res.Status)
	}
	w := &counter{}
	_, err = io.Copy(w, res.Body)
	if err == nil && !strings.Contains(string(w.tail), `"trailer"`) {
		err = errors.New("the export has no trailer")
	}
	return w.n, err
}

// counter counts what is written and keeps the end of it.
type counter struct {
	n    int64
	tail []byte
}

// Write counts.
func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	c.tail = append(c.tail[:0], p[max(0, len(p)-512):]...)
	return len(p), nil
}

// tenantUsage is the server's time of the counts behind tenant { usage }.
func (b *bench) tenantUsage(ctx context.Context, d *dataset) error {
	c, err := connect(ctx, d.url)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	if _, err := c.Exec(ctx, `SELECT set_config('role', 'app_api', false), set_config('app.tenant_id', $1, false)`, d.tenant.String()); err != nil {
		return err
	}
	usage, err := typical(ctx, c, fmt.Sprintf("SELECT * FROM tenant_usage('%s')", d.tenant))
	if err != nil {
		return err
	}
	bare, err := typical(ctx, c, fmt.Sprintf("SELECT count(*) FROM documents WHERE tenant_id = '%s'", d.tenant))
	if err != nil {
		return err
	}
	b.report.note("tenants", "usage of the tenant", fine(usage), "count(*) of its documents: "+fine(bare), fmt.Sprintf("%.2f", float64(usage)/float64(bare)))
	return nil
}

// tenantGuards inserts documents and users one by one, with the guards and without, and with a limit.
func (b *bench) tenantGuards(ctx context.Context, d *dataset) error {
	c, err := connect(ctx, d.url)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	if _, err := c.Exec(ctx, `SET synchronous_commit = off`); err != nil { // the disk would hide what is measured
		return err
	}
	var author string
	if err := c.QueryRow(ctx, `SELECT id::text FROM app_users WHERE tenant_id = $1 LIMIT 1`, d.tenant).Scan(&author); err != nil {
		return err
	}
	for _, t := range []struct{ table, resource, sql string }{
		{"app_users", "users", fmt.Sprintf(`INSERT INTO app_users (tenant_id, email) VALUES ('%s', gen_random_uuid() || '@example.com')`, d.tenant)},
		{"documents", "documents", fmt.Sprintf(`INSERT INTO documents (tenant_id, author_id, title, body) VALUES ('%s', '%s', 'A title', repeat('word and more ', 20))`, d.tenant, author)},
	} {
		sides := []struct {
			name  string
			setup string
			times []float64
		}{
			{name: "no guard", setup: `ALTER TABLE %[1]s DISABLE TRIGGER tenant_guarded`},
			{name: "guard", setup: `ALTER TABLE %[1]s ENABLE TRIGGER tenant_guarded; SELECT set_tenant_limits('%[2]s', '{"%[3]s": null}')`},
			{name: "guard and limit", setup: `SELECT set_tenant_limits('%[2]s', '{"%[3]s": 100000000}')`},
		}
		for range guardRuns {
			for i := range sides {
				if _, err := c.Exec(ctx, fmt.Sprintf(sides[i].setup, t.table, d.tenant, t.resource), pgx.QueryExecModeSimpleProtocol); err != nil {
					return err
				}
				rate, err := b.inserts(ctx, c, t.sql)
				if err != nil {
					return err
				}
				sides[i].times = append(sides[i].times, 1e6/rate)
			}
		}
		if _, err := c.Exec(ctx, fmt.Sprintf(sides[1].setup, t.table, d.tenant, t.resource), pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
		bare := median(sides[0].times)
		for _, s := range sides[1:] {
			took := median(s.times)
			b.report.note("tenants", fmt.Sprintf("insert into %s, %s", t.table, s.name), fmt.Sprintf("%.0f µs", took), fmt.Sprintf("no guard: %.0f µs", bare), fmt.Sprintf("%.2f × the time", took/bare))
		}
	}
	return nil
}

// inserts runs a statement again and again, and returns how often a second.
func (b *bench) inserts(ctx context.Context, c *pgx.Conn, sql string) (float64, error) {
	n, begin := 0, time.Now()
	for time.Since(begin) < b.each()/guardRuns/3 {
		if _, err := c.Exec(ctx, sql); err != nil {
			return 0, err
		}
		n++
	}
	return float64(n) / time.Since(begin).Seconds(), nil
}

// tenantDeletion deletes the tenant by the command, and in a copy of the database by bare statements.
func (b *bench) tenantDeletion(ctx context.Context, mine, peer *dataset) error {
	c, err := connect(ctx, peer.url)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	begin := time.Now()
	var bare int64
	for _, table := range []string{"jobs", "documents", "api_keys", "app_users"} {
		tag, err := c.Exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE tenant_id = '%s'", table, peer.tenant))
		if err != nil {
			return err
		}
		bare += tag.RowsAffected()
	}
	theirs := float64(bare) / time.Since(begin).Seconds()

	owner, err := connect(ctx, mine.url)
	if err != nil {
		return err
	}
	defer owner.Close(context.WithoutCancel(ctx))
	if _, err := owner.Exec(ctx, "VACUUM (ANALYZE)"); err != nil { // after the inserts of the part before
		return err
	}
	begin = time.Now()
	if _, err := b.output(ctx, append(settings(mine.url, "127.0.0.1:0", b.dir), "STORAGE_DIR="+b.dir+string(os.PathSeparator)+"none"), "tenant", "delete", mine.tenant.String(), "--yes"); err != nil {
		return err
	}
	took := time.Since(begin).Seconds()
	var gone int64
	if err := owner.QueryRow(ctx, `SELECT sum(v::bigint)::bigint FROM core.tenant_deletions, jsonb_each_text(rows_before) AS r (k, v) WHERE tenant_id = $1`, mine.tenant).Scan(&gone); err != nil {
		return err
	}
	ours := float64(gone) / took
	b.report.ratio("tenants", fmt.Sprintf("deletion of a tenant of %s rows", count(float64(gone))), count(ours)+" rows/s", "bare DELETEs: "+count(theirs)+" rows/s", ours/theirs, 0)
	return nil
}
