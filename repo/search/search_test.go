package search_test

import (
	"context"
	"encoding/base64"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/document"
	"stackforge/repo/search"
	"stackforge/tenant"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

//go:fix inline
func setup(t *testing.T, titles ...string) (context.Context, *dbtest.DB, *search.Repo, map[uuid.UUID]string) {
	t.Helper()

	d := dbtest.New(t)
	s := dbtest.Tenant(t, d)
	ctx := tenant.With(t.Context(), s)
	names := map[uuid.UUID]string{}
	for i, title := range titles {
		doc, err := document.New(d.API).Create(ctx, document.Input{"authorId": s.UserID, "title": title, "body": "b", "longitude": float64(i) * 0.001, "latitude": 0, "path": "p", "metadata": map[string]string{"k": title}})
		require.NoError(t, err)
		names[doc.ID] = title
	}
	return ctx, d, search.New(d.API), names
}

func TestSearch(t *testing.T) {
	t.Parallel()

	ctx, d, repo, names := setup(t, "word one", "word two", "word three", "other")
	p := search.Params{Query: new("word"), Mode: "fts", Language: "en", First: 2}
	var got []string
	for {
		page, err := repo.Search(ctx, p)
		require.NoError(t, err)
		require.Equal(t, p.After != nil, page.Info.HasPrevious)
		for _, h := range page.Hits {
			require.Positive(t, h.Rank)
			require.Nil(t, h.Distance)
			got = append(got, names[h.ID])
		}
		if !page.Info.HasNext {
			break
		}
		p.After = new(page.Hits[len(page.Hits)-1].Cursor())
	}
	require.Equal(t, []string{"word three", "word two", "word one"}, got)
	n, err := repo.Count(ctx, p)
	require.NoError(t, err)
	require.Equal(t, 3, n)

	page, err := repo.Search(ctx, search.Params{Mode: "fts", Language: "en", First: 10, Near: &search.Near{Longitude: 0.003, Radius: 250}})
	require.NoError(t, err)
	require.Equal(t, []string{"other", "word three", "word two"}, []string{names[page.Hits[0].ID], names[page.Hits[1].ID], names[page.Hits[2].ID]})
	require.InDelta(t, 0, *page.Hits[0].Distance, 0.001)
	require.InEpsilon(t, 111.3, *page.Hits[1].Distance, 0.006)

	page, err = repo.Search(ctx, search.Params{Mode: "fts", Language: "en", First: 10, Metadata: []byte(`{"k": "other"}`), PathPrefix: new("p")})
	require.NoError(t, err)
	require.Len(t, page.Hits, 1)

	other := tenant.With(t.Context(), dbtest.Tenant(t, d))
	page, err = repo.Search(other, search.Params{Query: new("word"), Mode: "fts", Language: "en", First: 10})
	require.NoError(t, err)
	require.Empty(t, page.Hits)
	n, err = repo.Count(other, search.Params{Query: new("word"), Mode: "fts", Language: "en"})
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestErrors(t *testing.T) {
	t.Parallel()

	ctx, _, repo, _ := setup(t)
	good := search.Params{Mode: "fts", Language: "en", First: 10}
	for want, change := range map[string]func(*search.Params){
		"first":      func(p *search.Params) { p.First = 101 },
		"mode":       func(p *search.Params) { p.Mode = "xyz" },
		"language":   func(p *search.Params) { p.Language = "xx" },
		"pathPrefix": func(p *search.Params) { p.PathPrefix = new("a b") },
		"radius":     func(p *search.Params) { p.Near = &search.Near{} },
		"longitude":  func(p *search.Params) { p.Near = &search.Near{Longitude: 181, Radius: 1} },
		"latitude":   func(p *search.Params) { p.Near = &search.Near{Latitude: -91, Radius: 1} },
		"after": func(p *search.Params) {
			p.After = new(base64.RawURLEncoding.EncodeToString([]byte(`{"d":1,"r":1,"c":"2026-01-01T00:00:00Z","i":"` + uuid.NewString() + `"}`)))
		},
		"query": func(p *search.Params) { p.Query = new(strings.Repeat("x", 1001)) },
	} {
		p := good
		change(&p)
		_, err := repo.Search(ctx, p)
		var e *errs.Error
		require.ErrorAs(t, err, &e, "%s: %v", want, err)
		require.Equal(t, errs.Validation, e.Code, want)
		require.Equal(t, want, e.Field)
	}
	_, err := repo.Search(t.Context(), good)
	require.True(t, errs.Is(err, errs.Unauthenticated))
	_, err = repo.Count(t.Context(), good)
	require.True(t, errs.Is(err, errs.Unauthenticated))
}
