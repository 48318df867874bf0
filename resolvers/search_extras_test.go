package resolvers_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"stackforge/db"
)

// facet is a value and its count, written so that lists can be compared.
func facet(value string, n int) string { return fmt.Sprint(value, "=", n) }

// facets are the values of a list of the answer.
func facets(t *testing.T, list any) []string {
	t.Helper()

	out := []string{}
	values, counts := texts(t, list, "value"), all(t, list, "count")
	for i := range values {
		n, _ := counts[i].(float64)
		out = append(out, facet(values[i], int(n)))
	}
	return out
}

// top counts values and returns the most frequent, equal ones by value, numbers as numbers.
func top(values []string, n int) []string {
	counts := map[string]int{}
	for _, v := range values {
		counts[v]++
	}
	var list []string
	for v := range counts {
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b string) int {
		x, errX := strconv.Atoi(a)
		y, errY := strconv.Atoi(b)
		if errX == nil && errY == nil {
			return cmp.Or(counts[b]-counts[a], x-y)
		}
		return cmp.Or(counts[b]-counts[a], strings.Compare(a, b))
	})
	out := []string{}
	for _, v := range list[:min(n, len(list))] {
		out = append(out, facet(v, counts[v]))
	}
	return out
}

type made struct {
	title, path string
	tags        []int
	metadata    map[string]string
	created     time.Time
}

