package db

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strconv"
	"strings"

	"github.com/golang-migrate/migrate/v4"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// MigrateConfig is what Migrate needs beside the files.
type MigrateConfig struct {
	Config                // the URL must be of the database's owner or of a superuser; Role is ignored
	Extensions Extensions // default auto
}

// Report says what Migrate did.
type Report struct {
	Applied   []string // numbered files
	Functions []string // function files
	Missing   []string // optional extensions that this database does not have
}

// migrateLock serialises runners on one database.
const migrateLock = 7_213_045_118

// Migrate brings a database to the state of files: roles, extensions, numbered files, functions. It is safe to run
// from several processes at once. A numbered file that was changed after it had been applied is refused.
func Migrate(ctx context.Context, c MigrateConfig, files fs.FS) (Report, error) {
	c.Role = RoleLogin
	// One long statement may be an index on a large table.
	pc, err := c.parse()
	if err != nil {
		return Report{}, err
	}
	cc := pc.ConnConfig
	cc.RuntimeParams["statement_timeout"] = "0"
	conn, err := pgx.ConnectConfig(ctx, cc)
	if err != nil {
		return Report{}, fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))

	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(migrateLock)); err != nil {
		return Report{}, fmt.Errorf("wait for another migration: %w", err)
	}
	m := migrator{conn: conn, config: cc, files: files, mode: or(c.Extensions, ExtensionsAuto)}
	err = m.run(ctx)
	return m.report, err
}

type migrator struct {
	conn   *pgx.Conn
	config *pgx.ConnConfig
	files  fs.FS
	mode   Extensions
	have   map[string]bool // extensions of this database
	report Report
}

func (m *migrator) run(ctx context.Context) error {
	if _, err := m.conn.Exec(ctx, bootstrapSQL); err != nil {
		return fmt.Errorf("create roles: %w (an administrator can create stackforge_owner, app_api, app_worker, app_readonly, app_graphql and app_graphql_write as docs/operations.md says)", err)
	}
	var err error
	if m.have, err = createExtensions(ctx, m.conn, m.mode); err != nil {
		return err
	}
	for _, e := range known() {
		if !m.have[e.name] && !e.never {
			m.report.Missing = append(m.report.Missing, e.name)
		}
	}
	if _, err := m.conn.Exec(ctx, `SET ROLE stackforge_owner; `+versionTableSQL); err != nil {
		return fmt.Errorf("create core.schema_version: %w", err)
	}
	if err := m.numbered(ctx); err != nil {
		return err
	}
	return m.functions(ctx)
}

// bootstrapSQL runs as the user of the URL: roles belong to the whole server and may be there already.
const bootstrapSQL = `
DO $$
DECLARE
    r text;
BEGIN
    FOREACH r IN ARRAY ARRAY['stackforge_owner', 'app_api', 'app_worker', 'app_readonly', 'app_graphql', 'app_graphql_write'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', r);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- another database of this server was quicker
        END;
        IF NOT pg_has_role(current_user, r, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', r);
        END IF;
    END LOOP;
    -- The API acts as the two roles of pg_graphql for the operations that it passes on.
    FOREACH r IN ARRAY ARRAY['app_graphql app_graphql_write', 'app_graphql_write app_api'] LOOP
        IF NOT pg_has_role(split_part(r, ' ', 2), split_part(r, ' ', 1), 'MEMBER') THEN
            BEGIN
                EXECUTE format('GRANT %I TO %I', split_part(r, ' ', 1), split_part(r, ' ', 2));
            EXCEPTION WHEN internal_error OR unique_violation THEN
                NULL; -- another database of this server was quicker
            END;
        END IF;
    END LOOP;
    -- The list of slow statements shows those of the other roles, too; without this right it shows their times only.
    IF NOT pg_has_role('stackforge_owner', 'pg_read_all_stats', 'MEMBER') THEN
        BEGIN
            GRANT pg_read_all_stats TO stackforge_owner;
        EXCEPTION WHEN insufficient_privilege OR internal_error THEN
            NULL; -- not ours to grant, or another database of this server was quicker
        END;
    END IF;
    -- pg_graphql keeps nothing of an error but its text, which our door knows in English.
    IF NOT has_parameter_privilege('app_graphql', 'lc_messages', 'SET') THEN
        BEGIN
            GRANT SET ON PARAMETER lc_messages TO app_graphql;
        EXCEPTION WHEN insufficient_privilege OR internal_error OR unique_violation THEN
            NULL; -- as above
        END;
    END IF;
    EXECUTE format('GRANT CREATE, CONNECT ON DATABASE %I TO stackforge_owner', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO app_api, app_worker, app_readonly', current_database());
    GRANT CREATE, USAGE ON SCHEMA public TO stackforge_owner;
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'core') THEN
        CREATE SCHEMA core AUTHORIZATION stackforge_owner;
    END IF;
END $$`

