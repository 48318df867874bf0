//go:build linux || darwin

package cluster

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

// With -owner the test program starts a cluster in that folder (with -throwaway a throw-away one, and an empty folder
// is the package's choice), says so, and waits to be killed.
func TestMain(m *testing.M) {
	owner := flag.Bool("owner", false, "start a cluster and wait")
	dir := flag.String("dir", "", "its folder")
	throwaway := flag.Bool("throwaway", false, "make it a throw-away cluster")
	flag.Parse()
	if *owner {
		// The process that killedOwner starts ends by SIGKILL only.
		c, err := Start(context.Background(), Options{Dir: *dir, Ephemeral: *throwaway}) //nolint:forbidigo // a main function
		if err != nil {
			fmt.Fprintln(os.Stdout, "error:", err)
			os.Exit(1)
		}
		fmt.Fprintln(os.Stdout, c.dir, c.server.pid)
		select {}
	}
	os.Exit(m.Run())
}

// killedOwner runs Start in another process, kills that, and returns the cluster's folder and its server's number.
func killedOwner(t *testing.T, dir string, throwaway bool) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-owner", "-dir="+dir, fmt.Sprintf("-throwaway=%t", throwaway))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, line)
	folder, number, ok := strings.Cut(strings.TrimSpace(line), " ")
	require.True(t, ok, line)
	pid, err := strconv.Atoi(number)
	require.NoError(t, err, line)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	require.True(t, runs(pid), "the server must outlive its killed owner")
	return folder, pid
}

// folder makes a folder that the server's user can reach; testing's own are closed to others.
func folder(t *testing.T) string {
	t.Helper()
	base := os.TempDir()
	if freeBytes(memoryFolder) > memoryNeeded {
		base = memoryFolder // a shared disk makes an initdb take seconds
	}
	dir, err := os.MkdirTemp(base, "cluster-") //nolint:usetesting // see above
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

// start starts a cluster and stops it when the test ends.
func start(t *testing.T, o Options) *Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("needs PostgreSQL")
	}
	o.Log = zerolog.New(zerolog.NewTestWriter(t))
	c, err := Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { stop(t, c) })
	return c
}

// stop stops a cluster and checks that nothing of it runs.
func stop(t *testing.T, c *Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	require.NoError(t, c.Stop(ctx))
	require.False(t, runs(c.server.pid))
	require.NoDirExists(t, c.socket)
}

// query returns the only value of a query, as text.
func query(t *testing.T, c *Cluster, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), c.URL(""))
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) }()
	var value string
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&value))
	return value
}

func TestDurable(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(folder(t), "a folder", "pg")

	c := start(t, Options{Dir: dir, Database: "My \"App\" ü"})
	require.True(t, c.Created())
	require.Equal(t, "My \"App\" ü", query(t, c, "SELECT current_database()"))
	require.Equal(t, "UTF8", query(t, c, "SHOW server_encoding"))
	require.Equal(t, "on", query(t, c, "SHOW data_checksums"))
	require.Equal(t, "on", query(t, c, "SHOW fsync"))
	require.Equal(t, "on", query(t, c, "SHOW synchronous_commit"))
	require.Equal(t, "UTC", query(t, c, "SHOW timezone"))
	require.Equal(t, "200", query(t, c, "SHOW max_connections"))
	require.Equal(t, "2GB", query(t, c, "SHOW max_wal_size"))
	require.Empty(t, query(t, c, "SHOW listen_addresses"))
	require.Equal(t, "0", query(t, c, "SHOW idle_in_transaction_session_timeout"))
	require.Equal(t, strconv.Itoa(c.Version()), query(t, c, "SELECT (current_setting('server_version_num')::int / 10000)::text"))
	require.Equal(t, "eins", query(t, c, "WITH t AS (SELECT set_config('app.x', 'eins', false) AS v) SELECT v FROM t"))
	require.FileExists(t, filepath.Join(dir, logName))

	fi, err := os.Stat(c.SocketDir())
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), fi.Mode().Perm())
	group, err := syscall.Getpgid(c.server.pid)
	require.NoError(t, err)
	require.NotEqual(t, syscall.Getpgrp(), group, "a terminal's Ctrl-C would reach the server")

	query(t, c, "SELECT pg_catalog.lo_from_bytea(4711, 'kept')::text")
	stop(t, c)
	require.NoFileExists(t, filepath.Join(dir, "data", "postmaster.pid"))
	require.NoError(t, c.Stop(t.Context()), "twice is no error")

	// What a user sets by hand survives and wins, in the middle of the file and with ALTER SYSTEM's file.
	conf := filepath.Join(c.data(), "postgresql.conf")
	text, err := os.ReadFile(conf)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(conf, []byte(strings.Replace(string(text), "#max_connections", "max_connections", 1)), 0o600))
	begin := time.Now()
	c = start(t, Options{Dir: dir, Database: "My \"App\" ü", Settings: map[string]string{"work_mem": "5MB"}})
	t.Logf("start of an existing cluster: %s", time.Since(begin))
	require.False(t, c.Created())
	require.Equal(t, "kept", query(t, c, "SELECT convert_from(lo_get(4711), 'UTF8')"))
	require.Equal(t, "100", query(t, c, "SHOW max_connections"))
	require.Equal(t, "5MB", query(t, c, "SHOW work_mem"))
}

