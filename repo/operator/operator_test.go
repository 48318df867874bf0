package operator_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/document"
	"stackforge/repo/operator"
	"stackforge/tenant"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

type bundle struct {
	d     *dbtest.DB
	repo  *operator.Repo
	ctx   context.Context //nolint:containedctx // a test's
	scope tenant.Scope
}

func setup(t *testing.T) bundle {
	t.Helper()

	d := dbtest.New(t)
	s := dbtest.Tenant(t, d)
	s.Scopes = []string{"*", "operator:read"}
	return bundle{d, operator.New(d.API), tenant.With(t.Context(), s), s}
}

// fill makes documents, so that an index pays.
func (b bundle) fill(t *testing.T) {
	t.Helper()

	b.d.Exec(t, `INSERT INTO documents (tenant_id, author_id, title, body) SELECT $1, $2, 'title ' || i, 'body ' || i FROM generate_series(1, 5000) i`, b.scope.TenantID, b.scope.UserID)
	b.d.Exec(t, `ANALYZE documents`)
}

func TestOnlyOperators(t *testing.T) {
	t.Parallel()

	b := setup(t)
	s := b.scope
	s.Scopes = []string{"*"}
	ctx := tenant.With(t.Context(), s)
	_, err := b.repo.SlowQueries(ctx, 10)
	require.True(t, errs.Is(err, errs.Forbidden), "%v", err)
	_, err = b.repo.Partitions(ctx)
	require.True(t, errs.Is(err, errs.Forbidden), "%v", err)
	_, err = b.repo.AuditSettings(ctx)
	require.True(t, errs.Is(err, errs.Forbidden), "%v", err)
}

func TestSlowQueries(t *testing.T) {
	t.Parallel()

	t.Run("statements are told by name, without what they are about", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		_, _, err := document.New(b.d.API).Get(b.ctx, b.scope.TenantID)
		require.True(t, errs.Is(err, errs.NotFound))
		b.d.Exec(t, `CREATE ROLE dbtest_secret PASSWORD 'hush-hush'; DROP ROLE dbtest_secret`)
		b.d.Exec(t, `DO $$ BEGIN PERFORM 'hush-hush'; END $$`)
		list, err := b.repo.SlowQueries(b.ctx, 100)
		require.NoError(t, err)
		named := false
		for i, q := range list {
			if i > 0 {
				require.GreaterOrEqual(t, list[i-1].TotalSeconds, q.TotalSeconds)
			}
			require.NotNil(t, q.Snippet)
			require.LessOrEqual(t, len([]rune(*q.Snippet)), 100)
			require.NotContains(t, *q.Snippet, "hush")
			require.Positive(t, q.Calls)
			require.GreaterOrEqual(t, q.MaxMs, q.MeanMs)
			named = named || q.Name != nil && *q.Name == "document.Get" && strings.HasPrefix(*q.Snippet, "SELECT") && q.Role == "app_api"
		}
		require.True(t, named, "%+v", list)
		for _, first := range []int{0, 101, -1} {
			_, err = b.repo.SlowQueries(b.ctx, first)
			require.Equal(t, "first", errs.From(err).Field)
		}
	})

	t.Run("without the extension it is not implemented", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.d.Exec(t, `DROP EXTENSION pg_stat_statements`)
		_, err := b.repo.SlowQueries(b.ctx, 10)
		require.True(t, errs.Is(err, errs.NotImplemented), "%v", err)
		require.Contains(t, err.Error(), "pg_stat_statements")
	})

	t.Run("literals are masked", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		for text, want := range map[string]string{
			`select 'a''b', E'x\'y', 12, t1.a from b where x = $1 and y = 2.5`: "select ?, E?, ?, t1.a from b where x = $1 and y = ?",
			"-- name: a.B\nselect  1 /* 'x' */":                                "select ?",
			`select $a$ hush $b$ hush $a$, $$x$$`:                              "select ?, ?",
			`select 'cut of`:                                                   "select ?",
		} {
			got, err := db.Get[string](t.Context(), b.d.Owner, "text", `SELECT mask_literals(@text)`, pgx.NamedArgs{"text": text})
			require.NoError(t, err)
			require.Equal(t, want, got, text)
		}
	})
}

