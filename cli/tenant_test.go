package cli_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
)

// seeded returns the environment of a database with the seed, and the keys of its tenants.
func seeded(t *testing.T) (w *world, env, keys []string) {
	t.Helper()
	w = &world{DB: dbtest.New(t), dir: t.TempDir()}
	env = w.environ("STORAGE_DIR=" + filepath.Join(w.dir, "files"))
	r := run(t, env, "seed")
	require.Zero(t, r.code, r.stderr)
	keys = keyPattern.FindAllString(r.stderr, -1)
	require.Len(t, keys, 3)
	return w, env, keys
}

func TestTenantLimits(t *testing.T) {
	t.Parallel()
	_, env, _ := seeded(t)
	require.Regexp(t, `(?m)^documents +\d+ +none$`, ok(t, env, "tenant", "limits", firstTenant))
	text := ok(t, env, "tenant", "limits", firstTenant, "documents=1000", "requestsPerMinute=60")
	require.Regexp(t, `(?m)^documents +\d+ +1000$`, text)
	require.Regexp(t, `(?m)^requestsPerMinute +- +60$`, text)
	require.Regexp(t, `(?m)^documents +\d+ +none$`, ok(t, env, "tenant", "limits", firstTenant, "documents=none"))
	for _, bad := range []string{"documents", "documents=many", "colours=3", "users=-1"} {
		r := run(t, env, "tenant", "limits", firstTenant, bad)
		require.Equal(t, 1, r.code, bad)
		require.NotContains(t, r.stderr, "SQLSTATE")
	}
	require.Equal(t, 1, run(t, env, "tenant", "limits", uuid.NewString()).code)
}

// A tenant's own limit of requests holds at both doors, for each of its keys, and for nobody else; a change counts at once.
func TestTenantRequestLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, other := w.scope.TenantID.String(), dbtest.Tenant(t, w.DB).TenantID.String()
	env := w.environ("RATE_LIMIT_MAX=1000", "RATE_LIMIT_WINDOW_MS=3600000")
	key := func(tenant string) string {
		return strings.TrimSpace(ok(t, env, "key", "create", "--tenant", tenant, "--name", "more"))
	}
	ok(t, env, "tenant", "limits", id, "requestsPerMinute=5")
	s := serveAPI(t, env)
	left := func(c caller) (limit, remaining int) {
		t.Helper()
		var data struct {
			Viewer struct {
				RateLimit struct {
					Limit, Remaining int
					ResetsAt         time.Time
				}
			}
		}
		c.get(t, &data, `{ viewer { rateLimit { limit remaining resetsAt } } }`, nil)
		require.True(t, data.Viewer.RateLimit.ResetsAt.After(time.Now()))
		return data.Viewer.RateLimit.Limit, data.Viewer.RateLimit.Remaining
	}
	asked := func(c caller) int {
		t.Helper()
		a, err := c.ask(t.Context(), `{ viewer { keyId } }`, nil)
		require.NoError(t, err)
		return a.status
	}
	status := func(c caller) int {
		t.Helper()
		code, _ := page(t, s.url+"/jobs", "X-Api-Key", c.key)
		return code
	}

	c := w.caller(s)
	limit, remaining := left(c)
	require.Equal(t, []int{5, 4}, []int{limit, remaining})
	over := c.socket(t)
	require.Contains(t, operate(t, over, `{ viewer { keyId } }`), `"keyId"`)
	for range 3 {
		require.Equal(t, http.StatusOK, status(c))
	}
	require.Equal(t, http.StatusTooManyRequests, status(c))
	require.Equal(t, http.StatusTooManyRequests, asked(c))
	require.Contains(t, operate(t, over, `{ viewer { keyId } }`), `"RATE_LIMITED"`, "and the socket goes on")
	limit, remaining = left(caller{url: s.url, key: key(id)})
	require.Equal(t, []int{5, 4}, []int{limit, remaining}, "each key has its own")
	limit, remaining = left(caller{url: s.url, key: key(other)})
	require.Equal(t, []int{1000, 999}, []int{limit, remaining}, "other tenants keep the server's")

	ok(t, env, "tenant", "limits", id, "requestsPerMinute=none")
	eventually(t, func() bool { return asked(c) == http.StatusOK }, "the server's limit again")
	require.Contains(t, operate(t, over, `{ viewer { keyId } }`), `"keyId"`, "also over the socket that was open")
	limit, _ = left(c)
	require.Equal(t, 1000, limit)
}

