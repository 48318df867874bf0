// Package storagetest runs a real server of the S3 protocol (versitygw) as a process of its own, which tests can stop, hang and
// kill. The program is built once from tools/go.mod, into the user's cache folder.
package storagetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stackforge/storage"
)

// Server is a bucket on a server that a test can break.
type Server struct {
	storage.S3

	dir string // the bucket's objects are below it
	cmd *exec.Cmd
}

// Start runs a server with an empty bucket until the end of the test. With -short the test is skipped: the program may have to be built.
func Start(tb testing.TB) *Server {
	tb.Helper()

	if testing.Short() {
		tb.Skip("it needs a server of the S3 protocol")
	}
	s := &Server{dir: tb.TempDir(), S3: storage.S3{
		AccessKeyID: "key-of-the-test", SecretAccessKey: "secret-of-the-test", Bucket: "files-of-tests", Region: "auto", Timeout: time.Second,
	}}
	require.NoError(tb, os.MkdirAll(filepath.Join(s.dir, "data", s.Bucket), 0o755)) //nolint:gosec // it holds nothing
	require.NoError(tb, os.MkdirAll(filepath.Join(s.dir, "meta"), 0o755))           //nolint:gosec // as above
	addr, err := freeAddr(tb.Context())
	require.NoError(tb, err)
	s.Endpoint = "http://" + addr
	s.Run(tb)
	tb.Cleanup(s.Kill)
	return s
}

// Run starts the server, again at the same address when it was killed.
func (s *Server) Run(tb testing.TB) {
	tb.Helper()

	program, err := Program(tb.Context())
	require.NoError(tb, err)
	s.cmd = s.command(program)
	require.NoError(tb, s.cmd.Start())
	require.NoError(tb, answers(tb.Context(), strings.TrimPrefix(s.Endpoint, "http://")))
}

func (s *Server) command(program string) *exec.Cmd {
	cmd := exec.Command(program, "--quiet", "--access", s.AccessKeyID, "--secret", s.SecretAccessKey, "--region", s.Region, //nolint:gosec,noctx // it lives as long as the test
		"--port", strings.TrimPrefix(s.Endpoint, "http://"), "--keep-alive", "posix", "--sidecar", filepath.Join(s.dir, "meta"), filepath.Join(s.dir, "data"))
	cmd.Dir = s.dir
	return cmd
}

// Kill ends the server at once. Its objects stay.
func (s *Server) Kill() {
	_ = s.cmd.Process.Signal(syscall.SIGCONT) // or nobody can wait for it
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // it was killed
}

// Hang makes the server silent: connections are taken, and nothing is answered. Wake ends that.
func (s *Server) Hang(tb testing.TB) {
	tb.Helper()
	pid := s.cmd.Process.Pid
	require.NoError(tb, s.cmd.Process.Signal(syscall.SIGSTOP))
	require.Eventually(tb, func() bool { return stopped(pid) }, 10*time.Second, 5*time.Millisecond) // a signal takes its time
}

// stopped reports whether every thread of a process stands still. Elsewhere than on Linux it takes the signal's word.
func stopped(pid int) bool {
	list, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return false
	}
	for _, name := range list {
		text, err := os.ReadFile(filepath.Clean(name))
		if err != nil {
			return false
		}
		_, state, _ := strings.Cut(string(text), ") ")
		if !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return true
}

// Wake lets a server that hangs go on.
func (s *Server) Wake(tb testing.TB) {
	tb.Helper()
	require.NoError(tb, s.cmd.Process.Signal(syscall.SIGCONT))
}

// Open returns the store in the bucket.
func (s *Server) Open(tb testing.TB) *storage.Store {
	tb.Helper()

	store, err := storage.OpenS3(tb.Context(), s.S3)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, store.Close()) })
	return store
}

// Parts are the uploads that were begun and have neither ended nor been given up: the folder of each, whose time is that of its begin.
func (s *Server) Parts(tb testing.TB) []string {
	tb.Helper()

	list, err := filepath.Glob(filepath.Join(s.dir, "data", s.Bucket, ".sgwtmp", "multipart", "*", "*"))
	require.NoError(tb, err)
	return list
}

// Environ are the variables of the program under test that name the bucket.
func (s *Server) Environ() []string {
	return []string{
		"STORAGE_ENDPOINT=" + s.Endpoint, "STORAGE_ACCESS_KEY_ID=" + s.AccessKeyID, "STORAGE_SECRET_ACCESS_KEY=" + s.SecretAccessKey,
		"STORAGE_BUCKET=" + s.Bucket, fmt.Sprintf("STORAGE_TIMEOUT_MS=%d", s.Timeout.Milliseconds()),
	}
}

// module is where the server's program comes from.
const module = "github.com/versity/versitygw"

// Program builds the server's program when it is not there, and returns its path. Several processes may ask at once.
func Program(ctx context.Context) (string, error) {
	_, here, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("storagetest: where is tools/go.mod?")
	}
	tools := filepath.Join(filepath.Dir(here), "..", "..", "tools")
	version, err := exec.CommandContext(ctx, "go", "-C", tools, "list", "-m", "-f", "{{.Version}}", module).Output() //nolint:gosec // the repository's own folder
	if err != nil {
		return "", fmt.Errorf("storagetest: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "stackforge")
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // a program, as all may run
		return "", err
	}
	path := filepath.Join(dir, "versitygw-"+strings.TrimSpace(string(version)))
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // in the cache
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	out, err := exec.CommandContext(ctx, "go", "-C", tools, "build", "-o", path+".new", module+"/cmd/versitygw").CombinedOutput() //nolint:gosec // as above
	if err != nil {
		return "", fmt.Errorf("storagetest: build the server: %w: %s", err, out)
	}
	return path, os.Rename(path+".new", path)
}

// answers waits until somebody listens.
func answers(ctx context.Context, addr string) error {
	for range 3000 {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return errors.New("storagetest: the server does not answer at " + addr)
}

func freeAddr(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