// Facets are what counting the hits one by one gives.
func TestFacets(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	var docs []made
	rows := make([]vars, 150)
	for i := range rows {
		m := made{title: []string{"needle", "needles", "other"}[r.IntN(3)], created: time.Date(2025, time.Month(1+r.IntN(14)), 1+r.IntN(28), r.IntN(24), 0, 0, 0, time.UTC), metadata: map[string]string{}}
		in := vars{"authorId": c.scope.UserID.String(), "title": m.title, "body": "b", "externalId": fmt.Sprint(i)}
		if r.IntN(5) > 0 {
			labels := []string{fmt.Sprint("a", r.IntN(3)), fmt.Sprint("b", r.IntN(3)), fmt.Sprint("c", r.IntN(2)), "d"}
			m.path = strings.Join(labels[:1+r.IntN(4)], ".")
			in["path"] = m.path
		}
		for tag := range 6 {
			if r.IntN(3) == 0 {
				m.tags = append(m.tags, tag*7-3)
			}
		}
		for _, key := range []string{"court", "judge", "<b>&'\"é"} {
			if r.IntN(3) > 0 {
				m.metadata[key] = []string{"x", "y", "", "ü 🦀", "metadata.x"}[r.IntN(5)]
			}
		}
		in["tagIds"], in["metadata"] = m.tags, m.metadata
		if m.tags == nil {
			delete(in, "tagIds")
		}
		rows[i], docs = in, append(docs, m)
	}
	bulk := c.get(createDocuments, vars{"in": vars{"documents": rows}})
	require.NotNil(t, bulk)
	created := make([]time.Time, len(docs))
	for i := range docs {
		created[i] = docs[i].created
	}
	d.Exec(t, `UPDATE documents SET created_at = x.created FROM unnest($1::timestamptz[]) WITH ORDINALITY AS x (created, i) WHERE external_id = (x.i - 1)::text`, created)
	const ask = `query ($q: String, $mode: SearchMode! = FTS, $level: Int!, $first: Int!, $keys: [String!]!, $tags: [Int!], $path: String) {
		searchDocuments(query: $q, mode: $mode, tagIds: $tags, pathPrefix: $path, first: 1) { totalCount nodes { score }
			facets(paths: {level: $level}, metadataValuesOf: $keys, first: $first) {
				paths { value count } tags { value count } metadataKeys { value count } metadataValues { key values { value count } } months { value count } } } }`
	for _, test := range []struct {
		name string
		v    vars
		keep func(made) bool
	}{
		{"everything", vars{}, func(made) bool { return true }},
		{"a query", vars{"q": "needle"}, func(m made) bool { return m.title != "other" }},
		{"a fuzzy query", vars{"q": "nedle", "mode": "FUZZY"}, func(m made) bool { return m.title != "other" }},
		{"a query that sounds alike", vars{"q": "needle", "mode": "METAPHONE"}, func(m made) bool { return m.title != "other" }},
		{"a tag", vars{"tags": []int{-3}}, func(m made) bool { return slices.Contains(m.tags, -3) }},
		{"a path", vars{"path": "a1", "q": "needle"}, func(m made) bool {
			return m.title != "other" && (m.path == "a1" || strings.HasPrefix(m.path, "a1."))
		}},
		{"nothing", vars{"q": "nothing"}, func(made) bool { return false }},
	} {
		for level := 1; level <= 4; level++ {
			first := []int{1, 3, 10, 100}[level-1]
			keys := []string{"court", "<b>&'\"é", "none", "court"}
			v := vars{"level": level, "first": first, "keys": keys}
			maps.Copy(v, test.v)
			d.statements.take()
			p := at(t, c.get(ask, v), "searchDocuments")
			statements := len(d.statements.take())
			var paths, tags, names, months []string
			values := map[string][]string{}
			n := 0
			for _, m := range docs {
				if !test.keep(m) {
					continue
				}
				n++
				if labels := strings.Split(m.path, "."); m.path != "" {
					paths = append(paths, strings.Join(labels[:min(level, len(labels))], "."))
				}
				for _, tag := range m.tags {
					tags = append(tags, fmt.Sprint(tag))
				}
				for key, value := range m.metadata {
					names = append(names, key)
					values[key] = append(values[key], value)
				}
				months = append(months, m.created.Format("2006-01"))
			}
			require.InDelta(t, n, at(t, p, "totalCount"), 0, test.name)
			require.Equal(t, map[bool]int{true: 2, false: 3}[n <= 1], statements, "page and facets, and the count when there are other pages")
			f := at(t, p, "facets")
			require.Equal(t, top(paths, first), facets(t, at(t, f, "paths")), "%s, level %d", test.name, level)
			require.Equal(t, top(tags, first), facets(t, at(t, f, "tags")), test.name)
			require.Equal(t, top(names, first), facets(t, at(t, f, "metadataKeys")), test.name)
			require.Equal(t, []string{"court", "<b>&'\"é", "none"}, texts(t, at(t, f, "metadataValues"), "key"), test.name)
			for i, key := range keys[:3] {
				require.Equal(t, top(values[key], first), facets(t, at(t, f, "metadataValues", i, "values")), "%s: %s", test.name, key)
			}
			wantMonths := top(months, 1000)
			slices.Sort(wantMonths)
			slices.Reverse(wantMonths)
			require.Equal(t, wantMonths[:min(first, len(wantMonths))], facets(t, at(t, f, "months")), test.name)
		}
	}
	t.Run("what is not selected costs nothing", func(t *testing.T) {
		d.statements.take()
		p := at(t, c.get(`{ searchDocuments { facets { __typename } } }`, nil), "searchDocuments")
		require.NotNil(t, p)
		require.Empty(t, d.statements.take())
		p = at(t, c.get(`{ searchDocuments(query: "needle") { totalCount totalCountIsExact facets { tags { value } } more: facets(paths: {level: 2}) { labels: paths { value } } } }`, nil), "searchDocuments")
		require.NotEmpty(t, at(t, p, "facets", "tags"))
		require.NotEmpty(t, at(t, p, "more", "labels"))
		require.ElementsMatch(t, []string{"search.Count", "search.Facets", "search.Facets"}, d.statements.take())
	})
	for args, field := range map[string]string{
		`paths: {level: 0}`: "paths.level", `paths: {level: 21}`: "paths.level", `first: 0`: "first", `first: 101`: "first", `metadataValuesOf: ["` + strings.Repeat("x", 201) + `"]`: "metadataValuesOf[0]",
		`metadataValuesOf: [` + strings.Repeat(`"x" `, 21) + `]`: "metadataValuesOf", `paths: {level: "1"}`: "paths.level", `metadataValuesOf: ["\u0000"]`: "metadataValuesOf[0]",
	} {
		a := c.ask(`{ searchDocuments { facets(`+args+`) { tags { value } } } }`, nil)
		require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes(), "%s: %s", args, a.raw)
		require.Equal(t, []string{field}, a.fields(), "%s: %s", args, a.raw)
	}
}

