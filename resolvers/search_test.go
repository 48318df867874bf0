package resolvers_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// found returns the titles that a search finds, in order. args are arguments of searchDocuments.
func (c caller) found(args string) []string {
	c.d.t.Helper()

	p := at(c.d.t, c.get(`{ searchDocuments(first: 100, `+args+`) { nodes { document { title } } edges { node { document { title } } } totalCount } }`, nil), "searchDocuments")
	titles := texts(c.d.t, at(c.d.t, p, "nodes"), "document", "title")
	require.Equal(c.d.t, titles, texts(c.d.t, at(c.d.t, p, "edges"), "node", "document", "title"))
	require.InDelta(c.d.t, len(titles), at(c.d.t, p, "totalCount"), 0)
	return titles
}

func TestSearchWords(t *testing.T) {
	t.Parallel()

	c := open(t).tenant()
	for title, body := range map[string]string{
		"Café naïve": "crème brûlée", "plain cafe": "naive text", "PostgreSQL tuning": "vacuum and analyze the tables", "Notes": "we use postgresql for the queue",
		"Quick brown fox": "jumps over the lazy dog", "Brown quick fox": "sleeps", "Running shoes": "for runners who ran",
	} {
		c.document(vars{"title": title, "body": body})
	}
	for query, want := range map[string][]string{
		"cafe": {"Café naïve", "plain cafe"}, "café": {"Café naïve", "plain cafe"}, "CAFÉ": {"Café naïve", "plain cafe"}, "naïve": {"Café naïve", "plain cafe"}, "creme brulee": {"Café naïve"},
		"crème -cafe": {}, "cafe -brulee": {"plain cafe"}, "-cafe brown": {"Brown quick fox", "Quick brown fox"},
		`"quick brown"`: {"Quick brown fox"}, `"brown quick"`: {"Brown quick fox"}, "quick brown": {"Brown quick fox", "Quick brown fox"}, `"quick brown" sleeps`: {},
		"vacuum or sleeps": {"Brown quick fox", "PostgreSQL tuning"}, "run": {"Running shoes"}, "runner": {"Running shoes"}, "nothing": {}, "the": {}, "": {}, "fox dog": {"Quick brown fox"},
		"table": {"PostgreSQL tuning"}, "analyzing": {"PostgreSQL tuning"}, "postgres": {},
	} {
		require.Equal(t, want, sorted(c.found(fmt.Sprintf("query: %q", query))), "%q", query)
	}
	require.Len(t, c.found("tagIds: null"), 7, "without a query the other conditions alone decide")
}

func TestSearchRank(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	for i, title := range []string{"old body", "tie one", "tie two", "tie three"} {
		id := c.documentID(vars{"title": title, "body": "the needle is here"})
		d.Exec(t, `UPDATE documents SET created_at = '2026-01-01'::timestamptz + $2 * interval '1 hour' WHERE id = $1`, id, min(i, 2))
	}
	id := c.documentID(vars{"title": "needle", "body": "in the title, and older than all"})
	d.Exec(t, `UPDATE documents SET created_at = '2020-01-01' WHERE id = $1`, id)
	// The two that are equal in rank and time: the greater id first.
	require.Equal(t, []string{"needle", "tie three", "tie two", "tie one", "old body"}, c.found(`query: "needle"`))
	hits := at(t, c.get(`{ searchDocuments(query: "needle") { nodes { score distance } } }`, nil), "searchDocuments", "nodes")
	require.Greater(t, at(t, hits, 0, "score"), at(t, hits, 1, "score"))
	require.Equal(t, at(t, hits, 1, "score"), at(t, hits, 4, "score"))
	require.Equal(t, []any{nil, nil, nil, nil, nil}, all(t, hits, "distance"))
	require.InDelta(t, 0, at(t, c.get(`{ searchDocuments { nodes { score } } }`, nil), "searchDocuments", "nodes", 0, "score"), 0)
}

