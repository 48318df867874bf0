package migrations_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/query"
	"stackforge/repo/apikey"
	"stackforge/repo/document"
	"stackforge/repo/job"
	"stackforge/repo/user"
	"stackforge/tenant"
)

var update = flag.Bool("update", false, "write docs/queries from data of staging size; takes minutes")

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// executions is how often each statement runs. After the fifth the server may change to a plan that fits all arguments
// (a generic plan), which must be as good.
const executions = 8

// hot is one statement of daily work and what its plan must be like.
type hot struct {
	title   string
	prepare func(ctx context.Context) error // before each execution; its plans do not count
	run     func(ctx context.Context) error
	index   []string // names of which each must stand in the plan
	rows    int      // most rows that any scan may read or throw away
	quiet   bool     // checked, not shown
}

// page is the statements of one repository method or SQL function.
type page struct {
	name  string // file in docs/queries
	story string // which index answers it, and why it stays fast
	nodes string // only plans that touch these tables are kept; a pattern
	hot   []hot
	small []hot // of a small tenant
}

// TestPlans fails when a hot statement reads a large table from end to end, or all rows of a tenant.
func TestPlans(t *testing.T) {
	t.Parallel()

	size := scale{Documents: 10_000, Small: 400, Each: 5, Jobs: 20_000, Words: 40, Vectors: 1_500}
	if *update {
		size = scale{Documents: 100_000, Small: 5_000, Each: 20, Jobs: 200_000, Words: 40}
	}
	d := dbtest.New(t)
	in := fill(t, d, size)
	fillFlow(t, d, in, flow{Events: size.Documents, Waiting: size.Documents / 5, Hidden: size.Documents})
	var small tenant.Scope
	if !*update {
		small = fillSearch(t, d, in, size)
	}
	e := explain(t, d)
	c := db.Config{URL: e.dsn, MaxConns: 1, Role: db.RoleAPI}
	api := d.Open(t, c)
	c.Role = db.RoleWorker
	worker := d.Open(t, c)
	for _, p := range slices.Concat(pages(in, size, api, worker), flowPages(t, in, api, worker), dashboardPages(t, d, size, api)) {
		t.Run(p.name, func(t *testing.T) {
			plans := p.plans(t, e, in.scope)
			if *update {
				write(t, version(t, d), p, fmt.Sprintf("%d documents of one tenant and %d of each of %d others, %d jobs of which one in ten has not finished, "+
					"%d deliveries of webhooks, %d hidden messages in one queue. Each is the last of %d executions.",
					size.Documents, size.Each, size.Small, size.Jobs, 2*size.Documents, size.Documents, executions), plans)
			}
		})
	}
	if *update { // search is shown at sizes of its own
		return
	}
	for _, p := range searchPages(in, small, size, api) { //nolint:paralleltest // as above: explain is one for all
		t.Run(p.name, func(t *testing.T) { p.plans(t, e, in.scope) })
	}
}

// TestSearchPlans writes the pages of search. What they show is checked at a smaller size by TestPlans.
func TestSearchPlans(t *testing.T) {
	t.Parallel()
	if !*update {
		t.Skip("only with -update")
	}

	plans := map[string][]string{}
	var last []page
	var server string
	for _, size := range searchScales() {
		t.Run(strconv.Itoa(size.Documents), func(t *testing.T) {
			d := dbtest.New(t)
			server = version(t, d)
			in := fill(t, d, size)
			small := fillSearch(t, d, in, size)
			e := explain(t, d)
			last = searchPages(in, small, size, d.Open(t, db.Config{URL: e.dsn, MaxConns: 1, Role: db.RoleAPI}))
			for _, p := range last {
				t.Run(p.name, func(t *testing.T) { plans[p.name] = append(plans[p.name], p.plans(t, e, in.scope)) })
			}
		})
	}
	for _, p := range last { //nolint:paralleltest // it runs no test
		if len(plans[p.name]) < len(searchScales()) {
			continue // it failed
		}
		writeSearch(t, server, p, searchScales(), plans[p.name])
	}
}

