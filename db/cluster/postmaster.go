package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	pollEvery      = 10 * time.Millisecond
	connectTimeout = 5 * time.Second
	// patience is how long a server that says it is ready may fail to answer before it is restarted; impatience the
	// same when its socket is gone, and how long a postmaster.pid may stay without text.
	patience   = 15 * time.Second
	impatience = time.Second
)

// postmaster is the server's main process.
type postmaster struct {
	child  bool          // started by this process, so that exited tells
	exited chan struct{} // closed when a child has ended
	pid    int
	wanted atomic.Bool // it answers and nobody has asked it to end
}

// pidFile is what postmaster.pid says.
type pidFile struct {
	pid    int
	port   int
	socket string
	status string // "starting", "stopping", "ready" or "standby"
}

// command prepares a server program, run as the server's user in a session of its own, so that a terminal's Ctrl-C
// does not reach it, and without this process's environment, which holds secrets and PG* variables.
func (c *Cluster) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.bin.path(program), args...)
	cmd.Dir = "/"
	// TZ makes initdb settle on UTC; LC_ALL keeps messages English, and macOS's libraries from starting threads.
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = processAttributes(c.account)
	return cmd
}

// initialize makes the data folder when there is none. It is made under another name first, so that a killed initdb
// leaves nothing that looks like a cluster.
func (c *Cluster) initialize(ctx context.Context) error {
	if major, err := dataVersion(c.data()); err != nil || major > 0 {
		return err
	}
	if err := os.Remove(c.data()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cluster: %s holds no database but is not empty: %w", c.data(), err)
	}
	// C.UTF-8 knows letters beyond ASCII; not every system has it.
	var out []byte
	for _, locale := range []string{"C.UTF-8", "C"} {
		fresh := c.data() + ".new"
		if err := os.RemoveAll(fresh); err != nil {
			return fmt.Errorf("cluster: %w", err)
		}
		args := []string{
			"-D", fresh, "-U", superuser, "-E", "UTF8", "--locale=" + locale,
			"--auth-local=trust", "--auth-host=reject", "--no-instructions",
		}
		if c.opts.Ephemeral {
			args = append(args, "--no-sync")
		} else {
			args = append(args, "--data-checksums")
		}
		var err error
		if out, err = c.command(ctx, "initdb", args...).CombinedOutput(); err == nil {
			c.created = true
			return c.settle(fresh)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("cluster: initdb: %w", ctx.Err())
		}
		if !strings.Contains(string(out), "locale") {
			break
		}
	}
	return fmt.Errorf("cluster: initdb in %s failed: %s", c.dir, strings.TrimSpace(string(out)))
}