const versionTableSQL = `
CREATE TABLE IF NOT EXISTS core.schema_version (
    module text PRIMARY KEY,
    version int NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    migration_hash text NOT NULL
)`

// file is one SQL file of the product.
type file struct {
	module  string // 0001_core, functions/claim_job
	version int
	text    string
	hash    string
}

func (m *migrator) numbered(ctx context.Context) error {
	files, err := numberedFiles(m.files)
	if err != nil {
		return err
	}
	applied, err := m.applied(ctx)
	if err != nil {
		return err
	}
	for _, f := range files {
		if hash, ok := applied[f.module]; ok && hash != f.hash {
			return fmt.Errorf("migration %s was changed after it had been applied; write a new one instead", f.module)
		}
	}
	done, err := m.up(ctx, files)
	for _, f := range files {
		if _, ok := applied[f.module]; ok || f.version > done {
			continue
		}
		m.report.Applied = append(m.report.Applied, f.module)
		if rerr := m.record(ctx, m.conn, f); rerr != nil {
			return rerr
		}
	}
	return err
}

// up runs golang-migrate and returns the version the database is at afterwards. A file is one transaction, so a failed
// one left nothing behind and the version it marked dirty is put back.
func (m *migrator) up(ctx context.Context, files []file) (int, error) {
	config := m.config.Copy()
	config.RuntimeParams["role"] = string(RoleOwner)
	sqlDB := sql.OpenDB(stdlib.GetConnector(*config))
	defer sqlDB.Close()
	driver, err := migratepgx.WithInstance(sqlDB, &migratepgx.Config{MigrationsTable: `"core"."schema_migrations"`, MigrationsTableQuoted: true})
	if err != nil {
		return 0, fmt.Errorf("prepare migrations: %w", err)
	}
	src, err := iofs.New(m.files, ".")
	if err != nil {
		return 0, fmt.Errorf("read migrations: %w", err)
	}
	mg, err := migrate.NewWithInstance("iofs", src, "pgx5", driver)
	if err != nil {
		return 0, err
	}
	defer mg.Close()
	stop := context.AfterFunc(ctx, func() { mg.GracefulStop <- true })
	defer stop()

	err = mg.Up()
	if errors.Is(err, migrate.ErrNoChange) {
		err = nil
	}
	version, dirty, verr := mg.Version()
	if verr != nil && !errors.Is(verr, migrate.ErrNilVersion) {
		return 0, errors.Join(err, verr)
	}
	if !dirty {
		return int(version), err
	}
	failed := int(version)
	previous := -1
	for _, f := range files {
		if f.version < failed {
			previous = f.version
		}
	}
	if ferr := mg.Force(previous); ferr != nil {
		return previous, errors.Join(err, ferr)
	}
	return previous, fmt.Errorf("migration %04d: %w", failed, err)
}

// functions applies every changed file of functions/ in one transaction.
func (m *migrator) functions(ctx context.Context) error {
	files, err := functionFiles(m.files, m.have)
	if err != nil {
		return err
	}
	applied, err := m.applied(ctx)
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, m.conn, func(tx pgx.Tx) error {
		// A function may name one that comes later; TestFunctions checks the bodies.
		if _, err := tx.Exec(ctx, `SET LOCAL check_function_bodies = off; SET LOCAL client_min_messages = warning`, pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
		for _, f := range files {
			if applied[f.module] == f.hash {
				continue
			}
			if _, err := tx.Exec(ctx, f.text, pgx.QueryExecModeSimpleProtocol); err != nil {
				return fmt.Errorf("%s: %w", f.module, err)
			}
			if err := m.record(ctx, tx, f); err != nil {
				return err
			}
			m.report.Functions = append(m.report.Functions, f.module)
		}
		return nil
	})
}

