package resolvers_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/app"
	"stackforge/errs"
	"stackforge/tenant"
)

// modes are those of the schema.
func modes() []string { return []string{"FTS", "FUZZY", "SOUNDEX", "METAPHONE", "SEMANTIC", "HYBRID"} }

// embed makes the vectors of documents.
func (c caller) embed(ids ...string) {
	c.d.t.Helper()

	e := app.NewEmbedder(c.d.Worker, app.Local{})
	for _, id := range ids {
		_, err := e.Document(tenant.With(c.d.t.Context(), c.scope), uuid.MustParse(id))
		require.NoError(c.d.t, err)
	}
}

// hits are the titles of the first hundred hits, in order.
func (c caller) hits(args string, v vars) []string {
	c.d.t.Helper()

	declared := ""
	for name, kind := range map[string]string{"q": "String", "within": "BoundingBoxInput", "near": "NearInput", "created": "TimeFilter"} {
		if _, ok := v[name]; ok {
			declared += ", $" + name + ": " + kind
		}
	}
	data := c.get(`query ($mode: SearchMode! = FTS`+declared+`) { searchDocuments(first: 100, mode: $mode, `+args+`) { nodes { document { title } } } }`, v)
	return texts(c.d.t, at(c.d.t, data, "searchDocuments", "nodes"), "document", "title")
}

// library has what the documented searches look for.
func (c caller) library() {
	c.d.t.Helper()

	var ids []string
	for _, text := range [][2]string{
		{"PostgreSQL tuning guide", "Which indexes pay for themselves."},
		{"Case brief: Delgado v. Acme Tools", "We argue negligence in the product design: a safer alternative was known, cheap, and left out."},
		{"Smith, cardiology: chest X-ray", "The heart is of normal size."},
		{"Smyth, cardiology: chest pain at rest", "ECG without findings."},
		{"Smythe, cardiology: chest CT", "No embolism."},
		{"Welcome letter from Rupert", "Shows newcomers around."},
		{"Café naïve", "A résumé of dishes from Orléans."},
		{"Winter tyres", "Fitted in November."},
	} {
		ids = append(ids, c.documentID(vars{"title": text[0], "body": text[1]}))
	}
	c.embed(ids...)
}

func TestSearchModes(t *testing.T) {
	t.Parallel()

	c := open(t).tenant()
	c.library()
	smiths := []string{"Smith, cardiology: chest X-ray", "Smyth, cardiology: chest pain at rest", "Smythe, cardiology: chest CT"}
	for _, test := range []struct {
		mode, query string
		want        []string // in any order
	}{
		{"FTS", "postgres", []string{}},
		{"FTS", "postg*", []string{"PostgreSQL tuning guide"}},
		{"FTS", "smith", smiths[:1]},
		{"FUZZY", "postgras", []string{"PostgreSQL tuning guide"}},
		{"FUZZY", "neglignece producit design", []string{"Case brief: Delgado v. Acme Tools"}},
		{"FUZZY", "Smyht cardiology", smiths[1:]},
		{"FUZZY", "postgras tuninng", []string{"PostgreSQL tuning guide"}},
		{"FUZZY", "postgras tyres", []string{}},
		{"FUZZY", "resumee", []string{"Café naïve"}},
		{"FUZZY", "zzzzqqqq", []string{}},
		{"SOUNDEX", "robert", []string{"Welcome letter from Rupert"}},
		{"SOUNDEX", "Smith chest", smiths},
		{"SOUNDEX", "smith tyres", []string{}},
		{"SOUNDEX", "2024 robert", []string{"Welcome letter from Rupert"}},
		{"METAPHONE", "smith", smiths},
		{"METAPHONE", "rupert", []string{"Welcome letter from Rupert"}},
		{"METAPHONE", "kafay", []string{"Café naïve"}},
		{"METAPHONE", "smith tyres", []string{}},
	} {
		got := c.hits(`query: $q`, vars{"mode": test.mode, "q": test.query})
		require.ElementsMatch(t, test.want, got, "%s %q", test.mode, test.query)
	}
	require.Equal(t, smiths[0], c.hits(`query: $q`, vars{"mode": "FUZZY", "q": "smith chest"})[0], "the word itself is better than one like it")
	require.Equal(t, smiths[0], c.hits(`query: $q`, vars{"mode": "SOUNDEX", "q": "smith chest"})[0], "the word itself is better than one that sounds like it")

	// A vector always has a distance; the nearest are first.
	got := c.hits(`query: "tyres for the winter"`, vars{"mode": "SEMANTIC"})
	require.Len(t, got, 8)
	require.Equal(t, "Winter tyres", got[0])
	require.Equal(t, "Case brief: Delgado v. Acme Tools", c.hits(`query: "negligent product designs"`, vars{"mode": "SEMANTIC"})[0])
	got = c.hits(`query: "cardiology smith chest"`, vars{"mode": "HYBRID"})
	require.Equal(t, smiths[0], got[0])
	require.ElementsMatch(t, smiths, got[:3])
	c.document(vars{"title": "Tyres that have no vector yet"})
	require.NotContains(t, c.hits(`query: "tyres"`, vars{"mode": "SEMANTIC"}), "Tyres that have no vector yet")
	require.Subset(t, c.hits(`query: "tyres"`, vars{"mode": "HYBRID"})[:2], []string{"Tyres that have no vector yet", "Winter tyres"})
}