// plans runs the page's statements, checks the plans of every execution, and returns those of the last as Markdown.
func (p page) plans(t *testing.T, e *explainer, scope tenant.Scope) string {
	t.Helper()

	var doc strings.Builder
	for _, h := range slices.Concat(p.hot, p.small) {
		e.take()
		var last []plan
		for range executions {
			ctx := tenant.With(t.Context(), scope)
			if h.prepare != nil {
				require.NoError(t, h.prepare(ctx), h.title)
				e.take()
			}
			require.NoError(t, h.run(ctx), h.title)
			last = touching(e.take(), p.nodes)
			require.NotEmpty(t, last, h.title)
			check(t, h, last)
		}
		if h.quiet {
			continue
		}
		fmt.Fprintf(&doc, "\n## %s\n", h.title)
		times := map[string]int{}
		for _, p := range last {
			times[p.shape()]++
		}
		for _, p := range last {
			switch n := times[p.shape()]; n {
			case 0:
				continue // shown
			case 1:
			default:
				fmt.Fprintf(&doc, "\n%d times:\n", n)
			}
			times[p.shape()] = 0
			fmt.Fprintf(&doc, "\n```sql\n%s\n```\n\n```\n%s\n```\n", cut(dedent(p.SQL)), cut(p.Text))
		}
	}
	return doc.String()
}

func pages(in data, size scale, api, worker *db.DB) []page {
	docs, users, jobs, keys := document.New(api), user.New(api), job.New(api), apikey.New(api)
	runs := job.NewRuns(worker)
	first, area, topic := 20, "area3", "area3.topic2"
	newest := document.Orders()["created_at_desc"]
	after := newest.Cursor(in.cursor.Format(time.RFC3339Nano), in.documents[0].String())
	below := func(path string) document.ListParams {
		return document.ListParams{Filter: &document.Filter{Path: &query.Path{DescendantOf: &path}}}
	}
	list := func(p document.ListParams) func(ctx context.Context) error {
		p.Page.First, p.Order = &first, newest
		return func(ctx context.Context) error { _, err := docs.List(ctx, p); return err }
	}
	newestJob := job.Orders()["created_at_desc"]
	afterJob := newestJob.Cursor(in.cursor.Format(time.RFC3339Nano), strconv.FormatInt(in.jobs[0], 10))
	jobList := func(f *job.Filter, after *string) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			_, err := jobs.List(ctx, job.ListParams{Page: query.Page{First: &first, After: after}, Filter: f, Order: newestJob})
			return err
		}
	}
	const worked = 20 // jobs of a claim
	var claimed []job.Success
	claim := func(types ...string) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			got, err := runs.Claim(ctx, uuid.New(), types, worked)
			claimed = claimed[:0]
			for _, j := range got {
				claimed = append(claimed, job.Success{Lease: job.Lease{ID: j.ID, Lease: *j.LeaseID}})
			}
			return err
		}
	}

	return []page{
		{
			name: "document.Get", nodes: "documents",
			story: "Two probes of primary keys, both led by the tenant.",
			hot: []hot{{
				title: "one document and its author", index: []string{"documents_pkey", "app_users_pkey"}, rows: 1,
				run: func(ctx context.Context) error { _, _, err := docs.Get(ctx, in.documents[0]); return err },
			}},
		},
		{
			name: "document.ByIDs", nodes: "documents", story: byIDs + " A dataloader asks once per request for all of a level.",
			hot: []hot{{
				title: "twenty documents", index: []string{"documents_pkey"}, rows: 20,
				run: func(ctx context.Context) error { _, err := docs.ByIDs(ctx, in.documents); return err },
			}},
		},
		{
			name: "document.List", nodes: "documents",
			story: "A page is a range of `ix_documents_created` (tenant, created_at, id): the index gives the order, so the scan ends with the page, " +
				"however many documents there are, and a cursor starts the range where the last page ended. A subtree is a range of `ix_documents_path` on " +
				"the path as text, whose comparison is leakproof and so may use the index under row-level security; its documents are then sorted, so " +
				"that the cost grows with the subtree.",
			hot: []hot{
				{title: "the newest page", index: []string{"ix_documents_created"}, rows: first + 1, run: list(document.ListParams{})},
				{
					title: "the page after a cursor", index: []string{"ix_documents_created"}, rows: first + 1,
					run: list(document.ListParams{Page: query.Page{After: &after}}),
				},
				{title: "a subtree with one document in 1,000", index: []string{"ix_documents_path"}, rows: size.Documents / 500, run: list(below(topic))},
				{title: "a subtree with one document in 20", index: []string{"ix_documents_"}, rows: size.Documents / 15, run: list(below(area))},
			},
		},
		{
			name: "user.ByIDs", nodes: "app_users", story: byIDs + " A dataloader asks once per request for the authors of all documents.",
			hot: []hot{{
				title: "twenty users", index: []string{"app_users_pkey"}, rows: 20,
				run: func(ctx context.Context) error { _, err := users.ByIDs(ctx, in.users); return err },
			}},
		},
		{
			name: "job.List", nodes: "jobs",
			story: "Each partition gives its newest rows by (tenant, created_at, id) and a merge takes the page of them. A condition on the status leaves out " +
				"the partitions that cannot have it.",
			hot: []hot{
				{title: "the newest page", index: []string{"ix_jobs_live_tenant", "jobs_finished_.*created_at"}, rows: first + 1, run: jobList(nil, nil)},
				{
					title: "the page after a cursor", index: []string{"ix_jobs_live_tenant", "jobs_finished_.*created_at"}, rows: first + 1,
					run: jobList(nil, &afterJob),
				},
				{
					title: "the newest that wait", index: []string{"ix_jobs_live_tenant"}, rows: 3 * first,
					run: jobList(&job.Filter{States: []job.State{job.StatePending}}, nil),
				},
			},
		},
		{
			name: "job.ByIDs", nodes: "jobs", story: byIDs + " The partitions of all months are probed: an id does not tell when the job ended.",
			hot: []hot{{
				title: "twenty jobs", index: []string{"jobs_live_id_key", "tenant_id_id_idx"}, rows: 20,
				run: func(ctx context.Context) error { _, err := jobs.ByIDs(ctx, in.jobs); return err },
			}},
		},
		{
			name: "job.Claim", nodes: "jobs",
			story: "`ix_jobs_live_ready` (priority, run_at, id) of pending jobs only: one range per priority in use, read from its start until there are " +
				"enough. Neither finished nor future jobs are met, so a claim costs the same whatever the backlog.",
			hot: []hot{
				{title: "twenty of all types", index: []string{"ix_jobs_live_ready", "jobs_live_id_key"}, rows: worked, run: claim()},
				{
					title: "twenty of three types", index: []string{"ix_jobs_live_ready", "jobs_live_id_key"}, rows: worked,
					run: claim("send_email", "reindex_search", "generate_embedding"),
				},
			},
		},
		{
			name: "job.Complete", nodes: "jobs",
			story: "One probe of `jobs_live_id_key` per run; the row moves to the partition of its month.",
			hot: []hot{{
				title: "twenty runs", index: []string{"jobs_live_id_key"}, rows: worked, prepare: claim(),
				run: func(ctx context.Context) error { _, err := runs.Complete(ctx, claimed); return err },
			}},
		},
		{
			name: "apikey.Authenticate", nodes: "api_keys",
			story: "One probe of the unique index on the hash of the key. The API asks only for keys that its cache does not know.",
			hot: []hot{{
				title: "a key", index: []string{"api_keys_key_hash_key"}, rows: 1,
				run: func(ctx context.Context) error { _, err := keys.Authenticate(ctx, in.keyHash); return err },
			}},
		},
	}
}

