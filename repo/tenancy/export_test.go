package tenancy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"stackforge/app"
	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/tenancy"
	"stackforge/seed"
	"stackforge/tenant"
)

func act(ctx context.Context, id uuid.UUID) context.Context {
	return tenant.With(ctx, tenant.Scope{TenantID: id, Scopes: []string{"*"}})
}

// populated returns a database with the seed and some rows of kinds that the seed does not have, and its first tenant.
func populated(t *testing.T) (*dbtest.DB, uuid.UUID) {
	t.Helper()

	d := dbtest.New(t)
	_, err := seed.Run(t.Context(), d.Owner, seed.Options{Count: 30, Log: zerolog.Nop()})
	require.NoError(t, err)
	first := seed.Tenants()[0].ID
	for _, s := range seed.Tenants() {
		d.Exec(t, `INSERT INTO search_synonyms (tenant_id, term, synonyms) VALUES ($1, 'car', '{automobile,"motor car"}')`, s.ID)
		d.Exec(t, `UPDATE documents SET embedding = unit_embedding(ARRAY(SELECT (i + ascii(title))::real FROM generate_series(1, 1536) i), 'x'), embedding_model = 'm'
			WHERE tenant_id = $1 AND id < '00000001-0000-0000-0000-000000000000'`, s.ID)
		d.Exec(t, `SELECT set_tenant_limits($1, '{"documents": 100000, "users": 500, "jobsPerDay": 100000}')`, s.ID)
		d.Exec(t, `SELECT create_message_queue($1, 'mail'), create_message_queue($1, 'dead', 'unlogged')`, s.ID)
		d.Exec(t, `UPDATE message_queues SET max_reads = 3, dead_letter_queue = 'dead' WHERE tenant_id = $1 AND name = 'mail'`, s.ID)
		d.Exec(t, `SELECT pgmq.send(message_queue_physical($1, 'mail'), jsonb_build_object('n', n)) FROM generate_series(1, 5) n`, s.ID)
		d.Exec(t, `SELECT pgmq.archive(message_queue_physical($1, 'mail'), 2)`, s.ID)
		d.Exec(t, `UPDATE jobs SET progress = 7, payload = payload || '{"odd": 9007199254740993, "exact": 1.10, "vast": 1e300}' WHERE tenant_id = $1`, s.ID)
		d.Exec(t, `SELECT pgmq.send(message_queue_physical($1, 'mail'), '{"odd": -9223372036854775809, "tiny": 1e-300}')`, s.ID)
	}
	d.Exec(t, `INSERT INTO documents (tenant_id, author_id, title, body, metadata, longitude, latitude) SELECT $1, '00000000-0000-0000-0000-000000000010',
		E'a "quoted" \\ title\u2028\u0001', E'line\r\n\ttab \U0001F600 </script>', 'a=>"x\"y", b=>NULL', 0.1 + 0.2, -1e-7`, first)
	return d, first
}

func export(t *testing.T, h *db.DB, id uuid.UUID) (string, tenancy.Trailer) {
	t.Helper()

	var out bytes.Buffer
	trailer, err := tenancy.NewExporter(h).Export(act(t.Context(), id), &out)
	require.NoError(t, err, "%v", errors.Unwrap(err))
	return out.String(), trailer
}

// dump returns every row of the tables of tenants but those that another condition leaves out, by table.
func dump(t *testing.T, d *dbtest.DB, kinds []string, condition string, args ...any) map[string][]string {
	t.Helper()

	conn := d.Connect(t)
	rows, err := conn.Query(t.Context(), `SELECT name, tenant_column, (SELECT string_agg(format('x.%I', c.name), ', ') FROM tenant_columns(t.name) c)
		FROM tenant_tables() t WHERE kind = ANY ($1)`, kinds)
	require.NoError(t, err)
	type table struct{ name, column, columns string }
	var tables []table
	for rows.Next() {
		var x table
		require.NoError(t, rows.Scan(&x.name, &x.column, &x.columns))
		tables = append(tables, x)
	}
	require.NoError(t, rows.Err())
	out := map[string][]string{}
	for _, x := range tables {
		rows, err := conn.Query(t.Context(), fmt.Sprintf(`SELECT (%s)::text FROM %s x WHERE x.%s %s ORDER BY 1`, "ROW("+x.columns+")", x.name, x.column, condition), args...)
		require.NoError(t, err, x.name)
		for rows.Next() {
			var text string
			require.NoError(t, rows.Scan(&text))
			out[x.name] = append(out[x.name], text)
		}
		require.NoError(t, rows.Err())
	}
	return out
}

