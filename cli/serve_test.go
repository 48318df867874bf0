package cli_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// firstTenant is the seed's tenant of all documented examples.
const firstTenant = "00000000-0000-0000-0000-000000000001"

var keyPattern = regexp.MustCompile(`sk_live_[A-Za-z0-9_-]{20,}`)

// shownKey is the key of the first tenant that a greeting shows.
func shownKey(t *testing.T, stderr string) string {
	t.Helper()
	_, rest, found := strings.Cut(stderr, firstTenant+"  ")
	require.True(t, found, "no key is shown: %s", stderr)
	key := keyPattern.FindString(rest)
	require.NotEmpty(t, key, stderr)
	return key
}

// TestServe is the story of the first day: one command brings everything up, Ctrl-C takes it down, the second start
// finds the data, and a kill leaves nothing in the way of the third.
func TestServe(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	env := environ(dir)
	all := []string{"--embedded", "--worker", "--migrate", "--seed"}

	first := serve(t, env, all...)
	key := shownKey(t, first.stderr.String())
	require.Len(t, keyPattern.FindAllString(first.stderr.String(), -1), 3, "one key a tenant")
	require.Empty(t, first.stdout.String())
	c := caller{url: first.url, key: key}
	testQueries(t, c)
	testProbes(t, first.url)
	c.awaitJob(t, c.enqueue(t, "send_email", mailTo("hello")), "DONE")
	testPages(t, first.url)

	// Other commands find the server's database.
	other := strings.TrimSuffix(ok(t, env, "key", "create", "--tenant", firstTenant, "--name", "laptop"), "\n")
	require.Regexp(t, "^"+keyPattern.String()+"$", other, "stdout is the key alone")
	second := caller{url: first.url, key: other}
	document := createDocument(t, second, "Kept over restarts")

	database := postmaster(dir)
	require.NotZero(t, database)
	first.interrupt()
	require.Zero(t, first.wait(), first.stderr.String())
	require.False(t, alive(database), "the database has stopped with the server")

	again := serve(t, env, all...)
	require.NotContains(t, again.stderr.String(), "sk_live_", "keys are shown once")
	require.Equal(t, "Kept over restarts", title(t, caller{url: again.url, key: key}, document))

	database = postmaster(dir)
	again.kill()
	require.True(t, alive(database), "the database outlives a killed server")
	ok(t, env, "tenant", "list") // commands work beside it
	third := serve(t, env, all...)
	require.Contains(t, third.stderr.String(), `"adopted":true`)
	require.Equal(t, database, postmaster(dir))
	require.Equal(t, "Kept over restarts", title(t, caller{url: third.url, key: key}, document))
	third.stop()
	require.False(t, alive(database), "the adopted database has stopped, too")

	// Without a server a command starts the database for itself and stops it again.
	require.Contains(t, ok(t, env, "tenant", "list"), "Meridian Group")
	require.Zero(t, postmaster(dir))
}

func createDocument(t *testing.T, c caller, name string) string {
	t.Helper()
	var data struct {
		CreateDocument struct{ Document struct{ ID string } }
		Users          []struct{ ID string }
	}
	c.get(t, &data, `{ users(first: 1) { id } }`, nil)
	require.NotEmpty(t, data.Users)
	c.get(t, &data, `mutation ($input: CreateDocumentInput!) { createDocument(input: $input) { document { id } } }`,
		map[string]any{"input": map[string]any{"authorId": data.Users[0].ID, "title": name, "body": "Some text."}})
	return data.CreateDocument.Document.ID
}

func title(t *testing.T, c caller, document string) string {
	t.Helper()
	var data struct{ Document struct{ Title string } }
	c.get(t, &data, `query ($id: ID!) { document(id: $id) { title } }`, map[string]any{"id": document})
	return data.Document.Title
}

// testQueries runs what the documentation shows first.
func testQueries(t *testing.T, c caller) {
	t.Helper()
	var data struct {
		Documents    []struct{ Title string }
		Viewer       struct{ Tenant struct{ ID, Name string } }
		Capabilities []struct{ Name string }
	}
	c.get(t, &data, `{ documents(first: 5) { id title } viewer { tenant { id name } } capabilities { name installed } }`, nil)
	require.Len(t, data.Documents, 5)
	require.Equal(t, firstTenant, data.Viewer.Tenant.ID)
	require.NotEmpty(t, data.Capabilities)

	a, err := caller{url: c.url}.ask(t.Context(), `{ viewer { keyId } }`, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, a.status)
	require.Equal(t, []string{"UNAUTHENTICATED"}, a.codes())

	// A token made from the key does the same.
	var token struct{ IssueToken struct{ Token string } }
	c.get(t, &token, `mutation { issueToken { token } }`, nil)
	status, text := page(t, c.url+"/graphql?query=%7Bviewer%7BkeyId%7D%7D", "Authorization", "Bearer "+token.IssueToken.Token)
	require.Equal(t, http.StatusOK, status, text)
	require.Contains(t, text, "keyId")
}