func TestScoreParts(t *testing.T) {
	t.Parallel()

	c := open(t).tenant()
	c.library()
	const ask = `query ($mode: SearchMode!, $words: Float! = 1, $vector: Float! = 1) { searchDocuments(mode: $mode, query: "winter tyres", weights: {words: $words, vector: $vector}) {
		nodes { document { title } score scores { words similarity } } } }`
	for _, mode := range modes() {
		nodes := at(t, c.get(ask, vars{"mode": mode}), "searchDocuments", "nodes")
		best := at(t, nodes, 0)
		require.Equal(t, "Winter tyres", at(t, best, "document", "title"), mode)
		words, similarity := at(t, best, "scores", "words"), at(t, best, "scores", "similarity")
		require.Positive(t, at(t, best, "score"), mode)
		require.Equal(t, mode == "SEMANTIC", words == nil, mode)
		require.Equal(t, mode != "SEMANTIC" && mode != "HYBRID", similarity == nil, mode)
		scores := all(t, nodes, "score")
		require.True(t, slices.IsSortedFunc(scores, func(a, b any) int { return compare(b, a) }), "%s: %v", mode, scores)
		if mode == "SEMANTIC" {
			require.Equal(t, at(t, best, "score"), similarity)
		}
	}
	weighed := func(mode, weights string) []string {
		return c.hits(`query: "smith cardiology", weights: {`+weights+`}`, vars{"mode": mode})
	}
	byWords, byVector := weighed("FTS", ``), weighed("SEMANTIC", ``)
	require.Equal(t, byWords, weighed("HYBRID", `words: 1, vector: 0`)[:len(byWords)])
	require.Equal(t, byVector, weighed("HYBRID", `words: 0, vector: 1`))
	require.Equal(t, byWords[0], weighed("HYBRID", `words: 1000, vector: 0.001`)[0])
	nodes := at(t, c.get(`{ searchDocuments { nodes { score scores { words similarity } } } }`, nil), "searchDocuments", "nodes")
	require.Equal(t, map[string]any{"score": 0.0, "scores": map[string]any{"words": nil, "similarity": nil}}, at(t, nodes, 0))
}

