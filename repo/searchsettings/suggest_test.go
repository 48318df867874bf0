package searchsettings_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/errs"
	"stackforge/repo/searchsettings"
)

func (b bundle) suggest(t *testing.T, ctx context.Context, prefix string, first int) []searchsettings.Suggestion { //nolint:revive // t first
	t.Helper()

	list, err := b.settings.Suggest(ctx, prefix, "", first)
	require.NoError(t, err)
	return list
}

func word(text string, documents int) searchsettings.Suggestion {
	return searchsettings.Suggestion{Text: text, Documents: documents, Kind: searchsettings.Word}
}

func title(text string) searchsettings.Suggestion {
	return searchsettings.Suggestion{Text: text, Documents: 1, Kind: searchsettings.Title}
}

func TestSuggest(t *testing.T) {
	t.Parallel()

	t.Run("the last word is completed, the most frequent first, then titles", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.document(t, b.me, "Contract of sale", "control contract the conifer")
		b.document(t, b.me, "CONTRACT of sale", "control")
		b.document(t, b.me, "Contrôle technique", "control of something")
		b.document(t, b.them, "Contraband", "contrarian contraband")
		require.Equal(t, []searchsettings.Suggestion{
			word("control", 3), word("contract", 2), word("controle", 1),
			title("Contract of sale"), title("CONTRACT of sale"), title("Contrôle technique"),
		}, b.suggest(t, b.mine(t), "contr", 8))
		require.Equal(t, b.suggest(t, b.mine(t), "contr", 8), b.suggest(t, b.mine(t), "CÓNTR", 8), "case and accents do not matter")
		require.Equal(t, []searchsettings.Suggestion{word("Of the \"control", 3), word("Of the \"contract", 2)},
			b.suggest(t, b.mine(t), "Of the \"contr", 2), "the earlier words stay as they are")
		require.Equal(t, []searchsettings.Suggestion{word("control", 3), word("contract", 2), title("Contract of sale")}, b.suggest(t, b.mine(t), "co", 3), "titles get a third")
		require.Equal(t, []searchsettings.Suggestion{word("contract of sale", 2), title("Contract of sale"), title("CONTRACT of sale")},
			b.suggest(t, b.mine(t), "contract of sa", 8))
		require.Equal(t, []searchsettings.Suggestion{title("Contract of sale"), title("CONTRACT of sale")}, b.suggest(t, b.mine(t), " contract ", 8), "a word that has ended")
		require.Equal(t, []searchsettings.Suggestion{word("contraband", 1), word("contrarian", 1), title("Contraband")}, b.suggest(t, b.other(t), "contr", 8), "each tenant its own")
	})

	t.Run("a word that nothing begins with is taken for a mistake", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.document(t, b.me, "Databases", "postgresql postgres mysql")
		require.Equal(t, []searchsettings.Suggestion{word("use postgres", 1), word("use postgresql", 1)}, b.suggest(t, b.mine(t), "use postgras", 8))
		require.Empty(t, b.suggest(t, b.mine(t), "zq", 8))
		require.Empty(t, b.suggest(t, b.other(t), "postgras", 8))
	})

	t.Run("stop words are no suggestions", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.document(t, b.me, "x", "the theatre of thebes")
		require.Equal(t, []searchsettings.Suggestion{word("theatre", 1), word("thebes", 1)}, b.suggest(t, b.mine(t), "th", 8))
		_, err := b.settings.SetStopWords(b.mine(t), []string{"Theatre"})
		require.NoError(t, err)
		require.Equal(t, []searchsettings.Suggestion{word("thebes", 1)}, b.suggest(t, b.mine(t), "th", 8))
		list, err := b.settings.Suggest(b.mine(t), "th", "de", 8)
		require.NoError(t, err)
		require.Empty(t, list, "no document is German")
	})

	t.Run("a long title is told from one that only begins alike", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		long := strings.Repeat("x", 70)
		b.document(t, b.me, long+"a", "one")
		b.document(t, b.me, long+"b", "two")
		require.Equal(t, []searchsettings.Suggestion{title(long + "b")}, b.suggest(t, b.mine(t), long+"B", 8))
		require.Len(t, b.suggest(t, b.mine(t), long[:64], 8), 2)
	})

	t.Run("whatever is typed has an answer, or the field that is wrong", func(t *testing.T) {
		t.Parallel()

		b := setup(t)
		b.document(t, b.me, "50 % off_now \\ 'quoted' 日本語", "🦀 percent a_b שלום")
		for _, prefix := range []string{
			"", " ", "%", "_", "\\", "'", "''; DROP TABLE documents; --", "\"", "(", "a:*", "🦀", "שלו", "日", "日本", "\u0001", "\u0002\u0003", "\U0010ffff", "e\u0301", "ﬁ", "-", "--", "the",
			strings.Repeat("x", 200), strings.Repeat("a ", 100), strings.Repeat("ß", 200), "50 % off_", "x\tp",
		} {
			b.suggest(t, b.mine(t), prefix, 20)
		}
		require.Equal(t, "50 % off_now \\ 'quoted' 日本語", b.suggest(t, b.mine(t), "50 % off_", 8)[0].Text)
		for _, c := range []struct {
			prefix, language string
			first            int
			field            string
		}{
			{strings.Repeat("x", 201), "", 8, "prefix"},
			{strings.Repeat("x", 10<<10), "", 8, "prefix"},
			{"a", "", 0, "first"},
			{"a", "", 21, "first"},
			{"a", "", -1, "first"},
			{"a", "english", 8, "language"},
			{"a", "xx", 8, "language"},
		} {
			_, err := b.settings.Suggest(b.mine(t), c.prefix, c.language, c.first)
			require.Equal(t, []string{c.field}, fields(t, err))
		}
		_, err := db.Exec(b.other(t), b.d.API, `SELECT suggest_words($1, 'a')`, b.me.TenantID)
		require.Equal(t, errs.Forbidden, errs.From(err).Code)
		_, err = db.Exec(b.mine(t), b.d.API, `SELECT complete_word($1, 'a')`, b.me.TenantID)
		require.Equal(t, errs.Forbidden, errs.From(err).Code)
	})
}

