package resolvers_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/db"
)

// everythingOfSearch selects all there is, so that whatever a query becomes is used everywhere.
const everythingOfSearch = `query ($mode: SearchMode!, $q: String, $lang: String! = "en") { searchDocuments(mode: $mode, query: $q, language: $lang, explain: true) {
	nodes { document { id title author { id } } score distance scores { words similarity } highlights { field html text ranges { start length } } }
	totalCount totalCountIsExact didYouMean warnings explanation { indexes steps { name milliseconds plan } }
	facets(metadataValuesOf: ["k"]) { paths { value count } tags { value count } metadataKeys { value count } metadataValues { key values { value count } } months { value count } } } }`

// hitsOfSearch selects what depends on the mode.
const hitsOfSearch = `query ($mode: SearchMode!, $q: String, $lang: String! = "en") { searchDocuments(mode: $mode, query: $q, language: $lang) {
	nodes { document { id } score highlights { html ranges { start length } } } totalCount } }`

// hostile are texts that have broken a search somewhere.
func hostile() []string {
	return []string{
		"", " ", "\t\n\r", "the", "the of and a", "or", strings.Repeat("or ", 3), "a or", "or a", "-", "--", "---", "-a", "-the", "- - a", "!", "!!!", "&", "|", "& | !", "<->", "<1>", "a <-> b", "a & b | !c", "(", ")", "((((", "a)", "a (b",
		`"`, `""`, `" "`, `"unbalanced`, `a "b c`, `"a" "b`, `"""`, `"-a"`, `-"a b"`, `"a or b"`, "'", "''", `'a`, `a'b`, "o'neill", `\`, `\\`, `\'`, `a\`, "%", "_", "%%%", "a%b", "$1", "$$", "?", "@", "@@", ":", "::", ":*", "a:*", "a:A", "a:ABCD*",
		"*", "a*", "**", "*a", "needle*", "ne*dle", "n*", "needle* smith*", "-needle*", `"needle*"`, "' OR 1=1 --", "'; drop table documents;--", `"; DROP TABLE documents; --`, "{}", "{a,b}", "[1,2]", "null", "NULL", "true", "NaN", "Infinity", "-Infinity", "1e400",
		"0", "00000000", "42", "2024-01-01", "12:34", "192.168.0.1", "fe80::1", "user@example.org", "https://example.org/a?b=c#d", "/etc/passwd", "../../..", "C:\\a\\b", "file.tar.gz", "a-b-c", "a_b", "a.b.c", "a/b/c", "#tag", "<script>alert(1)</script>", "<b>", "&amp;", "&#0;", "]]>",
		"\u0001", "\u0002", "\u0003", "\u0002a\u0003", "\u0004", "\u0005", "\u001f", "\u007f", "\u0085", "\u00a0", "\u00ad", "\u200b", "\u200d", "\u200e", "\u202e", "\u2028", "\ufeff", "\ufffd", "\uffff", "\U0010ffff", "a\u0300", strings.Repeat("a\u0300", 100), "\u0300",
		"🦀", "🦀🦀🦀", "👩‍👩‍👧‍👦", "🏳️‍🌈 needle", "needle🦀smith", "שלום", "שלום עולם", "مرحبا", "\u202eneedle\u202c", "你好", "你好世界 needle", "こんにちは", "ไทย", "हिन्दी", "Ünïcödé", "ﬁ", "𝕳𝖊𝖑𝖑𝖔", "İstanbul", "ß", "ẞ", "ſ", "Ω", "½", "①", "Ⅷ",
		"needle", "NEEDLE", "zqprefixaqz", "zqprefixaqz*", "needle zqprefixaqz", strings.Repeat("needle ", 100), strings.Repeat("a b ", 250), strings.Repeat("a or ", 200), strings.Repeat("-a ", 333), strings.Repeat(`"a b" `, 160), strings.Repeat("a*", 500), strings.Repeat("ab* ", 250),
		strings.Repeat(`"`, 1000), strings.Repeat("x", 1000), strings.Repeat("ä", 1000), strings.Repeat("🦀", 1000), strings.Repeat("(", 1000), strings.Repeat("'", 1000), strings.Repeat("\\", 1000), strings.Repeat("a'", 500), strings.Repeat("é ", 500), strings.Repeat(".", 1000),
	}
}

