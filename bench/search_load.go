package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// lane is a database with all extensions of the server, or with those of PostgreSQL's contrib only.
type lane struct {
	*dataset

	name    string // full or bare
	corpus  *corpus
	vectors int       // documents that have one
	owner   *pgx.Conn // passes row security
	env     []string  // of processes, beside settings
}

// lanes are those that -lanes names.
func lanes() []string { return []string{"full", "bare"} }

// extensions is the setting of a lane.
func extensions(lane string) string {
	if lane == "bare" {
		return "PG_EXTENSIONS=contrib"
	}
	return "PG_EXTENSIONS=auto"
}

// lane makes a database with a tenant, its users, and documents made up; the first of them have vectors.
func (b *bench) lane(ctx context.Context, name, database string, documents, vectors int, words []string) (*lane, error) {
	d, err := b.database(ctx, database, extensions(name))
	if err != nil {
		return nil, err
	}
	l := &lane{dataset: d, name: name, vectors: vectors, env: []string{extensions(name), "EMBEDDING_MODEL=" + benchModel}}
	if l.owner, err = connect(ctx, d.url); err != nil {
		return nil, err
	}
	brackets := "[]"
	if !l.has(ctx, "vector") {
		brackets = "{}"
	}
	l.corpus = newCorpus(documents, words, newVectors(brackets))
	if name == "full" && (!l.has(ctx, "vector") || !l.has(ctx, "postgis")) {
		return nil, fmt.Errorf("the server has no postgis or no vector: -lanes bare measures what is left")
	}
	begin := time.Now()
	if err := l.load(ctx); err != nil {
		return nil, fmt.Errorf("load documents: %w", err)
	}
	took := time.Since(begin)
	b.logf("%s documents loaded in %s", count(float64(documents)), took.Round(time.Second))
	folded, err := l.fold(ctx)
	if err != nil {
		return nil, fmt.Errorf("count words: %w", err)
	}
	var counted int
	if err := l.owner.QueryRow(ctx, "SELECT count(*) FROM core.search_words").Scan(&counted); err != nil {
		return nil, err
	}
	b.report.note("search "+name, "load, with all indexes and the vocabulary", seconds(took), fmt.Sprintf("%s documents, %s with a vector; %s words, counted in %s",
		count(float64(documents)), count(float64(vectors)), count(float64(counted)), seconds(folded)), "")
	return l, nil
}

func (l *lane) has(ctx context.Context, extension string) bool {
	var there bool
	err := l.owner.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = $1)", extension).Scan(&there)
	return err == nil && there
}

// authors is how many users write documents.
const authors = 1000

// loadBatch is how many documents one statement writes; the triggers of the vocabulary run once for each.
const loadBatch = 5000