func TestSearchConditions(t *testing.T) {
	t.Parallel()

	c := open(t).tenant()
	c.document(vars{"title": "a", "path": "engineering.backend", "tagIds": []int{1, 2}, "metadata": vars{"court": "NDCA", "judge": "Smith"}})
	c.document(vars{"title": "b", "path": "engineering.backend.go", "tagIds": []int{2, 3}, "metadata": vars{"court": "NDCA"}})
	c.document(vars{"title": "c", "path": "engineering.backendx", "tagIds": []int{3}, "metadata": vars{"court": "SDNY"}})
	c.document(vars{"title": "d", "path": "engineering", "body": "word"})
	c.document(vars{"title": "e", "body": "word", "tagIds": []int{1}})
	for args, want := range map[string]string{
		`pathPrefix: "engineering.backend"`: "ab", `pathPrefix: "engineering"`: "abcd", `pathPrefix: "engineering.backend.go"`: "b", `pathPrefix: "eng"`: "", `pathPrefix: ""`: "abcde", `pathPrefix: null`: "abcde",
		`tagIds: [1]`: "ae", `tagIds: [1, 3]`: "abce", `tagIds: [1, 2], tagMatch: ALL`: "a", `tagIds: [2, 3], tagMatch: ALL`: "b", `tagIds: [2, 3], tagMatch: ANY`: "abc", `tagIds: [9]`: "", `tagIds: []`: "", `tagIds: [], tagMatch: ALL`: "abcde",
		`metadata: {court: "NDCA"}`: "ab", `metadata: {court: "NDCA", judge: "Smith"}`: "a", `metadata: {}`: "abcde", `metadata: {judge: "smith"}`: "",
		`query: "word"`: "de", `query: "word", tagIds: [1]`: "e", `query: "word", pathPrefix: "engineering"`: "d", `query: "word", pathPrefix: "engineering", tagIds: [1]`: "",
		`tagIds: [2], metadata: {court: "NDCA"}, pathPrefix: "engineering.backend.go"`: "b",
	} {
		got := ""
		for _, title := range sorted(c.found(args)) {
			got += title
		}
		require.Equal(t, want, got, args)
	}
}

func TestSearchLanguages(t *testing.T) {
	t.Parallel()

	c := open(t).tenant()
	c.document(vars{"title": "deutsch", "body": "Die Häuser stehen", "language": "de"})
	c.document(vars{"title": "français", "body": "les maisons étaient continuées", "language": "fr"})
	c.document(vars{"title": "english", "body": "the houses were continued", "language": "en"})
	c.document(vars{"title": "plain", "body": "houses", "language": "plain"})
	for args, want := range map[string][]string{
		`query: "Haus", language: "de"`: {"deutsch"}, `query: "haus", language: "de"`: {"deutsch"}, `query: "häuser", language: "de"`: {"deutsch"}, `query: "maison", language: "fr"`: {"français"},
		`query: "house"`: {"english"}, `query: "houses", language: "plain"`: {"plain"}, `query: "house", language: "plain"`: {},
	} {
		require.Equal(t, want, sorted(c.found(args)), args)
	}
}

// place returns the point that far from the origin of the test: degrees east of 8.5, 47.4.
func place(metresEast float64) (longitude, latitude float64) {
	const lat = 47.4
	return 8.5 + metresEast/(111320*math.Cos(lat*math.Pi/180)), lat
}

func TestSearchNear(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	for _, metres := range []float64{100, 4900, 5100, 9900, 10100, 400_000} {
		lon, lat := place(metres)
		c.document(vars{"title": fmt.Sprint(metres), "longitude": lon, "latitude": lat, "body": map[bool]string{true: "word", false: "other"}[metres > 5000]})
	}
	c.document(vars{"title": "nowhere", "body": "word"})
	near := func(radius string) string { return `near: {longitude: 8.5, latitude: 47.4` + radius + `}` }
	require.Equal(t, []string{"100", "4900"}, c.found(near(`, radius: 5000`)))
	require.Equal(t, []string{"100", "4900", "5100", "9900"}, c.found(near(``)), "10,000 metres by default, nearest first")
	require.Equal(t, []string{"100", "4900", "5100", "9900", "10100", "400000"}, c.found(near(`, radius: 1000000`)))
	require.Empty(t, c.found(near(`, radius: 0.5`)))
	require.Equal(t, []string{"5100", "9900"}, c.found(near(``)+`, query: "word"`))
	hits := at(t, c.get(`{ searchDocuments(`+near(``)+`) { nodes { distance score } } }`, nil), "searchDocuments", "nodes")
	for i, want := range []float64{100, 4900, 5100, 9900} {
		require.InEpsilon(t, want, at(t, hits, i, "distance"), 0.01)
	}

	// Where the rank of near hits decides, and beyond the date line and at a pole.
	c2 := d.tenant()
	for title, p := range map[string][2]float64{"west": {179.99, 0}, "east": {-179.99, 0}, "pole": {0, 89.99}, "other side of the pole": {180, 89.99}} {
		c2.document(vars{"title": title, "longitude": p[0], "latitude": p[1]})
	}
	require.Equal(t, []string{"west", "east"}, c2.found(`near: {longitude: 179.995, latitude: 0}`))
	require.Equal(t, []string{"pole", "other side of the pole"}, c2.found(`near: {longitude: 0, latitude: 89.995}`))
	require.ElementsMatch(t, []string{"pole", "other side of the pole"}, c2.found(`near: {longitude: 77, latitude: 90}`))
}