// Whatever the text, in every mode: hits or none, or an error that names the query.
func TestHostileQueries(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	c.embed(c.documentID(vars{"title": "needle smith", "body": "It's a \"needle\" for o'neill & <b>others</b>.", "path": "a.b", "tagIds": []int{1}, "metadata": vars{"k": "v"}}))
	c.document(vars{"title": "🦀 שלום 你好 Ünïcödé", "body": "\u0002\u0003 100% C:\\a\\b user@example.org"})
	texts := hostile()
	var terms []string
	for i := range 140 {
		terms = append(terms, fmt.Sprint("t", i, "erm"))
	}
	texts = append(texts, strings.Join(terms, " "), strings.Join(terms[:120], " or "), strings.Join(terms[:120], "* ")+"*", "-"+strings.Join(terms[:100], " -"))
	for _, mode := range modes() {
		for _, q := range texts {
			for _, lang := range []string{"en", "plain", "de"} {
				if lang != "en" && (len(q) > 40 || mode != "FTS") {
					continue
				}
				ask := everythingOfSearch
				if mode != "FTS" && mode != "HYBRID" {
					ask = hitsOfSearch
				}
				a := c.ask(ask, vars{"mode": mode, "q": q, "lang": lang})
				if len(a.Errors) == 0 {
					require.NotNil(t, at(t, a.Data, "searchDocuments", "totalCount"))
					continue
				}
				require.Subset(t, []string{"VALIDATION_FAILED"}, a.codes(), "%s %q: %s", mode, q, a.raw)
				require.Subset(t, []string{"query"}, a.fields(), "%s %q: %s", mode, q, a.raw)
				require.NotContains(t, a.raw, "zqprefix", "%s %q", mode, q)
			}
		}
		for _, q := range []string{strings.Repeat("x", 1001), strings.Repeat("x", 10<<10), strings.Repeat("ä", 1001), strings.Repeat("a b ", 2000), strings.Repeat(" ", 1001), strings.Repeat("needle or ", 1024)} {
			a := c.ask(everythingOfSearch, vars{"mode": mode, "q": q})
			require.Equal(t, []string{"query"}, a.fields(), "%s: %s", mode, a.raw)
			require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes())
			require.Less(t, len(a.raw), 1000)
		}
	}
	require.Equal(t, 2, d.count(`SELECT count(*)::int FROM documents`))
}

// The same where there are so many documents that a search is planned by how many have its words.
func TestHostileQueriesOfManyDocuments(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	_, err := db.Exec(t.Context(), d.Owner, `
		INSERT INTO documents (tenant_id, author_id, title, body)
		SELECT $1, $2, 'libr' || chr(97 + i % 26) || chr(97 + i / 26 % 26) || ' collaborate', 'smith needle' FROM generate_series(1, 2500) i`, c.scope.TenantID, c.scope.UserID)
	require.NoError(t, err)
	for n := 1; n > 0; {
		n, err = db.Get[int](t.Context(), d.Worker, "count", `SELECT fold_search_words()`)
		require.NoError(t, err)
	}
	for _, mode := range []string{"FTS", "FUZZY", "HYBRID"} {
		for _, q := range hostile() {
			if a := c.ask(hitsOfSearch, vars{"mode": mode, "q": q}); len(a.Errors) > 0 {
				require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes(), "%s %q: %s", mode, q, a.raw)
				require.Equal(t, []string{"query"}, a.fields(), "%s %q: %s", mode, q, a.raw)
			}
		}
		if mode != "FUZZY" {
			require.Equal(t, []string{"query"}, c.ask(hitsOfSearch, vars{"mode": mode, "q": strings.Repeat("lib* or ", 8) + "lib*"}).fields())
			excluded := func(n int) string {
				out := "smith"
				for i := range n {
					out += fmt.Sprintf(" -t%dx", i)
				}
				return out + strings.Repeat(" -t0x", 20) // counts once
			}
			require.EqualValues(t, 2500, at(t, c.get(hitsOfSearch, vars{"mode": mode, "q": excluded(64)}), "searchDocuments", "totalCount"))
			require.Equal(t, []string{"query"}, c.ask(hitsOfSearch, vars{"mode": mode, "q": excluded(65)}).fields())
		}
		for _, q := range []string{
			strings.Repeat("smith ", 160), strings.Repeat("lib* ", 8), strings.Repeat("lib* or ", 7) + "lib*", strings.Repeat("(smith or needle) ", 55),
			"ab* collab*", "collab* ab* or collab*",
		} {
			hits := at(t, c.get(hitsOfSearch, vars{"mode": mode, "q": q}), "searchDocuments", "totalCount")
			if mode != "FUZZY" || !strings.Contains(q, "*") { // there they are words like others
				if q == "ab* collab*" {
					require.Zero(t, hits, "%s: no document has a word that begins with ab", mode)
					continue
				}
				require.EqualValues(t, 2500, hits, "%s %q", mode, q)
			}
		}
	}
}

