package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"stackforge/db/cluster"
	"stackforge/db/dbtest"
)

// A worker that is killed in the middle of its jobs loses none: another one runs them again as soon as the first counts
// as dead, which is after four heartbeats, and the accident is not one of their attempts.
func TestWorkerKilled(t *testing.T) {
	t.Parallel()
	const beat = 500 * time.Millisecond
	const jobs = 5
	w := newWorld(t)
	mail := newMailServer(t)
	env := w.environ(append(mail.env(), fmt.Sprintf("WORKER_HEARTBEAT_MS=%d", beat.Milliseconds()))...)
	api := serveAPI(t, w.environ())
	c := w.caller(api)

	first := startWorker(t, env)
	var ids []string
	for i := range jobs {
		ids = append(ids, c.enqueue(t, "send_email", mailTo(fmt.Sprintf("mail %d", i))))
	}
	eventually(t, func() bool { return mail.senders() == jobs }, "all jobs under way")
	first.kill()
	dead := time.Now()
	for _, id := range ids {
		require.Equal(t, job{Status: "RUNNING", Attempts: 1}, c.job(t, id))
	}

	startWorker(t, env)
	eventually(t, func() bool { return mail.senders() == 2*jobs }, "all jobs under way again")
	// Four beats until it counts as dead, another until somebody looks; the rest is for a busy machine.
	require.Less(t, time.Since(dead), 5*beat+8*time.Second)
	mail.release()
	for _, id := range ids {
		require.Equal(t, 1, c.awaitJob(t, id, "DONE").Attempts, "the rescued run was no attempt")
	}
	require.Equal(t, []int{1}, list[int](t, w, `SELECT DISTINCT rescues FROM jobs WHERE type = 'send_email'`))
	require.Len(t, mail.delivered(), jobs, "the killed worker had handed over none")
}

// load is a client that asks and writes until it is told to stop, and remembers what it was told of each write.
type load struct {
	caller caller
	author string
	word   string

	jobs, documents map[string]bool // by unique key: whether the answer said that it is done
	fine            atomic.Int64    // answers without an error
	failed          int             // the others
	wrong           []string        // those of them that no client should see
}

// run works until stop is closed. Every write has a key of its own and is never repeated.
func (l *load) run(ctx context.Context, stop <-chan struct{}) {
	l.jobs, l.documents = map[string]bool{}, map[string]bool{}
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		default:
		}
		key := fmt.Sprintf("%s-%d", l.word, i)
		switch i % 3 {
		case 0:
			l.ask(ctx, `{ documents(first: 5) { id title author { email } } jobs(first: 5) { id status } }`, nil)
		case 1:
			l.jobs[key] = l.ask(ctx, enqueueJob, map[string]any{"input": map[string]any{
				"type": "send_email", "payload": mailTo(key), "uniqueKey": key,
			}})
		case 2:
			l.documents[key] = l.ask(ctx, `mutation ($input: CreateDocumentInput!) { createDocument(input: $input) { document { id } } }`,
				map[string]any{"input": map[string]any{"authorId": l.author, "title": key, "body": key, "externalId": key}})
		}
	}
}

// ask reports whether the operation succeeded; if not, it must have been refused as UNAVAILABLE.
func (l *load) ask(ctx context.Context, query string, variables map[string]any) bool {
	a, err := l.caller.ask(ctx, query, variables)
	codes := a.codes()
	if err == nil && a.status == http.StatusOK && len(codes) == 0 {
		l.fine.Add(1)
		return true
	}
	l.failed++
	if err != nil || a.status != http.StatusOK && a.status != http.StatusServiceUnavailable || !allUnavailable(codes) {
		l.wrong = append(l.wrong, fmt.Sprintf("%v %d %s", err, a.status, a.text))
	}
	return false
}

func allUnavailable(codes []string) bool {
	for _, c := range codes {
		if c != "UNAVAILABLE" {
			return false
		}
	}
	return len(codes) > 0
}

