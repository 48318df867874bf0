package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"stackforge/db/cluster"
)

// bench is one run: a temporary folder, a database server, and what the parts share.
type bench struct {
	options

	cluster *cluster.Cluster
	dir     string
	report  report

	data *dataset // made when a part first asks for it
}

// dataset is the database that most parts work on.
type dataset struct {
	url    string
	tenant uuid.UUID
	key    string
	ids    []string // of its documents
}

func newBench(ctx context.Context, o options) (*bench, error) {
	dir, err := os.MkdirTemp("", "stackforge-bench-")
	if err != nil {
		return nil, err
	}
	// The database's user must be able to pass through.
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // see above
		return nil, err
	}
	b := &bench{options: o, dir: dir, report: report{started: time.Now()}}
	b.cluster, err = cluster.Start(ctx, cluster.Options{
		BinDir: os.Getenv("PG_BIN"), Dir: filepath.Join(dir, "pg"), Log: zerolog.Nop(), //nolint:forbidigo // the same name as the program's
		// What is measured is warm: it fits, as it would on a server that has a quarter of its memory for it.
		Settings: map[string]string{"shared_buffers": "2GB"},
	})
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return b, nil
}

func (b *bench) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := b.cluster.Stop(ctx); err != nil {
		b.logf("%v", err)
		return
	}
	if b.keep {
		b.logf("kept %s", b.dir)
		return
	}
	_ = os.RemoveAll(b.dir)
}

// logf tells what is going on; the results go to stdout.
func (b *bench) logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}

// each is how long one side of a comparison is measured in all.
func (b *bench) each() time.Duration { return time.Duration(b.seconds) * time.Second }

// process is a program that runs beside the bench.
type process struct {
	cmd  *exec.Cmd
	log  string // file with what it wrote
	done chan struct{}
	err  error // after done
}

// start runs a program until stop. Its environment is the bench's own, without what would change the product, and env.
func (b *bench) start(ctx context.Context, name, bin string, env []string, args ...string) (*process, error) {
	p := &process{log: filepath.Join(b.dir, name+"-"+strconv.FormatInt(time.Now().UnixNano(), 36)+".log"), done: make(chan struct{})}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd = exec.CommandContext(ctx, bin, args...) //nolint:gosec // the bench runs what it is told to measure
	p.cmd.Env = append(environment(), env...)
	p.cmd.Dir = b.dir
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 30 * time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// environment is what a program needs to run at all: no setting of the person's shell reaches the measured program.
func environment() []string {
	var out []string
	for _, kv := range os.Environ() {
		switch name, _, _ := strings.Cut(kv, "="); name {
		case "PATH", "HOME", "TMPDIR", "USER", "LANG", "LC_ALL", "GOMAXPROCS":
			out = append(out, kv)
		}
	}
	return out
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	<-p.done
}

// tail is the end of what the process wrote, for errors.
func (p *process) tail() string {
	text, _ := os.ReadFile(p.log)
	return string(text[max(0, len(text)-600):])
}

// output runs the program to its end and returns what it wrote to stdout.
func (b *bench) output(ctx context.Context, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, b.bin, args...) //nolint:gosec // as above
	cmd.Env, cmd.Dir = append(environment(), env...), b.dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("stackforge %s: %w: %s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), nil
}

// server is a running `stackforge serve`.
type server struct {
	*process
	addr string // 127.0.0.1:port
}

// serve starts the API on a database, with more settings, and waits until it answers.
func (b *bench) serve(ctx context.Context, name, databaseURL string, more ...string) (*server, error) {
	addr, err := freeAddr(ctx)
	if err != nil {
		return nil, err
	}
	p, err := b.start(ctx, name, b.bin, append(settings(databaseURL, addr, b.dir), more...), "serve")
	if err != nil {
		return nil, err
	}
	return &server{p, addr}, p.answers(ctx, addr)
}

// settings is the configuration under which everything is measured: the defaults, but a quiet log.
func settings(databaseURL, addr, dir string) []string {
	_, port, _ := net.SplitHostPort(addr)
	return []string{"DATABASE_URL=" + databaseURL, "HOST=127.0.0.1", "PORT=" + port, "LOG_LEVEL=warn", "LOG_FORMAT=json", "DATA_DIR=" + filepath.Join(dir, "state")}
}

// answers waits until the process accepts requests.
func (p *process) answers(ctx context.Context, addr string) error {
	for range 3000 {
		c, err := net.DialTimeout("tcp", addr, time.Second) //nolint:noctx // a second at most
		if err == nil {
			return c.Close()
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended: %w: %s", filepath.Base(p.cmd.Path), p.err, p.tail())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return errors.New("no answer from " + addr)
}

// freeAddr returns a loopback address that nothing listens on.
func freeAddr(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// rss is the resident memory of a process in bytes.
func rss(pid int) (int64, error) { return procStatus(pid, "VmRSS:") }

func procStatus(pid int, name string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("no " + name + " in /proc")
}

// connect opens a connection as superuser.
func connect(ctx context.Context, url string) (*pgx.Conn, error) { return pgx.Connect(ctx, url) }

// sleep waits, but not longer than ctx.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// graphql sends one operation over an ordinary client, for what is not measured itself. An answer with errors is an error.
func graphql(ctx context.Context, addr, key, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/graphql", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Api-Key", key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || bytes.HasPrefix(text, []byte(`{"errors"`))) {
		err = fmt.Errorf("%s: %s", res.Status, text)
	}
	return err
}
