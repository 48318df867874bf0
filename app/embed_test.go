package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/app"
	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/tenant"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

func local(t *testing.T, texts ...string) [][]float32 {
	t.Helper()

	out, err := app.Local{}.Embed(t.Context(), texts)
	require.NoError(t, err)
	require.Len(t, out, len(texts))
	return out
}

func cosine(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func TestLocal(t *testing.T) {
	t.Parallel()

	t.Run("every vector has 1,536 numbers and length 1", func(t *testing.T) {
		t.Parallel()

		for i, v := range local(t, "Title\n\nA body with some words.", "", "   ", "!?", "日本語のテキスト", strings.Repeat("x", 100_000), "a\x00\xff") {
			require.Len(t, v, app.Dimensions)
			require.InDelta(t, 1, cosine(v, v), 1e-5, "text %d", i)
		}
	})

	t.Run("the same text has the same vector, in every release", func(t *testing.T) {
		t.Parallel()

		text := "Solar panels\n\nThey turn light into power."
		v := local(t, text, text)
		require.Equal(t, v[0], v[1])
		sum := 0.0
		for i, x := range v[0] {
			sum += float64(x) * float64(i%97)
		}
		require.InDelta(t, golden, sum, 1e-4, "the vectors have changed: change the model's name as well")
	})

	t.Run("case and accents do not matter", func(t *testing.T) {
		t.Parallel()

		v := local(t, "Café ÉCOLE straße", "cafe ecole STRASSE")
		require.InDelta(t, 1, cosine(v[0], v[1]), 1e-6)
	})

	t.Run("a query is nearest to the text that shares its words", func(t *testing.T) {
		t.Parallel()

		v := local(t, "solar power at home",
			"Solar panels\n\nHow to install solar power on the roof of a home.",
			"Sourdough\n\nHow to bake bread with flour, water and salt.",
			"Chess openings\n\nThe queen's gambit and how to decline it.")
		best := cosine(v[0], v[1])
		require.Greater(t, best, cosine(v[0], v[2])+0.1)
		require.Greater(t, best, cosine(v[0], v[3])+0.1)
	})

	t.Run("a misspelt word is still near", func(t *testing.T) {
		t.Parallel()

		v := local(t, "photovoltaics", "photovoltaic", "carbonara")
		require.Greater(t, cosine(v[0], v[1]), cosine(v[0], v[2])+0.2)
	})

	t.Run("the title counts more than the body", func(t *testing.T) {
		t.Parallel()

		v := local(t, "bread", "bread\n\nabout cheese and olives", "cheese\n\nabout bread and olives")
		require.Greater(t, cosine(v[0], v[1]), cosine(v[0], v[2]))
	})
}

// golden is a checksum of one vector of local-hash-v1.
const golden = -63.23381386697292

// service is a stand-in for an embeddings API.
func service(t *testing.T, answer http.HandlerFunc) *app.OpenAI {
	t.Helper()

	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	o, err := app.NewOpenAI(app.OpenAIConfig{BaseURL: s.URL + "/v1/", Key: "secret", Model: "m", Timeout: 5 * time.Second})
	require.NoError(t, err)
	return o
}

type request struct {
	Model      string   `json:"model"`
	Input      []string `json:"input"`
	Dimensions int      `json:"dimensions"`
}

type vector struct {
	Index     int       `json:"index"`
	Embedding []float32 `json:"embedding"`
}

func reply(w http.ResponseWriter, data ...vector) {
	_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
}

func axis(n, dimensions int) []float32 {
	v := make([]float32, dimensions)
	v[n] = 1
	return v
}

func TestOpenAI(t *testing.T) {
	t.Parallel()

	t.Run("it asks as documented and keeps the order", func(t *testing.T) {
		t.Parallel()

		o := service(t, func(w http.ResponseWriter, r *http.Request) {
			var in request
			if r.Method != http.MethodPost || r.URL.Path != "/v1/embeddings" || r.Header.Get("Authorization") != "Bearer secret" ||
				json.NewDecoder(r.Body).Decode(&in) != nil || in.Model != "m" || in.Dimensions != app.Dimensions || len(in.Input) > 256 {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			var out []vector
			for i, v := range slices.Backward(in.Input) { // a service may answer in any order
				out = append(out, vector{Index: i, Embedding: axis(len(v), app.Dimensions)})
			}
			reply(w, out...)
		})
		texts := make([]string, 300)
		for i := range texts {
			texts[i] = strings.Repeat("x", i)
		}
		got, err := o.Embed(t.Context(), texts)
		require.NoError(t, err)
		require.Len(t, got, 300)
		for i := range got {
			require.InDelta(t, 1, got[i][i], 0)
		}
	})

	t.Run("a text that is too long is cut", func(t *testing.T) {
		t.Parallel()

		sizes := make(chan int, 2)
		o := service(t, func(w http.ResponseWriter, r *http.Request) {
			var in request
			_ = json.NewDecoder(r.Body).Decode(&in)
			sizes <- len(in.Input[0])
			reply(w, vector{Embedding: axis(0, app.Dimensions)})
		})
		_, err := o.Embed(t.Context(), []string{strings.Repeat("x", 1_000_000)})
		require.NoError(t, err)
		require.Equal(t, 24_000, <-sizes)
		_, err = o.Embed(t.Context(), []string{strings.Repeat("日", 1_000_000)})
		require.NoError(t, err)
		require.Equal(t, 15_999, <-sizes)
	})

	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		code   errs.Code
		after  time.Duration
	}{
		{"too many requests are tried again when the service says", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(http.StatusTooManyRequests)
		}, errs.RateLimited, 2 * time.Minute},
		{"a fault of the service is tried again", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, errs.Unavailable, 0},
		{"a wrong key is not", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, errs.Validation, 0},
		{"a redirect is not followed", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, errs.Validation, 0},
		{"wrong dimensions are refused", func(w http.ResponseWriter, _ *http.Request) { reply(w, vector{Embedding: axis(0, 768)}) }, errs.Validation, 0},
		{"no vector is refused", func(w http.ResponseWriter, _ *http.Request) { reply(w) }, errs.Validation, 0},
		{"a vector of zeros is refused", func(w http.ResponseWriter, _ *http.Request) {
			reply(w, vector{Embedding: make([]float32, app.Dimensions)})
		}, errs.Validation, 0},
		{"a vector too many is refused", func(w http.ResponseWriter, _ *http.Request) {
			reply(w, vector{Embedding: axis(0, app.Dimensions)}, vector{Index: 1, Embedding: axis(0, app.Dimensions)})
		}, errs.Validation, 0},
		{"no JSON is refused", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, errs.Validation, 0},
		{"an endless answer is refused", func(w http.ResponseWriter, _ *http.Request) {
			for range 20 {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, errs.Validation, 0},
		{"an answer that breaks off is tried again", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, "{")
		}, errs.Unavailable, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()

			_, err := service(t, c.answer).Embed(t.Context(), []string{"text"})
			require.Equal(t, c.code, errs.From(err).Code, "%v", err)
			require.Equal(t, c.code != errs.Validation, errs.Retryable(err))
			var after time.Duration
			var later interface{ RetryAfter() time.Duration }
			if errors.As(err, &later) {
				after = later.RetryAfter()
			}
			require.Equal(t, c.after, after)
		})
	}

	t.Run("a service that is not there is tried again", func(t *testing.T) {
		t.Parallel()

		s := httptest.NewServer(nil)
		s.Close()
		o, err := app.NewOpenAI(app.OpenAIConfig{BaseURL: s.URL})
		require.NoError(t, err)
		_, err = o.Embed(t.Context(), []string{"text"})
		require.True(t, errs.Is(err, errs.Unavailable))
	})

	t.Run("an address that is none is refused at the start", func(t *testing.T) {
		t.Parallel()

		for _, u := range []string{"example.com", "ftp://example.com", "http://", "://"} {
			_, err := app.NewOpenAI(app.OpenAIConfig{BaseURL: u})
			require.True(t, errs.Is(err, errs.Validation), u)
		}
	})
}