func TestAdvise(t *testing.T) {
	t.Parallel()

	t.Run("an index that would help is named with its gain", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.fill(t)
		for _, query := range []string{
			`SELECT id FROM documents WHERE body = $1`, `SELECT id FROM documents d WHERE body = 'body 7';`, `UPDATE documents SET language = 'de' WHERE body = $1`,
			`DELETE FROM documents WHERE body = $1`, "-- a comment; with a semicolon\nWITH x AS (SELECT * FROM documents WHERE body = $1) SELECT count(*) FROM x",
		} {
			a, err := b.repo.Advise(b.ctx, query)
			require.NoError(t, err, query)
			require.Len(t, a.Suggestions, 1, query)
			require.Equal(t, "CREATE INDEX ON documents (tenant_id, body)", a.Suggestions[0].Statement, query)
			if dbtest.Lane() == dbtest.Bare {
				require.Equal(t, "plan", a.Method)
				require.Nil(t, a.CostAfter)
				require.Nil(t, a.Suggestions[0].EstimatedBytes)
				require.Contains(t, fmt.Sprint(a.Notes), "hypopg")
				continue
			}
			require.Equal(t, "hypopg", a.Method)
			require.Less(t, *a.CostAfter, a.CostBefore/10)
			require.Positive(t, *a.Suggestions[0].EstimatedBytes)
		}
		n, err := db.Get[int](t.Context(), b.d.Owner, "count", `SELECT count(*) FROM documents WHERE language = 'en'`)
		require.NoError(t, err)
		require.Equal(t, 5000, n, "nothing was executed")
	})

	t.Run("what an index serves already needs none", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.fill(t)
		for _, query := range []string{
			`SELECT * FROM documents WHERE id = $1`, `SELECT id FROM documents ORDER BY created_at DESC, id DESC LIMIT 20`, `SELECT 1`, `VALUES (1)`,
			`SELECT id FROM jobs WHERE tenant_id = $1 ORDER BY created_at DESC, id DESC LIMIT 20`,
			`INSERT INTO documents (tenant_id, author_id, title, body) VALUES ($1, $2, $3, $4)`,
		} {
			a, err := b.repo.Advise(b.ctx, query)
			require.NoError(t, err, query)
			require.Empty(t, a.Suggestions, query)
		}
	})

	t.Run("partitions are advised on as one table", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.d.Exec(t, `INSERT INTO jobs (tenant_id, type, status, finished_at, last_error) SELECT $1, 'x', 'failed', now() - i * interval '1 hour', 'e' || i FROM generate_series(1, 5000) i`, b.scope.TenantID)
		b.d.Exec(t, `ANALYZE jobs`)
		a, err := b.repo.Advise(b.ctx, `SELECT id FROM jobs WHERE last_error = $1`)
		require.NoError(t, err)
		require.Len(t, a.Suggestions, 1)
		require.Equal(t, "jobs", a.Suggestions[0].Table)
		require.Equal(t, "CREATE INDEX ON jobs (tenant_id, last_error)", a.Suggestions[0].Statement)
	})

	t.Run("only one statement that the API might run is planned", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		for _, query := range []string{
			``, ` `, `;`, `-- nothing`, `SELECT 1; SELECT 2`, `SELECT 1; DROP TABLE documents`, `SELECT 1;;DELETE FROM jobs`, `SELECT ';'; SELECT 1`, `SELECT $$;$$; SELECT 1`, `SELECT 1; 'x'`,
			`DROP TABLE documents`, `EXPLAIN SELECT 1`, `ANALYZE`, `COPY documents TO STDOUT`, `SET role = postgres`, `DO $$ BEGIN END $$`, `CREATE TABLE x AS SELECT 1`, `EXECUTE x`,
			`PREPARE y AS SELECT 1`, `SELECT` + "\x00", strings.Repeat("a", 20_001), `selekt 1`, `SELECT * FROM nosuch`, `SELECT nosuch FROM documents`, `SELECT 1 FROM`, `SELECT 'open`,
			`SELECT key_hash FROM api_keys`, `SELECT * FROM tenant_document_stats`, `SELECT * FROM core.job_counts`, `SELECT /* open`, `SELECT * FROM jobs_live`,
		} {
			_, err := b.repo.Advise(b.ctx, query)
			require.True(t, errs.Is(err, errs.Validation), "%q: %v", query, err)
			require.Equal(t, "query", errs.From(err).Field, query)
			require.NotContains(t, err.Error(), "nosuch")
		}
		// Nothing of it stays in a connection.
		n, err := db.Get[int](t.Context(), b.d.API, "count", `SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'advice%'`)
		require.NoError(t, err)
		require.Zero(t, n)
		_, err = b.repo.Advise(b.ctx, `SELECT ';', $$a;b$$, "id" FROM documents /* ; */ ; -- the end`)
		require.NoError(t, err)
		_, _ = b.repo.Advise(b.ctx, `SELECT 1 AS a INTO made`) // planned or not, it is not executed
		made, err := db.Get[bool](t.Context(), b.d.Owner, "table", `SELECT to_regclass('made') IS NOT NULL`)
		require.NoError(t, err)
		require.False(t, made)
	})

	t.Run("a statement that takes long to plan is stopped", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		_, err := b.repo.Advise(b.ctx, `SELECT length(repeat(repeat('x', 1000), 1000000))`)
		require.Error(t, err)
		_, err = b.repo.Advise(b.ctx, `SELECT 1`)
		require.NoError(t, err)
	})
}

