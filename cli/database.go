package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"stackforge/config"
	"stackforge/db"
	"stackforge/db/cluster"
	"stackforge/migrations"
	"stackforge/tenant"
)

// runFile tells commands that run beside a server where its embedded database is. Mode 0600: whoever reads it owns the data.
const runFile = "run.env"

// errNoDatabase names the variable that is missing.
var errNoDatabase = errors.New("DATABASE_URL is required; `make run`, or `stackforge serve --embedded`, makes a private PostgreSQL instead")

// database returns the URL to use: DATABASE_URL, else the embedded database. That one is started when embedded is true or
// when it was made earlier and does not run; stop ends it then.
func (p *program) database(ctx context.Context, embedded bool) (url string, stop func(), err error) {
	if u := string(p.config.Database.URL); u != "" {
		return u, func() {}, nil
	}
	if p.config.AppEnv == config.Production {
		return "", nil, errNoDatabase
	}
	if !embedded {
		if u := p.running(ctx); u != "" {
			return u, func() {}, nil
		}
		if _, err := os.Stat(p.path("pg")); errors.Is(err, fs.ErrNotExist) {
			return "", nil, errNoDatabase
		}
	}
	c, err := cluster.Start(ctx, cluster.Options{
		Dir: p.path("pg"), BinDir: p.config.Database.Bin, ContribOnly: p.config.Database.Extensions == string(db.ExtensionsContrib), Log: p.log,
	})
	if err != nil {
		return "", nil, err
	}
	stop = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			p.log.Error().Err(err).Msg("the embedded database did not stop cleanly")
		}
	}
	return c.URL(""), stop, nil
}

// running returns the URL in run.env when a server answers there, else "".
func (p *program) running(ctx context.Context) string {
	f, err := os.Open(p.path(runFile))
	if err != nil {
		return ""
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		url, ok := strings.CutPrefix(s.Text(), "DATABASE_URL=")
		if !ok {
			continue
		}
		url = strings.Trim(url, "'")
		h, err := p.open(ctx, url, db.RoleLogin, "task-runner")
		if err != nil {
			return ""
		}
		defer h.Close(time.Second)
		if h.Ready(ctx, 2*time.Second) == nil {
			return url
		}
	}
	return ""
}

// writeRunFile leaves run.env for other commands and the demo script.
func (p *program) writeRunFile(baseURL, databaseURL string, first uuid.UUID) error {
	text := fmt.Sprintf("URL='%s'\nDATABASE_URL='%s'\nTENANT_ID='%s'\n", baseURL, databaseURL, first)
	if err := os.MkdirAll(p.config.DataDir, 0o755); err != nil { //nolint:gosec // the files in it have their own modes
		return err
	}
	return os.WriteFile(p.path(runFile), []byte(text), 0o600)
}

// dbConfig is the pool's part of the configuration.
func (p *program) dbConfig(url string, role db.Role, name string) db.Config {
	d, pool := p.config.Database, p.config.Pool
	if pool.Min == 0 {
		pool.Min = -1 // db takes 0 for its default
	}
	return db.Config{
		URL: url, User: d.User, Password: string(d.Password), Schema: d.Schema, SSLMode: d.SSLMode,
		ApplicationName: d.AppName(name), Role: role, MinConns: pool.Min, MaxConns: pool.Max,
		ConnectTimeout: pool.ConnectTimeout, IdleTimeout: pool.IdleTimeout, MaxLifetime: pool.MaxLifetime,
		QueryTimeout: pool.QueryTimeout, Pooler: d.Pooler == "transaction",
	}
}

// open returns a pool that opens connections as they are needed, for a command that does little.
func (p *program) open(ctx context.Context, url string, role db.Role, name string) (*db.DB, error) {
	c := p.dbConfig(url, role, name)
	c.MinConns = -1
	return db.Open(ctx, c)
}

// withDB runs fn on a pool of the role that is closed afterwards.
func (p *program) withDB(ctx context.Context, role db.Role, fn func(h *db.DB, url string) error) error {
	url, stop, err := p.database(ctx, false)
	if err != nil {
		return err
	}
	defer stop()
	h, err := p.open(ctx, url, role, "task-runner")
	if err != nil {
		return err
	}
	defer h.Close(5 * time.Second)
	return fn(h, url)
}

func (p *program) migrate(ctx context.Context, url string) (db.Report, error) {
	return db.Migrate(ctx, db.MigrateConfig{
		Config: p.dbConfig(url, db.RoleLogin, "task-runner"), Extensions: db.Extensions(p.config.Database.Extensions),
	}, migrations.FS)
}

// actAs returns a context that acts for a tenant with all permissions.
func actAs(ctx context.Context, tenantID uuid.UUID, more ...string) context.Context {
	return tenant.With(ctx, tenant.Scope{TenantID: tenantID, Scopes: append([]string{"*"}, more...)})
}
