package dbtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/cluster"
	"stackforge/migrations"
)

const (
	dateLayout = "20060102"
	buildLock  = 7_213_045_119 // advisory lock of the database postgres: who builds a template
	keepDays   = 1             // databases of the day before yesterday and older are dropped
)

// server is the PostgreSQL server of one test binary.
type server struct {
	admin   *pgxpool.Pool // to the database postgres
	cluster *cluster.Cluster
	url     string
	version int

	template func() (string, error) // builds the template at the first call
}

// shared starts the server at the first test that needs it.
var shared = sync.OnceValues(newServer)

// started tells Run whether there is a server to stop.
var started bool

// Run runs the tests of a package and stops the server if it started one. It returns the exit code for os.Exit.
func Run(m *testing.M) int {
	if !flag.Parsed() {
		flag.Parse()
	}
	code := m.Run()
	if !started {
		return code
	}
	s, err := shared()
	if err != nil {
		return code // the tests that needed it have said so
	}
	if err := s.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "dbtest: stop the server:", err)
		return 1
	}
	return code
}

// start returns the server. It skips the test with -short.
func start(tb testing.TB) *server {
	tb.Helper()

	if testing.Short() {
		tb.Skip("it needs a database")
	}
	s, err := shared()
	require.NoError(tb, err, "start a database server; TEST_DATABASE_URL names another one")
	return s
}

func newServer() (_ *server, err error) {
	started = true
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	s := &server{url: os.Getenv("TEST_DATABASE_URL")}
	if s.url == "" {
		s.cluster, err = cluster.Start(ctx, cluster.Options{
			Ephemeral: true, ContribOnly: Lane() == Bare, Log: zerolog.Nop(),
		})
		if err != nil {
			return nil, err
		}
		s.url = s.cluster.URL("postgres")
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	config, err := pgxpool.ParseConfig(WithDatabase(s.url, "postgres"))
	if err != nil {
		return nil, errors.New("TEST_DATABASE_URL cannot be parsed as a PostgreSQL URL or DSN")
	}
	config.MaxConns, config.MinConns = poolSize, 0
	if s.admin, err = pgxpool.NewWithConfig(context.Background(), config); err != nil {
		return nil, err
	}
	if err := s.admin.QueryRow(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&s.version); err != nil {
		return nil, err
	}
	s.dropOld(ctx)
	s.template = sync.OnceValues(s.buildTemplate)
	return s, nil
}

func (s *server) stop() error {
	if s.admin != nil {
		s.admin.Close()
	}
	if s.cluster == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return s.cluster.Stop(ctx)
}

// dropOld drops what tests and processes that failed left here, found by the date in the name. What is in use, or goes
// at this instant because somebody else does the same, stays.
func (s *server) dropOld(ctx context.Context) {
	rows, err := s.admin.Query(ctx, `SELECT datname FROM pg_database WHERE datname ~ '^(test|tpl)_[0-9]{8}_' ORDER BY datname`)
	if err != nil {
		return
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return
	}
	oldest := time.Now().UTC().AddDate(0, 0, -keepDays).Format(dateLayout)
	date := regexp.MustCompile(`_([0-9]{8})_`)
	for _, name := range names {
		if date.FindStringSubmatch(name)[1] < oldest {
			_ = s.drop(ctx, name)
		}
	}
}

func (s *server) drop(ctx context.Context, name string) error {
	id := pgx.Identifier{name}.Sanitize()
	if _, err := s.admin.Exec(ctx, "ALTER DATABASE "+id+" IS_TEMPLATE false"); err != nil {
		return err
	}
	_, err := s.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+id+" WITH (FORCE)")
	return err
}

// buildTemplate returns the name of the migrated template, which it makes by the real migrations when there is none.
// The name holds the day, the migrations and what the server offers, so that a change of any makes another template.
func (s *server) buildTemplate() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()

	hash, err := s.hash(ctx)
	if err != nil {
		return "", err
	}
	name := "tpl_" + time.Now().UTC().Format(dateLayout) + "_" + hash
	conn, err := s.admin.Acquire(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(buildLock)); err != nil {
		return "", err
	}
	defer conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, int64(buildLock)) //nolint:errcheck // ends with the connection

	var ready, there bool
	err = conn.QueryRow(ctx, `SELECT coalesce(bool_or(datistemplate), false), count(*) > 0 FROM pg_database WHERE datname = $1`, name).Scan(&ready, &there)
	if err != nil || ready {
		return name, err
	}
	if there { // its builder died
		if err := s.drop(ctx, name); err != nil {
			return "", err
		}
	}
	id := pgx.Identifier{name}.Sanitize()
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+id+" TEMPLATE template0 ENCODING 'UTF8'"); err != nil {
		return "", err
	}
	_, err = db.Migrate(ctx, db.MigrateConfig{
		Config:     db.Config{URL: WithDatabase(s.url, name)},
		Extensions: Lane().Extensions(),
	}, migrations.FS)
	if err != nil {
		return "", errors.Join(err, s.drop(ctx, name))
	}
	// A connection to the template would block every copy.
	_, err = conn.Exec(ctx, "ALTER DATABASE "+id+" WITH IS_TEMPLATE true ALLOW_CONNECTIONS false")
	return name, err
}

// hash covers the migrations, the lane and what the server offers.
func (s *server) hash(ctx context.Context) (string, error) {
	h := sha256.New()
	err := fs.WalkDir(migrations.FS, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := fs.ReadFile(migrations.FS, path)
		fmt.Fprintf(h, "%s %d\n%s", path, len(text), text)
		return err
	})
	if err != nil {
		return "", err
	}
	var offers string
	err = s.admin.QueryRow(ctx, `
		SELECT current_setting('shared_preload_libraries') || ' ' || coalesce(string_agg(name || default_version, ' ' ORDER BY name), '')
		FROM pg_available_extensions`).Scan(&offers)
	fmt.Fprintf(h, "%s %s", Lane(), offers)
	return hex.EncodeToString(h.Sum(nil))[:12], err
}

// create makes a database for the test from a template and returns the superuser's URL of it.
func (s *server) create(tb testing.TB, template string) string {
	tb.Helper()

	name := "test_" + time.Now().UTC().Format(dateLayout) + "_" + random(5)
	id := pgx.Identifier{name}.Sanitize()
	sql := "CREATE DATABASE " + id + " TEMPLATE " + pgx.Identifier{template}.Sanitize()
	if s.version >= 150000 {
		sql += " STRATEGY FILE_COPY" // twice as fast as the default for a small template in memory
	}
	_, err := s.admin.Exec(tb.Context(), sql)
	require.NoError(tb, err)
	url := WithDatabase(s.url, name)
	tb.Cleanup(func() {
		if tb.Failed() && s.cluster == nil {
			tb.Logf("kept for a look: psql '%s'", url)
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := s.drop(ctx, name); err != nil {
			tb.Errorf("drop the test's database: %v", err)
		}
	})
	return url
}