// Conditions that cannot be, in every mode and by every field that uses them.
func TestHostileConditions(t *testing.T) {
	t.Parallel()

	c := open(t).tenant()
	c.embed(c.documentID(vars{"title": "needle smith", "longitude": 180, "latitude": 90, "path": "a.b"}))
	tags := make([]int, 1001)
	for _, x := range []struct {
		args  map[string]any
		field string // "" is fine as it is
	}{
		{vars{"near": vars{"longitude": 0, "latitude": 0, "radius": 0}}, "near.radius"},
		{vars{"near": vars{"longitude": 0, "latitude": 0, "radius": -1}}, "near.radius"},
		{vars{"near": vars{"longitude": 0, "latitude": 0, "radius": -0.0000001}}, "near.radius"},
		{vars{"near": vars{"longitude": 0, "latitude": 0, "radius": 1000000.0000001}}, "near.radius"},
		{vars{"near": vars{"longitude": 0, "latitude": 0, "radius": 1e308}}, "near.radius"},
		{vars{"near": vars{"longitude": 0, "latitude": 0, "radius": 1e-300}}, ""},
		{vars{"near": vars{"longitude": 180.0000001, "latitude": 0}}, "near.longitude"},
		{vars{"near": vars{"longitude": -1e300, "latitude": 0}}, "near.longitude"},
		{vars{"near": vars{"longitude": 0, "latitude": 90.0000001}}, "near.latitude"},
		{vars{"near": vars{"longitude": 0, "latitude": -1e300}}, "near.latitude"},
		{vars{"near": vars{"longitude": 180, "latitude": 90, "radius": 1000000}}, ""},
		{vars{"near": vars{"longitude": -180, "latitude": -90, "radius": 1000000}}, ""},
		{vars{"near": vars{"longitude": -180, "latitude": 0, "radius": 1}}, ""},
		{vars{"near": vars{"longitude": 5e-324, "latitude": -5e-324}}, ""},
		{vars{"within": vars{"west": 180, "south": 90, "east": -180, "north": 90}}, ""},
		{vars{"within": vars{"west": 0, "south": 1, "east": 0, "north": 0}}, "within.south"},
		{vars{"within": vars{"west": 1e300, "south": 0, "east": 0, "north": 0}}, "within.west"},
		{vars{"within": vars{"west": 5e-324, "south": 0, "east": 1e-300, "north": 0}}, ""},
		{vars{"pathPrefix": "a b"}, "pathPrefix"},
		{vars{"pathPrefix": "a..b"}, "pathPrefix"},
		{vars{"pathPrefix": ".a"}, "pathPrefix"},
		{vars{"pathPrefix": "a.*"}, "pathPrefix"},
		{vars{"pathPrefix": "*.b"}, "pathPrefix"},
		{vars{"pathPrefix": "a|b"}, "pathPrefix"},
		{vars{"pathPrefix": "a{1,2}"}, "pathPrefix"},
		{vars{"pathPrefix": "!a"}, "pathPrefix"},
		{vars{"pathPrefix": "a@"}, "pathPrefix"},
		{vars{"pathPrefix": "'; DROP TABLE documents; --"}, "pathPrefix"},
		{vars{"pathPrefix": strings.Repeat("a.", 5000) + "a"}, "pathPrefix"},
		{vars{"pathPrefix": strings.Repeat("a", 10<<10)}, "pathPrefix"},
		{vars{"pathPrefix": "🦀"}, "pathPrefix"},
		{vars{"tagIds": tags}, "tagIds"},
		{vars{"tagIds": []int{2147483647, -2147483648, 0}}, ""},
		{vars{"tagIds": []int{}}, ""},
		{vars{"tagIds": nil}, ""},
		{vars{"metadata": vars{}}, ""},
		{vars{"metadata": nil}, ""},
		{vars{"metadata": vars{"": ""}}, ""},
		{vars{"metadata": vars{"'\"\\=>,": "'\"\\=>,"}}, ""},
		{vars{"metadata": vars{strings.Repeat("k", 70000): strings.Repeat("v", 70000)}}, ""},
		{vars{"authorId": ""}, "authorId"},
		{vars{"authorId": "x"}, "authorId"},
		{vars{"authorId": "' OR 1=1 --"}, "authorId"},
		{vars{"authorId": strings.Repeat("0", 36)}, "authorId"},
		{vars{"authorId": nil}, ""},
		{vars{"language": ""}, "language"},
		{vars{"language": "xx"}, "language"},
		{vars{"language": "english"}, "language"},
		{vars{"language": "' --"}, "language"},
		{vars{"language": strings.Repeat("e", 10<<10)}, "language"},
		{vars{"language": "EN"}, "language"},
		{vars{"weights": vars{"words": 0, "vector": 0}}, "weights"},
		{vars{"weights": vars{"words": -1}}, "weights.words"},
		{vars{"weights": vars{"vector": 1000.1}}, "weights.vector"},
		{vars{"weights": vars{"words": 1e308, "vector": 1}}, "weights.words"},
		{vars{"weights": vars{"words": 5e-324, "vector": 0}}, "weights.words"},
		{vars{"weights": vars{"words": 0.001, "vector": 1000}}, ""},
		{vars{"weights": vars{"words": 1, "vector": 1e-300}}, "weights.vector"},
		{vars{"offset": -1}, "offset"},
		{vars{"offset": 10001}, "offset"},
		{vars{"offset": 2147483647}, "offset"},
		{vars{"first": 0}, "first"},
		{vars{"first": -2147483648}, "first"},
		{vars{"first": 101}, "first"},
		{vars{"after": ""}, "after"},
		{vars{"after": "x"}, "after"},
		{vars{"after": "bnVsbA"}, "after"},
		{vars{"after": "e30"}, "after"},
		{vars{"after": "eyJzIjoiIiwicCI6e319"}, "after"},
		{vars{"after": strings.Repeat("A", 100<<10)}, "after"},
		{vars{"after": "🦀"}, "after"},
		{vars{"createdAt": vars{"gte": "9999-12-31T23:59:59.999999999Z", "lt": "0001-01-01T00:00:00Z"}}, ""},
	} {
		types := map[string]string{
			"near": "NearInput", "within": "BoundingBoxInput", "pathPrefix": "String", "tagIds": "[Int!]", "metadata": "Map", "authorId": "ID", "language": "String!", "weights": "HybridWeightsInput!",
			"offset": "Int!", "first": "Int!", "after": "String", "createdAt": "TimeFilter",
		}
		declared, args := "", ""
		for _, name := range slices.Sorted(maps.Keys(x.args)) {
			declared += ", $" + name + ": " + types[name]
			args += ", " + name + ": $" + name
		}
		for _, mode := range modes() {
			for i, selection := range []string{`nodes { score }`, `totalCount`, `facets { tags { value } months { value } }`, `didYouMean`, `explanation { indexes }`} {
				if i > 0 && mode != "FTS" && mode != "SEMANTIC" && mode != "HYBRID" {
					continue // they differ in how they read the text alone
				}
				if x.field == "language" && mode == "SEMANTIC" {
					continue // it does not read words
				}
				v := vars{"mode": mode, "q": "needle"}
				maps.Copy(v, x.args)
				a := c.ask(`query ($mode: SearchMode!, $q: String`+declared+`) { searchDocuments(mode: $mode, query: $q, explain: true`+args+`) { `+selection+` } }`, v)
				if x.field == "" {
					require.Empty(t, a.Errors, "%s %.200v: %s", mode, x.args, a.raw)
					continue
				}
				if selection == `didYouMean` && len(a.Errors) == 0 {
					continue // it reads the text alone
				}
				if (x.field == "weights" || selection == `totalCount` || strings.HasPrefix(selection, "facets")) && len(a.Errors) == 0 && mode != "HYBRID" {
					require.True(t, strings.HasPrefix(x.field, "weights"), "%s %s %.200v was taken: %s", mode, selection, x.args, a.raw)
					continue
				}
				if name := "first"; x.field == name && strings.Contains(a.raw, `"limit":"cost"`) {
					continue
				}
				require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes(), "%s %s %.200v: %.500s", mode, selection, x.args, a.raw)
				require.Equal(t, []string{x.field}, a.fields(), "%s %s %.200v: %.500s", mode, selection, x.args, a.raw)
				require.Less(t, len(a.raw), 1000)
			}
		}
	}
	// What JSON cannot say is refused where it is read.
	for _, body := range []string{
		`{"query":"query ($n: NearInput) { searchDocuments(near: $n) { totalCount } }","variables":{"n":{"longitude":NaN,"latitude":0}}}`,
		`{"query":"query ($n: NearInput) { searchDocuments(near: $n) { totalCount } }","variables":{"n":{"longitude":1e999,"latitude":0}}}`,
		`{"query":"query ($q: String) { searchDocuments(query: $q) { totalCount } }","variables":{"q":"a\u0000b"}}`,
		`{"query":"query ($q: String) { searchDocuments(query: $q) { totalCount } }","variables":{"q":"\ud800"}}`,
		"{\"query\":\"query ($q: String) { searchDocuments(query: $q) { totalCount } }\",\"variables\":{\"q\":\"\xff\"}}",
	} {
		a := c.send(body)
		require.NotEmpty(t, a.Errors)
		require.Equal(t, "VALIDATION_FAILED", a.codes()[0], a.raw)
	}
}

