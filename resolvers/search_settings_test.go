package resolvers_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/db"
)

const setSynonyms = `mutation ($in: SetSearchSynonymsInput!) { setSearchSynonyms(input: $in) { synonyms { id term synonyms createdAt updatedAt } } }`

func TestSearchSettings(t *testing.T) {
	t.Parallel()

	d := open(t)
	c, other := d.tenant(), d.tenant()
	const all = `query ($first: Int, $after: String) { searchSettings { stopWords synonymsConnection(first: $first, after: $after) {
		nodes { term synonyms } edges { cursor node { term } } pageInfo { hasNextPage hasPreviousPage endCursor } totalCount } } }`
	empty := at(t, c.get(all, nil), "searchSettings")
	require.Equal(t, []any{}, at(t, empty, "stopWords"))
	require.Equal(t, []any{}, at(t, empty, "synonymsConnection", "nodes"))

	data := c.get(`mutation { setSearchStopWords(input: {words: ["Über", "acme", "ACME"]}) { settings { stopWords synonymsConnection { totalCount } } } }`, nil)
	require.Equal(t, map[string]any{"stopWords": []any{"acme", "uber"}, "synonymsConnection": map[string]any{"totalCount": 0.0}}, at(t, data, "setSearchStopWords", "settings"))
	set := at(t, c.get(setSynonyms, vars{"in": vars{"term": " Heart  Attack", "synonyms": []string{"MI", "Myocardial Infarction"}, "bothWays": true}}), "setSearchSynonyms", "synonyms")
	require.Equal(t, "heart attack", at(t, set, "term"))
	require.Equal(t, []any{"mi", "myocardial infarction"}, at(t, set, "synonyms"))

	settings := at(t, c.get(all, vars{"first": 2}), "searchSettings")
	page := at(t, settings, "synonymsConnection")
	require.Equal(t, []any{"acme", "uber"}, at(t, settings, "stopWords"))
	require.Equal(t, []string{"heart attack", "mi"}, texts(t, at(t, page, "nodes"), "term"))
	require.Equal(t, []string{"heart attack", "mi"}, texts(t, at(t, page, "edges"), "node", "term"))
	require.InDelta(t, 3, at(t, page, "totalCount"), 0)
	require.Equal(t, true, at(t, page, "pageInfo", "hasNextPage"))
	page = at(t, c.get(all, vars{"first": 2, "after": at(t, page, "pageInfo", "endCursor")}), "searchSettings", "synonymsConnection")
	require.Equal(t, []string{"myocardial infarction"}, texts(t, at(t, page, "nodes"), "term"))
	require.Equal(t, false, at(t, page, "pageInfo", "hasNextPage"))

	gone := at(t, c.get(`mutation { removeSearchSynonyms(input: {term: "HEART attack"}) { synonyms { id term } } }`, nil), "removeSearchSynonyms", "synonyms")
	require.Equal(t, at(t, set, "id"), at(t, gone, "id"))
	require.Equal(t, []string{"NOT_FOUND"}, c.ask(`mutation { removeSearchSynonyms(input: {term: "heart attack"}) { synonyms { id } } }`, nil).codes())
	require.Equal(t, empty, at(t, other.get(all, nil), "searchSettings"))

	several := c.ask(setSynonyms, vars{"in": vars{"term": "--", "synonyms": []string{"", "fine", "a b c d e f"}}})
	require.Equal(t, []string{"synonyms[0]", "synonyms[2]", "term"}, sorted(several.fields()), several.raw)
}

func TestSearchSuggestions(t *testing.T) {
	t.Parallel()

	d := open(t)
	c, other := d.tenant(), d.tenant()
	c.document(vars{"title": "Negligence in design", "body": "The product was negligent."})
	c.document(vars{"title": "Product recall", "body": "Of a defective product, negligence."})
	other.document(vars{"title": "Negligee", "body": "negligible"})
	for {
		n, err := db.Get[int](t.Context(), d.Worker, "count", `SELECT fold_search_words()`)
		require.NoError(t, err)
		if n == 0 {
			break
		}
	}
	suggest := func(c caller, prefix string) any {
		return at(t, c.get(`query ($p: String!) { searchSuggestions(prefix: $p) { text documents kind } }`, vars{"p": prefix}), "searchSuggestions")
	}
	suggestion := func(text string, documents float64, kind string) any {
		return map[string]any{"text": text, "documents": documents, "kind": kind}
	}
	require.Equal(t, []any{suggestion("negligence", 2, "WORD"), suggestion("negligent", 1, "WORD"), suggestion("Negligence in design", 1, "TITLE")}, suggest(c, "negl"))
	require.Equal(t, []any{suggestion("Product: negligence", 2, "WORD"), suggestion("Product: negligent", 1, "WORD")}, suggest(c, "Product: NEGL"))
	require.Equal(t, "negligible", at(t, suggest(other, "negligi"), 0, "text"))
	require.NotContains(t, texts(t, suggest(c, "negligi"), "text"), "negligible", "nothing of another tenant")
}
