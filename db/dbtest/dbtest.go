// Package dbtest gives every test a PostgreSQL database of its own, cloned from a migrated template in about 30 ms.
//
// The server is the one of TEST_DATABASE_URL (a superuser's URL), or a throw-away cluster that lives as long as the
// test binary. TEST_LANE=bare migrates with PostgreSQL's contrib extensions only; otherwise with all the server has.
// With -short every test that asks for a database is skipped.
//
// A package that uses it has
//
//	func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }
package dbtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/tenant"
)

// Variant says which extensions the tests' databases have.
type Variant string

// Full uses every extension that the server offers, Bare only those of PostgreSQL's contrib package.
const (
	Full Variant = "full"
	Bare Variant = "bare"
)

// Lane returns the variant that TEST_LANE names; Full when it is empty.
func Lane() Variant {
	if os.Getenv("TEST_LANE") == string(Bare) {
		return Bare
	}
	return Full
}

// CI reports whether the tests decide about a change: then nothing that the server lacks may be skipped.
func CI() bool { return os.Getenv("CI") != "" }

// Extensions is what the lane means to db.Migrate.
func (v Variant) Extensions() db.Extensions {
	if v == Bare {
		return db.ExtensionsContrib
	}
	return db.ExtensionsAuto
}

// poolSize bounds each of a test's three pools; they open connections only when they are used.
const poolSize = 4

// DB is the database of one test.
type DB struct {
	API    *db.DB // acts as app_api, as the API does
	Owner  *db.DB // owns the tables: seeds and checks; sees every tenant
	URL    string // of a superuser, who passes row-level security: for what no role may do
	Worker *db.DB // acts as app_worker
}

// New returns a migrated database with three pools. It is dropped when the test passed; when it failed it is kept, and
// the log tells how to look into it.
func New(tb testing.TB) *DB {
	tb.Helper()

	s := start(tb)
	template, err := s.template()
	require.NoError(tb, err, "build the template database")
	d := &DB{URL: s.create(tb, template)}
	d.API = d.Open(tb, db.Config{Role: db.RoleAPI})
	d.Owner = d.Open(tb, db.Config{Role: db.RoleOwner})
	d.Worker = d.Open(tb, db.Config{Role: db.RoleWorker})
	return d
}

// Empty returns the superuser's URL of a database with nothing in it. It ends like one of New.
func Empty(tb testing.TB) string {
	tb.Helper()

	return start(tb).create(tb, "template0")
}

// Open returns one more pool on the test's database. URL and the pool's size need not be given.
func (d *DB) Open(tb testing.TB, c db.Config) *db.DB {
	tb.Helper()

	if c.URL == "" {
		c.URL = d.URL
	}
	if c.MaxConns == 0 {
		c.MaxConns = poolSize
	}
	if c.MinConns == 0 {
		c.MinConns = -1 // zero means the default: none is wanted before the first statement
	}
	h, err := db.Open(context.WithoutCancel(tb.Context()), c)
	require.NoError(tb, err)
	tb.Cleanup(func() { h.Close(10 * time.Second) })
	return h
}

// Connect returns a connection of the superuser to the test's database.
func (d *DB) Connect(tb testing.TB) *pgx.Conn {
	tb.Helper()

	return Connect(tb, d.URL)
}

// Connect returns a connection to url. It is closed when the test ends.
func Connect(tb testing.TB, url string) *pgx.Conn {
	tb.Helper()

	conn, err := pgx.Connect(tb.Context(), url)
	require.NoError(tb, err)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = conn.Close(ctx) // a test may have broken it on purpose
	})
	return conn
}

// Exec runs statements as the superuser, without arguments several at once.
func (d *DB) Exec(tb testing.TB, sql string, args ...any) {
	tb.Helper()

	_, err := d.Connect(tb).Exec(tb.Context(), sql, args...)
	require.NoError(tb, err)
}

// Tenant creates a tenant with one user and returns the scope of a caller who may do everything in it.
func Tenant(tb testing.TB, d *DB) tenant.Scope {
	tb.Helper()

	type row struct {
		TenantID uuid.UUID `db:"tenant_id"`
		UserID   uuid.UUID `db:"user_id"`
	}
	r, err := db.Get[row](tb.Context(), d.Owner, "tenant", `
		-- name: dbtest.Tenant
		SELECT t.id AS tenant_id,
		       u.id AS user_id
		FROM create_tenant(@name) t,
		     LATERAL create_user(t.id, @email) u`,
		pgx.NamedArgs{"name": "tenant_" + random(4), "email": "user@example.org"})
	require.NoError(tb, err)
	return tenant.Scope{TenantID: r.TenantID, UserID: r.UserID, Scopes: []string{"*"}}
}

// random returns n random bytes in hex.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // cannot fail: it ends the process instead
	return hex.EncodeToString(b)
}

// WithDatabase returns the connection string for another database of the same server, in URL or key=value form.
func WithDatabase(dsn, name string) string {
	u, err := url.Parse(dsn)
	if err != nil || !strings.HasPrefix(u.Scheme, "postgres") {
		return fmt.Sprintf("%s dbname=%s", dsn, name)
	}
	u.Path = "/" + name
	return u.String()
}