func testProbes(t *testing.T, address string) {
	t.Helper()
	status, text := page(t, address+"/health")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, `"database":"up"`)
	eventually(t, func() bool { status, text = page(t, address+"/ready"); return status == http.StatusOK }, "ready")
	require.Contains(t, text, `"status":"ready"`)

	status, text = page(t, address+"/metrics", "Accept", "application/json")
	require.Equal(t, http.StatusOK, status)
	require.True(t, json.Valid([]byte(text)), text)
	status, text = page(t, address+"/metrics", "Accept", "text/plain")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, "# TYPE ")
	require.Regexp(t, `(?m)^[a-z_]+\{[^}]*\} [0-9.e+-]+$`, text)
}

func testPages(t *testing.T, address string) {
	t.Helper()
	status, text := page(t, address+"/playground")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, "<!doctype html>")
	status, text = page(t, address+"/graphql", "Accept", "text/html")
	require.Equal(t, http.StatusOK, status, "a browser is led to the page")
	require.Contains(t, text, "<!doctype html>")
	status, _ = page(t, address+"/no-such-path")
	require.Equal(t, http.StatusNotFound, status)
}

// A start that is interrupted leaves no database behind, and the next one works, for a worker in another process too.
func TestServeInterruptedStart(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	env := environ(dir, "PG_EXTENSIONS=contrib")
	early := start(t, env, "serve", "--embedded", "--migrate")
	eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(dir, "pg"))
		return err == nil
	}, "the start of the database")
	early.interrupt()
	require.Positive(t, early.wait(), "it did not serve")
	require.Zero(t, postmaster(dir))

	late := start(t, env, "serve", "--embedded", "--migrate")
	late.says("database started")
	late.interrupt() // while it migrates
	require.GreaterOrEqual(t, late.wait(), 0)
	require.Zero(t, postmaster(dir))

	whole := serveAPI(t, env, "--embedded", "--migrate")
	testProbes(t, whole.url)
	beside := start(t, env, "serve", "--embedded")
	require.Equal(t, 1, beside.wait(), "a second server on the same data")
	require.Contains(t, beside.stderr.String(), "in use by another process")
	require.Contains(t, beside.stderr.String(), fmt.Sprint(whole.cmd.Process.Pid))

	// A worker in a second terminal finds the server's database, outlives it, and goes on with the next server.
	key := strings.Fields(ok(t, env, "tenant", "create", "--name", "one"))[3]
	worker := startWorker(t, env)
	c := caller{url: whole.url, key: key}
	c.awaitJob(t, c.enqueue(t, "send_email", mailTo("first server")), "DONE")
	whole.stop()
	require.Zero(t, postmaster(dir))
	next := serveAPI(t, env, "--embedded")
	c = caller{url: next.url, key: key}
	c.awaitJob(t, c.enqueue(t, "send_email", mailTo("second server")), "DONE")
	next.stop()
	worker.stop() // without a database
	require.Zero(t, postmaster(dir))
}

// PORT is honoured, one that is taken is named, and a server with DATABASE_URL starts no other database.
func TestServePort(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	env := w.environ("PORT=" + port)

	r := run(t, env, "serve", "--embedded")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stderr, "port "+port+" is in use; set PORT")
	require.NoError(t, l.Close())

	s := serveAPI(t, env, "--embedded")
	require.Equal(t, "http://127.0.0.1:"+port, s.url)
	require.NoDirExists(t, filepath.Join(w.dir, "pg"))
	require.NoFileExists(t, filepath.Join(w.dir, "run.env"))
	testProbes(t, s.url)
	s.signal(syscall.SIGINT)
	require.Zero(t, s.wait())

	ops := serveAPI(t, w.environ("OPS_ADDR=127.0.0.1:0", "PLAYGROUND=off"))
	_, rest, found := strings.Cut(ops.stderr.String(), "Health       ")
	require.True(t, found)
	side, _, _ := strings.Cut(rest, "/health")
	require.NotEqual(t, ops.url, side)
	testProbes(t, side)
	for _, path := range []string{"/metrics", "/ready", "/health", "/playground"} {
		status, _ := page(t, ops.url+path)
		require.Equal(t, http.StatusNotFound, status, path)
	}
	ops.stop()
}
