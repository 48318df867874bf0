// Package cluster runs a private PostgreSQL from the server binaries on this machine: it finds them, makes the data
// folder, starts the server, takes over one that a killed process left behind, and stops it.
//
// The server listens on a unix socket only, in a folder that no other user can enter, and trusts whoever reaches it.
// Run as root it drops to an unprivileged user, for PostgreSQL refuses to run as root. Linux and macOS; elsewhere
// Start returns an error.
//
// The folder holds: data (the data folder proper), server.log (and server.log.1), startup.log (what the server said
// before its own log was open), lock (held while a process owns the cluster) and, in a throw-away cluster, parent.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

const (
	defaultDatabase = "stackforge"
	superuser       = "postgres"
	defaultPort     = 5432 // names the socket file; nothing listens on TCP
)

// ErrInUse means that another living process owns the cluster. The message names its folder and process.
var ErrInUse = errors.New("the database is in use by another process")

// ErrNotInstalled means that no PostgreSQL server was found on this machine. The message says what to install.
var ErrNotInstalled = errors.New("PostgreSQL is not installed")

// Options says what to start.
type Options struct {
	// BinDir is the folder of postgres and initdb; empty looks for the newest on this machine.
	BinDir string
	// ContribOnly preloads nothing beyond PostgreSQL's own pg_stat_statements. A library that an existing cluster
	// preloads stays in its list all the same, because its databases may need it.
	ContribOnly bool
	// Database is created when missing and is the one pg_cron works in; default "stackforge".
	Database string
	// Dir is the cluster's folder, such as ".data/pg"; made when missing. It must be empty or hold a cluster. Only a
	// throw-away cluster may leave it empty: then a folder stackforge-test-* in memory (/dev/shm with 1 GiB free), or
	// in the temporary folder, is made.
	Dir string
	// Ephemeral makes a throw-away cluster: nothing is synced to disk, 300 connections, Dir is removed by Stop. Data
	// that a killed throw-away cluster left in Dir is removed at Start; a durable cluster in Dir is refused.
	Ephemeral bool
	// Log takes a line at start and stop and when the server dies.
	Log zerolog.Logger
	// Settings are further settings of postgresql.conf; they win over the package's own. Values need no quotes.
	// shared_preload_libraries adds to the list.
	Settings map[string]string
}

// Cluster is a running server. All methods are safe for concurrent use.
type Cluster struct {
	account account
	bin     binaries
	created bool
	dir     string // real path
	lock    *os.File
	opts    Options
	port    int
	quit    chan struct{} // closed when Stop begins
	server  *postmaster
	socket  string

	mu      sync.Mutex // guards Stop
	stopped bool
}

// Start makes the cluster when there is none, starts it and returns when it answers and Options.Database exists. A
// server that a killed process left running is taken over; one that is shutting down is waited for; after a crash
// Start waits for the recovery, as long as ctx allows.
//
// It returns ErrInUse, ErrNotInstalled, or an error with what the server wrote before it gave up.
func Start(ctx context.Context, o Options) (_ *Cluster, err error) {
	if !supported {
		return nil, errors.New("cluster: a private PostgreSQL needs Linux or macOS; set DATABASE_URL to use another server")
	}
	begin := time.Now()
	if o.Database == "" {
		o.Database = defaultDatabase
	}
	c := &Cluster{opts: o, port: defaultPort, quit: make(chan struct{})}
	defer func() {
		if err != nil {
			c.abandon(context.WithoutCancel(ctx))
		}
	}()

	if err := c.locate(ctx); err != nil {
		return nil, err
	}
	if c.lock, err = takeLock(filepath.Join(c.dir, "lock"), c.dir); err != nil {
		return nil, err
	}
	adopted, err := c.run(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.ensureDatabase(ctx); err != nil {
		return nil, err
	}
	if !o.Ephemeral {
		go c.rotateLog()
	}
	c.opts.Log.Info().Str("folder", c.dir).Int("version", c.bin.major).Bool("created", c.created).
		Bool("adopted", adopted).Dur("took_ms", time.Since(begin)).Msg("database started")
	return c, nil
}

// Created tells whether this Start made the data folder.
func (c *Cluster) Created() bool { return c.created }

// Port is the number in the socket file's name. Nothing listens on TCP.
func (c *Cluster) Port() int { return c.port }

// SocketDir is the folder of the server's socket.
func (c *Cluster) SocketDir() string { return c.socket }

// Stop shuts the server down: open transactions are rolled back, connections closed, and it returns when the server
// has ended. When ctx ends first it returns an error, the server goes on stopping, and Stop can be called again. A
// throw-away cluster's folder is removed. Calling it twice is no error.
func (c *Cluster) Stop(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil
	}
	select {
	case <-c.quit:
	default:
		close(c.quit)
	}
	how := signalFast
	if c.opts.Ephemeral {
		how = signalImmediate // no checkpoint: the data is about to be removed
	}
	if err := c.server.stop(ctx, how); err != nil {
		return fmt.Errorf("cluster: PostgreSQL in %s has not stopped yet: %w", c.dir, err)
	}
	c.stopped = true
	err := c.clean()
	c.opts.Log.Info().Str("folder", c.dir).Msg("database stopped")
	return err
}

