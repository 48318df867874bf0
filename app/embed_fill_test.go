package app_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/app"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/embedding"
	"stackforge/tenant"
)

// library is a tenant with documents that lack vectors.
type library struct {
	d   *dbtest.DB
	s   tenant.Scope
	ctx context.Context //nolint:containedctx // of one test
}

func newLibrary(t *testing.T, documents int) library {
	t.Helper()

	d := dbtest.New(t)
	s := dbtest.Tenant(t, d)
	d.Exec(t, `INSERT INTO documents (tenant_id, author_id, title, body) SELECT $1, $2, 'document ' || i, 'text ' || i FROM generate_series(1, $3::int) i`,
		s.TenantID, s.UserID, documents)
	return library{d: d, s: s, ctx: tenant.With(t.Context(), s)}
}

// count is how many documents have a vector of a model.
func (l library) count(t *testing.T, model string) int {
	t.Helper()

	var n int
	require.NoError(t, l.d.Connect(t).QueryRow(t.Context(), `SELECT count(embedding) FROM documents WHERE embedding_model = $1`, model).Scan(&n))
	return n
}

// hashing is an OpenAI-compatible service with the vectors of app.Local: answers[n] may take the place of the nth answer.
type hashing struct {
	mu      sync.Mutex
	texts   []string // of requests that were answered well
	seen    int
	at      []time.Time
	answers map[int]http.HandlerFunc
	refuse  func(text string) bool
	during  func()
}

