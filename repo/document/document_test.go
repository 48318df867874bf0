package document_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/query"
	"stackforge/repo/document"
	"stackforge/tenant"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

type bundle struct {
	*dbtest.DB
	scope, other tenant.Scope
	docs         *document.Repo
}

func setup(t *testing.T) (context.Context, bundle) {
	t.Helper()

	d := dbtest.New(t)
	b := bundle{DB: d, scope: dbtest.Tenant(t, d), other: dbtest.Tenant(t, d), docs: document.New(d.API)}
	return tenant.With(t.Context(), b.scope), b
}

func (b bundle) input(more document.Input) document.Input {
	in := document.Input{"authorId": b.scope.UserID, "title": "t", "body": "b"}
	maps.Copy(in, more)
	return in
}

func field(t *testing.T, err error) string {
	t.Helper()

	var e *errs.Error
	require.ErrorAs(t, err, &e, "%v", err)
	return e.Field
}

func TestGet(t *testing.T) {
	t.Parallel()

	ctx, b := setup(t)
	made, err := b.docs.Create(ctx, b.input(document.Input{"path": "a.b", "metadata": map[string]string{"k": "v"}, "tagIds": []int{1}, "longitude": 1.5, "latitude": 2.5, "externalId": "x"}))
	require.NoError(t, err)
	got, author, err := b.docs.Get(ctx, made.ID)
	require.NoError(t, err)
	require.Equal(t, made, got)
	require.Equal(t, document.Author{ID: b.scope.UserID, TenantID: b.scope.TenantID, Email: "user@example.org", CreatedAt: author.CreatedAt}, author)
	require.WithinDuration(t, time.Now(), author.CreatedAt, time.Minute)

	for name, c := range map[string]context.Context{"another tenant": tenant.With(ctx, b.other), "nobody's id": ctx} {
		id := made.ID
		if name == "nobody's id" {
			id = uuid.New()
		}
		_, _, err = b.docs.Get(c, id)
		require.True(t, errs.Is(err, errs.NotFound), name)
		_, err = b.docs.Update(c, id, document.Input{"title": "x"}, nil)
		require.True(t, errs.Is(err, errs.NotFound), name)
		require.True(t, errs.Is(b.docs.Delete(c, id), errs.NotFound), name)
		list, err := b.docs.ByIDs(c, []uuid.UUID{id})
		require.NoError(t, err)
		require.Empty(t, list, name)
	}
	list, err := b.docs.ByIDs(ctx, []uuid.UUID{made.ID, uuid.New(), made.ID})
	require.NoError(t, err)
	require.Equal(t, []document.Document{made}, list)

	require.NoError(t, b.docs.Delete(ctx, made.ID))
	require.True(t, errs.Is(b.docs.Delete(ctx, made.ID), errs.NotFound))
}

func TestWithoutACaller(t *testing.T) {
	t.Parallel()

	_, b := setup(t)
	ctx := t.Context()
	_, _, err := b.docs.Get(ctx, uuid.New())
	require.True(t, errs.Is(err, errs.Unauthenticated))
	_, err = b.docs.ByIDs(ctx, nil)
	require.True(t, errs.Is(err, errs.Unauthenticated))
	_, err = b.docs.Create(ctx, document.Input{})
	require.True(t, errs.Is(err, errs.Unauthenticated))
	_, err = b.docs.Update(ctx, uuid.New(), document.Input{}, nil)
	require.True(t, errs.Is(err, errs.Unauthenticated))
	require.True(t, errs.Is(b.docs.Delete(ctx, uuid.New()), errs.Unauthenticated))
	_, err = b.docs.List(ctx, document.ListParams{})
	require.True(t, errs.Is(err, errs.Unauthenticated))
	_, err = b.docs.Count(ctx, nil)
	require.True(t, errs.Is(err, errs.Unauthenticated))
}