// The most frequent words are among the suggestions however many begin so: of one letter, of two, and of more than the
// 500 that are read at once.
func TestSuggestAmongMany(t *testing.T) {
	t.Parallel()

	b := setup(t)
	b.d.Exec(t, fmt.Sprintf(`
		INSERT INTO core.search_words (tenant_id, word, language, lexeme, documents, titles)
		SELECT '%s', w, 'en', w, 1 + ('x' || left(md5(w), 4))::bit(16)::int %% 3, 0
		FROM (SELECT 'ma' || chr(97 + n %% 26) || to_hex(n) AS w FROM generate_series(1, 20000) n
		      UNION ALL SELECT 'm' || chr(97 + n %% 26) || to_hex(n) FROM generate_series(1, 20000) n) x;
		UPDATE core.search_words SET documents = 900 WHERE word = (SELECT max(word) FROM core.search_words WHERE word LIKE 'maz%%');
		UPDATE core.search_words SET documents = 300 WHERE word = (SELECT max(word) FROM core.search_words WHERE word LIKE 'maa%%');
		UPDATE core.search_words SET documents = 5000 WHERE word = (SELECT max(word) FROM core.search_words WHERE word LIKE 'mz%%');
		ANALYZE core.search_words`, b.me.TenantID))
	for prefix, want := range map[string][]int{"m": {5000, 900, 300, 3}, "ma": {900, 300, 3}, "maa": {300, 3}, "maz": {900, 3}, "mz": {5000, 3}} {
		var got []int
		for _, s := range b.suggest(t, b.mine(t), prefix, 8) {
			require.Equal(t, searchsettings.Word, s.Kind)
			require.True(t, strings.HasPrefix(s.Text, prefix))
			got = append(got, s.Documents)
		}
		require.Len(t, got, 8)
		require.Equal(t, want, got[:len(want)], prefix)
	}
}
