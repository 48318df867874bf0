package migrations_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/query"
	"stackforge/repo/document"
	"stackforge/repo/job"
	"stackforge/repo/search"
	"stackforge/repo/user"
	"stackforge/tenant"
)

// layers is a database with two tenants. Three things keep them apart: the API names the caller's tenant in every
// statement, functions check their tenant argument, and row-level security filters what is left.
type layers struct {
	d        *dbtest.DB
	one, two tenant.Scope
	document uuid.UUID // of tenant two
	job      int64     // of tenant two
}

// code is the code of an error, "" for none.
func code(err error) errs.Code {
	if err == nil {
		return ""
	}
	return errs.From(err).Code
}

func newLayers(t *testing.T) layers {
	t.Helper()

	d := dbtest.New(t)
	l := layers{d: d, one: dbtest.Tenant(t, d), two: dbtest.Tenant(t, d)}
	for _, s := range []tenant.Scope{l.one, l.two} {
		id, err := db.Get[uuid.UUID](tenant.With(t.Context(), s), d.API, "document", `
			SELECT id FROM create_document($1, $2, 'Secret plan', 'the secret of somebody')`, s.TenantID, s.UserID)
		require.NoError(t, err)
		l.document = id
		l.job, err = db.Get[int64](tenant.With(t.Context(), s), d.API, "job", `SELECT id FROM enqueue_job($1, 'noop')`, s.TenantID)
		require.NoError(t, err)
	}
	d.Exec(t, `SELECT refresh_tenant_document_stats()`)
	return l
}

// caller acts for tenant one.
func (l layers) caller(t *testing.T) context.Context {
	t.Helper()
	return tenant.With(t.Context(), l.one)
}

// api goes through the repositories, as the doors do.
func (l layers) api(t *testing.T) {
	t.Helper()

	documents, jobs := document.New(l.d.API), job.New(l.d.API)
	_, _, err := documents.Get(l.caller(t), l.document)
	require.Equal(t, errs.NotFound, code(err))
	require.Equal(t, errs.NotFound, code(documents.Delete(l.caller(t), l.document)))
	list, err := documents.ByIDs(l.caller(t), []uuid.UUID{l.document})
	require.NoError(t, err)
	require.Empty(t, list)
	n, err := documents.Count(l.caller(t), nil)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	_, err = jobs.Get(l.caller(t), l.job)
	require.Equal(t, errs.NotFound, code(err))
	_, err = jobs.Cancel(l.caller(t), l.job)
	require.Equal(t, errs.NotFound, code(err))
	_, err = user.New(l.d.API).Get(l.caller(t), l.two.UserID)
	require.Equal(t, errs.NotFound, code(err))
	text := "secret"
	page, err := search.New(l.d.API).Search(l.caller(t), search.Params{Query: &text, First: query.MaxFirst, Mode: "fts", Language: "en"})
	require.NoError(t, err)
	require.Len(t, page.Hits, 1)
	require.NotEqual(t, l.document, page.Hits[0].Document.ID)
}

// sql is what a caller does who found a way to send statements of his own: nothing names his tenant any more.
func (l layers) sql(t *testing.T) {
	t.Helper()

	for _, statement := range []string{
		`SELECT id::text FROM documents WHERE id = @document OR tenant_id = @two ORDER BY id`,
		`SELECT id::text FROM jobs WHERE id = @job OR tenant_id = @two ORDER BY id`,
		`SELECT id::text FROM app_users WHERE tenant_id = @two ORDER BY id`,
		`SELECT id::text FROM tenants WHERE id = @two ORDER BY id`,
		`SELECT id::text FROM search_documents(@two, 'secret') ORDER BY id`,
		`SELECT id::text FROM update_document(@document, @two, 'changed') ORDER BY id`,
		`SELECT 'gone' WHERE delete_document(@document, @two)`,
		`UPDATE documents SET title = 'changed' WHERE id = @document RETURNING id::text`,
		`DELETE FROM documents WHERE id = @document RETURNING id::text`,
		`UPDATE jobs SET priority = 9 WHERE id = @job RETURNING id::text`,
		`SELECT job_id::text FROM job_events WHERE tenant_id = @two ORDER BY id`,
	} {
		got, err := db.List[string](l.caller(t), l.d.API, statement, l.args())
		if err != nil {
			require.Contains(t, []errs.Code{errs.Forbidden, errs.NotFound}, code(err), "%s: %v", statement, errs.From(err).Unwrap())
		}
		require.Empty(t, got, statement)
	}
	for _, statement := range []string{
		`SELECT create_document(@two, @user, 'x', 'x')`,
		`SELECT enqueue_job(@two, 'noop')`,
		`SELECT create_user(@two, 'x@example.org')`,
		`INSERT INTO documents (tenant_id, author_id, title, body) VALUES (@two, @user, 'x', 'x')`,
		`UPDATE documents SET tenant_id = @two`,
	} {
		_, err := db.Exec(l.caller(t), l.d.API, statement, l.args())
		require.Error(t, err, statement)
		// The author of another tenant is no author: that is found before the row is refused.
		require.Contains(t, []errs.Code{errs.Forbidden, errs.Validation}, code(err), statement)
	}
}

