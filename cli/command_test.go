package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
)

// A command line or a configuration that is not valid is exit code 2 and says what is wrong.
func TestUsage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		env  []string
		args []string
		code int
		says string
	}{
		{"no command shows the help", nil, nil, 0, "serve"},
		{"help", nil, []string{"--help"}, 0, "docs/configuration.md"},
		{"help of a command", nil, []string{"key", "create", "--help"}, 0, "stdout is the key alone"},
		{"unknown command", nil, []string{"frobnicate"}, 2, "frobnicate"},
		{"unknown flag", nil, []string{"serve", "--frobnicate"}, 2, "--frobnicate"},
		{"missing flag", nil, []string{"key", "create", "--name", "x"}, 2, "--tenant"},
		{"a tenant that is no uuid", nil, []string{"key", "list", "--tenant", "x"}, 2, "--tenant"},
		{"port that is no number", []string{"PORT=http"}, []string{"serve"}, 2, "PORT"},
		{"port out of range", []string{"PORT=65536"}, []string{"serve"}, 2, "PORT"},
		{"several mistakes come together", []string{"LOG_LEVEL=loud", "PGPOOL_MAX=none"}, []string{"migrate"}, 2, "PGPOOL_MAX"},
		{"production without a secret", []string{"APP_ENV=production", "DATABASE_URL=postgres://h/d"}, []string{"serve"}, 2, "JWT_SECRET"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := run(t, environ(dir, c.env...), c.args...)
			require.Equal(t, c.code, r.code, r.stderr)
			require.Contains(t, r.stdout+r.stderr, c.says)
			if c.code != 0 {
				require.Contains(t, r.stderr, c.says)
				require.NotContains(t, r.stderr, "goroutine")
			}
		})
	}
}

// Without a database every command says which variable is missing, and makes none.
func TestNoDatabase(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"serve", "serve --worker --migrate --seed", "worker", "migrate", "seed", "doctor", "tenant list",
		"key create --tenant " + firstTenant + " --name x", "import documents - --tenant " + firstTenant,
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			r := run(t, environ(dir), strings.Fields(line)...)
			require.Equal(t, 1, r.code)
			require.Contains(t, r.stderr, "DATABASE_URL")
			require.Empty(t, r.stdout)
			require.NoDirExists(t, filepath.Join(dir, "pg"))
		})
	}

	t.Run("one that does not answer is an error that shows no password", func(t *testing.T) {
		t.Parallel()
		env := environ(t.TempDir(), "DATABASE_URL=postgres://someone:canary-password@127.0.0.1:1/nothing")
		for _, line := range []string{"migrate", "seed", "doctor", "tenant list", "serve --migrate"} {
			r := run(t, env, strings.Fields(line)...)
			require.Equal(t, 1, r.code, line)
			require.NotEmpty(t, r.stderr, line)
			require.NotContains(t, r.stderr, "canary-password", line)
		}
	})
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	env := environ(t.TempDir(), "DATABASE_URL="+dbtest.Empty(t))
	r := run(t, env, "seed")
	require.Equal(t, 1, r.code, "a database without tables cannot be seeded")

	text := ok(t, env, "migrate")
	require.Contains(t, text, "applied 0001")
	require.Contains(t, text, "functions")
	require.Equal(t, "nothing to do\n", ok(t, env, "migrate"))

	table := ok(t, env, "doctor")
	require.Regexp(t, `(?m)^EXTENSION +VERSION +STATE +WITHOUT IT$`, table)
	require.Regexp(t, `(?m)^ltree +[0-9.]+ +in use`, table)
	require.Regexp(t, `(?m)^jobs_finished +month +4 +3 of 3 +0 +6 mons$`, table)
	require.Regexp(t, `(?m)^audit: `, table)
	require.Regexp(t, `(?m)^STATEMENT +CALLS|^slow statements: `, table)
}

func TestSeed(t *testing.T) {
	t.Parallel()
	env := environ(t.TempDir(), "DATABASE_URL="+dbtest.New(t).URL)
	r := run(t, env, "seed")
	require.Zero(t, r.code, r.stderr)
	require.Empty(t, r.stdout)
	first := keyPattern.FindAllString(r.stderr, -1)
	require.Len(t, first, 3)

	r = run(t, env, "seed")
	require.Zero(t, r.code, r.stderr)
	require.NotContains(t, r.stderr, "sk_live_", "what is there stays, and cannot be shown")

	s := serveAPI(t, env)
	c := caller{url: s.url, key: first[0]}
	require.NotEmpty(t, title(t, c, "00000000-0000-0000-0000-000000000101"))
	found, err := c.ask(t.Context(), `{ searchDocuments(query: "tuning a database", mode: SEMANTIC, first: 1) { nodes { document { title } } } }`, nil)
	require.NoError(t, err)
	require.Contains(t, string(found.Data), "PostgreSQL tuning guide", "the seed has vectors")
	s.stop()
	r = run(t, env, "seed", "--rotate-keys")
	require.Zero(t, r.code, r.stderr)
	next := keyPattern.FindAllString(r.stderr, -1)
	require.Len(t, next, 3)
	require.NotSubset(t, first, next)

	s = serveAPI(t, env)
	a, err := caller{url: s.url, key: first[0]}.ask(t.Context(), `{ viewer { keyId } }`, nil)
	require.NoError(t, err)
	require.Equal(t, 401, a.status, "rotated keys have ended")
	require.NotEmpty(t, title(t, caller{url: s.url, key: next[0]}, "00000000-0000-0000-0000-000000000101"))
	s.stop()
}