func TestExport(t *testing.T) {
	t.Parallel()

	d, id := populated(t)
	text, trailer := export(t, d.API, id)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	require.Len(t, lines, int(trailer.Rows)+2)

	var head struct{ Header tenancy.Header }
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &head))
	require.Equal(t, tenancy.ExportFormat, head.Header.Format)
	require.Equal(t, id, head.Header.TenantID)
	require.Positive(t, head.Header.SchemaVersion)
	counts := map[string]int64{}
	for _, line := range lines[1 : len(lines)-1] {
		var row struct {
			Table string
			Row   map[string]any
		}
		require.NoError(t, json.Unmarshal([]byte(line), &row), line)
		counts[row.Table]++
	}
	require.Equal(t, trailer.Counts, counts)
	for name, n := range head.Header.Counts {
		require.Equal(t, n, counts[name], name)
	}
	require.Subset(t, counts, map[string]int64{"tenants": 1, "app_users": 32, "search_synonyms": 1, "tenant_limits": 1})
	require.Positive(t, counts["job_events"])

	for _, secret := range []string{"key_hash", "previous_hash", "deleting_at", seed.Tenants()[1].ID.String(), "zebrafish"} {
		require.NotContains(t, text, secret)
	}
	keys, err := db.List[string](t.Context(), d.Owner, `SELECT key_hash FROM api_keys ORDER BY 1`)
	require.NoError(t, err)
	require.NotEmpty(t, keys)
	for _, hash := range keys {
		require.NotContains(t, text, hash)
	}
}

// All rows of one moment: what is written meanwhile is not in it.
func TestExportIsOneMoment(t *testing.T) {
	t.Parallel()

	d, id := populated(t)
	first := true
	var out bytes.Buffer
	trailer, err := tenancy.NewExporter(d.API).Export(act(t.Context(), id), writerFunc(func(p []byte) (int, error) {
		if first {
			first = false
			d.Exec(t, `INSERT INTO jobs (tenant_id, type) SELECT $1, 'late' FROM generate_series(1, 100)`, id)
			d.Exec(t, `DELETE FROM search_synonyms`)
		}
		return out.Write(p)
	}))
	require.NoError(t, err)
	require.EqualValues(t, 1, trailer.Counts["search_synonyms"])
	require.NotContains(t, out.String(), `"late"`)
}

type writerFunc func(p []byte) (int, error)

// Write is the function itself.
func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestExportEndsWithItsReader(t *testing.T) {
	t.Parallel()

	d, id := populated(t)
	_, err := tenancy.NewExporter(d.API).Export(act(t.Context(), id), writerFunc(func([]byte) (int, error) { return 0, io.ErrClosedPipe }))
	require.ErrorIs(t, err, io.ErrClosedPipe)
	_, trailer := export(t, d.API, id)
	require.Positive(t, trailer.Rows, "the connection is good again")
}

