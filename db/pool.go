// Package db is the database as a machine: pool, tenant scope, transactions, retries, tracing, migrations. It knows no
// table, and no other package opens a connection.
package db

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
	pgxuuid "github.com/vgarvardt/pgx-google-uuid/v5"
)

// Role is the PostgreSQL role a pool acts as, whoever the URL logs in as.
type Role string

// The roles of the product. Owner owns the tables and migrates; the others have the least that each needs.
const (
	RoleOwner  Role = "stackforge_owner"
	RoleAPI    Role = "app_api"
	RoleWorker Role = "app_worker"
	RoleLogin  Role = "" // keep the role of the URL

	RoleGraphQL      Role = "app_graphql"       // reads what pg_graphql may show
	RoleGraphQLWrite Role = "app_graphql_write" // and writes it
)

// Config is how to reach the database. Zero values take the defaults named here.
type Config struct {
	URL             string        // postgres:// URL or key=value DSN
	User            string        // overrides the URL's user
	Password        string        // overrides the URL's password
	Schema          string        // search_path; default "public"
	SSLMode         string        // libpq value; overrides the URL's
	ApplicationName string        // seen in pg_stat_activity; the URL's own name wins when this is empty
	Role            Role          // acts as this role from the first statement on
	MinConns        int           // default 5
	MaxConns        int           // default 20
	ConnectTimeout  time.Duration // default 5 s
	IdleTimeout     time.Duration // default 10 min
	MaxLifetime     time.Duration // default 30 min
	QueryTimeout    time.Duration // statement_timeout and deadline of each statement; default 30 s
	Pooler          bool          // a transaction-mode pooler stands in between: no prepared statements, no session state
	Hooks           []Hook        // called after each statement

	// Retried is told the SQLSTATE class of each failure after which a statement or transaction runs again.
	Retried func(class string)
	// Transaction is told of each transaction that ended, from its begin on.
	Transaction func(committed bool, d time.Duration)
}

// idleInTransaction ends a transaction that waits for its client, so that a stuck process cannot hold locks.
const idleInTransaction = "15000"

// Open returns a pool. It does not connect yet: use Ready, or the first statement, to see whether the server answers.
func Open(ctx context.Context, c Config) (*DB, error) {
	pc, err := c.parse()
	if err != nil {
		return nil, err
	}
	pc.AfterConnect = func(_ context.Context, c *pgx.Conn) error {
		// 16 bytes on the wire instead of text. Behind a pooler the types of arguments are told by their Go types.
		pgxuuid.Register(c.TypeMap())
		c.TypeMap().RegisterDefaultPgType(uuid.UUID{}, "uuid")
		c.TypeMap().RegisterDefaultPgType([]uuid.UUID{}, "_uuid")
		return nil
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("open pool: %w", err)
	}
	d := &DB{pool: pool, timeout: c.QueryTimeout, hooks: c.Hooks, retried: c.Retried, ended: c.Transaction, scope: scopeSQL}
	if d.retried == nil {
		d.retried = func(string) {}
	}
	if d.ended == nil {
		d.ended = func(bool, time.Duration) {}
	}
	if c.Pooler && c.Role != RoleLogin {
		d.scope = fmt.Sprintf(scopeRoleSQL, string(c.Role))
	}
	return d, nil
}

func (c *Config) defaults() {
	c.Schema = or(c.Schema, "public")
	c.MinConns = or(c.MinConns, 5)
	c.MaxConns = or(c.MaxConns, 20)
	c.ConnectTimeout = or(c.ConnectTimeout, 5*time.Second)
	c.IdleTimeout = or(c.IdleTimeout, 10*time.Minute)
	c.MaxLifetime = or(c.MaxLifetime, 30*time.Minute)
	c.QueryTimeout = or(c.QueryTimeout, 30*time.Second)
}

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

func (c *Config) parse() (*pgxpool.Config, error) {
	c.defaults()
	dsn := c.URL
	if c.SSLMode != "" {
		dsn = withSSLMode(dsn, c.SSLMode)
	}
	pc, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		// pgx's text may show the URL with its password.
		return nil, fmt.Errorf("DATABASE_URL cannot be parsed as a PostgreSQL URL or DSN")
	}
	cc := pc.ConnConfig
	if c.User != "" {
		cc.User = c.User
	}
	if c.Password != "" {
		cc.Password = c.Password
	}
	cc.ConnectTimeout = c.ConnectTimeout
	p := cc.RuntimeParams
	if c.ApplicationName != "" {
		p["application_name"] = c.ApplicationName
	}
	if c.Pooler {
		cc.DefaultQueryExecMode = pgx.QueryExecModeExec
	} else {
		p["search_path"] = c.Schema
		p["statement_timeout"] = fmt.Sprint(c.QueryTimeout.Milliseconds())
		p["idle_in_transaction_session_timeout"] = idleInTransaction
		p["timezone"] = "UTC"
		// The list of a role's settings is short and the plan of a one-row read is not worth compiling.
		p["jit"] = "off"
		if c.Role != RoleLogin {
			p["role"] = string(c.Role)
		}
	}
	// A caller that goes away cancels its statement on the server instead of dropping the connection.
	cc.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &canceller{conn: conn}
	}
	pc.MinConns = int32(min(c.MinConns, c.MaxConns)) //nolint:gosec // config limits both to 10,000
	pc.MaxConns = int32(c.MaxConns)                  //nolint:gosec // as above
	pc.MaxConnIdleTime = c.IdleTimeout
	pc.MaxConnLifetime = c.MaxLifetime
	pc.MaxConnLifetimeJitter = c.MaxLifetime / 10
	return pc, nil
}

// Ready reports whether the database answers within the timeout, as nil or an *errs.Error.
func (d *DB) Ready(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return fromPG(d.pool.Ping(ctx))
}

// Stat is the state of the pool at this instant.
func (d *DB) Stat() PoolStat {
	s := d.pool.Stat()
	return PoolStat{
		InUse: s.AcquiredConns(), Idle: s.IdleConns(), Max: s.MaxConns(), Total: s.TotalConns(),
		Waits: s.EmptyAcquireCount(), WaitTime: s.EmptyAcquireWaitTime(), Opened: s.NewConnsCount(),
	}
}

// PoolStat are gauges and counters of a pool.
type PoolStat struct {
	InUse, Idle, Max, Total int32
	Waits                   int64         // acquisitions that had to wait
	WaitTime                time.Duration // the time they waited, in all
	Opened                  int64         // connections opened since start
}

// Close waits for busy connections, at most for the timeout, and closes the pool.
func (d *DB) Close(timeout time.Duration) {
	done := make(chan struct{})
	go func() { d.pool.Close(); close(done) }()
	select {
	case <-done:
	case <-time.After(timeout):
	}
}