// load copies the documents in with all triggers, as the import does.
func (l *lane) load(ctx context.Context) error {
	if _, err := l.owner.Exec(ctx, `INSERT INTO app_users (tenant_id, email) SELECT $1, 'user' || n || '@example.com' FROM generate_series(1, $2::int) n`, l.tenant, authors); err != nil {
		return err
	}
	graphs, err := l.dropGraphs(ctx)
	if err != nil {
		return err
	}
	if err := l.copyIn(ctx); err != nil {
		return err
	}
	begin := time.Now()
	for _, sql := range append([]string{"SET maintenance_work_mem = '1GB'"}, graphs...) {
		if _, err := l.owner.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	if len(graphs) > 0 {
		fmt.Fprintf(os.Stderr, "bench: index of %s vectors made in %s\n", count(float64(l.vectors)), time.Since(begin).Round(time.Second))
	}
	return nil
}

// copyIn copies documents in for the users that there are.
func (l *lane) copyIn(ctx context.Context) error {
	var users []string
	if err := l.owner.QueryRow(ctx, `SELECT array_agg(id::text ORDER BY email) FROM app_users WHERE tenant_id = $1`, l.tenant).Scan(&users); err != nil {
		return err
	}
	var rows bytes.Buffer
	for n := 1; n <= l.corpus.documents; n++ {
		rows.Write(l.corpus.row(nil, n, l.tenant.String(), users[n%len(users)], n <= l.vectors))
		if n%loadBatch > 0 && n < l.corpus.documents {
			continue
		}
		if _, err := l.owner.PgConn().CopyFrom(ctx, &rows, "COPY documents ("+corpusColumns+") FROM STDIN"); err != nil {
			return err
		}
	}
	return nil
}

// dropGraphs drops the indexes of vectors and returns the statements that make them again: to make one of all vectors at
// once takes a fraction of what adding them one by one does.
func (l *lane) dropGraphs(ctx context.Context) ([]string, error) {
	return l.dropWhere(ctx, "i.indrelid = 'documents'::regclass AND a.amname = 'hnsw'")
}

// dropIndexes drops the indexes of tables, but for those of constraints, and returns the statements that make them again.
func (l *lane) dropIndexes(ctx context.Context, tables ...string) ([]string, error) {
	return l.dropWhere(ctx, "i.indrelid::regclass::text IN ('"+strings.Join(tables, "', '")+"') AND NOT i.indisunique")
}

func (l *lane) dropWhere(ctx context.Context, condition string) ([]string, error) {
	rows, err := l.owner.Query(ctx, `SELECT indexrelid::regclass::text, replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ') FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
		JOIN pg_am a ON a.oid = c.relam WHERE `+condition+" ORDER BY 1")
	if err != nil {
		return nil, err
	}
	var names, makes []string
	var name, def string
	if _, err := pgx.ForEachRow(rows, []any{&name, &def}, func() error {
		names, makes = append(names, name), append(makes, def)
		return nil
	}); err != nil {
		return nil, err
	}
	if len(names) > 0 {
		_, err = l.owner.Exec(ctx, "DROP INDEX "+strings.Join(names, ", "))
	}
	return makes, err
}

// fold lets the counts of the vocabulary follow, as a worker does, and has statistics made.
func (l *lane) fold(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	for n := 1; n > 0; {
		if err := l.owner.QueryRow(ctx, "SELECT fold_search_words()").Scan(&n); err != nil {
			return 0, err
		}
	}
	took := time.Since(begin)
	for _, sql := range []string{"VACUUM (ANALYZE)", "CHECKPOINT"} {
		if _, err := l.owner.Exec(ctx, sql); err != nil {
			return 0, err
		}
	}
	return took, nil
}

// ownIndex gives the tenant a full-text index of its own, as an operator would, and returns its kind.
func (l *lane) ownIndex(ctx context.Context, b *bench, args ...string) (string, error) {
	args = append([]string{"search", "index"}, args...)
	begin := time.Now()
	if _, err := b.output(ctx, append(settings(l.url, "127.0.0.1:0", b.dir), l.env...), args...); err != nil {
		return "", err
	}
	took := time.Since(begin)
	if _, err := l.owner.Exec(ctx, "VACUUM (ANALYZE) documents"); err != nil {
		return "", err
	}
	var kind, sizes string
	if err := l.owner.QueryRow(ctx, `
		SELECT coalesce((SELECT index_kind FROM core.search_tenants WHERE tenant_id = $1), 'shared'),
		       string_agg(format('%s %s', c.relname, pg_size_pretty(pg_relation_size(c.oid))), '; ' ORDER BY c.relname)
		FROM pg_class c WHERE c.relname = 'ix_documents_search' OR c.relname LIKE 'ix\_documents\_search\_t\_%'`, l.tenant).Scan(&kind, &sizes); err != nil {
		return "", err
	}
	b.report.note("search "+l.name, "stackforge "+strings.ReplaceAll(strings.Join(args, " "), l.tenant.String(), "…"), seconds(took), sizes, "")
	return kind, nil
}

// act opens a connection that acts as the API for the tenant.
func (l *lane) act(ctx context.Context, tenant uuid.UUID) (*pgx.Conn, error) {
	c, err := connect(ctx, l.url)
	if err != nil {
		return nil, err
	}
	_, err = c.Exec(ctx, "SELECT set_config('role', 'app_api', false), set_config('app.tenant_id', $1, false), set_config('app.roles', '*', false)", tenant.String())
	return c, err
}
