package cli_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// many adds documents of the world's tenant and counts them.
func (w *world) many(t *testing.T, n int) {
	t.Helper()
	w.Exec(t, `INSERT INTO documents (tenant_id, author_id, title, body) SELECT $1, $2, 'title ' || n, 'some body' FROM generate_series(1, $3::int) n`,
		w.scope.TenantID, w.scope.UserID, n)
	for one[int](t, w, `SELECT fold_search_words()`) > 0 {
	}
}

func TestSearchIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.many(t, 30)
	id := w.scope.TenantID.String()
	command := func(line string) string {
		t.Helper()
		return ok(t, w.environ(), strings.Fields("search "+line)...)
	}
	own := func() []string {
		return list[string](t, w, `SELECT kind || CASE WHEN is_valid THEN '' ELSE ' invalid' END FROM own_search_indexes()`)
	}

	require.Equal(t, "nothing to do\n", command("index --auto"), "20,000 documents make a tenant large")
	require.NotContains(t, command("status"), id)
	require.Contains(t, command("index --auto --min-documents 30 --dry-run"), id+"  shared -> gin")
	require.Empty(t, own(), "nothing was done")
	require.Regexp(t, id+` +tenant_\w+ +30 +\d+ +0 +0 +shared +- +-\n`, command("status --min-documents 30"))

	require.Equal(t, "nothing to do\n", command("index --auto --min-documents 30 --most 0"))
	require.Contains(t, command("index --auto --min-documents 30"), id+"  shared -> gin")
	require.Equal(t, []string{"gin"}, own())
	require.Equal(t, "nothing to do\n", command("index --auto --min-documents 30"))
	require.Equal(t, "nothing to do\n", command("index --using gin --tenant "+id))
	require.Regexp(t, id+` +tenant_\w+ +30 +\d+ +0 +0 +gin +gin ix_documents_search_t_[0-9a-f]{8} +[0-9.]+ MB\n`, command("status"))

	require.Contains(t, command("index --auto"), id+"  gin -> shared  (fewer than 20000 documents)")
	require.Empty(t, own())
	command("index --tenant " + id)
	require.Equal(t, []string{"gin"}, own())
	w.Exec(t, `UPDATE pg_index SET indisvalid = false WHERE indexrelid = (SELECT name FROM own_search_indexes())::regclass`)
	require.Contains(t, command("status"), "(not valid)")
	command("index --tenant " + id)
	require.Equal(t, []string{"gin"}, own())

	for _, sql := range []string{`DELETE FROM api_keys`, `DELETE FROM documents`, `DELETE FROM app_users`, `DELETE FROM tenants`} {
		w.Exec(t, sql)
	}
	require.Regexp(t, id+` +\(gone\) `, command("status"))
	require.Contains(t, command("index --auto"), "the tenant is gone")
	require.Empty(t, own())
	require.NotContains(t, command("status"), id)
}

func TestSearchRebuild(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.many(t, 3)
	words := func() string {
		return fmt.Sprint(list[string](t, w, `SELECT word || documents FROM core.search_words WHERE tenant_id = $1 ORDER BY 1`, w.scope.TenantID))
	}
	want := words()
	require.Contains(t, want, "body3")
	w.Exec(t, `DELETE FROM core.search_words`)
	require.Contains(t, ok(t, w.environ(), "search", "rebuild", "--tenant", w.scope.TenantID.String()), w.scope.TenantID.String()+"  3 words")
	require.Equal(t, want, words())
	w.Exec(t, `UPDATE core.search_words SET documents = 99`)
	require.Contains(t, ok(t, w.environ(), "search", "rebuild"), w.scope.TenantID.String())
	require.Equal(t, want, words())
}

func TestSearchCommandsThatCannotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.scope.TenantID.String()
	for line, says := range map[string]string{
		"search index":                              "--auto",
		"search index --auto --tenant " + id:        "--auto",
		"search index --tenant x":                   "--tenant",
		"search index --using btree --tenant " + id: "--using",
		"search index --auto --using rum":           "--tenant",
		"search index --auto --min-documents 0":     "--min-documents",
		"search index --auto --most=-1":             "--most",
		"search index --auto --min-documents many":  "--min-documents",
		"search status --tenant " + id:              "--tenant",
		"search rebuild --tenant nobody":            "--tenant",
		"search frobnicate":                         "frobnicate",
	} {
		r := run(t, w.environ(), strings.Fields(line)...)
		require.Equal(t, 2, r.code, "%s: %s", line, r.stderr)
		require.Contains(t, r.stderr, says, line)
	}
	for line, says := range map[string]string{
		"search index --using rum --tenant " + id:                      "rum",
		"search index --tenant 00000000-0000-0000-0000-0000000000ff":   "no such tenant",
		"search rebuild --tenant 00000000-0000-0000-0000-0000000000ff": "no such tenant",
	} {
		r := run(t, w.environ(), strings.Fields(line)...)
		require.Equal(t, 1, r.code, line)
		require.Contains(t, r.stderr, says, line)
	}
	require.Equal(t, 0, one[int](t, w, `SELECT count(*)::int FROM own_search_indexes()`))
	require.Equal(t, 0, one[int](t, w, `SELECT count(*)::int FROM core.search_tenants WHERE tenant_id = '00000000-0000-0000-0000-0000000000ff'`))
}