// slice is a stretch of a text by UTF-16 code units, as JavaScript's.
func slice(text string, start, length float64) string {
	units := utf16.Encode([]rune(text))
	return string(utf16.Decode(units[int(start) : int(start)+int(length)]))
}

var tag = regexp.MustCompile(`<[^>]*>`)

func TestHighlights(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	long := strings.Repeat("Lorem ipsum dolor sit amet consectetur. ", 60)
	bodies := map[string]string{
		"Needle <script>alert(1)</script> & more": `<b onclick="x">needle</b> & 'needles' <script>needle()</script> <mark>needle</mark>`,
		"🦀 needle 👩‍👩‍👧‍👦 ünïcödé":                "🏳️‍🌈🏳️‍🌈 needle 𝕳 שלום needle",
		"A long one":                    long + "here is a needle, " + long + "and there are two needles. " + long,
		"Signs":                         "\u0002needle\u0003 \u0003\u0002 needle \u0002",
		"In the title: NEEDLE, Needles": "nothing here",
		"Nothing at all":                "hay",
		"Naïve needle in a Café":        "the naïve cafe",
	}
	for title, body := range bodies {
		c.document(vars{"title": title, "body": body})
	}
	const ask = `query ($q: String, $mode: SearchMode! = FTS, $fragments: Int! = 2, $words: Int! = 20) { searchDocuments(query: $q, mode: $mode) {
		nodes { document { title body } highlights(fragments: $fragments, words: $words) { field html text ranges { start length } } }
		edges { node { highlights(fragments: $fragments, words: $words) { text } } } } }`
	check := func(v vars) map[string][]any {
		t.Helper()
		out := map[string][]any{}
		d.statements.take()
		nodes := at(t, c.get(ask, v), "searchDocuments", "nodes")
		require.ElementsMatch(t, []string{"search.Search", "search.Highlights"}, d.statements.take(), "one statement for all of the page")
		for i := range all(t, nodes, "document") {
			node := at(t, nodes, i)
			title, _ := at(t, node, "document", "title").(string)
			list, _ := at(t, node, "highlights").([]any)
			out[title] = list
			for _, h := range list {
				text, _ := at(t, h, "text").(string)
				markup, _ := at(t, h, "html").(string)
				whole := map[any]string{"TITLE": title, "BODY": strings.NewReplacer("\u0002", " ", "\u0003", " ").Replace(bodies[title])}[at(t, h, "field")]
				require.Contains(t, whole, text, "the text is the document's")
				for _, m := range tag.FindAllString(markup, -1) {
					require.Contains(t, []string{"<mark>", "</mark>"}, m, markup)
				}
				require.Equal(t, strings.Count(markup, "<mark>"), strings.Count(markup, "</mark>"))
				require.Equal(t, text, html.UnescapeString(tag.ReplaceAllString(markup, "")), "the markup is the text")
				marked := regexp.MustCompile(`<mark>(.*?)</mark>`).FindAllStringSubmatch(markup, -1)
				ranges, _ := at(t, h, "ranges").([]any)
				require.Len(t, ranges, len(marked))
				end := 0.0
				for j, r := range ranges {
					start, _ := at(t, r, "start").(float64)
					length, _ := at(t, r, "length").(float64)
					require.GreaterOrEqual(t, start, end, "in order, apart")
					require.Equal(t, html.UnescapeString(marked[j][1]), slice(text, start, length))
					end = start + length
				}
			}
		}
		return out
	}
	matches := func(list []any) []string {
		t.Helper()
		var out []string
		for _, h := range list {
			text, _ := at(t, h, "text").(string)
			ranges, _ := at(t, h, "ranges").([]any)
			for _, r := range ranges {
				start, _ := at(t, r, "start").(float64)
				length, _ := at(t, r, "length").(float64)
				out = append(out, fmt.Sprint(at(t, h, "field"), " ", slice(text, start, length)))
			}
		}
		return out
	}
	got := check(vars{"q": "needle"})
	require.Len(t, got, 6)
	require.NotContains(t, got, "Nothing at all")
	script := got["Needle <script>alert(1)</script> & more"]
	require.Equal(t, []string{"TITLE Needle", "BODY needle", "BODY needles", "BODY needle", "BODY needle"}, matches(script))
	require.Equal(t, "<mark>Needle</mark> &lt;script&gt;alert(1)&lt;/script&gt; &amp; more", at(t, script, 0, "html"))
	emoji := got["🦀 needle 👩‍👩‍👧‍👦 ünïcödé"]
	require.Equal(t, []string{"TITLE needle", "BODY needle", "BODY needle"}, matches(emoji))
	require.Equal(t, []any{map[string]any{"start": 3.0, "length": 6.0}}, at(t, emoji, 0, "ranges"))
	require.Equal(t, []string{"TITLE NEEDLE", "TITLE Needles"}, matches(got["In the title: NEEDLE, Needles"]))
	require.Equal(t, []string{"BODY needle", "BODY needles"}, matches(got["A long one"]))
	for _, h := range got["A long one"] {
		text, _ := at(t, h, "text").(string)
		require.LessOrEqual(t, len(strings.Fields(text)), 40, "a passage is short")
	}
	require.NotEmpty(t, got["Signs"])

	short := check(vars{"q": "needle", "fragments": 1, "words": 5})
	require.Len(t, short["A long one"], 1)
	text, _ := at(t, short["A long one"], 0, "text").(string)
	require.LessOrEqual(t, len(strings.Fields(text)), 10)
	require.Equal(t, []string{"TITLE Naïve", "TITLE Café", "BODY naïve", "BODY cafe"}, matches(check(vars{"q": "naive café"})["Naïve needle in a Café"]), "accents do not matter")
	require.Equal(t, []string{"TITLE Naïve", "TITLE needle", "BODY naïve"}, matches(check(vars{"q": `naive needle -hay -script`})["Naïve needle in a Café"]), "what is excluded is not marked")
	for _, mode := range []string{"FUZZY", "SOUNDEX", "METAPHONE"} {
		require.Contains(t, matches(check(vars{"q": "neidle", "mode": mode})["In the title: NEEDLE, Needles"]), "TITLE NEEDLE", mode)
	}

	for _, q := range []string{strings.Repeat("needle ", 100), strings.Repeat("hay or ", 40) + `needle`, strings.Repeat(`"needle needles" or `, 20) + `"o'neill" or needle`} {
		require.Contains(t, matches(check(vars{"q": q})["In the title: NEEDLE, Needles"]), "TITLE NEEDLE", "a long query marks its words: %s", q)
	}

	{ // nothing to mark
		d.statements.take()
		nodes := at(t, c.get(ask, nil), "searchDocuments", "nodes")
		require.Equal(t, []string{"search.Search"}, d.statements.take())
		for _, h := range all(t, nodes, "highlights") {
			require.Equal(t, []any{}, h)
		}
		c.get(`{ searchDocuments(query: "nothing like that") { nodes { highlights { text } } } }`, nil)
		require.Equal(t, []string{"search.Search"}, d.statements.take())
	}
	{ // a whole page with ranges is not too much, three are
		const marks = `highlights(fragments: 10) { html ranges { start } }`
		require.Empty(t, c.ask(`{ searchDocuments(query: "needle", first: 100) { nodes { document { author { id } } `+marks+` } } }`, nil).Errors)
		a := c.ask(`{ searchDocuments(query: "needle", first: 100) { nodes { a: `+marks+` b: `+marks+` c: `+marks+` } } }`, nil)
		require.Contains(t, a.raw, `"limit":"cost"`)
		a = c.ask(`query ($n: Int!) { searchDocuments(query: "needle", first: 100) { nodes { highlights(fragments: $n) { ranges { start } } } } }`, vars{"n": 1000})
		require.Contains(t, a.raw, `"limit":"cost"`)
	}
	for args, field := range map[string]string{`fragments: 0`: "fragments", `fragments: -1`: "fragments", `fragments: 11`: "fragments", `words: 4`: "words", `words: 101`: "words", `words: 2147483647`: "words"} {
		a := c.ask(`{ searchDocuments(query: "needle", first: 1) { nodes { highlights(`+args+`) { text } } } }`, nil)
		require.Equal(t, []string{field}, a.fields(), "%s: %s", args, a.raw)
		require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes())
		require.Equal(t, []any{"searchDocuments", "nodes", 0.0, "highlights"}, a.Errors[0].Path)
	}
}