func TestKilledServer(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(folder(t), "pg")
	c := start(t, Options{Dir: dir})
	query(t, c, "SELECT lo_from_bytea(4711, 'kept')::text")
	require.NoError(t, syscall.Kill(c.server.pid, syscall.SIGKILL))
	<-c.server.exited
	stop(t, c)

	c = start(t, Options{Dir: dir})
	require.Equal(t, "kept", query(t, c, "SELECT convert_from(lo_get(4711), 'UTF8')"))

	// A session that is slow to notice keeps PostgreSQL from starting for a while; here it is halted for a second.
	backend, err := strconv.Atoi(query(t, c, "SELECT pid::text FROM pg_stat_activity WHERE backend_type = 'checkpointer'"))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(backend, syscall.SIGSTOP))
	require.NoError(t, syscall.Kill(c.server.pid, syscall.SIGKILL))
	<-c.server.exited
	stop(t, c)
	time.AfterFunc(time.Second, func() { _ = syscall.Kill(backend, syscall.SIGCONT) })
	c = start(t, Options{Dir: dir})
	require.Equal(t, "kept", query(t, c, "SELECT convert_from(lo_get(4711), 'UTF8')"))
}

func TestKilledOwner(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs PostgreSQL")
	}

	t.Run("the running server is taken over", func(t *testing.T) {
		t.Parallel()
		dir, pid := killedOwner(t, filepath.Join(folder(t), "pg"), false)
		c := start(t, Options{Dir: dir})
		require.Equal(t, pid, c.server.pid)
		require.False(t, c.Created())
		require.Equal(t, "stackforge", query(t, c, "SELECT current_database()"))
	})

	t.Run("it is restarted when the settings have changed", func(t *testing.T) {
		t.Parallel()
		dir, pid := killedOwner(t, filepath.Join(folder(t), "pg"), false)
		c := start(t, Options{Dir: dir, Settings: map[string]string{"max_connections": "77"}})
		require.NotEqual(t, pid, c.server.pid)
		require.Equal(t, "77", query(t, c, "SHOW max_connections"))
	})

	t.Run("one that is shutting down is waited for", func(t *testing.T) {
		t.Parallel()
		dir, pid := killedOwner(t, filepath.Join(folder(t), "pg"), false)
		require.NoError(t, syscall.Kill(pid, syscall.SIGINT))
		c := start(t, Options{Dir: dir})
		require.NotEqual(t, pid, c.server.pid)
		require.False(t, runs(pid))
	})

	t.Run("one that lost its socket is restarted", func(t *testing.T) {
		t.Parallel()
		dir, pid := killedOwner(t, filepath.Join(folder(t), "pg"), false)
		file, err := readPIDFile(filepath.Join(dir, "data"))
		require.NoError(t, err)
		require.NoError(t, os.RemoveAll(file.socket))
		c := start(t, Options{Dir: dir})
		require.NotEqual(t, pid, c.server.pid)
	})

	t.Run("both killed at once", func(t *testing.T) {
		t.Parallel()
		dir, pid := killedOwner(t, filepath.Join(folder(t), "pg"), false)
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		c := start(t, Options{Dir: dir})
		require.NotEqual(t, pid, c.server.pid)
	})

	t.Run("its throw-away cluster is swept", func(t *testing.T) {
		t.Parallel()
		dir, pid := killedOwner(t, "", true)
		require.DirExists(t, dir)
		require.Contains(t, filepath.Base(dir), throwawayPrefix)
		start(t, Options{Ephemeral: true})
		// A parallel test may be the one that sweeps.
		require.Eventually(t, func() bool {
			_, err := os.Stat(dir)
			return os.IsNotExist(err) && !runs(pid)
		}, 20*time.Second, 20*time.Millisecond)
	})

	t.Run("its throw-away cluster in a given folder is replaced", func(t *testing.T) {
		t.Parallel()
		dir, pid := killedOwner(t, filepath.Join(folder(t), "pg"), true)
		c := start(t, Options{Dir: dir, Ephemeral: true})
		require.True(t, c.Created())
		require.False(t, runs(pid))
	})
}