func TestTenantsAndKeys(t *testing.T) {
	t.Parallel()
	env := environ(t.TempDir(), "DATABASE_URL="+dbtest.New(t).URL)

	r := run(t, env, "tenant", "create", "--name", "Second Street")
	require.Zero(t, r.code, r.stderr)
	fields := strings.Fields(r.stdout)
	require.Len(t, fields, 4, r.stdout)
	id, first := fields[1], fields[3]
	require.Regexp(t, "^"+keyPattern.String()+"$", first)
	require.Contains(t, ok(t, env, "tenant", "list"), id+"  Second Street")

	require.Zero(t, run(t, env, "key", "create", "--tenant", id, "--name", "watcher", "--operator").code)
	require.Regexp(t, `watcher +operator:read `, ok(t, env, "key", "list", "--tenant", id))
	made := run(t, env, "key", "create", "--tenant", id, "--name", "reader", "--scopes", "documents:read,jobs:read", "--expires", "24h")
	require.Zero(t, made.code, made.stderr)
	require.Regexp(t, "^"+keyPattern.String()+"\n$", made.stdout)
	require.Empty(t, made.stderr)
	key := strings.TrimSpace(made.stdout)

	listed := ok(t, env, "key", "list", "--tenant", id)
	require.NotContains(t, listed, key)
	require.NotContains(t, listed, first)
	var keyID string
	for line := range strings.Lines(listed) {
		if strings.Contains(line, "reader") {
			require.Contains(t, line, key[:12])
			require.Contains(t, line, "documents:read,jobs:read")
			keyID = strings.Fields(line)[0]
		}
	}
	require.NotEmpty(t, keyID, listed)

	s := serveAPI(t, env)
	c := caller{url: s.url, key: key}
	var data struct{ Documents []struct{ ID string } }
	c.get(t, &data, `{ documents { id } }`, nil)
	a, err := c.ask(t.Context(), `mutation { createUser(input: {email: "x@example.org"}) { user { id } } }`, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"FORBIDDEN"}, a.codes(), a.text)
	s.stop()

	require.Empty(t, ok(t, env, "key", "revoke", "--tenant", id, keyID))
	s = serveAPI(t, env)
	a, err = caller{url: s.url, key: key}.ask(t.Context(), `{ viewer { keyId } }`, nil)
	require.NoError(t, err)
	require.Equal(t, 401, a.status)
	s.stop()

	for _, line := range []string{
		"key create --tenant 00000000-0000-0000-0000-0000000000ff --name x",
		"key revoke --tenant " + id + " 00000000-0000-0000-0000-0000000000ff",
		"key create --name x --scopes nonsense --tenant " + id,
		"key create --name x --expires=-1h --tenant " + id,
	} {
		r := run(t, env, strings.Fields(line)...)
		require.Equal(t, 1, r.code, line)
		require.NotEmpty(t, r.stderr, line)
		require.Empty(t, r.stdout, line)
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := filepath.Join(w.dir, "good.ndjson")
	rejects := file + ".rejects.ndjson"
	tenantID := w.scope.TenantID.String()
	count := func() int {
		return one[int](t, w, `SELECT count(*)::int FROM documents WHERE tenant_id = $1`, w.scope.TenantID)
	}
	good := `{"title": "One", "body": "First.", "externalId": "one"}` + "\n" + `{"title": "Two", "body": "Second.", "path": "a.b"}` + "\n"
	require.NoError(t, os.WriteFile(file, []byte(good), 0o600))
	ok(t, w.environ(), "import", "documents", file, "--tenant", tenantID)
	require.Equal(t, 2, count())
	require.NoFileExists(t, rejects)

	require.NoError(t, os.WriteFile(file, []byte(`{"title": "Three", "body": "Third."}`+"\n"+`{"title": "", "body": "x"}`+"\nnonsense\n"), 0o600))
	r := run(t, w.environ(), "import", "documents", file, "--tenant", tenantID)
	require.Equal(t, 1, r.code, "some lines did not go in")
	require.Equal(t, 3, count(), "the others did")
	text, err := os.ReadFile(rejects)
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(text), "\n"), "%s", text)

	piped := runWith(t, w.environ(), `{"title": "Four", "body": "Fourth."}`, "import", "documents", "-", "--tenant", tenantID)
	require.Zero(t, piped.code, piped.stderr)
	require.Equal(t, 4, count())

	r = run(t, w.environ(), "import", "documents", filepath.Join(w.dir, "missing"), "--tenant", tenantID)
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stderr, "missing")
}