func TestCreateMany(t *testing.T) {
	t.Parallel()

	ctx, b := setup(t)
	bad := b.input(document.Input{"title": strings.Repeat("x", 501)})
	for name, c := range map[string]struct {
		rows []document.Input
		want string
	}{
		"one of one":  {[]document.Input{bad}, "documents[0].title"},
		"one of two":  {[]document.Input{b.input(nil), bad}, "documents[1].title"},
		"none":        {nil, "documents"},
		"over a 1000": {make([]document.Input, 1001), "documents"},
	} {
		_, err := b.docs.CreateMany(ctx, c.rows, false)
		require.True(t, errs.Is(err, errs.Validation), name)
		require.Equal(t, c.want, field(t, err), name)
	}
	n, err := b.docs.Count(ctx, nil)
	require.NoError(t, err)
	require.Zero(t, n)

	out, err := b.docs.CreateMany(ctx, []document.Input{b.input(nil), bad, b.input(document.Input{"externalId": "x"}), b.input(document.Input{"externalId": "x"})}, true)
	require.NoError(t, err)
	require.Len(t, out, 4)
	require.NotNil(t, out[0].Document)
	require.Nil(t, out[1].Document)
	require.Equal(t, "title", out[1].Errors[0].Field)
	require.NotNil(t, out[2].Document)
	require.Equal(t, errs.Conflict, out[3].Errors[0].Code)

	// What is written in one transaction goes with it.
	boom := errors.New("boom")
	err = b.API.Do(ctx, func(tx *db.Tx) error {
		if _, err := document.New(tx).Create(ctx, b.input(nil)); err != nil {
			return err
		}
		return boom
	})
	require.ErrorIs(t, err, boom)
	n, err = b.docs.Count(ctx, nil)
	require.NoError(t, err)
	require.Equal(t, 2, n)
}

// Two changes of one version at one time: one of them wins, the other one learns of it.
func TestUpdateOfOneVersionAtOnce(t *testing.T) {
	t.Parallel()

	ctx, b := setup(t)
	made, err := b.docs.Create(ctx, b.input(nil))
	require.NoError(t, err)
	done := make(chan error, 4)
	for _, title := range []string{"a", "b", "c", "d"} {
		go func() {
			_, err := b.docs.Update(ctx, made.ID, document.Input{"title": title}, &made.Version)
			done <- err
		}()
	}
	won := 0
	for range 4 {
		if err := <-done; err == nil {
			won++
		} else {
			require.True(t, errs.Is(err, errs.Conflict), "%v", err)
		}
	}
	require.Equal(t, 1, won)
	got, _, err := b.docs.Get(ctx, made.ID)
	require.NoError(t, err)
	require.Equal(t, 2, got.Version)
	require.True(t, got.UpdatedAt.After(made.UpdatedAt))
}

func TestList(t *testing.T) {
	t.Parallel()

	ctx, b := setup(t)
	for _, title := range []string{"a", "b", "c"} {
		_, err := b.docs.Create(ctx, b.input(document.Input{"title": title}))
		require.NoError(t, err)
	}
	byTitle := document.Orders()["title_asc"]
	two := 2
	for _, authors := range []bool{false, true} {
		page, err := b.docs.List(ctx, document.ListParams{Page: query.Page{First: &two}, Order: byTitle, Authors: authors})
		require.NoError(t, err)
		require.Equal(t, query.Info{HasNext: true}, page.Info)
		require.Len(t, page.Documents, 2)
		require.Equal(t, "b", page.Documents[1].Title)
		require.Len(t, page.Authors, map[bool]int{true: 2}[authors])
		cursor := page.Cursor(page.Documents[1])
		page, err = b.docs.List(ctx, document.ListParams{Page: query.Page{After: &cursor}, Order: byTitle, Authors: authors})
		require.NoError(t, err)
		require.Equal(t, query.Info{HasPrevious: true}, page.Info)
		require.Len(t, page.Documents, 1)
		require.Equal(t, "c", page.Documents[0].Title)
	}
	page, err := b.docs.List(tenant.With(ctx, b.other), document.ListParams{Order: byTitle})
	require.NoError(t, err)
	require.NotNil(t, page.Documents)
	require.Empty(t, page.Documents)

	bad := "x"
	_, err = b.docs.List(ctx, document.ListParams{Order: byTitle, Filter: &document.Filter{ID: &query.ID{Eq: &bad}}})
	require.Equal(t, "filter.id.eq", field(t, err))
	_, err = b.docs.Count(ctx, &document.Filter{AuthorID: &query.ID{In: []string{bad}}})
	require.Equal(t, "filter.authorId.in", field(t, err))
	n, err := b.docs.Count(ctx, &document.Filter{Or: []document.Filter{{Title: &query.String{Eq: &bad}}, {}}})
	require.NoError(t, err)
	require.Equal(t, 3, n, "an empty part of an or holds always")
}