func TestNumberUsedAgain(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(folder(t), "pg")
	c := start(t, Options{Dir: dir})
	stop(t, c)

	// A living process of the server's user, which is not the server: PostgreSQL alone would refuse to start.
	other := exec.CommandContext(t.Context(), "sleep", "600")
	other.SysProcAttr = processAttributes(c.account)
	require.NoError(t, other.Start())
	t.Cleanup(func() { _ = other.Wait() })
	t.Cleanup(func() { _ = other.Process.Kill() })
	file := fmt.Sprintf("%d\n%s\n1700000000\n5432\n/nowhere\n\n  1 1\nready   \n", other.Process.Pid, c.data())
	require.NoError(t, c.replace(filepath.Join(c.data(), "postmaster.pid"), []byte(file)))

	start(t, Options{Dir: dir})
	require.True(t, runs(other.Process.Pid))
}

func TestLock(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(folder(t), "pg")
	c := start(t, Options{Dir: dir})
	begin := time.Now()
	_, err := Start(t.Context(), Options{Dir: dir})
	require.ErrorIs(t, err, ErrInUse)
	require.ErrorContains(t, err, c.dir)
	require.ErrorContains(t, err, strconv.Itoa(os.Getpid()))
	require.Less(t, time.Since(begin), 5*time.Second)
	require.Equal(t, "1", query(t, c, "SELECT '1'"), "the owner is not disturbed")
}

func TestUnreachableFolder(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root's server runs as another user")
	}
	closed := filepath.Join(folder(t), "closed")
	require.NoError(t, os.Mkdir(closed, 0o700))
	dir := filepath.Join(closed, ".data", "pg")
	c := start(t, Options{Dir: dir})
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(c.dir)) })
	target, err := os.Readlink(dir)
	require.NoError(t, err)
	require.True(t, within(target, elsewhere), target)
	require.Equal(t, target, c.dir)
	stop(t, c)

	c = start(t, Options{Dir: dir})
	require.False(t, c.Created())
	require.Equal(t, target, c.dir)
	stop(t, c)

	// The link survives a lost target.
	require.NoError(t, os.RemoveAll(target))
	c = start(t, Options{Dir: dir})
	require.True(t, c.Created())
}

func TestPreload(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(folder(t), "pg")
	c := start(t, Options{Dir: dir, ContribOnly: true})
	require.Equal(t, "pg_stat_statements", query(t, c, "SHOW shared_preload_libraries"))
	require.Equal(t, "all", query(t, c, "SHOW pg_stat_statements.track"))
	stop(t, c)

	installed := c.bin.libraries(t.Context())
	want := preloads(nil, preloadable(false), installed)
	c = start(t, Options{Dir: dir})
	require.Equal(t, strings.Join(want, ","), query(t, c, "SHOW shared_preload_libraries"))
	if installed("pgaudit") {
		require.Equal(t, "ddl, role", query(t, c, "SHOW pgaudit.log"))
		require.Equal(t, "off", query(t, c, "SHOW pgaudit.log_parameter"))
	}
	if installed("pg_cron") {
		require.Equal(t, "stackforge", query(t, c, "SHOW cron.database_name"))
	}
	stop(t, c)

	// An existing cluster keeps what it has loaded.
	c = start(t, Options{Dir: dir, ContribOnly: true})
	require.Equal(t, strings.Join(want, ","), query(t, c, "SHOW shared_preload_libraries"))
}

func TestThrowaway(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	c := start(t, Options{Ephemeral: true, ContribOnly: true})
	t.Logf("start of a throw-away cluster: %s", time.Since(begin))
	require.Equal(t, "off", query(t, c, "SHOW fsync"))
	require.Equal(t, "off", query(t, c, "SHOW full_page_writes"))
	require.Equal(t, "on", query(t, c, "SHOW autovacuum"))
	require.Equal(t, "300", query(t, c, "SHOW max_connections"))
	if freeBytes(memoryFolder) > memoryNeeded {
		require.Equal(t, memoryFolder, filepath.Dir(c.dir))
	}
	begin = time.Now()
	stop(t, c)
	t.Logf("stop of a throw-away cluster: %s", time.Since(begin))
	require.NoDirExists(t, c.dir)
}