func TestExportOfOthers(t *testing.T) {
	t.Parallel()

	d, id := populated(t)
	_, err := tenancy.NewExporter(d.API).Export(act(t.Context(), uuid.New()), io.Discard)
	require.Equal(t, errs.NotFound, errs.From(err).Code)
	other := act(t.Context(), seed.Tenants()[1].ID)
	for _, sql := range []string{`SELECT export_tenant($1, 'documents')`, `SELECT * FROM tenant_row_counts($1)`, `SELECT tenant_usage($1)`} {
		_, err := db.Exec(other, d.API, sql, id)
		require.Equal(t, errs.Forbidden, errs.From(err).Code, sql)
	}
	for _, table := range []string{"webhook_secrets", "core.search_words", "core.tenant_deletions", "pg_authid", "job_types", "documents; DROP TABLE documents"} {
		_, err := db.Exec(act(t.Context(), id), d.API, `SELECT export_tenant($1, $2)`, id, table)
		require.Equal(t, errs.NotFound, errs.From(err).Code, table)
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()

	d, id := populated(t)
	text, written := export(t, d.Owner, id)
	into := dbtest.New(t)
	header, restored, err := tenancy.NewImporter(into.Owner).Import(t.Context(), strings.NewReader(text))
	require.NoError(t, err, "%v", errors.Unwrap(err))
	require.Equal(t, id, header.TenantID)
	require.Equal(t, written.Rows-written.Counts["job_events"], restored.Rows, "all but the logs")

	data := []string{"data"}
	want, got := dump(t, d, data, "= $1", id), dump(t, into, data, "= $1", id)
	for name := range want {
		require.Equal(t, want[name], got[name], name)
	}
	require.Len(t, got, len(want))

	const queue = `SELECT string_agg(x::text, ' ' ORDER BY msg_id) FROM pgmq.q_%s x`
	physical, err := db.Get[string](t.Context(), d.Owner, "name", `SELECT message_queue_physical($1, 'mail')`, id)
	require.NoError(t, err)
	for _, prefix := range []string{"q_", "a_"} {
		text := strings.Replace(fmt.Sprintf(queue, physical), "q_", prefix, 1)
		var found [2]string
		for i, x := range []*dbtest.DB{d, into} {
			require.NoError(t, x.Connect(t).QueryRow(t.Context(), text).Scan(&found[i]))
		}
		require.Equal(t, found[0], found[1])
	}

	// What is derived came back, too; ids go on behind those that were restored; limits count.
	const words = `SELECT string_agg(DISTINCT word, ' ' ORDER BY word) FROM core.search_words WHERE tenant_id = '00000000-0000-0000-0000-000000000001'`
	a, err := db.Get[string](t.Context(), d.Owner, "words", words)
	require.NoError(t, err)
	b, err := db.Get[string](t.Context(), into.Owner, "words", words)
	require.NoError(t, err)
	require.Equal(t, a, b)
	last, err := db.Get[bool](t.Context(), into.Owner, "row", `SELECT nextval('jobs_id_seq') > (SELECT max(id) FROM jobs)`)
	require.NoError(t, err)
	require.True(t, last)
	room, err := db.Get[int64](t.Context(), into.Owner, "row", `SELECT sum(room)::bigint FROM core.tenant_quota WHERE resource = 'users'`)
	require.NoError(t, err)
	require.EqualValues(t, 500-32, room)
	// A second export is the first.
	again, _ := export(t, into.Owner, id)
	require.True(t, slices.Equal(exportRows(text), exportRows(again)))
	into.Exec(t, `SELECT pgmq.send($1, '{}')`, physical) // behind the restored ones, else the key would be there

	_, _, err = tenancy.NewImporter(into.Owner).Import(t.Context(), strings.NewReader(text))
	require.Equal(t, errs.Conflict, errs.From(err).Code)
}

// How a server writes times and numbers is a setting of it, which an export does not follow.
func TestExportWhateverTheSettings(t *testing.T) {
	t.Parallel()

	d, id := populated(t)
	want, _ := export(t, d.Owner, id)
	for _, set := range []string{"DateStyle = 'SQL, DMY'", "TimeZone = 'Asia/Kolkata'", "extra_float_digits = 0", "IntervalStyle = 'iso_8601'", "bytea_output = 'escape'"} {
		d.Exec(t, fmt.Sprintf(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I SET ', current_database()) || $x$%s$x$; END $$`, set))
	}
	elsewhere, err := db.Open(t.Context(), db.Config{URL: d.URL, Role: db.RoleOwner})
	require.NoError(t, err)
	defer elsewhere.Close(time.Second)
	got, _ := export(t, elsewhere, id)
	require.Equal(t, exportRows(want), exportRows(got))
}

// Months of files that a retention took out of the table wait for their objects to be deleted. They go with the tenant, and
// nowhere else.
func TestDetachedMonth(t *testing.T) {
	t.Parallel()

	d, id := populated(t)
	d.Exec(t, `SELECT make_partition('files', '2021-03-01')`)
	d.Exec(t, `
		INSERT INTO files (tenant_id, id, uploader_id, filename, content_type, size_bytes, storage_key, status, created_at, completed_at)
		SELECT $1::uuid, f.id, '00000000-0000-0000-0000-000000000010', 'old.txt', 'text/plain', 10, format('tenants/%s/2021/03/%s', $1::uuid, f.id), 'ready', '2021-03-05', '2021-03-05'
		FROM (SELECT overlay(gen_random_uuid()::text PLACING left(uuid_v7_floor('2021-03-05')::text, 15) FROM 1 FOR 15)::uuid AS id) f`, id)
	d.Exec(t, `UPDATE core.partition_config SET retention = '1 year' WHERE parent = 'files'`)
	gone, err := db.Get[[]string](t.Context(), d.Owner, "months", `SELECT drop_old_partitions()`)
	require.NoError(t, err)
	require.Contains(t, gone, "files_2021_03")

	text, trailer := export(t, d.Owner, id)
	require.NotContains(t, text, "2021_03")
	into := dbtest.New(t)
	_, _, err = tenancy.NewImporter(into.Owner).Import(t.Context(), strings.NewReader(text))
	require.NoError(t, err, "%v", errors.Unwrap(err))
	used, err := db.Get[int64](t.Context(), into.Owner, "row", `SELECT files_used FROM tenant_storage WHERE tenant_id = $1`, id)
	require.NoError(t, err)
	require.Equal(t, trailer.Counts["files"], used)

	d.Exec(t, `DELETE FROM core.detached_partitions`) // nobody knows that it is one: former exports have it
	former, _ := export(t, d.Owner, id)
	require.Contains(t, former, `"table":"files_2021_03"`)
	_, restored, err := tenancy.NewImporter(dbtest.New(t).Owner).Import(t.Context(), strings.NewReader(former))
	require.NoError(t, err, "%v", errors.Unwrap(err))
	require.Equal(t, trailer.Counts["files"], restored.Counts["files"])

	proof, err := app.TenantDeleter{Tenants: tenancy.New(d.Owner)}.Delete(t.Context(), id, "the test", func(int64) {})
	require.NoError(t, err, "%v", errors.Unwrap(err))
	require.EqualValues(t, 1, proof.RowsBefore["files_2021_03"])
	require.Zero(t, proof.RowsAfter["files_2021_03"])
}

// exportRows are the lines of an export's data, sorted.
func exportRows(text string) []string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, `{"table"`) && !strings.HasPrefix(line, `{"table":"job_events"`) {
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return out
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()

	d, id := populated(t)
	text, _ := export(t, d.Owner, id)
	lines := strings.SplitAfter(text, "\n")
	whole := len(lines) - 1 // behind the last line end there is nothing
	change := func(old, with string) string {
		require.Contains(t, text, old)
		return strings.Replace(text, old, with, 1)
	}
	into := dbtest.New(t)
	for name, c := range map[string]struct {
		text string
		code errs.Code
	}{
		"nothing":            {"", errs.Validation},
		"no JSON":            {"hello\n", errs.Validation},
		"no header":          {strings.Join(lines[1:], ""), errs.Validation},
		"another format":     {change(tenancy.ExportFormat, "stackforge-tenant/2"), errs.Validation},
		"a newer schema":     {change(`"schemaVersion":`, `"schemaVersion":9`), errs.Validation},
		"half of it":         {strings.Join(lines[:whole/2], ""), errs.Validation},
		"no trailer":         {strings.Join(lines[:whole-1], ""), errs.Validation},
		"a row less":         {strings.Join(lines[:whole-2], "") + lines[whole-1], errs.Validation},
		"a changed row":      {change("PostgreSQL tuning guide", "PostgreSQL tuning guise"), errs.Validation},
		"another's row":      {change(`"row":{"tenant_id":"00000000-0000-0000-0000-000000000001"`, `"row":{"tenant_id":"00000000-0000-0000-0000-000000000002"`), errs.Validation},
		"a table of nobody":  {change(`{"table":"app_users"`, `{"table":"pg_authid"`), errs.Validation},
		"a column too many":  {change(`"email":`, `"e_mail":`), errs.Validation},
		"a secret in it":     {change(`"key_prefix":`, `"key_hash":"x","key_prefix":`), errs.Validation},
		"a value that's bad": {change(`"created_at":"`, `"created_at":"x`), errs.Validation},
	} {
		_, _, err := tenancy.NewImporter(into.Owner).Import(t.Context(), strings.NewReader(c.text))
		require.Error(t, err, name)
		require.Equal(t, c.code, errs.From(err).Code, "%s: %v", name, err)
	}
	for table, list := range dump(t, into, []string{"data", "log", "derived"}, "IS NOT NULL") {
		require.Empty(t, list, "%s: what fails leaves nothing", table)
	}
	_, _, err := tenancy.NewImporter(into.API).Import(t.Context(), strings.NewReader(text))
	require.Equal(t, errs.Forbidden, errs.From(err).Code, "the owner only")
}

func TestDelete(t *testing.T) {
	t.Parallel()

	d, id := populated(t)
	all := []string{"data", "log", "derived", "secret"}
	others := dump(t, d, all, "<> $1", id)
	require.NotEmpty(t, others["core.search_words"])
	mine := dump(t, d, all, "= $1", id)
	for _, name := range []string{"documents", "jobs", "job_events", "files", "core.search_words", "search_synonyms", "tenant_limits"} {
		require.NotEmpty(t, mine[name], name)
	}

	deleter := app.TenantDeleter{Tenants: tenancy.New(d.Owner)}
	proof, err := deleter.Delete(t.Context(), id, "the test", func(int64) {})
	require.NoError(t, err, "%v", errors.Unwrap(err))
	require.Equal(t, "the test", proof.StartedBy)
	require.NotNil(t, proof.FinishedAt)
	require.Nil(t, proof.ObjectsDeleted)
	require.Len(t, proof.NameSHA256, 64)
	require.NotEmpty(t, proof.RowsAfter)
	for name, n := range proof.RowsAfter {
		require.Zero(t, n, name)
	}
	for name, list := range mine {
		if name != "core.tenant_quota" { // gone with the beginning
			require.EqualValues(t, len(list), proof.RowsBefore[name], name)
		}
	}
	require.Equal(t, others, dump(t, d, all, "<> $1", id), "others' rows are as they were")
	require.EqualValues(t, 5, proof.RowsBefore["queue:mail"])
	queues, err := db.List[string](t.Context(), d.Owner, `SELECT format('%s.%s', schemaname, tablename) FROM pg_tables WHERE tablename LIKE '_!_t' || left(md5($1::text), 14) || '%' ESCAPE '!' ORDER BY 1`, id)
	require.NoError(t, err)
	require.Empty(t, queues)
	require.Empty(t, dump(t, d, all, "= $1", id))
	stats, err := db.Get[int64](t.Context(), d.Owner, "row", `SELECT count(*) FROM tenant_document_stats WHERE tenant_id = $1`, id)
	require.NoError(t, err)
	require.Zero(t, stats)

	_, err = deleter.Delete(t.Context(), id, "the test", func(int64) {})
	require.Equal(t, errs.NotFound, errs.From(err).Code)
}

// A deletion that ended anywhere goes on, and the note of its beginning stays.
func TestDeleteGoesOn(t *testing.T) {
	t.Parallel()

	d, id := populated(t)
	r := tenancy.New(d.Owner)
	_, err := r.DeleteRows(t.Context(), id, 10)
	require.Equal(t, errs.Conflict, errs.From(err).Code, "it has not begun")
	begun, err := r.BeginDeletion(t.Context(), id, "first")
	require.NoError(t, err)
	n, err := r.DeleteRows(t.Context(), id, 10)
	require.NoError(t, err)
	require.EqualValues(t, 10, n)
	again, err := r.BeginDeletion(t.Context(), id, "second")
	require.NoError(t, err)
	require.Equal(t, begun, again)

	// Meanwhile nothing new is written, and no key opens anything.
	ctx := act(t.Context(), id)
	for _, sql := range []string{
		`SELECT enqueue_job($1, 'x')`, `SELECT create_user($1, 'late@example.org')`,
		`SELECT create_document($1, '00000000-0000-0000-0000-000000000010', 't', 'b')`,
		`SELECT create_api_key($1, 'k', 'sk_live_abcd', repeat('a', 64))`,
	} {
		_, err := db.Exec(ctx, d.API, sql, id)
		require.Equal(t, errs.NotFound, errs.From(err).Code, sql)
	}
	open, err := db.Get[int64](t.Context(), d.Owner, "row", `SELECT count(*) FROM api_keys WHERE tenant_id = $1 AND revoked_at IS NULL`, id)
	require.NoError(t, err)
	require.Zero(t, open)

	proof, err := app.TenantDeleter{Tenants: r}.Delete(t.Context(), id, "third", func(int64) {})
	require.NoError(t, err)
	require.Equal(t, "first", proof.StartedBy)
	require.Equal(t, begun.RowsBefore, proof.RowsBefore)
	_, err = db.Exec(ctx, d.API, `SELECT enqueue_job($1, 'x')`, id)
	require.Equal(t, errs.NotFound, errs.From(err).Code, "jobs have no foreign key, but a guard")

	for _, sql := range []string{`SELECT begin_tenant_deletion($1)`, `SELECT delete_tenant($1)`, `SELECT finish_tenant_deletion($1)`, `SELECT set_tenant_limits($1, '{}')`} {
		for _, h := range []*db.DB{d.API, d.Worker} {
			_, err := db.Exec(act(t.Context(), seed.Tenants()[1].ID), h, sql, seed.Tenants()[1].ID)
			require.Equal(t, errs.Forbidden, errs.From(err).Code, sql)
		}
	}
}

// objects is an object store; it fails as often as it is told.
type objects struct{ fail, asked int }

// DeleteAll deletes seven, then none.
func (o *objects) DeleteAll(context.Context, uuid.UUID) (int, error) {
	if o.asked++; o.asked <= o.fail {
		return 0, errs.New(errs.Unavailable, "The storage does not answer.")
	}
	if o.asked == o.fail+1 {
		return 7, nil
	}
	return 0, nil
}

func TestDeleteObjects(t *testing.T) {
	t.Parallel()

	d, id := populated(t)
	o := &objects{fail: 1}
	deleter := app.TenantDeleter{Tenants: tenancy.New(d.Owner), Objects: o}
	_, err := deleter.Delete(t.Context(), id, "x", func(int64) {})
	require.Equal(t, errs.Unavailable, errs.From(err).Code)
	counts, err := deleter.Tenants.Counts(t.Context(), id)
	require.NoError(t, err)
	require.Positive(t, counts["files"], "the records stay while the objects are there")
	proof, err := deleter.Delete(t.Context(), id, "x", func(int64) {})
	require.NoError(t, err)
	require.EqualValues(t, 7, *proof.ObjectsDeleted)
}
