package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stackforge/cli"
	"stackforge/db/dbtest"
)

// These tests run the program as its users do: as processes that are started, talked to over the network, signalled and
// killed. Those that need no process of their own call cli.Run.

// patience is how long a test waits for what must come. It is long because machines that run tests are busy; nothing
// waits for all of it unless it is missing.
const patience = 45 * time.Second

func TestMain(m *testing.M) {
	code := dbtest.Run(m)
	if dir := buildDir(); dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

var (
	buildMu sync.Mutex
	built   string // folder of the program
)

func buildDir() string {
	buildMu.Lock()
	defer buildMu.Unlock()
	return built
}

// program is the path of the compiled program, which the first test that needs it builds.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "stackforge-cli-")
	if err != nil {
		return "", err
	}
	buildMu.Lock()
	built = dir
	buildMu.Unlock()
	path := filepath.Join(dir, "stackforge")
	out, err := exec.Command("go", "build", "-o", path, "stackforge").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the program: %w: %s", err, out)
	}
	return path, nil
})

// folder makes a folder that the embedded database's user can reach, which testing's own are not, in memory where
// there is one: a shared disk makes an initdb take seconds.
func folder(t *testing.T) string {
	t.Helper()
	base := os.TempDir()
	if fi, err := os.Stat("/dev/shm"); err == nil && fi.IsDir() {
		base = "/dev/shm"
	}
	dir, err := os.MkdirTemp(base, "cli-") //nolint:usetesting // see above
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() {
		quit(postmaster(dir)) // what a killed process left
		require.NoError(t, os.RemoveAll(dir))
	})
	return dir
}

// postmaster is the number of the embedded database's process, 0 when none runs.
func postmaster(dataDir string) int {
	text, err := os.ReadFile(filepath.Join(dataDir, "pg", "data", "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || !alive(pid) {
		return 0
	}
	return pid
}

// alive tells whether a process runs; one that has ended and was not collected does not.
func alive(pid int) bool {
	if pid <= 1 || syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true // no /proc here
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// quit ends a database server at once and waits for it.
func quit(pid int) {
	if pid == 0 {
		return
	}
	_ = syscall.Kill(pid, syscall.SIGQUIT)
	for end := time.Now().Add(10 * time.Second); alive(pid) && time.Now().Before(end); {
		<-time.After(10 * time.Millisecond)
	}
}

// output collects what a process writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// environ is a small environment of its own: nothing of the developer's reaches the program. Pools are small because
// many tests share one server. Later values win.
func environ(dataDir string, extra ...string) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dataDir, //nolint:forbidigo // where the programs of PostgreSQL are
		"DATA_DIR=" + dataDir, "HOST=127.0.0.1", "PORT=0", "LOG_FORMAT=json", "PGPOOL_MIN=1", "PGPOOL_MAX=4",
	}, extra...)
}

// result is how a command ended.
type result struct {
	code           int
	stdout, stderr string
}

// run runs a command in this process.
func run(t *testing.T, env []string, args ...string) result {
	t.Helper()
	return runWith(t, env, "", args...)
}

// runWith runs a command in this process, with a text on stdin.
func runWith(t *testing.T, env []string, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr output
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	code := cli.Run(ctx, args, cli.System{Environ: env, Stdin: strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr})
	return result{code: code, stdout: stdout.String(), stderr: stderr.String()}
}

// ok is run for a command that must succeed; it returns stdout.
func ok(t *testing.T, env []string, args ...string) string {
	t.Helper()
	r := run(t, env, args...)
	require.Zero(t, r.code, "%v: %s", args, r.stderr)
	return r.stdout
}

// process is a running program.
type process struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr *output
	ended          chan struct{} // closed when it has ended
}

// start starts the program in a process group of its own. It is killed at the end of the test if it still runs.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts processes")
	}
	path, err := program()
	require.NoError(t, err)
	p := &process{t: t, stdout: &output{}, stderr: &output{}, ended: make(chan struct{})}
	p.cmd = exec.Command(path, args...)
	p.cmd.Env, p.cmd.Dir = env, t.TempDir() // without a .env
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = 5 * time.Second
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // ProcessState tells
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%v\n%s%s", args, tail(p.stdout.String()), tail(p.stderr.String()))
		}
	})
	return p
}

// tail is the end of a text.
func tail(text string) string { return text[max(0, len(text)-4000):] }

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		require.NoError(p.t, err)
	}
}

// interrupt is Ctrl-C: SIGINT to the whole process group.
func (p *process) interrupt() {
	p.t.Helper()
	require.NoError(p.t, syscall.Kill(-p.cmd.Process.Pid, syscall.SIGINT))
}

// kill ends it without a chance to clean up.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// wait returns the exit code; -1 for a process that a signal ended.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		require.Fail(p.t, "the process does not end", "%v\n%s", p.cmd.Args, p.stderr)
	}
	return p.cmd.ProcessState.ExitCode()
}

// stop ends it as a supervisor does and requires that it ended well.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	require.Zero(p.t, p.wait(), "exit code after SIGTERM: %s", p.stderr)
}

// says waits until stderr has a text.
func (p *process) says(text string) {
	p.t.Helper()
	for end := time.Now().Add(2 * patience); !strings.Contains(p.stderr.String(), text); {
		select {
		case <-p.ended:
			require.Contains(p.t, p.stderr.String(), text, "the process has ended")
			return
		case <-time.After(10 * time.Millisecond):
		}
		require.True(p.t, time.Now().Before(end), "not said: %q\n%s", text, p.stderr)
	}
}

// server is a running API.
type server struct {
	*process
	url string
}

// serve starts an API and waits until it says where it is.
func serve(t *testing.T, env []string, args ...string) *server {
	t.Helper()
	p := start(t, env, append([]string{"serve"}, args...)...)
	p.says("Another key")
	return &server{process: p, url: announced(t, p.stderr.String())}
}

// serveAPI is serve without seed, which announces no tenant.
func serveAPI(t *testing.T, env []string, args ...string) *server {
	t.Helper()
	p := start(t, env, append([]string{"serve"}, args...)...)
	p.says("  Worker  ")
	return &server{process: p, url: announced(t, p.stderr.String())}
}

// announced is the address that a server's greeting names.
func announced(t *testing.T, stderr string) string {
	t.Helper()
	_, rest, found := strings.Cut(stderr, "  GraphQL      ")
	require.True(t, found, stderr)
	address, _, found := strings.Cut(rest, "/graphql")
	require.True(t, found, stderr)
	return address
}

// startWorker starts a worker and waits until it works.
func startWorker(t *testing.T, env []string) *process {
	t.Helper()
	p := start(t, env, "worker")
	p.says("worker: started")
	return p
}

// eventually waits for a condition.
func eventually(t *testing.T, is func() bool, what string, args ...any) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); {
		require.True(t, time.Now().Before(end), "not seen: %s", fmt.Sprintf(what, args...))
		<-tick()
	}
}

// tick is the pause between two looks at a condition.
func tick() <-chan time.Time { return time.After(20 * time.Millisecond) }