func TestLogRotation(t *testing.T) {
	t.Parallel()
	c := start(t, Options{Dir: filepath.Join(folder(t), "pg"), Settings: map[string]string{"log_statement": "all"}})
	path := filepath.Join(c.dir, logName)
	require.NoError(t, c.rotateIfLarge())
	require.NoFileExists(t, path+".1", "a small log stays")
	require.NoError(t, os.Truncate(path, logLimit+1))
	require.NoError(t, c.rotateIfLarge())
	require.FileExists(t, path+".1")
	require.Eventually(t, func() bool {
		query(t, c, "SELECT 'after rotation'")
		text, err := os.ReadFile(path)
		return err == nil && strings.Contains(string(text), "after rotation")
	}, 20*time.Second, 50*time.Millisecond)
}

func TestFailures(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs PostgreSQL")
	}

	t.Run("no server in BinDir", func(t *testing.T) {
		t.Parallel()
		_, err := Start(t.Context(), Options{Dir: folder(t), BinDir: folder(t)})
		require.ErrorIs(t, err, ErrNotInstalled)
	})

	t.Run("data of a version that is not installed", func(t *testing.T) {
		t.Parallel()
		dir := folder(t)
		require.NoError(t, os.Mkdir(filepath.Join(dir, "data"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "data", "PG_VERSION"), []byte("9\n"), 0o600))
		_, err := Start(t.Context(), Options{Dir: dir})
		require.ErrorContains(t, err, "made by PostgreSQL 9")
	})

	t.Run("a folder with other things is left alone", func(t *testing.T) {
		t.Parallel()
		dir := folder(t)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "letter.txt"), nil, 0o600))
		for _, o := range []Options{{Dir: dir}, {Dir: dir, Ephemeral: true}} {
			_, err := Start(t.Context(), o)
			require.ErrorContains(t, err, "letter.txt")
		}
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, entries, 1)
	})

	t.Run("throw-away on durable data", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(folder(t), "pg")
		stop(t, start(t, Options{Dir: dir}))
		_, err := Start(t.Context(), Options{Dir: dir, Ephemeral: true})
		require.ErrorContains(t, err, "durable")
		require.False(t, start(t, Options{Dir: dir}).Created(), "the data is still there")
	})

	t.Run("what the server complains about is in the error", func(t *testing.T) {
		t.Parallel()
		for _, ephemeral := range []bool{false, true} {
			dir := filepath.Join(folder(t), "pg")
			_, err := Start(t.Context(), Options{Dir: dir, Ephemeral: ephemeral, Settings: map[string]string{"max_wal_senders": "many"}})
			require.ErrorContains(t, err, `invalid value for parameter "max_wal_senders"`)
			if ephemeral {
				require.NoDirExists(t, dir)
			}
		}
	})

	t.Run("a setting of two lines", func(t *testing.T) {
		t.Parallel()
		_, err := format([]setting{{"work_mem", "1MB'\nfsync = 'off"}})
		require.Error(t, err)
	})

	t.Run("a start that is given up leaves nothing running", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(folder(t), "pg")
		stop(t, start(t, Options{Dir: dir}))
		for wait := 20 * time.Millisecond; ; wait += 20 * time.Millisecond {
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			c, err := Start(ctx, Options{Dir: dir})
			cancel()
			if err == nil {
				stop(t, c)
				return
			}
			_, err = os.Stat(filepath.Join(dir, "data", "postmaster.pid"))
			if err == nil { // an immediate shutdown removes it, so it may only be that of a dead process
				file, err := readPIDFile(filepath.Join(dir, "data"))
				require.NoError(t, err)
				require.False(t, runs(file.pid))
			}
		}
	})
}

func TestPreloads(t *testing.T) {
	t.Parallel()
	installed := func(name string) bool { return name != "gone" }
	tests := []struct {
		name                 string
		before, wanted, want []string
	}{
		{"new ones go last", []string{"b"}, []string{"a", "b"}, []string{"b", "a"}},
		{"none is dropped", []string{"a", "b"}, nil, []string{"a", "b"}},
		{"except one whose file is gone", []string{"a", "gone"}, []string{"gone"}, []string{"a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, preloads(tt.before, tt.wanted, installed))
		})
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	c := &Cluster{socket: "/tmp/a b", port: 5433, opts: Options{Database: "stack forge/1?"}}
	config, err := pgx.ParseConfig(c.URL(""))
	require.NoError(t, err)
	require.Equal(t, "/tmp/a b", config.Host)
	require.EqualValues(t, 5433, config.Port)
	require.Equal(t, "stack forge/1?", config.Database)
	require.Equal(t, superuser, config.User)
	config, err = pgx.ParseConfig(c.URL("other"))
	require.NoError(t, err)
	require.Equal(t, "other", config.Database)
}