func TestDidYouMean(t *testing.T) {
	t.Parallel()

	d := open(t)
	c, other := d.tenant(), d.tenant()
	for range 3 {
		c.document(vars{"title": "PostgreSQL performance", "body": "Tuning the negligence of indexes"})
	}
	c.document(vars{"title": "Winter tyres", "body": "in November"})
	other.document(vars{"title": "Kubernetes winterly secretword", "body": "performing postgrex"})
	ask := func(query string) any {
		t.Helper()
		return at(t, c.get(`query ($q: String) { searchDocuments(query: $q) { didYouMean } }`, vars{"q": query}), "searchDocuments", "didYouMean")
	}
	for query, want := range map[string]any{
		"perfxormance": "performance", "tunnning postgresql": "tuning postgresql", "neglignece": "negligence", "performance": nil, "performing": nil, "winter tyres": nil, "": nil, "the": nil,
		"zzzzzzzz": nil, "kubernets": nil, "secretwort": nil, "secretword": nil, "postgrex": "postgresql", "🦀": nil, "-perfxormance": nil,
	} {
		got := ask(query)
		if s, ok := got.(string); ok {
			got = strings.ToLower(s)
		}
		require.Equal(t, want, got, "%q", query)
	}
	require.Nil(t, at(t, c.get(`{ searchDocuments { didYouMean } }`, nil), "searchDocuments", "didYouMean"))
}

