package searchsettings_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/query"
	"stackforge/repo/searchsettings"
	"stackforge/tenant"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

type bundle struct {
	d        *dbtest.DB
	settings *searchsettings.Repo
	me, them tenant.Scope
}

func (b bundle) mine(t *testing.T) context.Context { t.Helper(); return tenant.With(t.Context(), b.me) }

func (b bundle) other(t *testing.T) context.Context {
	t.Helper()
	return tenant.With(t.Context(), b.them)
}

func setup(t *testing.T) bundle {
	t.Helper()

	d := dbtest.New(t)
	return bundle{d: d, settings: searchsettings.New(d.API), me: dbtest.Tenant(t, d), them: dbtest.Tenant(t, d)}
}

// document adds one for a tenant and counts its words, as the worker does.
func (b bundle) document(t *testing.T, s tenant.Scope, title, body string) {
	t.Helper()

	_, err := db.Exec(tenant.With(t.Context(), s), b.d.API, `SELECT create_document($1, $2, $3, $4)`, s.TenantID, s.UserID, title, body)
	require.NoError(t, err)
	for {
		n, err := db.Get[int](t.Context(), b.d.Worker, "count", `SELECT fold_search_words()`)
		require.NoError(t, err)
		if n == 0 {
			return
		}
	}
}

// fields are the fields of an error, in their order, all of which must be Validation.
func fields(t *testing.T, err error) []string {
	t.Helper()

	require.Error(t, err)
	list, ok := err.(errs.List) //nolint:errorlint // db returns it as it is
	if !ok {
		list = errs.List{errs.From(err)}
	}
	var out []string
	for _, e := range list {
		require.Equal(t, errs.Validation, e.Code, "%v", e)
		out = append(out, e.Field)
	}
	return out
}

func TestStopWords(t *testing.T) {
	t.Parallel()

	t.Run("they are folded, sorted and kept once", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		got, err := b.settings.Get(b.mine(t))
		require.NoError(t, err)
		require.Equal(t, searchsettings.Settings{StopWords: []string{}}, got)
		got, err = b.settings.SetStopWords(b.mine(t), []string{"  Über ", "uber", "ZEBRA", "cafe\u0301", "Straße", "node.js", "日本", "\u00a0x\t"})
		require.NoError(t, err)
		require.Equal(t, []string{"cafe", "node.js", "strasse", "uber", "x", "zebra", "日本"}, got.StopWords)
		again, err := b.settings.Get(b.mine(t))
		require.NoError(t, err)
		require.Equal(t, got, again)
		theirs, err := b.settings.Get(b.other(t))
		require.NoError(t, err)
		require.Empty(t, theirs.StopWords)
		got, err = b.settings.SetStopWords(b.mine(t), nil)
		require.NoError(t, err)
		require.Empty(t, got.StopWords)
	})

	t.Run("what cannot be is named, all of it, and nothing changes", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		_, err := b.settings.SetStopWords(b.mine(t), []string{"kept"})
		require.NoError(t, err)
		_, err = b.settings.SetStopWords(b.mine(t), []string{"", "fine", "two words", "AT&T", strings.Repeat("x", 101), "🦀", "\u0002\u0003"})
		require.Equal(t, []string{"words[0]", "words[2]", "words[3]", "words[4]", "words[5]", "words[6]"}, fields(t, err))
		_, err = b.settings.SetStopWords(b.mine(t), make([]string, 1001))
		require.Equal(t, []string{"words"}, fields(t, err))
		got, err := b.settings.Get(b.mine(t))
		require.NoError(t, err)
		require.Equal(t, []string{"kept"}, got.StopWords)

		thousand := make([]string, 1000)
		for i := range thousand {
			thousand[i] = fmt.Sprintf("word%d", i)
		}
		got, err = b.settings.SetStopWords(b.mine(t), thousand)
		require.NoError(t, err)
		require.Len(t, got.StopWords, 1000)
	})
}

func (b bundle) set(t *testing.T, term string, synonyms ...string) searchsettings.Synonyms {
	t.Helper()

	s, err := b.settings.SetSynonyms(b.mine(t), searchsettings.SynonymsParams{Term: term, Synonyms: synonyms})
	require.NoError(t, err)
	return s
}

// all are the tenant's terms with their synonyms.
func (b bundle) all(t *testing.T, ctx context.Context) map[string][]string { //nolint:revive // t first, as in all tests
	t.Helper()

	out := map[string][]string{}
	var after *string
	for {
		list, info, err := b.settings.ListSynonyms(ctx, query.Page{First: new(2), After: after})
		require.NoError(t, err)
		for _, s := range list {
			out[s.Term] = s.Synonyms
			after = new(searchsettings.Cursor(s))
		}
		if !info.HasNext {
			return out
		}
	}
}