func TestTableSizes(t *testing.T) {
	t.Parallel()

	b := setup(t)
	b.fill(t)
	list, err := b.repo.TableSizes(b.ctx, 100)
	require.NoError(t, err)
	byName := map[string]operator.TableSize{}
	for i, s := range list {
		byName[s.Name] = s
		if i > 0 {
			require.GreaterOrEqual(t, list[i-1].TableBytes+list[i-1].IndexBytes, s.TableBytes+s.IndexBytes)
		}
	}
	require.Equal(t, int64(5000), byName["documents"].EstimatedRows)
	require.Greater(t, byName["documents"].TableBytes, int64(400_000))
	require.Positive(t, byName["documents"].IndexBytes)
	require.Zero(t, byName["documents"].Partitions)
	require.Greater(t, byName["jobs"].Partitions, 5)
	require.Contains(t, byName, "core.search_words")
	require.NotContains(t, byName, "jobs_live")
	few, err := b.repo.TableSizes(b.ctx, 1)
	require.NoError(t, err)
	require.Len(t, few, 1)
	_, err = b.repo.TableSizes(b.ctx, 0)
	require.Equal(t, "first", errs.From(err).Field)
}

func TestAuditSettings(t *testing.T) {
	t.Parallel()

	b := setup(t)
	a, err := b.repo.AuditSettings(b.ctx)
	require.NoError(t, err)
	require.NotEmpty(t, a.Missing)
	if !a.IsLoaded {
		require.Nil(t, a.Log)
		require.Equal(t, []string{"pgaudit is not in shared_preload_libraries."}, a.Missing)
		return
	}
	require.Contains(t, strings.Join(a.Missing, "\n"), "pgaudit.role names no role")
	conn := b.d.Connect(t)
	var name string
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT current_database()`).Scan(&name))
	role := name + "_auditor" // roles belong to the server
	b.d.Exec(t, fmt.Sprintf(`CREATE ROLE %[2]s NOLOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON documents TO %[2]s;
		ALTER DATABASE %[1]s SET pgaudit.role = '%[2]s'; ALTER DATABASE %[1]s SET pgaudit.log = 'write, ddl'; ALTER DATABASE %[1]s SET pgaudit.log_catalog = 'off'`, name, role))
	t.Cleanup(func() {
		_, err := conn.Exec(context.WithoutCancel(t.Context()), fmt.Sprintf(`ALTER DATABASE %[1]s RESET ALL; DROP OWNED BY %[2]s; DROP ROLE %[2]s`, name, role))
		require.NoError(t, err)
	})
	a, err = operator.New(b.d.Open(t, db.Config{Role: db.RoleAPI})).AuditSettings(b.ctx)
	require.NoError(t, err)
	require.Empty(t, a.Missing)
	require.Equal(t, role, *a.Role)
	require.Equal(t, []string{"documents"}, a.AuditedTables)
}

func TestPartitions(t *testing.T) {
	t.Parallel()

	b := setup(t)
	states := func() map[string]operator.Partitions {
		list, err := b.repo.Partitions(b.ctx)
		require.NoError(t, err)
		out := map[string]operator.Partitions{}
		for _, p := range list {
			out[p.Parent] = p
		}
		return out
	}
	jobs := states()["jobs_finished"]
	require.Equal(t, 3, jobs.MadeAhead)
	require.Equal(t, 4, jobs.Partitions)
	require.Equal(t, "6 mons", *jobs.Retention)
	require.Zero(t, jobs.DefaultRows)
	b.d.Exec(t, `INSERT INTO jobs (tenant_id, type, status, finished_at) SELECT $1, 'x', 'done', '2001-01-01' FROM generate_series(1, 3)`, b.scope.TenantID)
	require.Equal(t, int64(3), states()["jobs_finished"].DefaultRows)
	// A row of the table changes what is made.
	b.d.Exec(t, `UPDATE core.partition_config SET premade = 5 WHERE parent = 'jobs_finished'; SELECT ensure_partitions()`)
	require.Equal(t, 5, states()["jobs_finished"].MadeAhead)
}

func TestRuns(t *testing.T) {
	t.Parallel()

	b := setup(t)
	b.d.Exec(t, `INSERT INTO core.maintenance_runs (task, tick, started_at, finished_at, outcome) VALUES
		('a', now() - interval '2 h', now() - interval '2 h', now(), '3 jobs'), ('b', current_timestamp, now(), NULL, NULL), ('a', now(), now() - interval '1 h', now(), 'error: Too slow.')`)
	list, err := b.repo.Runs(b.ctx, 2, nil)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, "b", list[0].Task)
	require.Nil(t, list[0].FinishedAt)
	require.True(t, list[1].Failed)
	task := "a"
	list, err = b.repo.Runs(b.ctx, 100, &task)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, "3 jobs", *list[1].Outcome)
	_, err = b.repo.Runs(b.ctx, 101, nil)
	require.Equal(t, "first", errs.From(err).Field)
}