// startLoads starts clients; stop ends them.
func startLoads(t *testing.T, w *world, callers ...caller) (loads []*load, stop func()) {
	t.Helper()
	quit := make(chan struct{})
	var clients sync.WaitGroup
	for i, c := range callers {
		l := &load{caller: c, author: w.scope.UserID.String(), word: fmt.Sprintf("load%d", i)}
		loads = append(loads, l)
		clients.Go(func() { l.run(t.Context(), quit) })
	}
	stop = sync.OnceFunc(func() { close(quit); clients.Wait() })
	t.Cleanup(stop)
	return loads, stop
}

// kept requires that what a client was told is what the database has: a write it saw succeed is there once, and one
// that failed is there at most once.
func (l *load) kept(t *testing.T, w *world) {
	t.Helper()
	require.Empty(t, l.wrong, "answers that no client should see")
	for _, kind := range []struct {
		told map[string]bool
		sql  string
	}{
		{l.jobs, `SELECT unique_key FROM jobs WHERE unique_key LIKE $1 || '-%'`},
		{l.documents, `SELECT external_id FROM documents WHERE external_id LIKE $1 || '-%'`},
	} {
		count := map[string]int{}
		for _, key := range list[string](t, w, kind.sql, l.word) {
			count[key]++
		}
		require.NotEmpty(t, kind.told)
		for key, said := range kind.told {
			require.LessOrEqual(t, count[key], 1, "%s is there twice", key)
			if said {
				require.Equal(t, 1, count[key], "%s is lost", key)
			}
		}
	}
}

// Every connection to the database is cut again and again while clients ask and write, and a worker works. Clients see
// answers or UNAVAILABLE and nothing else, no write is lost or doubled, every job is done, and subscriptions go on.
func TestConnectionsCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	api := serveAPI(t, w.environ())
	startWorker(t, w.environ())
	c := w.caller(api)
	watch := c.watch(t, "")
	watch.listening(t, c)

	loads, stop := startLoads(t, w, c, c, c)
	fine := func() (n int64) {
		for _, l := range loads {
			n += l.fine.Load()
		}
		return n
	}
	admin := dbtest.Connect(t, dbtest.WithDatabase(w.URL, "postgres"))
	name, cut := databaseName(t, w.URL), 0
	for end := time.Now().Add(patience); cut < 40 || fine() < 100; {
		require.True(t, time.Now().Before(end), "only %d answers", fine())
		var n int
		require.NoError(t, admin.QueryRow(t.Context(), `
			SELECT count(pg_terminate_backend(pid))::int FROM pg_stat_activity
			WHERE datname = $1 AND application_name IN ('web-app', 'web-jobs')`, name).Scan(&n))
		cut += n
		<-time.After(200 * time.Millisecond) // load between the cuts, not a wait for anything
	}
	stop()
	failed := 0
	for _, l := range loads {
		l.kept(t, w)
		failed += l.failed
	}
	t.Logf("%d connections cut, %d good answers, %d times UNAVAILABLE", cut, fine(), failed)

	var data struct{ Jobs []struct{ ID string } }
	eventually(t, func() bool {
		a, err := c.ask(t.Context(), `{ jobs { id } }`, nil)
		return err == nil && len(a.codes()) == 0
	}, "an answer")
	for range 20 { // and from now on all is fine
		c.get(t, &data, `{ jobs { id } }`, nil)
	}
	allDone(t, w)
	sees(t, w.truth(t, "load%"), watch.log)
	require.NoError(t, watch.failure())
}

// allDone waits until every job of the load has succeeded.
func allDone(t *testing.T, w *world) {
	t.Helper()
	unfinished := 1
	for unfinished > 0 {
		last := unfinished
		eventually(t, func() bool {
			unfinished = one[int](t, w, `SELECT count(*)::int FROM jobs WHERE unique_key LIKE 'load%' AND status IN ('pending', 'running')`)
			return unfinished == 0 || unfinished != last
		}, "%d jobs to finish", last)
	}
	require.Empty(t, list[string](t, w, `SELECT unique_key || ': ' || coalesce(last_error, '') FROM jobs WHERE unique_key LIKE 'load%' AND status <> 'done'`))
}