func TestSynonyms(t *testing.T) {
	t.Parallel()

	t.Run("a term is set, set again, listed and removed", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		first := b.set(t, " Myocardial   INFARCTION ", "Heart Attack", "heart  attack", "MI")
		require.Equal(t, "myocardial infarction", first.Term)
		require.Equal(t, []string{"heart attack", "mi"}, first.Synonyms, "in their order, once")
		second := b.set(t, "myocardial infárction", "coronary")
		require.Equal(t, first.ID, second.ID)
		require.Equal(t, first.CreatedAt, second.CreatedAt)
		require.True(t, second.UpdatedAt.After(first.UpdatedAt))
		b.set(t, "Auto", "car")
		signs := b.set(t, " C++ ", "Node.js", "e-mail", "AT&T", "rock & roll", "(x)")
		require.Equal(t, []string{"node.js", "e-mail", "at t", "rock roll", "x"}, signs.Synonyms, "signs that text search does not keep")
		gone, err := b.settings.RemoveSynonyms(b.mine(t), "c")
		require.NoError(t, err)
		require.Equal(t, signs, gone)
		b.set(t, "Zoë", "z")
		require.Equal(t, map[string][]string{"auto": {"car"}, "myocardial infarction": {"coronary"}, "zoe": {"z"}}, b.all(t, b.mine(t)))
		n, err := b.settings.CountSynonyms(b.mine(t))
		require.NoError(t, err)
		require.Equal(t, 3, n)

		gone, err = b.settings.RemoveSynonyms(b.mine(t), "MYOCARDIAL infarction")
		require.NoError(t, err)
		require.Equal(t, second, gone)
		_, err = b.settings.RemoveSynonyms(b.mine(t), "MYOCARDIAL infarction")
		require.Equal(t, errs.NotFound, errs.From(err).Code)
	})

	t.Run("both ways adds the term to each synonym, beside what it has", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.set(t, "auto", "automobile")
		for range 2 { // the second time changes nothing
			_, err := b.settings.SetSynonyms(b.mine(t), searchsettings.SynonymsParams{Term: "Car", Synonyms: []string{"Auto", "motor vehicle"}, BothWays: true})
			require.NoError(t, err)
			require.Equal(t, map[string][]string{"auto": {"automobile", "car"}, "car": {"auto", "motor vehicle"}, "motor vehicle": {"car"}}, b.all(t, b.mine(t)))
		}
		fifty := make([]string, 50)
		for i := range fifty {
			fifty[i] = fmt.Sprintf("s%d", i)
		}
		b.set(t, "full", fifty...)
		_, err := b.settings.SetSynonyms(b.mine(t), searchsettings.SynonymsParams{Term: "car", Synonyms: []string{"x", "FULL"}, BothWays: true})
		require.Equal(t, []string{"synonyms[1]"}, fields(t, err))
		require.Equal(t, []string{"auto", "motor vehicle"}, b.all(t, b.mine(t))["car"], "nothing changed")
	})

	t.Run("what cannot be is named, all of it", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		long := strings.Repeat("x", 101)
		for _, c := range []struct {
			term     string
			synonyms []string
			fields   []string
		}{
			{"", []string{"x"}, []string{"term"}},
			{" \t", []string{"x"}, []string{"term"}},
			{"&|!", []string{"x"}, []string{"term"}},
			{"🦀", []string{"x"}, []string{"term"}},
			{long, []string{"x"}, []string{"term"}},
			{"a b c d e f", []string{"x"}, []string{"term"}},
			{"a", nil, []string{"synonyms"}},
			{"a", []string{}, []string{"synonyms"}},
			{"a", make([]string, 51), []string{"synonyms"}},
			{"a", []string{"x", " Á"}, []string{"synonyms[1]"}},
			{"", []string{"", "fine", long, "a b c d e f", "--"}, []string{"term", "synonyms[0]", "synonyms[2]", "synonyms[3]", "synonyms[4]"}},
		} {
			_, err := b.settings.SetSynonyms(b.mine(t), searchsettings.SynonymsParams{Term: c.term, Synonyms: c.synonyms})
			require.Equal(t, c.fields, fields(t, err), "%.20q %.50q", c.term, c.synonyms)
		}
		require.Empty(t, b.all(t, b.mine(t)))
		b.set(t, strings.Repeat("x", 100), "a b c d e", strings.Repeat("y", 100))
		require.Equal(t, "drop table search synonyms", b.set(t, "'; DROP TABLE search_synonyms; --", "x").Term)
		require.Len(t, b.all(t, b.mine(t)), 2)
		_, _, err := b.settings.ListSynonyms(b.mine(t), query.Page{First: new(101)})
		require.Equal(t, []string{"first"}, fields(t, err))
	})

	t.Run("the same rules hold for who writes the tables", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		for sql, field := range map[string]string{
			`INSERT INTO search_synonyms (tenant_id, term, synonyms) VALUES ($1, '--', '{x}')`:                                   "term",
			`INSERT INTO search_synonyms (tenant_id, term, synonyms) VALUES ($1, 'x', '{X}')`:                                    "synonyms[0]",
			`INSERT INTO search_synonyms (tenant_id, term, synonyms) VALUES ($1, 'x', '{NULL}')`:                                 "synonyms[0]",
			`INSERT INTO search_settings (tenant_id, stop_words) VALUES ($1, '{a b}')`:                                           "words[0]",
			`INSERT INTO search_synonyms (tenant_id, term, synonyms) SELECT $1, 't' || n, '{x}' FROM generate_series(1, 5001) n`: "term",
		} {
			_, err := db.Exec(b.mine(t), b.d.API, sql, b.me.TenantID)
			require.Equal(t, []string{field}, fields(t, err), sql)
		}
		_, err := db.Exec(b.mine(t), b.d.API, `INSERT INTO search_synonyms (tenant_id, term, synonyms) VALUES ($1, '  Á  b ', '{É}')`, b.me.TenantID)
		require.NoError(t, err)
		require.Equal(t, map[string][]string{"a b": {"e"}}, b.all(t, b.mine(t)))
	})

	t.Run("the 5,001st term is refused, also when it comes with others at once", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		_, err := db.Exec(b.mine(t), b.d.API, `
			INSERT INTO search_synonyms (tenant_id, term, synonyms) SELECT $1, 't' || n, '{x}' FROM generate_series(1, 4997) n`, b.me.TenantID)
		require.NoError(t, err)
		var wg sync.WaitGroup
		results := make([]error, 8)
		for i := range results {
			wg.Go(func() {
				_, results[i] = b.settings.SetSynonyms(b.mine(t), searchsettings.SynonymsParams{Term: fmt.Sprintf("new%d", i), Synonyms: []string{"x"}})
			})
		}
		wg.Wait()
		refused := slices.DeleteFunc(results, func(err error) bool { return err == nil })
		require.Len(t, refused, 5)
		for _, err := range refused {
			require.Equal(t, []string{"term"}, fields(t, err))
		}
		n, err := b.settings.CountSynonyms(b.mine(t))
		require.NoError(t, err)
		require.Equal(t, 5000, n)
		b.set(t, "t1", "changed") // what is there can be changed
		_, err = b.settings.SetSynonyms(b.other(t), searchsettings.SynonymsParams{Term: "t", Synonyms: []string{"x"}})
		require.NoError(t, err, "another tenant has its own 5,000")
	})

	t.Run("those who set the same terms both ways at once do not deadlock", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		var wg sync.WaitGroup
		results := make([]error, 12)
		for i := range results {
			wg.Go(func() {
				p := searchsettings.SynonymsParams{Term: "a", Synonyms: []string{"b", "c"}, BothWays: true}
				if i%2 == 0 {
					p.Term, p.Synonyms = "c", []string{"b", "a"}
				}
				_, results[i] = b.settings.SetSynonyms(b.mine(t), p)
			})
		}
		wg.Wait()
		for _, err := range results {
			require.NoError(t, err)
		}
		require.ElementsMatch(t, []string{"a", "c"}, b.all(t, b.mine(t))["b"])
	})

	t.Run("another tenant neither sees nor removes them", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.set(t, "a", "b")
		require.Empty(t, b.all(t, b.other(t)))
		_, err := b.settings.RemoveSynonyms(b.other(t), "a")
		require.Equal(t, errs.NotFound, errs.From(err).Code)
		for _, sql := range []string{
			`SELECT set_search_synonyms($1, 'a', '{stolen}')`,
			`SELECT set_search_stop_words($1, '{stolen}')`,
			`INSERT INTO search_settings (tenant_id) VALUES ($1)`,
		} {
			_, err := db.Exec(b.other(t), b.d.API, sql, b.me.TenantID)
			require.Equal(t, errs.Forbidden, errs.From(err).Code, sql)
		}
		_, err = db.Exec(b.other(t), b.d.API, `SELECT remove_search_synonyms($1, 'a')`, b.me.TenantID)
		require.Equal(t, errs.NotFound, errs.From(err).Code)
		require.Equal(t, map[string][]string{"a": {"b"}}, b.all(t, b.mine(t)))
	})

	t.Run("nobody without a tenant", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		_, err := b.settings.Get(t.Context())
		require.Equal(t, errs.Unauthenticated, errs.From(err).Code)
		_, err = b.settings.Suggest(t.Context(), "a", "", 8)
		require.Equal(t, errs.Unauthenticated, errs.From(err).Code)
		require.NotEqual(t, uuid.Nil, b.me.TenantID)
	})
}