func TestTenantExportAndImport(t *testing.T) {
	t.Parallel()
	_, env, keys := seeded(t)
	dir := t.TempDir()
	var sums []string
	for _, name := range []string{"a.ndjson", "a.ndjson.gz", "a.ndjson.zst"} {
		r := run(t, env, "tenant", "export", firstTenant, "--out", filepath.Join(dir, name))
		require.Zero(t, r.code, r.stderr)
		_, sum, _ := strings.Cut(r.stderr, "sha256 ")
		sums = append(sums, strings.TrimSpace(sum))
		require.Equal(t, 1, run(t, env, "tenant", "export", firstTenant, "--out", filepath.Join(dir, name)).code, "a file that is there is kept")
	}
	for _, sum := range sums {
		require.Len(t, sum, 64)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 3, "nothing half is left")
	require.Equal(t, 1, run(t, env, "tenant", "export", uuid.NewString(), "--out", filepath.Join(dir, "none.gz")).code)
	require.NoFileExists(t, filepath.Join(dir, "none.gz"))

	for _, name := range []string{"a.ndjson", "a.ndjson.gz", "a.ndjson.zst"} {
		other := environ(t.TempDir(), "DATABASE_URL="+dbtest.New(t).URL)
		require.Contains(t, ok(t, other, "tenant", "import", filepath.Join(dir, name)), "tenant "+firstTenant+" (Meridian Group)")
		r := run(t, other, "tenant", "import", filepath.Join(dir, name))
		require.Equal(t, 1, r.code)
		require.Contains(t, r.stderr, "is there already")
		if name != "a.ndjson" {
			continue
		}
		// A restored key opens nothing until it has a new secret.
		s := serveAPI(t, other)
		a, err := caller{url: s.url, key: keys[0]}.ask(t.Context(), `{ viewer { keyId } }`, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusUnauthorized, a.status)
		id := strings.Fields(strings.Split(ok(t, other, "key", "list", "--tenant", firstTenant), "\n")[1])[0]
		fresh := strings.TrimSpace(ok(t, other, "key", "rotate", "--tenant", firstTenant, id))
		require.NotEmpty(t, title(t, caller{url: s.url, key: fresh}, "00000000-0000-0000-0000-000000000101"))
		s.stop()
	}
}

func TestTenantExportOverHTTP(t *testing.T) {
	t.Parallel()
	_, env, keys := seeded(t)
	s := serveAPI(t, env)
	get := func(key string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/tenant/export", nil)
		require.NoError(t, err)
		req.Header.Set("x-api-key", key)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(text)
	}
	status, text := get(keys[0])
	require.Equal(t, http.StatusOK, status, text)
	require.Contains(t, text, `{"trailer":`)
	status, _ = get("sk_live_nobody")
	require.Equal(t, http.StatusUnauthorized, status)
	narrow := strings.TrimSpace(ok(t, env, "key", "create", "--tenant", firstTenant, "--name", "n", "--scopes", "documents:read,tenant:read"))
	status, _ = get(narrow)
	require.Equal(t, http.StatusForbidden, status)
	s.stop()

	r := runWith(t, environ(t.TempDir(), "DATABASE_URL="+dbtest.New(t).URL), text, "tenant", "import", "-")
	require.Zero(t, r.code, r.stderr)
}

