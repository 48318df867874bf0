// Package operator reads what the people who run the server look at: slow statements, sizes, partitions, audit, scheduled
// tasks, and advice on indexes. It tells of all tenants: its callers need the scope operator:read, which "*" does not
// include (tenant.Scope.Allows) and only `stackforge key create --operator` grants. The functions check it again.
package operator

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"stackforge/db"
	"stackforge/errs"
)

// SlowQuery is a statement that took much time.
type SlowQuery struct {
	QueryID      *string `db:"query_id"`
	Name         *string // nil for statements without a name
	Snippet      *string // nil when the owner may not read it
	Calls        int64
	TotalSeconds float64 `db:"total_seconds"`
	MeanMs       float64 `db:"mean_ms"`
	MaxMs        float64 `db:"max_ms"`
	Rows         int64   `db:"row_count"`
	Role         string
}

// TableSize is a table with its partitions.
type TableSize struct {
	Name          string
	EstimatedRows int64
	TableBytes    int64
	IndexBytes    int64
	DeadRows      int64
	Partitions    int
	LastVacuumAt  *time.Time
}

// AuditSettings is how pgaudit is set. The pointers are nil when it is not loaded.
type AuditSettings struct {
	IsLoaded      bool
	Log           *string
	LogCatalog    *bool
	LogParameter  *bool
	Role          *string
	AuditedTables []string
	Missing       []string // sentences
}

// Partitions is how a table that is partitioned by time stands.
type Partitions struct {
	Parent, Period string
	Partitions     int
	Oldest, Newest *string
	Premade        int
	MadeAhead      int
	DefaultRows    int64   // 10,001 for more than 10,000
	Retention      *string // nil when nothing is configured
	Detached       int
}

// Run is one run of a scheduled task.
type Run struct {
	Task            string
	Tick, StartedAt time.Time
	FinishedAt      *time.Time
	Outcome         *string
	Failed          bool
}

// Repo reads. Its handle must act as app_api, with the caller in the context.
type Repo struct{ db db.Handle }

// New returns a Repo on the database.
func New(h db.Handle) *Repo { return &Repo{db: h} }

const maxList = 100

func checkFirst(first int) error {
	if first < 1 || first > maxList {
		return errs.Field("first", "Ask for 1 to 100.")
	}
	return nil
}

// SlowQueries returns the statements that took most time in all. It is errs.NotImplemented without pg_stat_statements.
func (r *Repo) SlowQueries(ctx context.Context, first int) ([]SlowQuery, error) {
	return db.List[SlowQuery](ctx, r.db, `
		-- name: operator.SlowQueries
		SELECT query_id, name, snippet, calls, total_seconds, mean_ms, max_ms, row_count, role
		FROM get_slow_queries(@first)`,
		pgx.NamedArgs{"first": first})
}

// TableSizes returns the largest tables.
func (r *Repo) TableSizes(ctx context.Context, first int) ([]TableSize, error) {
	if err := checkFirst(first); err != nil {
		return nil, err
	}
	return db.List[TableSize](ctx, db.Read(r.db), `
		-- name: operator.TableSizes
		SELECT CASE WHEN n.nspname = 'public' THEN c.relname::text ELSE n.nspname || '.' || c.relname END AS name,
		       sum(greatest(l.reltuples, 0))::bigint AS estimated_rows,
		       sum(pg_table_size(l.oid))::bigint AS table_bytes,
		       sum(pg_indexes_size(l.oid))::bigint AS index_bytes,
		       coalesce(sum(pg_stat_get_dead_tuples(l.oid)), 0)::bigint AS dead_rows,
		       (count(*) FILTER (WHERE l.oid <> c.oid))::int AS partitions,
		       max(greatest(pg_stat_get_last_vacuum_time(l.oid), pg_stat_get_last_autovacuum_time(l.oid))) AS last_vacuum_at
		FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace
		CROSS JOIN LATERAL (
		    SELECT t.oid, t.reltuples
		    FROM pg_partition_tree(c.oid) p
		    JOIN pg_class t ON t.oid = p.relid
		    WHERE p.isleaf
		    UNION ALL
		    SELECT c.oid, c.reltuples
		    WHERE c.relkind <> 'p' AND NOT EXISTS (SELECT FROM pg_partition_tree(c.oid))) l
		WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
		GROUP BY c.oid, n.nspname, c.relname
		ORDER BY sum(pg_total_relation_size(l.oid)) DESC, 1
		LIMIT @first`,
		pgx.NamedArgs{"first": first})
}

// AuditSettings returns how pgaudit is set.
func (r *Repo) AuditSettings(ctx context.Context) (AuditSettings, error) {
	return db.Get[AuditSettings](ctx, db.Read(r.db), "setting", `
		-- name: operator.AuditSettings
		SELECT is_loaded, log, log_catalog, log_parameter, role, audited_tables, missing
		FROM get_audit_settings()`)
}

// Partitions returns how the tables that are partitioned by time stand.
func (r *Repo) Partitions(ctx context.Context) ([]Partitions, error) {
	return db.List[Partitions](ctx, db.Read(r.db), `
		-- name: operator.Partitions
		SELECT parent, period, partitions, oldest, newest, premade, made_ahead, default_rows, retention, detached
		FROM get_partitions()`)
}

// Runs returns the last runs of scheduled tasks, or of one of them, newest first.
func (r *Repo) Runs(ctx context.Context, first int, task *string) ([]Run, error) {
	if err := checkFirst(first); err != nil {
		return nil, err
	}
	return db.List[Run](ctx, db.Read(r.db), `
		-- name: operator.Runs
		SELECT task, tick, started_at, finished_at, outcome, coalesce(outcome LIKE 'error: %', false) AS failed
		FROM core.maintenance_runs
		WHERE @task::text IS NULL OR task = @task
		ORDER BY started_at DESC, task
		LIMIT @first`,
		pgx.NamedArgs{"first": first, "task": task})
}