// byIDs is the story of all lookups of many ids.
const byIDs = "One probe of the primary key per id. `id = ANY (…)` would do the same as long as the plan is made for the tenant at hand, but a plan that " +
	"is kept for all tenants reads all rows of a tenant and throws away most, because the average tenant is small."

// TestPlansOfShortQueue fails when a session that made its plans while the queue was short reads the whole queue after a
// burst of jobs, before statistics know of it.
func TestPlansOfShortQueue(t *testing.T) {
	t.Parallel()

	const burst, size = 20_000, 300
	d := dbtest.New(t)
	scope := dbtest.Tenant(t, d)
	enqueue := func(n int) {
		d.Exec(t, `INSERT INTO jobs (tenant_id, type) SELECT $1, 'x' FROM generate_series(1, $2::int)`, scope.TenantID, n)
	}
	d.Exec(t, `ALTER TABLE jobs_live SET (autovacuum_enabled = off)`)
	enqueue(3 * executions)
	d.Exec(t, `ANALYZE jobs_live`)
	e := explain(t, d)
	runs := job.NewRuns(d.Open(t, db.Config{URL: e.dsn, MaxConns: 1, Role: db.RoleWorker}))
	work := func(n int) {
		got, err := runs.Claim(t.Context(), uuid.New(), nil, n)
		require.NoError(t, err)
		require.Len(t, got, n)
		leases := make([]job.Lease, n)
		for i, j := range got {
			leases[i] = job.Lease{ID: j.ID, Lease: *j.LeaseID}
		}
		require.NoError(t, runs.Progress(t.Context(), leases[0], 50))
		_, err = runs.Complete(t.Context(), []job.Success{{Lease: leases[0]}})
		require.NoError(t, err)
		_, err = runs.Fail(t.Context(), []job.Failure{{Lease: leases[1], Reason: job.ReasonPermanent}})
		require.NoError(t, err)
		_, err = runs.Retry(t.Context(), []job.Again{{Lease: leases[2]}}, 5)
		require.NoError(t, err)
	}
	for range executions {
		work(3)
	}
	enqueue(burst)
	e.take()
	work(size)
	check(t, hot{title: "after a burst", index: []string{"ix_jobs_live_ready", "jobs_live_id_key"}, rows: size + 10}, e.take())
}