// Distances along the WGS 84 spheroid, as ST_Distance of PostGIS 3.3 gives them; without it they differ by at most 0.6 %.
func TestDistances(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	for _, test := range []struct {
		name                       string
		lon, lat, toLon, toLat, is float64
	}{
		{"along the equator", 0, 0, 1, 0, 111319.49},
		{"along a meridian at the equator", 0, -0.5, 0, 0.5, 110574.30},
		{"along a meridian at the pole", 0, 89, 0, 90, 111693.86},
		{"along a parallel", 8, 47, 9, 47, 76055.48},
		{"one minute", 8.5, 47.4, 8.5, 47.4 + 1.0/60, 1852.98},
	} {
		id := c.documentID(vars{"title": test.name, "longitude": test.toLon, "latitude": test.toLat})
		a := c.get(`query ($near: NearInput!) { searchDocuments(near: $near) { nodes { document { id } distance } } }`,
			vars{"near": vars{"longitude": test.lon, "latitude": test.lat, "radius": test.is * 1.01}})
		nodes := at(t, a, "searchDocuments", "nodes")
		i := slices.Index(texts(t, nodes, "document", "id"), id)
		require.GreaterOrEqual(t, i, 0, test.name)
		tolerance := 0.006
		if d.count(`SELECT count(*) FROM pg_extension WHERE extname = 'postgis'`) > 0 {
			tolerance = 1e-5
		}
		require.InEpsilon(t, test.is, at(t, nodes, i, "distance"), tolerance, test.name)
		a = c.get(`query ($near: NearInput!) { searchDocuments(near: $near) { nodes { document { id } } } }`,
			vars{"near": vars{"longitude": test.lon, "latitude": test.lat, "radius": test.is * 0.99}})
		require.NotContains(t, texts(t, at(t, a, "searchDocuments", "nodes"), "document", "id"), id, test.name)
	}
}

func TestSearchSeesItsTenantOnly(t *testing.T) {
	t.Parallel()

	d := open(t)
	one, two := d.tenant(), d.tenant()
	one.document(vars{"title": "shared common"})
	two.document(vars{"title": "shared secretword", "longitude": 1, "latitude": 1, "path": "p", "tagIds": []int{5}, "metadata": vars{"k": "v"}})
	require.Empty(t, one.found(`query: "secretword"`))
	require.Equal(t, []string{"shared common"}, one.found(`query: "shared"`))
	require.Empty(t, one.found(`near: {longitude: 1, latitude: 1}`))
	require.Empty(t, one.found(`pathPrefix: "p"`))
	require.Empty(t, one.found(`tagIds: [5]`))
	require.Empty(t, one.found(`metadata: {k: "v"}`))
	require.Equal(t, []string{"shared secretword"}, two.found(`query: "secretword"`))
}

func TestSearchFindsChangesAtOnce(t *testing.T) {
	t.Parallel()

	c := open(t).tenant()
	id := c.documentID(vars{"title": "cherry"})
	c.get(`mutation ($id: ID!) { updateDocument(input: {id: $id, title: "banana"}) { document { id } } }`, vars{"id": id})
	require.Equal(t, []string{"banana"}, c.found(`query: "banana"`))
	require.Empty(t, c.found(`query: "cherry"`))
	c.get(`mutation ($id: ID!) { deleteDocument(input: {id: $id}) { id } }`, vars{"id": id})
	require.Empty(t, c.found(`query: "banana"`))
}
