package resolvers_test

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stackforge/app"
)

// similar are the titles of similar documents, which must come in order.
func similar(t *testing.T, data map[string]any) []string {
	t.Helper()

	list := at(t, data, "similarDocuments")
	last := math.Inf(1)
	for _, v := range all(t, list, "similarity") {
		s, ok := v.(float64)
		require.True(t, ok)
		require.LessOrEqual(t, s, last, "the most similar come first")
		last = s
	}
	return texts(t, list, "document", "title")
}

const similarFields = ` { similarity document { title } } }`

func TestSimilarDocuments(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	e := app.NewEmbedder(d.Worker, app.Local{})
	create := func(c caller, title, body string, more vars) string {
		in := vars{"title": title, "body": body}
		maps.Copy(in, more)
		return c.documentID(in)
	}
	solar := create(c, "solar panels", "solar power on the roof of a home", vars{"path": "energy.solar", "tagIds": []int{1, 2}, "metadata": vars{"lang": "en"}})
	create(c, "solar cells", "solar power from silicon", vars{"path": "energy", "tagIds": []int{2}})
	create(c, "wind power", "power from wind", vars{"path": "energy.wind", "tagIds": []int{3}})
	create(c, "sourdough", "bread from flour and water", vars{"path": "food"})
	other := d.tenant()
	create(other, "solar panels of others", "solar power on the roof of a home", nil)
	for _, x := range []caller{c, other} {
		_, err := e.Fill(x.ctx(), app.FillParams{Missing: true})
		require.NoError(t, err)
	}
	bare := create(c, "no vector yet", "nothing", nil)

	t.Run("to a document, without itself, in the tenant alone", func(t *testing.T) {
		t.Parallel()

		got := similar(t, c.get(`{ similarDocuments(documentId: "`+solar+`")`+similarFields, nil))
		require.Equal(t, []string{"solar cells", "wind power", "sourdough"}, got)
		hash, _ := at(t, c.get(`{ document(id: "`+solar+`") { hashid } }`, nil), "document", "hashid").(string)
		require.Equal(t, got, similar(t, c.get(`{ similarDocuments(documentId: "`+hash+`")`+similarFields, nil)))
		require.Equal(t, got[:1], similar(t, c.get(`{ similarDocuments(documentId: "`+solar+`", first: 1)`+similarFields, nil)))
	})

	t.Run("to a text and to a vector", func(t *testing.T) {
		t.Parallel()

		byText := c.get(`{ similarDocuments(text: "solar power from silicon") { similarity document { title author { email } } } }`, nil)
		require.Equal(t, "solar cells", similar(t, byText)[0])
		v, err := app.Local{}.Embed(t.Context(), []string{"solar power from silicon"})
		require.NoError(t, err)
		long := make([]float64, len(v[0])) // length does not matter, direction does
		for i, x := range v[0] {
			long[i] = float64(x) * 1e6
		}
		byVector := c.get(`query ($v: [Float!]) { similarDocuments(vector: $v)`+similarFields, vars{"v": long})
		require.Equal(t, similar(t, byText), similar(t, byVector))
	})

	t.Run("within a filter", func(t *testing.T) {
		t.Parallel()

		for filter, want := range map[string][]string{
			`{pathPrefix: "energy"}`:                        {"solar cells", "wind power"},
			`{pathPrefix: "energy.wind"}`:                   {"wind power"},
			`{tagIds: [2, 3]}`:                              {"solar cells", "wind power"},
			`{tagIds: [1, 2], tagMatch: ALL}`:               {},
			`{metadata: {lang: "en"}}`:                      {},
			`{authorId: "` + c.scope.UserID.String() + `"}`: {"solar cells", "wind power", "sourdough"},
			`{createdAt: {gt: "2020-01-01T00:00:00Z"}}`:     {"solar cells", "wind power", "sourdough"},
			`{createdAt: {lte: "2020-01-01T00:00:00Z"}}`:    {},
			`{createdAt: {isNull: true}}`:                   {},
			`{pathPrefix: null, tagIds: null, metadata: null, authorId: null, createdAt: null}`: {"solar cells", "wind power", "sourdough"},
		} {
			require.Equal(t, want, similar(t, c.get(`{ similarDocuments(documentId: "`+solar+`", filter: `+filter+`)`+similarFields, nil)), filter)
		}
	})

	t.Run("what is not valid is named", func(t *testing.T) {
		t.Parallel()

		zeros := make([]float64, 1536)
		huge := slices.Clone(zeros)
		huge[7] = 1e300 // infinite in single precision
		ok := slices.Clone(zeros)
		ok[0] = 1
		for name, x := range map[string]struct {
			args, field, code string
			v                 any
		}{
			"nothing":          {``, "documentId", "VALIDATION_FAILED", nil},
			"two":              {`(text: "a", documentId: "` + solar + `")`, "documentId", "VALIDATION_FAILED", nil},
			"blank":            {`(text: " ")`, "text", "VALIDATION_FAILED", nil},
			"long":             {`(text: "` + strings.Repeat("x", 100_001) + `")`, "text", "VALIDATION_FAILED", nil},
			"no id":            {`(documentId: "nope!")`, "documentId", "VALIDATION_FAILED", nil},
			"none such":        {`(documentId: "01900000-0000-7000-8000-000000000000")`, "", "NOT_FOUND", nil},
			"without a vector": {`(documentId: "` + bare + `")`, "", "CONFLICT", nil},
			"first 0":          {`(text: "a", first: 0)`, "first", "VALIDATION_FAILED", nil},
			"path":             {`(text: "a", filter: {pathPrefix: "a..b"})`, "filter.pathPrefix", "VALIDATION_FAILED", nil},
			"author":           {`(text: "a", filter: {authorId: "x"})`, "filter.authorId", "VALIDATION_FAILED", nil},
			"empty":            {`(vector: $v)`, "vector", "VALIDATION_FAILED", []float64{}},
			"short":            {`(vector: $v)`, "vector", "VALIDATION_FAILED", zeros[1:]},
			"too long":         {`(vector: $v)`, "vector", "VALIDATION_FAILED", append(slices.Clone(ok), 1)},
			"zeros":            {`(vector: $v)`, "vector", "VALIDATION_FAILED", zeros},
			"infinite":         {`(vector: $v)`, "vector", "VALIDATION_FAILED", huge},
		} {
			doc := `{ similarDocuments` + x.args + similarFields
			var v vars
			if x.v != nil {
				doc, v = `query ($v: [Float!]) `+doc, vars{"v": x.v}
			}
			a := c.ask(doc, v)
			require.Equal(t, []string{x.code}, a.codes(), "%s: %s", name, a.raw)
			require.Equal(t, x.field, a.Errors[0].Extensions.Field, "%s: %s", name, a.raw)
		}
	})

	t.Run("another tenant's document is as good as none", func(t *testing.T) {
		t.Parallel()

		a := other.ask(`{ similarDocuments(documentId: "`+solar+`")`+similarFields, nil)
		require.Equal(t, []string{"NOT_FOUND"}, a.codes(), a.raw)
		require.Equal(t, []string{"solar panels of others"}, similar(t, other.get(`{ similarDocuments(text: "solar power")`+similarFields, nil)))
	})
}