func TestExplanation(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	c.library()
	const ask = `query ($mode: SearchMode!, $explain: Boolean! = true) { searchDocuments(mode: $mode, query: "secretneedle smith", pathPrefix: "secretpath", metadata: {secretkey: "secretvalue"}, tagIds: [987654], explain: $explain) {
		nodes { score } explanation { indexes steps { name indexes milliseconds plan } } } }`
	for _, mode := range modes() {
		d.statements.take()
		a := c.ask(ask, vars{"mode": mode})
		require.Empty(t, a.Errors, "%s: %s", mode, a.raw)
		statements := []string{"search.Search", "search.Explain"}
		if mode == "SEMANTIC" || mode == "HYBRID" {
			statements = append(statements, "embedding.Models")
		}
		require.ElementsMatch(t, statements, d.statements.take())
		e := at(t, a.Data, "searchDocuments", "explanation")
		steps, _ := at(t, e, "steps").([]any)
		require.NotEmpty(t, steps, mode)
		require.Contains(t, a.raw, "Node Type", mode)
		for _, secret := range []string{"secretneedle", "secretpath", "secretkey", "secretvalue", "987654", c.scope.TenantID.String(), "SELECT", "Index Cond", "\"Filter\"", "Output", "WHERE"} {
			require.NotContains(t, a.raw, secret, mode)
		}
		for _, s := range steps {
			require.NotEmpty(t, at(t, s, "name"))
			plan, err := json.Marshal(at(t, s, "plan"))
			require.NoError(t, err)
			for _, index := range texts2(t, at(t, s, "indexes")) {
				require.Contains(t, string(plan), index)
				require.Contains(t, texts2(t, at(t, e, "indexes")), index)
			}
		}
		if mode != "SEMANTIC" { // the vectors of a few documents are compared one by one
			require.NotEmpty(t, texts2(t, at(t, e, "indexes")), mode)
		}
	}
	require.Nil(t, at(t, c.get(ask, vars{"mode": "FTS", "explain": false}), "searchDocuments", "explanation"))
	require.Equal(t, []string{"search.Search"}, func() []string {
		d.statements.take()
		c.get(`{ searchDocuments(query: "x", explain: true) { nodes { score } } }`, nil)
		return d.statements.take()
	}(), "only when it is asked for")

	reader := c.with("documents:read")
	require.Empty(t, reader.ask(ask, vars{"mode": "FTS", "explain": false}).Errors)
	for _, scopes := range [][]string{{"documents:read"}, {"documents:*"}, {"documents:read", "search:read"}, {"documents:read", "search:explainx"}} {
		d.statements.take()
		a := c.with(scopes...).ask(ask, vars{"mode": "FTS"})
		require.Equal(t, []string{"FORBIDDEN"}, a.codes(), "%v", scopes)
		require.Contains(t, a.Errors[0].Message, "search:explain")
		require.Empty(t, d.statements.take())
	}
	for _, scopes := range [][]string{{"*"}, {"documents:read", "search:explain"}, {"documents:*", "search:*"}} {
		require.Empty(t, c.with(scopes...).ask(ask, vars{"mode": "FTS"}).Errors, "%v", scopes)
	}
}

