package rest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// find returns the titles of the hits.
func (c caller) find(query string) []string {
	c.t.Helper()
	items, ok := c.ok(http.StatusOK, http.MethodGet, "/documents/search?"+query, "")["items"].([]any)
	require.True(c.t, ok)
	out := []string{}
	for _, i := range items {
		m, _ := i.(map[string]any)
		out = append(out, text(c.t, m["title"]))
	}
	return out
}

func TestSearch(t *testing.T) {
	t.Parallel()
	d := open(t, options{})
	c, other := d.tenant(t), d.tenant(t)
	c.document(vars{"title": "Introduction to PostgreSQL", "path": "engineering.backend", "tagIds": []int{1, 5}, "longitude": 0, "latitude": 0})
	c.document(vars{"title": "Dr Smyth on cardiology", "body": "The heart.", "path": "engineering.backendx", "tagIds": []int{7}, "longitude": 0.1, "latitude": 0})
	c.document(vars{"title": "Café naïve", "body": "PostgreSQL in a line."})
	other.document(vars{"title": "PostgreSQL of others"})

	items, _ := c.ok(http.StatusOK, http.MethodGet, "/documents/search?q=postgresql&limit=10", "")["items"].([]any)
	require.Len(t, items, 2)
	hit, _ := items[0].(map[string]any)
	require.Equal(t, []string{"createdAt", "fts_rank", "id", "path", "title", "trigram_score"}, keys(hit))
	require.Equal(t, "Introduction to PostgreSQL", hit["title"])
	require.Equal(t, "engineering.backend", hit["path"])
	require.Positive(t, hit["fts_rank"])
	require.Positive(t, hit["trigram_score"])
	require.Regexp(t, moment, hit["createdAt"])

	for query, want := range map[string][]string{
		"q=cafe":                        {"Café naïve"},
		"q=postgras&mode=fuzzy&limit=1": {"Introduction to PostgreSQL"},
		"q=Smith&mode=soundex":          {"Dr Smyth on cardiology"},
		"q=postgresql&pathPrefix=engineering.backend":     {"Introduction to PostgreSQL"},
		"q=postgresql&tagIds=1,7":                         {"Introduction to PostgreSQL"},
		"q=postgresql&tagIds=9":                           {},
		"q=postgresql&longitude=0&latitude=0&radius=5000": {"Introduction to PostgreSQL"},
		"q=postgresql&longitude=0&latitude=0":             {"Introduction to PostgreSQL"},
		"q=heart&longitude=0&latitude=0":                  {},
		"q=heart&longitude=0&latitude=0&radius=20000":     {"Dr Smyth on cardiology"},
	} {
		require.Equal(t, want, c.find(query), query)
	}
	near, _ := c.ok(http.StatusOK, http.MethodGet, "/documents/search?q=heart&longitude=0&latitude=0&radius=20000", "")["items"].([]any)
	hit, _ = near[0].(map[string]any)
	require.InDelta(t, 11_120, hit["distance_m"], 100)

	for query, field := range map[string]string{
		"":                                    "q",
		"q=":                                  "q",
		"q=%20":                               "q",
		"q=" + strings.Repeat("x", 1001):      "q",
		"q=a&mode=xyz":                        "mode",
		"q=a&mode=hybrid":                     "mode",
		"q=a&pathPrefix=a..b":                 "pathPrefix",
		"q=a&tagIds=1,x":                      "tagIds",
		"q=a&tagIds=3000000000":               "tagIds",
		"q=a&longitude=1":                     "latitude",
		"q=a&radius=1":                        "longitude",
		"q=a&longitude=NaN&latitude=1":        "longitude",
		"q=a&longitude=1&latitude=91":         "latitude",
		"q=a&longitude=1&latitude=1&radius=0": "radius",
		"q=a&limit=x":                         "limit",
	} {
		require.Equal(t, []string{field}, c.fails(400, "VALIDATION_FAILED", http.MethodGet, "/documents/search?"+query, "").fields(), query)
	}
}

func TestSearchHostile(t *testing.T) {
	t.Parallel()
	c := open(t, options{}).tenant(t)
	c.document(nil)
	for _, q := range []string{
		"'; drop table documents;--", "\" OR 1=1 --", "the and of", "🦄🦄", strings.Repeat("a ", 400), "\\", "%", "_", "((((", "&|!<->:*", "a\x00b", "\xff\xfe",
		"\u202e\u0000", strings.Repeat("(", 900), "-", "\"", "𝕳𝖊𝖑𝖑𝖔", "null", "../../etc/passwd", "<script>alert(1)</script>", "${7*7}", "{{7*7}}", "\r\nX: y",
	} {
		for _, mode := range []string{"fts", "fuzzy", "soundex", "metaphone"} {
			a := c.do(http.MethodGet, "/documents/search?mode="+mode+"&q="+url.QueryEscape(q), "")
			require.Contains(t, []int{200, 400}, a.status, "%q: %s", q, a.text)
			if a.status == 400 {
				require.Equal(t, []string{"q"}, a.fields(), "%q: %s", q, a.text)
			}
		}
	}
	require.Equal(t, []string{"Introduction to PostgreSQL"}, c.find("q=postgresql"))
	for _, method := range []string{http.MethodPut, http.MethodDelete} { // search is no id
		require.Equal(t, "GET, HEAD", c.fails(405, "METHOD_NOT_ALLOWED", method, "/documents/search", "").header.Get("Allow"))
	}
	for _, raw := range []string{"q=%zz", "q=a;b", "q=a&limit=1&limit=2", "q=a&q=b", "%00=1&q=a", "q=a&tagIds=", "q=a&tagIds=,"} {
		a := c.do(http.MethodGet, "/documents/search?"+raw, "")
		require.Contains(t, []int{200, 400}, a.status, "%q: %s", raw, a.text)
	}
}