// The tenant's keys and sockets end at once, in a process that remembers them.
func TestTenantDelete(t *testing.T) {
	t.Parallel()
	w, env, keys := seeded(t)
	r := runWith(t, env, "Meridian\n", "tenant", "delete", firstTenant)
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stderr, "nothing was deleted")
	require.Contains(t, r.stderr, "Meridian Group")
	require.Equal(t, 1, runWith(t, env, "", "tenant", "delete", firstTenant).code)

	r = run(t, w.environ(), "tenant", "delete", firstTenant, "--yes")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stderr, "3 files and no storage is configured")
	objects := func() (n int) {
		require.NoError(t, filepath.WalkDir(filepath.Join(w.dir, "files"), func(path string, e os.DirEntry, err error) error {
			if err == nil && !e.IsDir() && strings.Contains(path, firstTenant) {
				n++
			}
			return err
		}))
		return n
	}
	require.Positive(t, objects())

	s := serveAPI(t, env)
	first, second := caller{url: s.url, key: keys[0]}, caller{url: s.url, key: keys[1]}
	require.NotEmpty(t, title(t, first, "00000000-0000-0000-0000-000000000101"))
	r = runWith(t, env, "Meridian Group\n", "tenant", "delete", firstTenant)
	require.Zero(t, r.code, r.stderr)
	require.Regexp(t, `(?m)^documents +\d+ +0$`, r.stdout)
	require.Contains(t, r.stdout, "deleted "+firstTenant)
	require.Contains(t, r.stdout, "objects deleted from storage: 3")
	require.Zero(t, objects())
	eventually(t, func() bool {
		a, err := first.ask(t.Context(), `{ viewer { keyId } }`, nil)
		return err == nil && a.status == http.StatusUnauthorized
	}, "the key goes on")
	a, err := second.ask(t.Context(), `{ documents { id } }`, nil)
	require.NoError(t, err)
	require.Empty(t, a.codes(), "others notice nothing")
	s.stop()
	require.Equal(t, 1, one[int](t, w, `SELECT count(*) FROM core.tenant_deletions WHERE finished_at IS NOT NULL`))

	text := ok(t, env, "tenant", "delete", "00000000-0000-0000-0000-000000000002", "--yes", "--json", "--by", "ticket 12")
	var proof struct {
		StartedBy  string
		RowsBefore map[string]int64
		RowsAfter  map[string]int64
	}
	require.NoError(t, json.Unmarshal([]byte(text), &proof))
	require.Equal(t, "ticket 12", proof.StartedBy)
	require.Positive(t, proof.RowsBefore["documents"])
	for table, n := range proof.RowsAfter {
		require.Zero(t, n, table)
	}
	require.Equal(t, 1, run(t, env, "tenant", "delete", firstTenant, "--yes").code)
}

// kill -9 in the middle: the next run goes on, and the note of the beginning stays.
func TestTenantDeleteKilled(t *testing.T) {
	t.Parallel()
	w, env, _ := seeded(t)
	w.Exec(t, `INSERT INTO jobs (tenant_id, type, status, finished_at) SELECT $1, 'x', 'done', now() FROM generate_series(1, 40000)`, uuid.MustParse(firstTenant))
	before := one[int](t, w, `SELECT count(*) FROM jobs WHERE tenant_id = $1`, uuid.MustParse(firstTenant))
	p := start(t, env, "tenant", "delete", firstTenant, "--yes", "--by", "first")
	eventually(t, func() bool {
		n := one[int](t, w, `SELECT count(*) FROM jobs WHERE tenant_id = $1`, uuid.MustParse(firstTenant))
		return n < before
	}, "nothing is deleted")
	p.kill()
	others := one[string](t, w, `SELECT md5(string_agg(d::text, '' ORDER BY d.id)) FROM documents d WHERE tenant_id <> $1`, uuid.MustParse(firstTenant))
	if one[int](t, w, `SELECT count(*) FROM core.tenant_deletions WHERE finished_at IS NULL`) == 1 { // else it was quicker
		r := run(t, env, "tenant", "delete", firstTenant, "--yes", "--by", "second")
		require.Zero(t, r.code, r.stderr)
		require.Contains(t, r.stdout, "by first")
		require.Regexp(t, fmt.Sprintf(`(?m)^jobs +%d +0$`, before), r.stdout)
	}
	require.Equal(t, 0, one[int](t, w, `SELECT count(*) FROM tenants WHERE id = $1`, uuid.MustParse(firstTenant)))
	require.Equal(t, others, one[string](t, w, `SELECT md5(string_agg(d::text, '' ORDER BY d.id)) FROM documents d WHERE tenant_id <> $1`, uuid.MustParse(firstTenant)))
}