func compare(a, b any) int {
	x, _ := a.(float64)
	y, _ := b.(float64)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// Every mode narrows by every condition, alone and all at once.
func TestModesWithConditions(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	other, _ := at(t, c.get(`mutation { createUser(input: {email: "other@example.org"}) { user { id } } }`, nil), "createUser", "user", "id").(string)
	base := vars{"body": "the needle smith", "path": "a.b", "tagIds": []int{1, 2}, "metadata": vars{"k": "v", "l": "w"}, "longitude": 8.5, "latitude": 47.4}
	conditions := map[string]struct {
		args    string
		spoiled vars // a document that the condition keeps out
	}{
		"path":     {`pathPrefix: "a.b"`, vars{"path": "a.bc"}},
		"any":      {`tagIds: [2, 9]`, vars{"tagIds": []int{1, 3}}},
		"metadata": {`metadata: {k: "v"}`, vars{"metadata": vars{"k": "w", "l": "w"}}},
		"author":   {`authorId: "` + c.scope.UserID.String() + `"`, vars{"authorId": other}},
		"near":     {`near: {longitude: 8.5, latitude: 47.4, radius: 1000}`, vars{"longitude": 8.6, "latitude": 47.4}},
		"within":   {`within: {west: 8, south: 47, east: 8.55, north: 48}`, vars{"longitude": 8.5, "latitude": 46.9}},
		"created":  {`createdAt: {gte: "2026-01-01T00:00:00Z", lt: "2026-02-01T00:00:00Z"}`, vars{}},
	}
	var ids []string
	add := func(title string, change vars) {
		in := vars{"title": title}
		maps.Copy(in, base)
		maps.Copy(in, change)
		ids = append(ids, c.documentID(in))
		if title != "created" {
			d.Exec(t, `UPDATE documents SET created_at = '2026-01-15' WHERE id = $1`, ids[len(ids)-1])
		} else {
			d.Exec(t, `UPDATE documents SET created_at = '2026-02-01' WHERE id = $1`, ids[len(ids)-1])
		}
	}
	add("target", nil)
	for name, x := range conditions {
		add(name, x.spoiled)
	}
	ids = append(ids, c.documentID(vars{"title": "far away", "body": "nothing of that", "longitude": 0, "latitude": 0}))
	c.embed(ids...)
	everything := ""
	for _, x := range conditions {
		everything += ", " + x.args
	}
	for _, mode := range modes() {
		args := `query: "needle smith"`
		for name, x := range conditions {
			got := c.hits(args+", "+x.args, vars{"mode": mode})
			require.NotContains(t, got, name, "%s with %s", mode, x.args)
			require.Contains(t, got, "target", "%s with %s", mode, x.args)
			for keep := range conditions {
				// What spoils one condition on the place spoils the other.
				if keep != name && (keep != "near" || name != "within") && (keep != "within" || name != "near") {
					require.Contains(t, got, keep, "%s with %s", mode, x.args)
				}
			}
		}
		require.Equal(t, []string{"target"}, c.hits(args+everything, vars{"mode": mode}), mode)
		require.Equal(t, []string{"target"}, c.hits(args+everything+`, tagMatch: ANY`, vars{"mode": mode}), mode)
		require.Empty(t, c.hits(args+everything+`, tagMatch: ALL`, vars{"mode": mode}), "%s: no document has tag 9", mode)
		if mode != "SEMANTIC" && mode != "HYBRID" {
			require.NotContains(t, c.hits(args, vars{"mode": mode}), "far away", mode)
		}
	}
	require.Equal(t, []string{"target"}, c.hits(strings.TrimPrefix(everything, ", "), nil), "without a query")
	require.Empty(t, c.hits(`authorId: "`+uuid.NewString()+`"`, nil))
}

func TestCreatedAt(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	for i, name := range []string{"a", "b", "c"} {
		id := c.documentID(vars{"title": name})
		d.Exec(t, `UPDATE documents SET created_at = '2026-01-01'::timestamptz + $2 * interval '1 microsecond' WHERE id = $1`, id, i)
	}
	at := func(micros string) string { return "2026-01-01T00:00:00." + micros + "Z" }
	for _, test := range []struct {
		filter vars
		want   string
	}{
		{vars{}, "abc"},
		{vars{"gte": at("000001")}, "bc"},
		{vars{"gt": at("000001")}, "c"},
		{vars{"lt": at("000001")}, "a"},
		{vars{"lte": at("000001")}, "ab"},
		{vars{"eq": at("000001")}, "b"},
		{vars{"gt": at("0000005")}, "bc"},
		{vars{"gte": at("0000005")}, "bc"},
		{vars{"lt": at("0000005")}, "a"},
		{vars{"lte": at("0000005")}, "a"},
		{vars{"eq": at("0000005")}, ""},
		{vars{"gte": at("000001"), "lt": at("000002")}, "b"},
		{vars{"gte": at("000002"), "lt": at("000001")}, ""},
		{vars{"gte": nil, "lt": nil}, "abc"},
		{vars{"gte": "2026-01-01T01:00:00.000001+01:00"}, "bc"},
		{vars{"isNull": true}, ""},
		{vars{"isNull": false}, "abc"},
		{vars{"gte": "0001-01-01T00:00:00Z", "lte": "9999-12-31T23:59:59.9999999Z"}, "abc"},
		{vars{"gt": "9999-12-31T23:59:59.9999999Z"}, ""},
	} {
		require.Equal(t, test.want, strings.Join(sorted(c.hits(`createdAt: $created`, vars{"created": test.filter})), ""), "%v", test.filter)
		if strings.Contains(fmt.Sprint(test.filter), ".0000005") {
			continue
		}
		require.Equal(t, test.want, strings.Join(sorted(texts(t, c.get(`query ($f: DocumentFilter) { documents(filter: $f) { title } }`, vars{"f": vars{"createdAt": test.filter}})["documents"], "title")), ""), "as documents: %v", test.filter)
	}
}

func TestBoxes(t *testing.T) {
	t.Parallel()

	c := open(t).tenant()
	for name, p := range map[string][2]float64{
		"zero": {0, 0}, "zurich": {8.5, 47.4}, "fiji": {179.5, -17}, "samoa": {-172, -13.8}, "line east": {180, 0}, "line west": {-180, 0}, "north": {12, 90}, "south": {-77, -90}, "near north": {100, 89.9},
	} {
		c.document(vars{"title": name, "longitude": p[0], "latitude": p[1]})
	}
	c.document(vars{"title": "nowhere"})
	box := func(w, s, e, n float64) vars {
		return vars{"within": vars{"west": w, "south": s, "east": e, "north": n}}
	}
	for _, test := range []struct {
		name string
		box  vars
		want []string
	}{
		{"the world", box(-180, -90, 180, 90), []string{"fiji", "line east", "line west", "near north", "north", "samoa", "south", "zero", "zurich"}},
		{"a country", box(5.9, 45.8, 10.5, 47.8), []string{"zurich"}},
		{"across the date line", box(175, -20, -170, 5), []string{"fiji", "line east", "line west", "samoa"}},
		{"up to the date line", box(175, -20, 180, 5), []string{"fiji", "line east"}},
		{"from the date line", box(-180, -20, -170, 5), []string{"line west", "samoa"}},
		{"the far side", box(1, -20, -1, 5), []string{"fiji", "line east", "line west", "samoa"}},
		{"a point", box(0, 0, 0, 0), []string{"zero"}},
		{"the edges count", box(0, 0, 8.5, 47.4), []string{"zero", "zurich"}},
		{"the north pole", box(-180, 89, 180, 90), []string{"near north", "north"}},
		{"the south pole", box(-180, -90, 180, -89.9), []string{"south"}},
		{"nothing there", box(20, 20, 21, 21), []string{}},
		{"a tenth", box(8.4999999, 47.3999999, 8.5000001, 47.4000001), []string{"zurich"}},
	} {
		require.Equal(t, test.want, sorted(c.hits(`within: $within`, test.box)), test.name)
	}
	require.Equal(t, []string{"zurich"}, c.hits(`within: {west: 0, south: 40, east: 20, north: 50}, near: {longitude: 8.5, latitude: 47.4, radius: 1000000}`, nil))
	require.Empty(t, c.hits(`within: {west: 0, south: -10, east: 20, north: 10}, near: {longitude: 8.5, latitude: 47.4, radius: 1000000}`, nil))
	for field, b := range map[string]vars{
		"within.west": box(-181, 0, 0, 0), "within.east": box(0, 0, 180.0001, 0), "within.south": box(0, -91, 0, 0), "within.north": box(0, 0, 0, 1e300),
	} {
		require.Equal(t, []string{field}, c.ask(`query ($within: BoundingBoxInput) { searchDocuments(within: $within) { nodes { score } } }`, b).fields(), field)
	}
	a := c.ask(`query ($within: BoundingBoxInput) { searchDocuments(within: $within) { totalCount } }`, box(0, 10, 0, 9))
	require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes())
	require.True(t, strings.HasPrefix(a.fields()[0], "within."), a.raw)
}

