package cli_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/app"
	"stackforge/db/dbtest"
)

// embeddings is a service that speaks OpenAI's protocol. It answers as many requests as it is let.
type embeddings struct {
	url   string
	let   chan struct{} // closed: all
	asked atomic.Int64
	mu    sync.Mutex
	texts map[string]int // how often each was answered
}

func newEmbeddings(t *testing.T) *embeddings {
	t.Helper()
	e := &embeddings{let: make(chan struct{}, 100), texts: map[string]int{}}
	s := httptest.NewServer(e)
	t.Cleanup(s.Close)
	e.url = s.URL + "/v1/embeddings"
	return e
}

func (e *embeddings) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ Input []string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	e.asked.Add(1)
	select {
	case <-e.let:
	case <-r.Context().Done():
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	type vector struct {
		Index     int       `json:"index"`
		Embedding []float32 `json:"embedding"`
	}
	var out []vector
	vectors, _ := app.Local{}.Embed(r.Context(), in.Input)
	for i, v := range vectors {
		if strings.Contains(in.Input[i], "unspeakable") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		e.texts[in.Input[i]]++
		out = append(out, vector{i, v})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": out})
}

func (w *world) documents(t *testing.T, n int) {
	t.Helper()
	w.Exec(t, `INSERT INTO documents (tenant_id, author_id, title, body) SELECT tenant_id, id, 'document ' || i, 'text' FROM app_users, generate_series(1, $1::int) i`, n)
}

func (w *world) vectors(t *testing.T) int {
	t.Helper()
	return one[int](t, w, `SELECT count(embedding)::int FROM documents`)
}

// Killed or stopped at any point, the next run goes on: nothing is lost and what is stored is not made again.
func TestEmbedResumes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dbtest.Tenant(t, w.DB) // all tenants are taken
	w.documents(t, 50)
	e := newEmbeddings(t)
	env := w.environ("EMBEDDING_URL=" + e.url)
	args := []string{"embed", "--missing", "--batch", "10", "--concurrency", "2"}

	killed := start(t, env, args...)
	e.let <- struct{}{}
	e.let <- struct{}{}
	eventually(t, func() bool { return w.vectors(t) == 20 && e.asked.Load() >= 4 }, "two batches and the next two under way")
	killed.kill()
	require.Equal(t, 20, w.vectors(t))

	asked := e.asked.Load()
	stopped := start(t, env, args...)
	e.let <- struct{}{}
	eventually(t, func() bool { return w.vectors(t) == 30 && e.asked.Load() >= asked+3 }, "one batch more")
	stopped.signal(syscall.SIGINT)
	require.Equal(t, 1, stopped.wait())
	require.Contains(t, stopped.stderr.String(), "the next run goes on from here")
	require.Contains(t, stopped.stdout.String(), "made the vectors of 10 documents")

	close(e.let)
	require.Contains(t, ok(t, env, args...), "made the vectors of 70 documents")
	require.Equal(t, 100, w.vectors(t))
	require.Len(t, e.texts, 50, "the same texts in two tenants")
	for text, n := range e.texts {
		require.Equal(t, 2, n, text)
	}
	require.Contains(t, ok(t, env, "embed"), "made the vectors of 0 documents")
}

func TestEmbed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := dbtest.Tenant(t, w.DB)
	w.documents(t, 5)
	e := newEmbeddings(t)
	close(e.let)

	// Without a service this program makes them itself; of one tenant.
	require.Contains(t, ok(t, w.environ(), "embed", "--tenant", other.TenantID.String()), "made the vectors of 5 documents")
	require.Equal(t, []string{other.TenantID.String()}, list[string](t, w, `SELECT DISTINCT tenant_id::text FROM documents WHERE embedding_model = 'local-hash-v1'`))

	// With a service: missing ones alone, then those of the former model.
	env := w.environ("EMBEDDING_URL="+e.url, "EMBEDDING_MODEL=m")
	require.Contains(t, ok(t, env, "embed"), "made the vectors of 5 documents")
	require.Contains(t, ok(t, env, "embed", "--model-changed"), "made the vectors of 5 documents")
	require.Equal(t, 10, one[int](t, w, `SELECT count(*)::int FROM documents WHERE embedding_model = 'm'`))

	// What is left out is said, and the exit code tells.
	w.Exec(t, `UPDATE documents SET title = 'unspeakable' WHERE title = 'document 3' AND tenant_id = $1`, other.TenantID)
	r := run(t, env, "embed")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stderr, "of tenant "+other.TenantID.String()+" is left out: ")
	require.Contains(t, r.stdout, "made the vectors of 0 documents")
	require.Contains(t, r.stdout, "1 refused")

	r = run(t, env, "embed", "--tenant", "01900000-0000-7000-8000-000000000000")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stderr, "There is no such tenant.")
	for _, flag := range []string{"--batch=0", "--batch=257", "--concurrency=0", "--rate=-1", "--tenant=x"} {
		require.Equal(t, 2, run(t, env, "embed", flag).code, flag)
	}
}