// What one tenant has shows nowhere in what another finds, in no mode and no field.
func TestSearchIsApartInEveryMode(t *testing.T) {
	t.Parallel()

	d := open(t)
	one, two := d.tenant(), d.tenant()
	one.embed(one.documentID(vars{"title": "shared common", "body": "needle", "path": "mine", "tagIds": []int{5}, "metadata": vars{"k": "mine"}, "longitude": 1, "latitude": 1}))
	two.embed(two.documentID(vars{"title": "shared zanzibarword", "body": "needle zanzibarword smythe", "path": "secretpath", "tagIds": []int{987}, "metadata": vars{"secretkey": "secretvalue", "k": "secretvalue"}, "longitude": 1, "latitude": 1}))
	seen := func(c caller, mode, query string) string {
		t.Helper()
		a := c.ask(strings.Replace(everythingOfSearch, "explain: true)", "explain: true, first: 100)", 1), vars{"mode": mode, "q": query})
		require.Empty(t, a.Errors, a.raw)
		delete(at(t, a.Data, "searchDocuments").(map[string]any), "explanation") //nolint:errcheck,forcetypeassert // times differ
		text, err := json.Marshal(a.Data)
		require.NoError(t, err)
		return string(text)
	}
	for _, mode := range modes() {
		for _, query := range []string{"zanzibarword", "zanzibarwrod", "shared", "needle", "smith", "zanzi*", "secretpath secretkey"} {
			got := seen(one, mode, query)
			for _, secret := range []string{"zanzibarword", "secretpath", "987", "secretkey", "secretvalue", two.scope.TenantID.String(), two.scope.UserID.String()} {
				require.NotContains(t, strings.ReplaceAll(got, one.scope.UserID.String(), ""), secret, "%s %q", mode, query)
			}
		}
		require.Contains(t, seen(two, mode, "zanzibarword"), "secretpath", mode)
		require.Contains(t, seen(one, mode, "shared"), "shared common", mode)
		for _, args := range []string{`near: {longitude: 1, latitude: 1}`, `within: {west: 0, south: 0, east: 2, north: 2}`, `authorId: "` + two.scope.UserID.String() + `"`, `pathPrefix: "secretpath"`, `tagIds: [987]`, `metadata: {secretkey: "secretvalue"}`} {
			require.NotContains(t, one.hits(`query: "needle", `+args, vars{"mode": mode}), "shared zanzibarword", "%s %s", mode, args)
		}
		// A cursor leads on in one's own list.
		const ask = `query ($mode: SearchMode!, $c: String) { searchDocuments(mode: $mode, query: "shared", after: $c) { nodes { document { title } } pageInfo { startCursor } } }`
		cursor := at(t, two.get(ask, vars{"mode": mode}), "searchDocuments", "pageInfo", "startCursor")
		require.NotContains(t, one.ask(ask, vars{"mode": mode, "c": cursor}).raw, "zanzibarword", mode)
	}
}