func (m *migrator) applied(ctx context.Context) (map[string]string, error) {
	rows, err := m.conn.Query(ctx, `SELECT module, migration_hash FROM core.schema_version`)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	var module, hash string
	_, err = pgx.ForEachRow(rows, []any{&module, &hash}, func() error { out[module] = hash; return nil })
	return out, err
}

type execer interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func (m *migrator) record(ctx context.Context, x execer, f file) error {
	var version int
	err := x.QueryRow(ctx, `
		INSERT INTO core.schema_version AS v (module, version, migration_hash) VALUES ($1, $2, $3)
		ON CONFLICT (module) DO UPDATE SET version = v.version + 1, applied_at = now(), migration_hash = excluded.migration_hash
		RETURNING version`, f.module, f.version, f.hash).Scan(&version)
	if err != nil {
		return fmt.Errorf("record %s: %w", f.module, err)
	}
	return nil
}

func readFile(files fs.FS, name, module string, version int) (file, error) {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return file{}, err
	}
	sum := sha256.Sum256(text)
	return file{module: module, version: version, text: string(text), hash: hex.EncodeToString(sum[:])}, nil
}

func numberedFiles(files fs.FS) ([]file, error) {
	names, err := fs.Glob(files, "*.up.sql")
	if err != nil {
		return nil, err
	}
	sort.Strings(names)
	out := make([]file, 0, len(names))
	for _, n := range names {
		version, err := strconv.Atoi(n[:4])
		if err != nil {
			return nil, fmt.Errorf("migration %s has no number", n)
		}
		f, err := readFile(files, n, strings.TrimSuffix(n, ".up.sql"), version)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// functionFiles returns the files that fit this server: `-- requires: x` and `-- unless: x` in the first line choose
// between two files of one name (x.sql and x.plain.sql).
func functionFiles(files fs.FS, have map[string]bool) ([]file, error) {
	names, err := fs.Glob(files, "functions/*.sql")
	if err != nil {
		return nil, err
	}
	sort.Strings(names)
	var out []file
	for _, n := range names {
		module := "functions/" + strings.TrimSuffix(strings.TrimSuffix(path.Base(n), ".sql"), ".plain")
		f, err := readFile(files, n, module, 1)
		if err != nil {
			return nil, err
		}
		first, _, _ := strings.Cut(f.text, "\n")
		if x, ok := strings.CutPrefix(first, "-- requires: "); ok && !have[x] {
			continue
		}
		if x, ok := strings.CutPrefix(first, "-- unless: "); ok && have[x] {
			continue
		}
		out = append(out, f)
	}
	return out, nil
}

// Pending returns the numbered files and functions that Migrate would apply; the API is not ready while there are any.
func Pending(ctx context.Context, h Handle, files fs.FS) ([]string, error) {
	type row struct {
		Module string `db:"module"`
		Hash   string `db:"migration_hash"`
	}
	rows, err := List[row](ctx, Read(h), `
		-- name: db.Pending
		SELECT module, migration_hash
		FROM core.schema_version
		ORDER BY module`)
	if err != nil {
		return nil, err
	}
	applied := map[string]string{}
	for _, r := range rows {
		applied[r.Module] = r.Hash
	}
	numbered, err := numberedFiles(files)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range numbered {
		if applied[f.module] != f.hash {
			out = append(out, f.module)
		}
	}
	// Either variant of a function file will do: which one fits was decided when it was applied.
	names, err := fs.Glob(files, "functions/*.sql")
	if err != nil {
		return nil, err
	}
	fresh := map[string]bool{}
	for _, n := range names {
		module := "functions/" + strings.TrimSuffix(strings.TrimSuffix(path.Base(n), ".sql"), ".plain")
		f, err := readFile(files, n, module, 1)
		if err != nil {
			return nil, err
		}
		fresh[module] = fresh[module] || applied[module] == f.hash || isVariant(f.text) && applied[module] == ""
	}
	for module, ok := range fresh {
		if !ok {
			out = append(out, module)
		}
	}
	sort.Strings(out)
	return out, nil
}

func isVariant(text string) bool {
	return strings.HasPrefix(text, "-- requires: ") || strings.HasPrefix(text, "-- unless: ")
}