// definer calls the functions that see every row and must judge by themselves.
func (l layers) definer(t *testing.T) {
	t.Helper()

	for _, statement := range []string{
		`SELECT find_documents(@two, '{"query": "secret"}')`,
		`SELECT count_documents_found(@two, '{"query": "secret"}')`,
		`SELECT facet_documents(@two, '{"query": "secret"}', '{"tag": {}}')`,
		`SELECT highlight_documents(@two, '{"query": "secret"}', '{}')`,
		`SELECT explain_search(@two, '{"query": "secret"}')`,
		`SELECT search_queries(@two, '{"query": "secret"}')`,
		`SELECT suggest_query(@two, '{"query": "secrte"}')`,
		`SELECT suggest_words(@two, 'sec', 5)`,
		`SELECT get_tenant_stats(@two)`,
	} {
		_, err := db.Exec(l.caller(t), l.d.API, statement, l.args())
		require.Equal(t, errs.Forbidden, code(err), statement)
	}
}

// untouched looks, as the superuser, whether tenant two's rows are as they were.
func (l layers) untouched(t *testing.T) {
	t.Helper()

	conn := l.d.Connect(t)
	require.Equal(t, []string{"Secret plan 1"}, rows(t, conn, `SELECT title || ' ' || version FROM documents WHERE tenant_id = $1`, l.two.TenantID))
	require.Equal(t, []string{"pending 0"}, rows(t, conn, `SELECT status || ' ' || priority FROM jobs WHERE tenant_id = $1`, l.two.TenantID))
	require.Len(t, rows(t, conn, `SELECT id::text FROM app_users WHERE tenant_id = $1`, l.two.TenantID), 1)
}

func TestThreeLayers(t *testing.T) {
	t.Parallel()

	t.Run("all are there", func(t *testing.T) {
		t.Parallel()

		l := newLayers(t)
		l.api(t)
		l.sql(t)
		l.definer(t)
		l.untouched(t)
	})

	t.Run("without the API's, functions and row-level security hold", func(t *testing.T) {
		t.Parallel()

		l := newLayers(t)
		l.sql(t)
		l.definer(t)
		l.untouched(t)
	})

	t.Run("without the functions', the API and row-level security hold", func(t *testing.T) {
		t.Parallel()

		l := newLayers(t)
		l.d.Exec(t, `CREATE OR REPLACE FUNCTION assert_tenant(p_tenant_id uuid) RETURNS void LANGUAGE sql STABLE AS ''`)
		l.api(t)
		l.sql(t)
		l.untouched(t)
		_, err := db.Exec(l.caller(t), l.d.API, `SELECT get_tenant_stats(@two)`, l.args())
		require.NoError(t, err, "the layer is really gone")
	})

	t.Run("without row-level security, the API and the functions hold", func(t *testing.T) {
		t.Parallel()

		l := newLayers(t)
		l.d.Exec(t, `DO $$
			DECLARE
			    r regclass;
			BEGIN
			    FOR r IN SELECT oid FROM pg_class WHERE relrowsecurity LOOP
			        EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', r);
			    END LOOP;
			END $$`)
		l.api(t)
		l.definer(t)
		l.untouched(t)
		for _, statement := range []string{
			`SELECT id::text FROM search_documents(@two, 'secret') ORDER BY id`,
			`SELECT id::text FROM update_document(@document, @one, 'changed') ORDER BY id`,
			`SELECT 'gone' WHERE delete_document(@document, @one)`,
		} {
			got, _ := db.List[string](l.caller(t), l.d.API, statement, l.args())
			require.Empty(t, got, statement)
		}
		l.untouched(t)
		list, err := db.List[string](l.caller(t), l.d.API, `SELECT id::text FROM documents WHERE id = @document ORDER BY id`, l.args())
		require.NoError(t, err)
		require.Len(t, list, 1, "the layer is really gone")
	})
}

func (l layers) args() pgx.NamedArgs {
	return pgx.NamedArgs{
		"one": l.one.TenantID, "two": l.two.TenantID, "user": l.two.UserID, "document": l.document, "job": l.job,
	}
}