// settle gives a complete data folder its name, durably.
func (c *Cluster) settle(fresh string) error {
	if err := c.include(fresh, true); err != nil {
		return err
	}
	if err := os.Rename(fresh, c.data()); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	if c.opts.Ephemeral {
		return nil
	}
	d, err := os.Open(c.dir)
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// launch starts the server and waits until it answers. After a postmaster was killed its other processes need a moment
// to notice, and PostgreSQL does not start beside them; so launch tries again while that is the complaint.
func (c *Cluster) launch(ctx context.Context) error {
	begin := time.Now()
	tick := time.NewTicker(10 * pollEvery)
	defer tick.Stop()
	for {
		err := c.launchOnce(ctx)
		if err == nil || !strings.Contains(err.Error(), "pre-existing shared memory block") || time.Since(begin) > patience {
			return err
		}
		c.server = nil
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// launchOnce starts the server and waits until it answers or has ended.
func (c *Cluster) launchOnce(ctx context.Context) (err error) {
	c.port = defaultPort
	if c.socket, err = c.makeSocketDir(); err != nil {
		return err
	}
	removeSocket(c.socket)
	if !c.opts.Ephemeral {
		if err := c.rotateIfLarge(); err != nil {
			return err
		}
	}
	out, seen, err := c.openOutput()
	if err != nil {
		return err
	}
	// The server must outlive ctx, which bounds the start only. On the command line these two cannot be overruled by
	// postgresql.conf; this package has to know them.
	cmd := c.command(context.WithoutCancel(ctx), "postgres", "-D", c.data(),
		"-c", "unix_socket_directories="+c.socket, "-c", "port="+strconv.Itoa(c.port))
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Start()
	_ = out.Close() // the server has its own copy
	if err != nil {
		return fmt.Errorf("cluster: start PostgreSQL as user %s: %w", c.account.name, err)
	}
	c.server = &postmaster{child: true, exited: make(chan struct{}), pid: cmd.Process.Pid}
	go c.watch(cmd, c.server)
	if err := c.awaitReady(ctx); err != nil {
		return fmt.Errorf("cluster: PostgreSQL in %s did not start: %w%s", c.dir, err, c.lastWords(seen))
	}
	c.server.wanted.Store(true)
	return nil
}

// watch waits for the server to end, and logs it when nobody asked for it.
func (c *Cluster) watch(cmd *exec.Cmd, server *postmaster) {
	err := cmd.Wait()
	close(server.exited)
	if server.wanted.Load() {
		c.opts.Log.Error().Err(err).Str("folder", c.dir).Str("log", logName).Msg("database server has ended by itself")
	}
}

// awaitReady waits until the server just launched answers.
func (c *Cluster) awaitReady(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	notice := time.NewTicker(5 * time.Second)
	defer notice.Stop()
	for {
		err := c.ping(ctx, c.socket, c.port)
		if err == nil {
			return nil
		}
		if refusal, ok := errors.AsType[*pgconn.PgError](err); ok && !temporary(refusal) {
			return err
		}
		select {
		case <-c.server.exited:
			return errors.New("it has ended")
		case <-ctx.Done():
			return ctx.Err()
		case <-notice.C:
			c.opts.Log.Info().Str("folder", c.dir).Msg("waiting for the database to start or recover")
		case <-tick.C:
		}
	}
}

// temporary tells whether a refusal ends by waiting: the server starts or stops, or has no free connection.
func temporary(e *pgconn.PgError) bool { return e.Code == "57P03" || e.Code == "53300" }

// ping tells whether the server of this data folder answers at a socket.
func (c *Cluster) ping(ctx context.Context, socket string, port int) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if _, err := os.Stat(filepath.Join(socket, ".s.PGSQL."+strconv.Itoa(port))); err != nil {
		return err // sooner and cheaper than a failed connection
	}
	conn, err := pgx.Connect(ctx, socketURL(socket, port, "postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var data string
	if err := conn.QueryRow(ctx, "SHOW data_directory").Scan(&data); err != nil {
		return err
	}
	if resolved, err := filepath.EvalSymlinks(data); err != nil || resolved != c.data() {
		return fmt.Errorf("the server at %s serves %s, not %s", socket, data, c.data())
	}
	return nil
}

// takeOver sets c.server when a server already runs on the data folder. One that starts or stops is waited for. On
// return without a server nothing runs there.
func (c *Cluster) takeOver(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var silent, empty time.Time
	for {
		file, err := readPIDFile(c.data())
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case errors.Is(err, errEmptyPIDFile):
			// Being written, or cut off by a power failure; PostgreSQL refuses to start beside it.
			if empty.IsZero() {
				empty = time.Now()
			}
			if time.Since(empty) > impatience {
				return c.setPIDFileAside()
			}
		case err != nil:
			return err
		case !exists(file.pid):
			return nil // PostgreSQL itself removes the file of a process that is gone
		case !serves(file.pid, c.data()):
			// The number belongs to another process now, which PostgreSQL would take for a server, or to a dead
			// one that nobody has collected.
			return c.setPIDFileAside()
		case file.status != "stopping":
			err := c.ping(ctx, file.socket, file.port)
			if err == nil {
				c.server = &postmaster{pid: file.pid}
				c.socket, c.port = file.socket, file.port
				return nil
			}
			if refusal, ok := errors.AsType[*pgconn.PgError](err); file.status != "ready" || ok && temporary(refusal) {
				break
			}
			if silent.IsZero() {
				silent = time.Now()
			}
			if since := time.Since(silent); since > patience || since > impatience && errors.Is(err, fs.ErrNotExist) {
				c.opts.Log.Warn().Str("folder", c.dir).Int("pid", file.pid).
					Msg("a running database server does not answer at its socket: stopping it")
				return (&postmaster{pid: file.pid}).stop(ctx, signalFast)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cluster: waiting for the PostgreSQL that runs in %s: %w", c.dir, ctx.Err())
		case <-tick.C:
		}
	}
}

var errEmptyPIDFile = errors.New("postmaster.pid is not complete")

// readPIDFile reads the postmaster.pid of a data folder.
func readPIDFile(data string) (pidFile, error) {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return pidFile{}, err
	}
	lines := append(strings.Split(string(text), "\n"), make([]string, 8)...)
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || pid <= 1 {
		return pidFile{}, errEmptyPIDFile
	}
	port, _ := strconv.Atoi(strings.TrimSpace(lines[3])) // missing while the server is starting
	return pidFile{
		pid: pid, port: port,
		socket: strings.TrimSpace(lines[4]), status: strings.TrimSpace(lines[7]),
	}, nil
}

// setPIDFileAside renames a postmaster.pid that is known to name no server.
func (c *Cluster) setPIDFileAside() error {
	path := filepath.Join(c.data(), "postmaster.pid")
	if err := os.Rename(path, path+".stale"); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	c.opts.Log.Warn().Str("file", path).Msg("the file names no database server: renamed")
	return nil
}

// stop sends a signal and waits for the end of the process.
func (p *postmaster) stop(ctx context.Context, how syscall.Signal) error {
	p.wanted.Store(false)
	if p.gone() {
		return nil
	}
	if err := sendSignal(p.pid, how); err != nil && !p.gone() {
		return err
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !p.gone() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.exited: // nil, so never, for a process that is not a child
		case <-tick.C:
		}
	}
	return nil
}

// gone tells whether the process has ended.
func (p *postmaster) gone() bool {
	if !p.child {
		return !runs(p.pid)
	}
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// ensureDatabase creates the default database when it is missing.
func (c *Cluster) ensureDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var there bool
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = $1)", c.opts.Database).Scan(&there)
	if err == nil && !there {
		_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{c.opts.Database}.Sanitize())
	}
	if err != nil {
		return fmt.Errorf("cluster: create database %s: %w", c.opts.Database, err)
	}
	return nil
}
