package workflows_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
)

// patience is how long a script waits for what must come. Nothing waits for all of it unless it is missing; but what a killed worker was
// about to send to a webhook is another's after a minute only (webhook.Dispatcher).
const patience = 90 * time.Second

// build compiles the program.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stackforge")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "stackforge").CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

// world is what a script acts in: a database of its own, the processes that it starts, and a server outside.
type world struct {
	t       testing.TB
	program string
	db      *dbtest.DB
	dir     string
	door    door
	url     string // of the server
	values  values
	inboxes map[string]*inbox
	running map[string]*process // by command: serve, worker
}

func newWorld(t testing.TB, program string, d door) *world {
	t.Helper()
	w := &world{
		t: t, program: program, db: dbtest.New(t), dir: t.TempDir(), door: d, values: values{}, running: map[string]*process{},
		inboxes: map[string]*inbox{"webhook": newInbox()},
	}
	outside := httptest.NewServer(w.outside())
	t.Cleanup(outside.Close)
	w.values["hook"] = outside.URL + "/hook"
	w.values["silence"] = outside.URL + "/silence"
	return w
}

// outside is somebody else's server: /hook takes webhooks, what is below /silence never answers.
func (w *world) outside() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /hook", func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		w.inboxes["webhook"].put(body, err)
	})
	mux.HandleFunc("/silence/", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // until then nobody sees that the client is gone
		<-r.Context().Done()
	})
	return mux
}

// environ is a small environment of its own: nothing of the developer's reaches the program. Later values win.
func (w *world) environ(extra ...string) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, //nolint:forbidigo // where programs are
		"DATABASE_URL=" + w.db.URL, "DATA_DIR=" + w.dir, "HOST=127.0.0.1", "PORT=0", "LOG_FORMAT=json", "PGPOOL_MIN=1", "PGPOOL_MAX=4",
		"WEBHOOK_ALLOW_PRIVATE=1", "WORKER_HEARTBEAT_MS=200",
	}, extra...)
}

// process is a running program.
type process struct {
	cmd   *exec.Cmd
	said  output
	ended chan struct{} // closed when it has
}

// output collects what a process says.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write adds to it.
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

// start starts the program. At the end of the test it is killed.
func (w *world) start(env []string, args ...string) (*process, error) {
	p := &process{ended: make(chan struct{})}
	p.cmd = exec.Command(w.program, args...)
	p.cmd.Env, p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = w.environ(env...), w.dir, &p.said, &p.said
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // ProcessState tells
	}()
	w.t.Cleanup(func() {
		p.kill()
		if said := p.said.String(); w.t.Failed() {
			w.t.Logf("stackforge %s said:\n%s", strings.Join(args, " "), said[max(0, len(said)-4000):])
		}
	})
	return p, nil
}

// kill ends it without a chance to clean up.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// says waits until it has said something that an expression finds, and returns what that found.
func (p *process) says(what string) ([]string, error) {
	expression := regexp.MustCompile(what)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(2 * patience); ; <-tick.C {
		over := false
		select {
		case <-p.ended:
			over = true
		default:
		}
		text := p.said.String()
		if found := expression.FindStringSubmatch(text); found != nil {
			return found, nil
		}
		if over || time.Now().After(end) {
			return nil, fmt.Errorf("%s was not said: %s", what, text)
		}
	}
}

// shell runs lines as a shell would that knows no more than this: name=value, VAR=value … stackforge command … [&], and
// kill -9 command.
func (w *world) shell(lines string) error {
	for line := range strings.SplitSeq(lines, "\n") {
		line, err := w.values.fill(strings.TrimSpace(line))
		if err == nil && line != "" {
			err = w.command(strings.Fields(line))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
	}
	return nil
}

func (w *world) command(words []string) error {
	var env []string
	for len(words) > 0 && strings.Contains(words[0], "=") {
		env, words = append(env, words[0]), words[1:]
	}
	switch {
	case len(words) == 0:
		for _, assignment := range env {
			name, value, _ := strings.Cut(assignment, "=")
			w.values[name] = value
		}
		return nil
	case len(words) == 3 && words[0] == "kill" && words[1] == "-9":
		p := w.running[words[2]]
		if p == nil {
			return errors.New("it does not run")
		}
		p.kill()
		return nil
	case words[0] != "stackforge" || len(words) < 2:
		return errors.New("only stackforge and kill -9 can be run")
	}
	args, background := words[1:], words[len(words)-1] == "&"
	if background {
		args = args[:len(args)-1]
	}
	p, err := w.start(env, args...)
	if err != nil {
		return err
	}
	if background {
		return w.up(p, args[0])
	}
	<-p.ended
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("exit code %d: %s", code, p.said.String())
	}
	if args[0] == "seed" {
		return w.seeded(p.said.String())
	}
	return nil
}

// up waits until a process in the background works.
func (w *world) up(p *process, command string) error {
	w.running[command] = p
	switch command {
	case "serve":
		found, err := p.says(`  GraphQL +(http\S+)/graphql`)
		if err == nil {
			w.url = found[1]
		}
		return err
	case "worker":
		_, err := p.says("worker: started")
		return err
	}
	return errors.New("only serve and worker run in the background")
}

// seeded learns the tenants, their first users and their keys: tenant1, user1, key1 and so on; the first are also tenant, user and
// key.
func (w *world) seeded(said string) error {
	found := regexp.MustCompile(`(0{8}-\S+-0*(\d))  (sk_live_\S+)`).FindAllStringSubmatch(said, -1)
	if len(found) != 3 {
		return fmt.Errorf("no three keys: %s", said)
	}
	for _, m := range found {
		w.values["tenant"+m[2]], w.values["key"+m[2]] = m[1], m[3]
		w.values["user"+m[2]] = m[1][:len(m[1])-2] + m[2] + "0"
	}
	for _, name := range []string{"tenant", "key", "user"} {
		w.values[name] = w.values[name+"1"]
	}
	return nil
}

// sql runs a statement as the superuser and returns its rows as a list of objects.
func (w *world) sql(statement string) (any, error) {
	conn := w.db.Connect(w.t)
	defer conn.Close(w.t.Context())
	rows, err := conn.Query(w.t.Context(), statement)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, pgx.RowToMap)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	return decode(string(text))
}

// version is the major version of the PostgreSQL server.
func (w *world) version() int {
	rows, err := w.sql("SELECT current_setting('server_version_num')::int / 10000 AS version")
	require.NoError(w.t, err)
	v := values{}
	require.NoError(w.t, v.matches([]any{map[string]any{"version": "${version}"}}, rows))
	n, err := strconv.Atoi(v["version"])
	require.NoError(w.t, err)
	return n
}