func (h *hashing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in request
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.URL.Path != "/v1/embeddings" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	h.mu.Lock()
	h.seen++
	h.at = append(h.at, time.Now())
	special := h.answers[h.seen]
	during := h.during
	h.mu.Unlock()
	if special != nil {
		special(w, r)
		return
	}
	if during != nil {
		during()
	}
	if h.refuse != nil && slices.ContainsFunc(in.Input, h.refuse) {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	vectors, err := app.Local{}.Embed(r.Context(), in.Input)
	if err != nil {
		return
	}
	h.mu.Lock()
	h.texts = append(h.texts, in.Input...)
	h.mu.Unlock()
	out := make([]vector, len(vectors))
	for i := range vectors {
		out[i] = vector{Index: i, Embedding: vectors[i]}
	}
	reply(w, out...)
}

func (h *hashing) provider(t *testing.T, model string) *app.OpenAI {
	t.Helper()

	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	o, err := app.NewOpenAI(app.OpenAIConfig{BaseURL: s.URL, Model: model, Timeout: 2 * time.Second})
	require.NoError(t, err)
	return o
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

// quick has short waits.
func quick(p app.FillParams) app.FillParams {
	p.Backoff = time.Millisecond
	return p
}

func TestFill(t *testing.T) {
	t.Parallel()

	t.Run("passing failures are waited out", func(t *testing.T) {
		t.Parallel()

		l := newLibrary(t, 50)
		h := &hashing{answers: map[int]http.HandlerFunc{
			1: status(http.StatusTooManyRequests, "Retry-After", "1"),
			2: status(http.StatusInternalServerError),
			3: func(_ http.ResponseWriter, r *http.Request) { // slower than the client waits
				<-r.Context().Done()
			},
			4: status(http.StatusServiceUnavailable),
		}}
		var progress []app.Filled
		done, err := app.NewEmbedder(l.d.Worker, h.provider(t, "m")).Fill(l.ctx, quick(app.FillParams{
			Missing: true, Batch: 10, Concurrency: 1, Progress: func(f app.Filled) { progress = append(progress, f) },
		}))
		require.NoError(t, err)
		require.Equal(t, app.Filled{Stored: 50}, done)
		require.Len(t, progress, 5)
		require.Equal(t, 50, l.count(t, "m"))
		require.Equal(t, 9, h.seen)
		require.GreaterOrEqual(t, h.at[1].Sub(h.at[0]), time.Second, "the time that the service asked for")
		require.Len(t, h.texts, 50, "no text is sent twice")
	})

	t.Run("what no retry mends ends it at once", func(t *testing.T) {
		t.Parallel()

		for name, answer := range map[string]http.HandlerFunc{
			"a wrong key":    status(http.StatusUnauthorized),
			"a wrong length": func(w http.ResponseWriter, _ *http.Request) { reply(w, vector{Embedding: axis(0, 768)}) },
		} {
			l := newLibrary(t, 20)
			h := &hashing{answers: map[int]http.HandlerFunc{2: answer}}
			e := app.NewEmbedder(l.d.Worker, h.provider(t, "m"))
			done, err := e.Fill(l.ctx, quick(app.FillParams{Missing: true, Batch: 5, Concurrency: 1}))
			require.True(t, errs.Is(err, errs.Validation), name)
			require.Equal(t, 5, done.Stored, name)
			require.Equal(t, 2, h.seen, name)
			// The next run goes on where that one ended.
			done, err = e.Fill(l.ctx, quick(app.FillParams{Missing: true, Batch: 5, Concurrency: 1}))
			require.NoError(t, err)
			require.Equal(t, 15, done.Stored, name)
			require.Len(t, h.texts, 20, name)
		}
	})

	t.Run("a service that stays away ends it", func(t *testing.T) {
		t.Parallel()

		l := newLibrary(t, 1)
		h := &hashing{answers: map[int]http.HandlerFunc{}}
		for i := range 20 {
			h.answers[i+1] = status(http.StatusBadGateway)
		}
		_, err := app.NewEmbedder(l.d.Worker, h.provider(t, "m")).Fill(l.ctx, quick(app.FillParams{Missing: true}))
		require.True(t, errs.Is(err, errs.Unavailable))
		require.Equal(t, 8, h.seen)
	})

	t.Run("a text that is refused is left out alone", func(t *testing.T) {
		t.Parallel()

		l := newLibrary(t, 40)
		h := &hashing{refuse: func(text string) bool {
			return strings.HasPrefix(text, "document 7\n") || strings.HasPrefix(text, "document 30\n")
		}}
		var refused []uuid.UUID
		done, err := app.NewEmbedder(l.d.Worker, h.provider(t, "m")).Fill(l.ctx, quick(app.FillParams{
			Missing: true, Batch: 20, Concurrency: 1, Refused: func(id uuid.UUID, _ error) { refused = append(refused, id) },
		}))
		require.NoError(t, err)
		require.Equal(t, app.Filled{Stored: 38, Refused: 2}, done)
		require.Len(t, refused, 2)
		require.Len(t, h.texts, 38)
	})

	t.Run("a service that refuses everything ends it", func(t *testing.T) {
		t.Parallel()

		l := newLibrary(t, 100)
		h := &hashing{refuse: func(string) bool { return true }}
		done, err := app.NewEmbedder(l.d.Worker, h.provider(t, "m")).Fill(l.ctx, quick(app.FillParams{Missing: true, Concurrency: 1}))
		require.True(t, errs.Is(err, errs.Validation))
		require.Equal(t, 10, done.Refused)
	})

	t.Run("a document that changes meanwhile gets the vector of its new text", func(t *testing.T) {
		t.Parallel()

		l := newLibrary(t, 10)
		once := sync.OnceFunc(func() { l.d.Exec(t, `UPDATE documents SET body = 'changed' WHERE title = 'document 3'`) })
		h := &hashing{during: once}
		done, err := app.NewEmbedder(l.d.Worker, h.provider(t, "m")).Fill(l.ctx, quick(app.FillParams{Missing: true}))
		require.NoError(t, err)
		require.Equal(t, 10, done.Stored)
		require.Equal(t, 1, done.Changed)
		require.Zero(t, done.Left())
		require.Equal(t, "document 3\n\nchanged", h.texts[10])
	})

	t.Run("it stops with its context and keeps what is made", func(t *testing.T) {
		t.Parallel()

		l := newLibrary(t, 60)
		ctx, cancel := context.WithCancel(l.ctx)
		defer cancel()
		e := app.NewEmbedder(l.d.Worker, (&hashing{}).provider(t, "m"))
		done, err := e.Fill(ctx, quick(app.FillParams{Missing: true, Batch: 10, Concurrency: 1, Progress: func(f app.Filled) {
			if f.Stored >= 20 {
				cancel()
			}
		}}))
		require.ErrorIs(t, err, context.Canceled)
		require.Less(t, done.Stored, 60)
		require.Equal(t, done.Stored, l.count(t, "m"))
		rest, err := e.Fill(l.ctx, quick(app.FillParams{Missing: true, Batch: 10}))
		require.NoError(t, err)
		require.Equal(t, 60-done.Stored, rest.Stored)
	})

	t.Run("no faster than it is told", func(t *testing.T) {
		t.Parallel()

		l := newLibrary(t, 30)
		h := &hashing{}
		start := time.Now()
		_, err := app.NewEmbedder(l.d.Worker, h.provider(t, "m")).Fill(l.ctx, quick(app.FillParams{Missing: true, Batch: 5, Rate: 100}))
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(start), 250*time.Millisecond, "six requests, 50 ms apart")
	})
}

// While vectors are being made anew, documents with a former vector are found as well as those with a present one.
func TestChangeOfModel(t *testing.T) {
	t.Parallel()

	l := newLibrary(t, 30)
	before := &hashing{}
	former := before.provider(t, "former")
	_, err := app.NewEmbedder(l.d.Worker, former).Fill(l.ctx, quick(app.FillParams{Missing: true}))
	require.NoError(t, err)

	after := &hashing{}
	e := app.NewEmbedder(l.d.Worker, after.provider(t, "present"), former)
	reader := app.NewEmbedder(l.d.API, after.provider(t, "present"), former)
	n, err := e.Lacking(l.ctx, app.FillParams{Missing: true, Changed: true})
	require.NoError(t, err)
	require.Equal(t, 30, n)
	n, err = e.Lacking(l.ctx, app.FillParams{Missing: true})
	require.NoError(t, err)
	require.Zero(t, n)

	found := func(want ...string) {
		t.Helper()
		q, err := reader.Query(l.ctx, "document 17")
		require.NoError(t, err)
		require.Equal(t, want, q.Models)
		require.Len(t, q.Vectors, len(want))
		hits, err := reader.Similar(l.ctx, app.SimilarParams{Text: new("document 17\n\ntext 17"), First: 100})
		require.NoError(t, err)
		require.Len(t, hits, 30)
		hits, err = reader.Similar(l.ctx, app.SimilarParams{DocumentID: &hits[0].ID, First: 100})
		require.NoError(t, err)
		require.Len(t, hits, 29)
	}
	found("former")
	ctx, cancel := context.WithCancel(l.ctx)
	defer cancel()
	_, err = e.Fill(ctx, quick(app.FillParams{Changed: true, Batch: 10, Concurrency: 1, Progress: func(app.Filled) { cancel() }}))
	require.ErrorIs(t, err, context.Canceled)
	require.Positive(t, l.count(t, "present"))
	require.Positive(t, l.count(t, "former"))
	found("present", "former")
	_, err = e.Fill(l.ctx, quick(app.FillParams{Changed: true, Batch: 10}))
	require.NoError(t, err)
	require.Equal(t, 30, l.count(t, "present"))
	found("present")

	// A former service that is switched off spoils nothing as long as there are present vectors; without one, the error is its own.
	l.d.Exec(t, `UPDATE documents SET embedding_model = 'former' WHERE title LIKE '%1'`)
	dead := httptest.NewServer(nil)
	dead.Close()
	off, err := app.NewOpenAI(app.OpenAIConfig{BaseURL: dead.URL, Model: "former"})
	require.NoError(t, err)
	q, err := app.NewEmbedder(l.d.API, after.provider(t, "present"), off).Query(l.ctx, "document")
	require.NoError(t, err)
	require.Equal(t, []string{"present"}, q.Models)
	l.d.Exec(t, `UPDATE documents SET embedding_model = 'former'`)
	_, err = app.NewEmbedder(l.d.API, after.provider(t, "present"), off).Query(l.ctx, "document")
	require.True(t, errs.Is(err, errs.Unavailable))

	// Vectors that this program made itself need no service.
	l.d.Exec(t, `UPDATE documents SET embedding_model = 'local-hash-v1'`)
	q, err = app.NewEmbedder(l.d.API, off).Query(l.ctx, "document")
	require.NoError(t, err)
	require.Equal(t, []string{"local-hash-v1"}, q.Models)
	require.Len(t, q.Vectors[0], embedding.Dimensions)

	// A tenant without vectors gets that of the present model.
	empty := tenant.With(t.Context(), dbtest.Tenant(t, l.d))
	q, err = reader.Query(empty, "document")
	require.NoError(t, err)
	require.Equal(t, []string{"present"}, q.Models)
}