// editor is a provider during whose work the document is edited.
type editor struct {
	app.Local
	texts []string
	edit  func(n int)
}

func (e *editor) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	e.texts = append(e.texts, texts...)
	e.edit(len(e.texts))
	return e.Local.Embed(ctx, texts)
}

func TestEmbedDocument(t *testing.T) {
	t.Parallel()

	setup := func(t *testing.T) (*dbtest.DB, context.Context, uuid.UUID) {
		t.Helper()
		d := dbtest.New(t)
		s := dbtest.Tenant(t, d)
		id, err := db.Get[uuid.UUID](t.Context(), d.Owner, "document", `
			INSERT INTO documents (tenant_id, author_id, title, body)
			VALUES (@tenant, @author, 'Title', 'v1')
			RETURNING id`, pgx.NamedArgs{"tenant": s.TenantID, "author": s.UserID})
		require.NoError(t, err)
		return d, tenant.With(t.Context(), s), id
	}
	change := func(t *testing.T, d *dbtest.DB, n int) {
		t.Helper()
		d.Exec(t, `UPDATE documents SET body = 'v' || $1::int, version = $1`, n)
	}

	t.Run("a document that changes meanwhile is read again", func(t *testing.T) {
		t.Parallel()

		d, ctx, id := setup(t)
		p := &editor{edit: func(n int) {
			if n == 1 {
				change(t, d, 2)
			}
		}}
		got, err := app.NewEmbedder(d.Worker, p).Document(ctx, id)
		require.NoError(t, err)
		require.Equal(t, app.Embedded{Model: "local-hash-v1", Version: 2}, got)
		require.Equal(t, []string{"Title\n\nv1", "Title\n\nv2"}, p.texts)
	})

	t.Run("one that keeps changing is left to a retry", func(t *testing.T) {
		t.Parallel()

		d, ctx, id := setup(t)
		p := &editor{edit: func(n int) { change(t, d, n+1) }}
		_, err := app.NewEmbedder(d.Worker, p).Document(ctx, id)
		require.True(t, errs.Is(err, errs.Unavailable))
		require.Len(t, p.texts, 2)
	})

	t.Run("one that is deleted meanwhile is not found", func(t *testing.T) {
		t.Parallel()

		d, ctx, id := setup(t)
		p := &editor{edit: func(int) { d.Exec(t, `DELETE FROM documents`) }}
		_, err := app.NewEmbedder(d.Worker, p).Document(ctx, id)
		require.True(t, errs.Is(err, errs.NotFound))
		require.Len(t, p.texts, 1)
	})

	t.Run("another tenant's is not found", func(t *testing.T) {
		t.Parallel()

		d, _, id := setup(t)
		ctx := tenant.With(t.Context(), dbtest.Tenant(t, d))
		_, err := app.NewEmbedder(d.Worker, app.Local{}).Document(ctx, id)
		require.True(t, errs.Is(err, errs.NotFound))
	})
}