func databaseName(t *testing.T, dsn string) string {
	t.Helper()
	var name string
	require.NoError(t, dbtest.Connect(t, dsn).QueryRow(t.Context(), `SELECT current_database()`).Scan(&name))
	return name
}

// PostgreSQL is killed and started again under a running API and worker. In between, probes and clients are told so;
// afterwards everything goes on by itself, subscriptions included.
func TestDatabaseKilled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it needs a database")
	}
	dir := folder(t)
	options := cluster.Options{Dir: filepath.Join(dir, "pg"), ContribOnly: true, Log: zerolog.Nop()}
	c, err := cluster.Start(t.Context(), options)
	require.NoError(t, err)
	url := c.URL("")
	env := environ(dir, "DATABASE_URL="+url, "PG_EXTENSIONS=contrib")
	ok(t, env, "migrate")
	fields := strings.Fields(ok(t, env, "tenant", "create", "--name", "one"))
	tenantID, key := fields[1], fields[3]
	api := serveAPI(t, env)
	startWorker(t, env)
	client := caller{url: api.url, key: key}
	watch := client.watch(t, "")
	watch.listening(t, client)
	testProbes(t, api.url)
	before := client.enqueue(t, "send_email", mailTo("before"))
	client.awaitJob(t, before, "DONE")

	pid := postmaster(dir)
	require.NotZero(t, pid)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	require.NoError(t, c.Stop(t.Context()))
	// The probes keep an answer for half a second.
	eventually(t, func() bool {
		status, text := page(t, api.url+"/ready")
		return status == http.StatusServiceUnavailable && strings.Contains(text, `"database":"down"`)
	}, "/ready 503")
	status, text := page(t, api.url+"/health")
	require.Equal(t, http.StatusOK, status, "the process itself lives")
	require.Contains(t, text, `"database":"down"`)
	for _, query := range []string{
		`{ documents { id } }`,
		`mutation { enqueueJob(input: {type: "send_email", payload: {to: "lost@example.org"}}) { job { id } } }`,
	} {
		a, err := client.ask(t.Context(), query, nil)
		require.NoError(t, err)
		require.True(t, allUnavailable(a.codes()), "%d %s", a.status, a.text)
	}
	a, err := caller{url: api.url, key: "sk_live_unknown"}.ask(t.Context(), `{ documents { id } }`, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, a.status, "whether a key is good is not known: %s", a.text)

	c, err = cluster.Start(t.Context(), options)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		require.NoError(t, c.Stop(ctx))
	})
	require.Equal(t, url, c.URL(""))
	eventually(t, func() bool { status, _ := page(t, api.url+"/ready"); return status == http.StatusOK }, "/ready 200")
	// A server that crashed may give ids of transactions again, so a subscriber is told to read anew, once, and goes on.
	resets := func() (n int) {
		for _, u := range watch.log() {
			if u.Reset {
				n++
			}
		}
		return n
	}
	eventually(t, func() bool { return resets() > 0 }, "a reset")
	after := client.enqueue(t, "send_email", mailTo("after"))
	client.awaitJob(t, after, "DONE")
	want := list[string](t, &world{DB: &dbtest.DB{URL: url}}, `
		SELECT upper(status) || ' ' || attempts FROM job_events WHERE job_id = $1 ORDER BY id`, after)
	sees(t, map[string][]string{after: want}, watch.log)
	require.Equal(t, 1, resets())
	require.NoError(t, watch.failure())
	require.Equal(t, "DONE", client.job(t, before).Status)
	require.Contains(t, ok(t, env, "tenant", "list"), tenantID)

	status, text = page(t, api.url+"/metrics", "Accept", "application/json")
	require.Equal(t, http.StatusOK, status)
	require.True(t, json.Valid([]byte(text)))
}