// URL returns the superuser's connection string for a database, or for the default one when database is empty.
func (c *Cluster) URL(database string) string {
	if database == "" {
		database = c.opts.Database
	}
	return socketURL(c.socket, c.port, database)
}

// Version is the server's major version, such as 15.
func (c *Cluster) Version() int { return c.bin.major }

// data is the folder PostgreSQL calls its data directory.
func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// run makes the server run: it takes over what is there, or starts it. It tells whether it took a server over.
func (c *Cluster) run(ctx context.Context) (adopted bool, err error) {
	if c.opts.Ephemeral {
		if err := c.discardLeftover(ctx); err != nil {
			return false, err
		}
	}
	if err := c.takeOver(ctx); err != nil {
		return false, err
	}
	adopted = c.server != nil
	if !adopted {
		if err := c.initialize(ctx); err != nil {
			return false, err
		}
	}
	changed, err := c.writeSettings(ctx)
	if err != nil {
		return false, err
	}
	if adopted && changed {
		// Written by another version of the product, or extensions were installed since: only a restart reads all of it.
		c.opts.Log.Info().Str("folder", c.dir).Msg("database settings have changed: restarting the server")
		if err := c.server.stop(ctx, signalFast); err != nil {
			return false, fmt.Errorf("cluster: restart PostgreSQL in %s: %w", c.dir, err)
		}
		adopted, c.server = false, nil
	}
	if !adopted {
		return false, c.launch(ctx)
	}
	return true, nil
}

// abandon undoes what a failed Start did. A server that was only taken over is left running.
func (c *Cluster) abandon(ctx context.Context) {
	if c.lock == nil {
		return
	}
	if c.server != nil && !c.server.child {
		_ = c.lock.Close()
		return
	}
	if c.server != nil {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := c.server.stop(ctx, signalImmediate); err != nil {
			c.opts.Log.Error().Err(err).Str("folder", c.dir).Msg("database server could not be stopped")
		}
	}
	_ = c.clean()
}

// clean removes what a stopped server needs no more and gives the lock back.
func (c *Cluster) clean() error {
	var err error
	if c.opts.Ephemeral {
		err = os.RemoveAll(c.dir)
		_ = os.Remove(c.opts.Dir) // where it is a link
	}
	if strings.HasPrefix(filepath.Base(c.socket), socketPrefix) {
		removeSocket(c.socket)
		_ = os.Remove(c.socket) // fails when somebody put a file there, which then stays
	}
	return errors.Join(err, c.lock.Close())
}

// socketURL is the superuser's connection string through the socket in folder dir.
func socketURL(dir string, port int, database string) string {
	// A blank must be %20: neither libpq nor pgx reads a plus sign as one.
	host := strings.ReplaceAll(url.QueryEscape(dir), "+", "%20")
	return fmt.Sprintf("postgres://%s@/%s?host=%s&port=%d", superuser, url.PathEscape(database), host, port)
}