// shape is equal for the plans of one statement that differ in figures only.
func (p plan) shape() string { return regexp.MustCompile(`[\d.]+`).ReplaceAllString(p.SQL+p.Text, "") }

// touching returns the plans that name one of the tables.
func touching(plans []plan, nodes string) []plan {
	var out []plan
	for _, p := range plans {
		if regexp.MustCompile(` on (\w+\.)?`+nodes).MatchString(p.Text) || strings.Contains(p.Text, "Function Scan on claim") {
			out = append(out, p)
		}
	}
	return out
}

var (
	// A partition of a month to come is empty and may be read so; what was thrown away is judged by itself.
	seqScan = regexp.MustCompile(`Seq Scan on (\S+).*actual time=\S+ rows=(?:[1-9]|0\.\d*[1-9])`)
	actual  = regexp.MustCompile(`(?:(?:Index|Only|Heap|Seq|Tid|Bitmap Index) Scan|Seek) .*actual time=\S+ rows=([\d.]+) loops=(\d+)`)
	removed = regexp.MustCompile(`Rows Removed by (?:Filter|Index Recheck|Join Filter): (\d+)`)
)

// check judges the plans of one execution.
func check(t *testing.T, h hot, plans []plan) {
	t.Helper()

	var all strings.Builder
	for _, p := range plans {
		all.WriteString(p.Text + "\n")
	}
	text := all.String()
	for _, name := range h.index {
		require.Regexp(t, name, text, "%s: the plan does not use the index", h.title)
	}
	for _, m := range seqScan.FindAllStringSubmatch(text, -1) {
		require.NotRegexp(t, `^(documents|files|search_words|jobs|job_events|app_users|api_keys|tenant_storage|outbox|webhook_deliveries|webhook_attempts|[qa]_)`, m[1], "%s: sequential scan\n%s", h.title, text)
	}
	for _, m := range actual.FindAllStringSubmatch(text, -1) {
		rows, err := strconv.ParseFloat(m[1], 64)
		require.NoError(t, err)
		loops, err := strconv.Atoi(m[2])
		require.NoError(t, err)
		require.LessOrEqual(t, int(rows)*loops, h.rows, "%s: rows read\n%s", h.title, text)
	}
	for _, m := range removed.FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(m[1])
		require.NoError(t, err)
		require.LessOrEqual(t, n, h.rows, "%s: rows thrown away\n%s", h.title, text)
	}
}

// dedent takes the indentation of Go's source from a statement.
func dedent(sql string) string {
	return regexp.MustCompile(`(?m)^(\t{2,4}|        )`).ReplaceAllString(strings.TrimSpace(sql), "")
}

// version is that of the server.
func version(t *testing.T, d *dbtest.DB) string {
	t.Helper()

	v, err := db.Get[string](t.Context(), d.Owner, "version", `SELECT split_part(current_setting('server_version'), ' ', 1)`)
	require.NoError(t, err)
	return v
}

// cut shortens long values, such as vectors and lists of places.
func cut(text string) string {
	return regexp.MustCompile(`'([^'\n]{40})[^'\n]{200,}'`).ReplaceAllString(text, "'$1…'")
}

// write writes a page of docs/queries; data says what the plans were made on.
func write(t *testing.T, version string, p page, data, plans string) {
	t.Helper()

	if dbtest.Lane() != dbtest.Full {
		return
	}
	text := fmt.Sprintf("# %s\n\n%s\n\n%s\n", p.name, wrap(p.story), wrap(fmt.Sprintf("Made by `go test ./migrations -run Plans -update` on PostgreSQL %s, "+
		"as the role of the product with the tenant set: %s", version, data)))
	require.NoError(t, os.WriteFile("../docs/queries/"+p.name+".md", []byte(text+plans), 0o644))
}

// wrap breaks a text into lines of at most 120 characters.
func wrap(text string) string {
	var b strings.Builder
	length := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case length == 0:
		case length+1+len(word) > 120:
			b.WriteByte('\n')
			length = 0
		default:
			b.WriteByte(' ')
			length++
		}
		b.WriteString(word)
		length += len(word)
	}
	return b.String()
}