// texts2 are the elements of a list of texts.
func texts2(t *testing.T, list any) []string {
	t.Helper()

	elements, ok := list.([]any)
	require.True(t, ok)
	out := make([]string, len(elements))
	for i, e := range elements {
		out[i], _ = e.(string)
	}
	return out
}

func TestTotalCountOfManyHits(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	_, err := db.Exec(t.Context(), d.Owner, `
		INSERT INTO documents (tenant_id, author_id, title, body) SELECT $1, $2, CASE WHEN i <= 10001 THEN 'common' ELSE 'rare' END, 'b' FROM generate_series(1, 10003) i`, c.scope.TenantID, c.scope.UserID)
	require.NoError(t, err)
	count := func(args string) any {
		t.Helper()
		d.statements.take()
		data := c.get(`{ searchDocuments(`+args+`) { totalCount totalCountIsExact } }`, nil)
		require.Equal(t, []string{"search.Count"}, d.statements.take(), "counted once, and the page is not read")
		return at(t, data, "searchDocuments")
	}
	require.Equal(t, map[string]any{"totalCount": 10000.0, "totalCountIsExact": false}, count(`query: "common"`))
	require.Equal(t, map[string]any{"totalCount": 10000.0, "totalCountIsExact": false}, count(`tagMatch: ANY`))
	require.Equal(t, map[string]any{"totalCount": 2.0, "totalCountIsExact": true}, count(`query: "rare"`))
	require.Equal(t, map[string]any{"totalCount": 0.0, "totalCountIsExact": true}, count(`query: "nothing"`))
	d.Exec(t, `DELETE FROM documents WHERE id = (SELECT id FROM documents WHERE title = 'common' LIMIT 1)`)
	require.Equal(t, map[string]any{"totalCount": 10000.0, "totalCountIsExact": true}, count(`query: "common"`))
}

// One search is one round trip, and each thing beside it one more, whatever is selected below.
func TestSearchStatements(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	c.library()
	for selection, want := range map[string][]string{
		`nodes { score }`: {"search.Search"},
		`edges { cursor node { document { title author { email } } } } nodes { document { body author { id } } scores { words } } pageInfo { hasNextPage } warnings`: {"search.Search"},
		`__typename`:                          nil,
		`warnings explanation { __typename }`: nil,
		`totalCount`:                          {"search.Count"},
		`nodes { score } totalCount a: totalCount totalCountIsExact`:                                       {"search.Search"},
		`nodes { highlights { html } } edges { node { highlights { text } h: highlights { html } } }`:      {"search.Highlights", "search.Search"},
		`nodes { a: highlights { html } b: highlights(words: 10) { text } }`:                               {"search.Highlights", "search.Highlights", "search.Search"},
		`nodes { score } facets { tags { value } paths { value } months { value } } didYouMean totalCount`: {"search.DidYouMean", "search.Facets", "search.Search"},
	} {
		d.statements.take()
		c.get(`{ searchDocuments(query: "smith") { `+selection+` } }`, nil)
		require.Equal(t, want, func() []string {
			if got := d.statements.take(); got != nil {
				return sorted(got)
			}
			return nil
		}(), selection)
	}
	for _, args := range []string{`first: 1`, `query: "smith", offset: 100`, `offset: 1`, `query: "smith", mode: HYBRID`, `mode: SEMANTIC, query: "smith"`} {
		d.statements.take()
		c.get(`{ searchDocuments(`+args+`) { nodes { score } totalCount } }`, nil)
		require.Contains(t, d.statements.take(), "search.Count", "%s: the page does not tell how many there are", args)
	}
	author := at(t, c.get(`{ searchDocuments(query: "smith") { nodes { document { authorId author { id email tenantId: __typename createdAt } } } } }`, nil), "searchDocuments", "nodes", 0, "document")
	require.Equal(t, at(t, author, "authorId"), at(t, author, "author", "id"))
	require.NotEmpty(t, at(t, author, "author", "email"))
}