func TestSearchWithoutVectors(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	for i := range 5 {
		c.embed(c.documentID(vars{"title": fmt.Sprint("smith ", i)}))
	}
	const ask = `query ($mode: SearchMode!, $q: String, $after: String) { searchDocuments(mode: $mode, query: $q, first: 2, after: $after) {
		nodes { document { title } scores { words similarity } } pageInfo { endCursor hasNextPage } warnings totalCount } }`
	v := vars{"mode": "HYBRID", "q": "smith"}
	whole := at(t, c.get(ask, v), "searchDocuments")
	require.Equal(t, []any{}, at(t, whole, "warnings"))
	require.NotNil(t, at(t, whole, "nodes", 0, "scores", "similarity"))

	for _, failure := range []*errs.Error{errs.New(errs.Unavailable, "away"), errs.New(errs.RateLimited, "too many"), errs.New(errs.Validation, "wrong key")} {
		d.vectors.failure.Store(failure)
		a := c.ask(ask, vars{"mode": "SEMANTIC", "q": "smith"})
		require.Equal(t, []string{"UNAVAILABLE"}, a.codes(), a.raw)
		require.Equal(t, []string{""}, a.fields())
		require.NotContains(t, a.raw, failure.Message)
		byWords := at(t, c.get(ask, v), "searchDocuments")
		require.Equal(t, []any{"VECTORS_UNAVAILABLE"}, at(t, byWords, "warnings"))
		require.Equal(t, []any{nil, nil}, all(t, at(t, byWords, "nodes"), "scores", "similarity"))
		require.NotNil(t, at(t, byWords, "nodes", 0, "scores", "words"))
		require.InDelta(t, 5, at(t, byWords, "totalCount"), 0)
		a = c.ask(ask, vars{"mode": "HYBRID", "q": "smith", "after": at(t, whole, "pageInfo", "endCursor")})
		require.Equal(t, []string{"UNAVAILABLE"}, a.codes(), "a page behind one with vectors needs them: %s", a.raw)
		for _, mode := range []string{"FTS", "FUZZY", "SOUNDEX", "METAPHONE"} {
			require.Empty(t, c.ask(ask, vars{"mode": mode, "q": "smith"}).Errors)
		}

		// What has begun without vectors goes on without, even when they are back.
		d.vectors.failure.Store(nil)
		var got []string
		p := byWords
		for {
			got = append(got, texts(t, at(t, p, "nodes"), "document", "title")...)
			if at(t, p, "pageInfo", "hasNextPage") == false {
				break
			}
			p = at(t, c.get(ask, vars{"mode": "HYBRID", "q": "smith", "after": at(t, p, "pageInfo", "endCursor")}), "searchDocuments")
			require.Equal(t, []any{"VECTORS_UNAVAILABLE"}, at(t, p, "warnings"))
		}
		require.Equal(t, []string{"smith 4", "smith 3", "smith 2", "smith 1", "smith 0"}, got)
		require.Equal(t, []string{"after"}, c.ask(ask, vars{"mode": "FTS", "q": "smith", "after": at(t, byWords, "pageInfo", "endCursor")}).fields())
	}

	// What is not valid asks for no vector.
	made := d.vectors.texts.Load()
	for _, bad := range []vars{{"mode": "SEMANTIC"}, {"mode": "HYBRID"}, {"mode": "SEMANTIC", "q": " "}, {"mode": "HYBRID", "q": ""}, {"mode": "SEMANTIC", "q": strings.Repeat("x", 1001)}} {
		a := c.ask(ask, bad)
		require.Equal(t, []string{"query"}, a.fields(), a.raw)
		require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes())
	}
	c.get(ask, vars{"mode": "FUZZY", "q": "smith"})
	require.Equal(t, made, d.vectors.texts.Load())
}

// Vectors of a model that nobody can ask any more do not compare with those of the present one.
func TestSearchAfterAChangeOfModel(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	present, former := c.documentID(vars{"title": "smith of today"}), c.documentID(vars{"title": "smith of old"})
	c.embed(present, former)
	d.Exec(t, `UPDATE documents SET embedding_model = 'gone' WHERE id = $1`, former)
	require.Equal(t, []string{"smith of today"}, c.hits(`query: "smith"`, vars{"mode": "SEMANTIC"}))
	require.ElementsMatch(t, []string{"smith of today", "smith of old"}, c.hits(`query: "smith"`, vars{"mode": "HYBRID"}))
	c.embed(former)
	require.Len(t, c.hits(`query: "smith"`, vars{"mode": "SEMANTIC"}), 2)
}
