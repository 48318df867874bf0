package resolvers_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/tenant"
)

// The four documented queries, as printed.
func TestDocumentedQueries(t *testing.T) {
	t.Parallel()

	c := open(t).tenant()
	c.document(vars{"title": "Runbook", "path": "engineering.backend", "metadata": vars{"priority": "high"}})
	c.document(vars{"title": "Menu", "path": "kitchen"})

	list := at(t, c.get(`{ documents { id title path createdAt } }`, nil), "documents")
	require.Equal(t, []string{"Menu", "Runbook"}, texts(t, list, "title"), "newest first")
	require.Equal(t, []string{"kitchen", "engineering.backend"}, texts(t, list, "path"))

	list = at(t, c.get(`query ($limit: Int!) { documents(first: $limit) { id title } }`, vars{"limit": 1}), "documents")
	require.Equal(t, []string{"Menu"}, texts(t, list, "title"))

	list = at(t, c.get(`{ documents(filter: {path: {eq: "kitchen"}}, orderBy: created_at_desc) { id title metadata } }`, nil), "documents")
	require.Equal(t, []string{"Menu"}, texts(t, list, "title"))

	list = at(t, c.get(`{ documents(filter: {path: {startsWith: "engineering"}}, orderBy: created_at_desc) { id title metadata } }`, nil), "documents")
	require.Equal(t, []any{map[string]any{"priority": "high"}}, all(t, list, "metadata"))
}

func TestCreateDocument(t *testing.T) {
	t.Parallel()

	c := open(t).tenant()
	full := vars{
		"title": "Grüße 🦀", "body": "", "path": "a.b_c", "metadata": vars{"k": "v", "": "empty", "q\"": "\\"}, "tagIds": []int{3, 1, 1, -5},
		"longitude": -180, "latitude": 90.0, "language": "de", "externalId": "ext/1",
	}
	d := c.document(full)
	require.Equal(t, c.scope.TenantID.String(), d["tenantId"])
	require.Equal(t, c.scope.UserID.String(), d["authorId"])
	require.Equal(t, "Grüße 🦀", d["title"])
	require.Empty(t, d["body"])
	require.Equal(t, "a.b_c", d["path"])
	require.Equal(t, map[string]any{"k": "v", "": "empty", "q\"": "\\"}, d["metadata"])
	require.Equal(t, []any{3.0, 1.0, 1.0, -5.0}, d["tagIds"])
	require.InDelta(t, -180, d["longitude"], 0)
	require.InDelta(t, 90, d["latitude"], 0)
	require.Equal(t, "de", d["language"])
	require.Equal(t, "ext/1", d["externalId"])
	require.Nil(t, d["embeddingModel"])
	require.InDelta(t, 1, d["version"], 0)
	require.Equal(t, d["createdAt"], d["updatedAt"])

	read := at(t, c.get(`query ($id: ID!) { document(id: $id) { id nodeId hashid tenantId authorId title body language metadata path tagIds
		longitude latitude externalId embeddingModel version createdAt updatedAt author { id email createdAt } } }`, vars{"id": d["id"]}), "document")
	require.Equal(t, c.scope.UserID.String(), at(t, read, "author", "id"))
	require.Equal(t, "user@example.org", at(t, read, "author", "email"))
	for name, want := range d {
		require.Equal(t, want, at(t, read, name), name)
	}

	t.Run("the least", func(t *testing.T) { //nolint:paralleltest // follows what is above
		d := c.document(nil)
		require.Equal(t, "en", d["language"])
		require.Equal(t, map[string]any{}, d["metadata"])
		require.Equal(t, []any{}, d["tagIds"])
		for _, name := range []string{"path", "longitude", "latitude", "externalId"} {
			require.Nil(t, d[name], name)
		}
	})
	t.Run("by hashid", func(t *testing.T) { //nolint:paralleltest // follows what is above
		require.GreaterOrEqual(t, len(fmt.Sprint(d["hashid"])), 20)
		found := c.get(`query ($id: ID!) { document(id: $id) { id } }`, vars{"id": d["hashid"]})
		require.Equal(t, d["id"], at(t, found, "document", "id"))
		changed := c.get(`mutation ($id: ID!) { updateDocument(input: {id: $id, title: "Other"}) { document { id title } } }`, vars{"id": d["hashid"]})
		require.Equal(t, map[string]any{"id": d["id"], "title": "Other"}, at(t, changed, "updateDocument", "document"))
	})
	t.Run("what is not there is null", func(t *testing.T) { //nolint:paralleltest // follows what is above
		for _, id := range []string{uuid.NewString(), "00000000-0000-0000-0000-000000000000"} {
			require.Nil(t, at(t, c.get(`query ($id: ID!) { document(id: $id) { id } }`, vars{"id": id}), "document"))
		}
	})
	t.Run("a second externalId is a conflict", func(t *testing.T) { //nolint:paralleltest // follows what is above
		a := c.ask(createDocument, vars{"in": vars{"authorId": c.scope.UserID, "title": "t", "body": "b", "externalId": "ext/1"}})
		require.Equal(t, []string{"CONFLICT"}, a.codes())
		require.Equal(t, []string{"externalId"}, a.fields())
		require.Nil(t, a.Data)
	})
}

func TestTimesHaveMillisecondsAndZ(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	id := c.documentID(nil)
	d.Exec(t, `UPDATE documents SET created_at = '2026-01-31 10:30:00+01', updated_at = '2026-01-31 09:30:00.123999Z'`)
	data := c.get(`query ($id: ID!) { document(id: $id) { createdAt updatedAt author { createdAt } } viewer { tenant { createdAt } } apiKeys { createdAt } }`, vars{"id": id})
	require.Equal(t, "2026-01-31T09:30:00.000Z", at(t, data, "document", "createdAt"))
	require.Equal(t, "2026-01-31T09:30:00.123Z", at(t, data, "document", "updatedAt"))
	const layout = `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`
	require.Regexp(t, layout, at(t, data, "document", "author", "createdAt"))
	require.Regexp(t, layout, at(t, data, "viewer", "tenant", "createdAt"))
	job := c.get(`mutation { enqueueJob(input: {type: "x", runAt: "2030-01-01T00:00:00+02:00"}) { job { runAt createdAt updatedAt } } }`, nil)
	require.Equal(t, "2029-12-31T22:00:00.000Z", at(t, job, "enqueueJob", "job", "runAt"))
	require.Regexp(t, layout, at(t, job, "enqueueJob", "job", "createdAt"))
	require.Regexp(t, layout, at(t, job, "enqueueJob", "job", "updatedAt"))
}

const updateDocument = `mutation ($in: UpdateDocumentInput!) { updateDocument(input: $in) { document {
	id authorId title body language metadata path tagIds longitude latitude externalId version createdAt updatedAt } } }`

func TestUpdateDocument(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	other := at(t, c.get(`mutation { createUser(input: {email: "second@example.org"}) { user { id } } }`, nil), "createUser", "user", "id")
	full := vars{
		"title": "Title", "body": "Body", "path": "a.b", "metadata": vars{"k": "v"}, "tagIds": []int{1, 2}, "longitude": 8.5, "latitude": 47.4,
		"language": "de", "externalId": "x",
	}
	update := func(in vars) map[string]any {
		t.Helper()
		out, ok := at(t, c.get(updateDocument, vars{"in": in}), "updateDocument", "document").(map[string]any)
		require.True(t, ok)
		return out
	}

	// Each field alone: what is absent stays, the new value is there, the version grows.
	values := map[string]any{
		"authorId": other, "title": "New", "body": "New", "path": "c", "metadata": map[string]any{"n": "w"}, "tagIds": []any{9.0},
		"longitude": 9.5, "latitude": -1.5, "language": "fr", "externalId": "y",
	}
	cleared := map[string]any{"path": nil, "metadata": map[string]any{}, "tagIds": []any{}, "language": "en", "externalId": nil}
	for field, value := range values {
		full["externalId"] = "of " + field
		before := c.document(full)
		after := update(vars{"id": before["id"], field: value})
		require.Equal(t, value, after[field], field)
		require.InDelta(t, 2, after["version"], 0)
		for name, old := range after {
			if name != field && name != "version" && name != "updatedAt" {
				require.Equal(t, before[name], old, "a change of %s changed %s", field, name)
			}
		}
		if blank, ok := cleared[field]; ok {
			after = update(vars{"id": before["id"], field: nil})
			require.Equal(t, blank, after[field], "null does not clear %s", field)
			require.InDelta(t, 3, after["version"], 0)
			continue
		}
		a := c.ask(updateDocument, vars{"in": vars{"id": before["id"], field: nil}})
		require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes(), "%s: %s", field, a.raw)
	}

	t.Run("the two halves of a point go together", func(t *testing.T) { //nolint:paralleltest // follows what is above
		full["externalId"] = "point"
		id := c.document(full)["id"]
		for _, half := range []string{"longitude", "latitude"} {
			a := c.ask(updateDocument, vars{"in": vars{"id": id, half: nil}})
			require.Equal(t, []string{half}, a.fields(), a.raw)
		}
		after := update(vars{"id": id, "longitude": nil, "latitude": nil})
		require.Nil(t, after["longitude"])
		require.Nil(t, after["latitude"])
		for half, missing := range map[string]string{"longitude": "latitude", "latitude": "longitude"} {
			a := c.ask(updateDocument, vars{"in": vars{"id": id, half: 1}})
			require.Equal(t, []string{missing}, a.fields(), a.raw)
		}
	})
	t.Run("nothing new changes nothing", func(t *testing.T) { //nolint:paralleltest // follows what is above
		id := c.documentID(vars{"title": "Same"})
		after := update(vars{"id": id, "title": "Same"})
		require.InDelta(t, 1, after["version"], 0)
		require.Equal(t, after["createdAt"], after["updatedAt"])
		require.InDelta(t, 1, update(vars{"id": id})["version"], 0)
	})
	t.Run("the expected version", func(t *testing.T) { //nolint:paralleltest // follows what is above
		id := c.documentID(nil)
		require.InDelta(t, 2, update(vars{"id": id, "title": "2", "expectedVersion": 1})["version"], 0)
		a := c.ask(updateDocument, vars{"in": vars{"id": id, "title": "3", "expectedVersion": 1}})
		require.Equal(t, []string{"CONFLICT"}, a.codes())
		require.Equal(t, []string{"expectedVersion"}, a.fields())
		require.Equal(t, "2", at(t, c.get(`query ($id: ID!) { document(id: $id) { title } }`, vars{"id": id}), "document", "title"))
	})
	t.Run("a taken externalId is a conflict", func(t *testing.T) { //nolint:paralleltest // follows what is above
		c.document(vars{"externalId": "taken"})
		a := c.ask(updateDocument, vars{"in": vars{"id": c.documentID(nil), "externalId": "taken"}})
		require.Equal(t, []string{"CONFLICT"}, a.codes(), a.raw)
		require.Equal(t, []string{"externalId"}, a.fields(), a.raw)
	})
	t.Run("what is not there", func(t *testing.T) { //nolint:paralleltest // follows what is above
		a := c.ask(updateDocument, vars{"in": vars{"id": uuid.NewString(), "title": "x"}})
		require.Equal(t, []string{"NOT_FOUND"}, a.codes())
	})
	t.Run("a new text drops the vector", func(t *testing.T) { //nolint:paralleltest // follows what is above
		vector := "(SELECT array_agg(0.5::real) FROM generate_series(1, 1536))"
		for field, drops := range map[string]bool{"title": true, "body": true, "path": false, "tagIds": false} {
			id := c.documentID(vars{"title": "Old", "body": "Old"})
			cast := "::real[]"
			if d.count(`SELECT count(*) FROM pg_type WHERE typname = 'vector'`) > 0 {
				cast = "::vector"
			}
			d.Exec(t, `UPDATE documents SET embedding = `+vector+cast+`, embedding_model = 'm' WHERE id = $1`, id)
			update(vars{"id": id, field: map[string]any{"title": "New", "body": "New", "path": "p", "tagIds": []int{1}}[field]})
			left := d.count(`SELECT count(*) FROM documents WHERE id = $1 AND embedding IS NOT NULL AND embedding_model IS NOT NULL`, id)
			require.Equal(t, drops, left == 0, field)
		}
	})
}

func TestDeleteDocument(t *testing.T) {
	t.Parallel()

	c := open(t).tenant()
	d := c.document(nil)
	const deleteDocument = `mutation ($id: ID!) { deleteDocument(input: {id: $id}) { id } }`
	require.Equal(t, d["id"], at(t, c.get(deleteDocument, vars{"id": d["hashid"]}), "deleteDocument", "id"))
	require.Nil(t, at(t, c.get(`query ($id: ID!) { document(id: $id) { id } }`, vars{"id": d["id"]}), "document"))
	a := c.ask(deleteDocument, vars{"id": d["id"]})
	require.Equal(t, []string{"NOT_FOUND"}, a.codes())
	require.Nil(t, a.Data)
}

const createDocuments = `mutation ($in: CreateDocumentsInput!) { createDocuments(input: $in) {
	created results { index document { title externalId } errors { code field message } } } }`

func TestCreateDocuments(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	doc := func(title, externalID string) vars {
		v := vars{"authorId": c.scope.UserID, "title": title, "body": "b"}
		if externalID != "" {
			v["externalId"] = externalID
		}
		return v
	}
	count := func() int { return d.count(`SELECT count(*) FROM documents`) }

	t.Run("all", func(t *testing.T) { //nolint:paralleltest // follows what is above
		r := at(t, c.get(createDocuments, vars{"in": vars{"documents": []vars{doc("1", "e1"), doc("2", ""), doc("3", "")}}}), "createDocuments")
		require.InDelta(t, 3, at(t, r, "created"), 0)
		require.Equal(t, []string{"1", "2", "3"}, texts(t, at(t, r, "results"), "document", "title"))
		require.Equal(t, []any{0.0, 1.0, 2.0}, all(t, at(t, r, "results"), "index"))
		require.Equal(t, []any{[]any{}, []any{}, []any{}}, all(t, at(t, r, "results"), "errors"))
	})
	t.Run("or nothing", func(t *testing.T) { //nolint:paralleltest // follows what is above
		before := count()
		for name, c2 := range map[string]struct {
			rows   []vars
			code   string
			fields []string
		}{
			"third": {[]vars{doc("1", ""), doc("2", ""), doc(" ", "")}, "VALIDATION_FAILED", []string{"documents[2].title"}},
			"alone": {[]vars{doc("", "")}, "VALIDATION_FAILED", []string{"documents[0].title"}},
			"two of one": {
				[]vars{doc("1", ""), {"authorId": uuid.New(), "title": " ", "body": "b"}},
				"VALIDATION_FAILED",
				[]string{"documents[1].authorId", "documents[1].title"},
			},
			"two, alone":       {[]vars{{"authorId": "x", "title": "t", "body": "b", "path": "a b"}}, "VALIDATION_FAILED", []string{"documents[0].authorId", "documents[0].path"}},
			"conflict":         {[]vars{doc("1", ""), doc("2", "e1")}, "CONFLICT", []string{"documents[1].externalId"}},
			"conflict, alone":  {[]vars{doc("2", "e1")}, "CONFLICT", []string{"documents[0].externalId"}},
			"among themselves": {[]vars{doc("1", "new"), doc("2", "new")}, "CONFLICT", []string{"documents[1].externalId"}},
			"none":             {[]vars{}, "VALIDATION_FAILED", []string{"documents"}},
			"too many":         {many(1001, doc("1", "")), "VALIDATION_FAILED", []string{"documents"}},
		} {
			for _, mode := range []string{"", "ALL_OR_NOTHING"} {
				in := vars{"documents": c2.rows}
				if mode != "" {
					in["onError"] = mode
				}
				a := c.ask(createDocuments, vars{"in": in})
				require.ElementsMatch(t, c2.fields, a.fields(), "%s: %s", name, a.raw)
				require.Equal(t, c2.code, a.codes()[0], name)
				require.Nil(t, a.Data)
				require.Equal(t, before, count(), "%s: something was written", name)
			}
		}
	})
	t.Run("skip", func(t *testing.T) { //nolint:paralleltest // follows what is above
		before := count()
		r := at(t, c.get(createDocuments, vars{"in": vars{"onError": "SKIP", "documents": []vars{
			doc("1", ""), doc(" ", ""), doc("3", "e1"), {"authorId": uuid.New(), "title": strings.Repeat("x", 501), "body": "b"}, doc("5", "e5"),
		}}}), "createDocuments")
		require.InDelta(t, 2, at(t, r, "created"), 0)
		require.Equal(t, before+2, count())
		require.Equal(t, "1", at(t, r, "results", 0, "document", "title"))
		require.Equal(t, "5", at(t, r, "results", 4, "document", "title"))
		for _, i := range []int{1, 2, 3} {
			require.Nil(t, at(t, r, "results", i, "document"))
		}
		require.Equal(t, []string{"title"}, texts(t, at(t, r, "results", 1, "errors"), "field"))
		require.Equal(t, []string{"externalId"}, texts(t, at(t, r, "results", 2, "errors"), "field"))
		require.Equal(t, []string{"CONFLICT"}, texts(t, at(t, r, "results", 2, "errors"), "code"))
		require.Equal(t, []string{"authorId", "title"}, sorted(texts(t, at(t, r, "results", 3, "errors"), "field")))
		require.Equal(t, []string{"VALIDATION_FAILED", "VALIDATION_FAILED"}, texts(t, at(t, r, "results", 3, "errors"), "code"))
	})
	t.Run("a thousand", func(t *testing.T) { //nolint:paralleltest // follows what is above
		r := c.get(`mutation ($in: CreateDocumentsInput!) { createDocuments(input: $in) { created } }`, vars{"in": vars{"documents": many(1000, doc("1", ""))}})
		require.InDelta(t, 1000, at(t, r, "createDocuments", "created"), 0)
	})
}

func many(n int, v vars) []vars {
	out := make([]vars, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// Filters: each comparator of each field, against a corpus in which it can tell documents apart.
func TestDocumentFilters(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	second := at(t, c.get(`mutation { createUser(input: {email: "second@example.org"}) { user { id } } }`, nil), "createUser", "user", "id")
	ids := map[string]string{
		"a": c.documentID(vars{"title": "Apple pie", "path": "food", "externalId": "x-1", "language": "en", "metadata": vars{"k": "v", "n": "1"}, "tagIds": []int{1, 2}}),
		"b": c.documentID(vars{"title": "Banana_100%", "path": "food.fruit", "externalId": "x-2", "language": "de", "metadata": vars{"k": "w"}, "tagIds": []int{2, 3}, "authorId": second}),
		"c": c.documentID(vars{"title": "apple", "path": "food.fruitx", "language": "plain", "authorId": second}),
		"d": c.documentID(vars{"title": "Zebra", "metadata": vars{"k": "v"}, "tagIds": []int{1}}),
	}
	for i, name := range []string{"a", "b", "c", "d"} {
		moment := time.Date(2026, 1, 1+i, 0, 0, 0, 0, time.UTC)
		d.Exec(t, `UPDATE documents SET created_at = $2, updated_at = $3 WHERE id = $1`, ids[name], moment, moment.AddDate(1, 0, 0))
	}
	d.Exec(t, `UPDATE documents SET embedding_model = 'm' WHERE id = $1`, ids["d"])

	for filter, want := range map[string]string{
		`{}`: "abcd", `null`: "abcd",
		`{id: {eq: "$a"}}`: "a", `{id: {neq: "$a"}}`: "bcd", `{id: {in: ["$a", "$b"]}}`: "ab", `{id: {in: []}}`: "", `{id: {}}`: "abcd", `{id: null}`: "abcd",
		`{id: {in: ["$a", "$b"], neq: "$a"}}`: "b",
		`{authorId: {eq: "$2"}}`:              "bc", `{authorId: {neq: "$2"}}`: "ad", `{authorId: {in: ["$2"]}}`: "bc",
		`{externalId: {eq: "x-1"}}`: "a", `{externalId: {neq: "x-1"}}`: "b", `{externalId: {in: ["x-1", "no"]}}`: "a",
		`{externalId: {contains: "-"}}`: "ab", `{externalId: {startsWith: "x"}}`: "ab", `{externalId: {isNull: true}}`: "cd", `{externalId: {isNull: false}}`: "ab",
		`{title: {eq: "apple"}}`: "c", `{title: {neq: "apple"}}`: "abd", `{title: {in: ["apple", "Zebra"]}}`: "cd", `{title: {contains: "pp"}}`: "ac",
		`{title: {contains: "%"}}`: "b", `{title: {contains: "_"}}`: "b", `{title: {contains: ""}}`: "abcd", `{title: {startsWith: "Apple"}}`: "a",
		`{title: {startsWith: "%"}}`: "", `{title: {isNull: true}}`: "", `{title: {isNull: false}}`: "abcd",
		`{language: {eq: "de"}}`: "b", `{language: {neq: "en"}}`: "bc", `{language: {in: ["plain", "de"]}}`: "bc",
		`{path: {eq: "food"}}`: "a", `{path: {in: ["food", "food.fruit"]}}`: "ab", `{path: {startsWith: "food"}}`: "abc", `{path: {descendantOf: "food.fruit"}}`: "b",
		`{path: {startsWith: "food.fruit"}}`: "b", `{path: {startsWith: "foo"}}`: "", `{path: {isNull: true}}`: "d", `{path: {isNull: false}}`: "abc",
		`{metadata: {k: "v"}}`: "ad", `{metadata: {k: "v", n: "1"}}`: "a", `{metadata: {}}`: "abcd", `{metadata: null}`: "abcd", `{metadata: {no: "v"}}`: "",
		`{tagIds: {any: [1, 3]}}`: "abd", `{tagIds: {all: [1, 2]}}`: "a", `{tagIds: {any: [3], all: [2]}}`: "b", `{tagIds: {any: []}}`: "", `{tagIds: {all: []}}`: "abcd", `{tagIds: {}}`: "abcd",
		`{createdAt: {eq: "2026-01-02T00:00:00Z"}}`: "b", `{createdAt: {gt: "2026-01-02T00:00:00Z"}}`: "cd", `{createdAt: {gte: "2026-01-02T01:00:00+01:00"}}`: "bcd",
		`{createdAt: {lt: "2026-01-02T00:00:00Z"}}`: "a", `{createdAt: {lte: "2026-01-02T00:00:00Z"}}`: "ab", `{createdAt: {isNull: false}}`: "abcd", `{createdAt: {isNull: true}}`: "",
		`{createdAt: {gt: "2026-01-01T00:00:00Z", lt: "2026-01-03T00:00:00Z"}}`: "b",
		`{updatedAt: {gte: "2027-01-03T00:00:00Z"}}`:                            "cd", `{updatedAt: {eq: "2027-01-01T00:00:00Z"}}`: "a", `{updatedAt: {lte: "2026-12-31T00:00:00Z"}}`: "",
		`{hasEmbedding: true}`: "d", `{hasEmbedding: false}`: "abc",
		`{and: [{title: {contains: "pp"}}, {path: {eq: "food"}}]}`: "a", `{or: [{title: {eq: "apple"}}, {path: {eq: "food"}}]}`: "ac",
		`{or: []}`: "abcd", `{and: []}`: "abcd", `{not: {externalId: {eq: "x-1"}}}`: "bcd", `{not: {}}`: "abcd", `{not: {not: {externalId: {eq: "x-1"}}}}`: "a",
		`{not: {or: [{title: {eq: "apple"}}, {path: {eq: "food"}}]}}`:                                       "bd",
		`{language: {eq: "en"}, or: [{title: {contains: "pie"}}, {title: {eq: "apple"}}]}`:                  "a",
		`{and: [{or: [{tagIds: {any: [1]}}, {tagIds: {any: [3]}}]}, {not: {and: [{metadata: {k: "v"}}]}}]}`: "b",
	} {
		text := strings.NewReplacer(`"$a"`, `"`+ids["a"]+`"`, `"$b"`, `"`+ids["b"]+`"`, `"$2"`, fmt.Sprintf("%q", second)).Replace(filter)
		data := c.get(`{ documents(filter: `+text+`, orderBy: created_at_asc) { id } documentsConnection(filter: `+text+`) { totalCount } }`, nil)
		got := ""
		for _, id := range texts(t, at(t, data, "documents"), "id") {
			for name := range ids {
				if ids[name] == id {
					got += name
				}
			}
		}
		require.Equal(t, want, got, filter)
		require.InDelta(t, len(want), at(t, data, "documentsConnection", "totalCount"), 0, filter)
	}
}

// An "or" of which one part says nothing lets everything through, as the part itself would.
func TestEmptyPartOfOr(t *testing.T) {
	t.Parallel()

	c := open(t).tenant()
	c.document(vars{"title": "x"})
	c.document(vars{"title": "y"})
	data := c.get(`{ documents(filter: {or: [{title: {eq: "x"}}, {}]}) { id } }`, nil)
	require.Len(t, at(t, data, "documents"), 2)
}

// corpus makes documents with few distinct times and titles, so that only ids tell most of them apart.
func corpus(t *testing.T, d *door, s tenant.Scope, n int) {
	t.Helper()

	_, err := db.Exec(t.Context(), d.Owner, `
		INSERT INTO documents (tenant_id, author_id, title, body, created_at, updated_at)
		SELECT $1, $2, (ARRAY['Same', 'same', 'Ähnlich', 'Z<&"'])[1 + i % 4], 'b',
		       '2026-01-01'::timestamptz + (i % 3) * interval '1 microsecond', '2026-01-01'::timestamptz + (i % 5) * interval '1 day'
		FROM generate_series(1, $3) i`, s.TenantID, s.UserID, n)
	require.NoError(t, err)
}

const page = `query ($first: Int, $after: String, $last: Int, $before: String, $order: DocumentOrder, $filter: DocumentFilter) {
	documentsConnection(first: $first, after: $after, last: $last, before: $before, orderBy: $order, filter: $filter) {
		nodes { id } edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`

func TestPaging(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	corpus(t, d, c.scope, 137)
	corpus(t, d, d.tenant().scope, 20)

	for _, order := range []string{"created_at_desc", "created_at_asc", "updated_at_desc", "updated_at_asc", "title_asc", "title_desc"} { //nolint:paralleltest // one after the other is fast enough
		t.Run(order, func(t *testing.T) {
			column, direction := order[:strings.LastIndex(order, "_")], order[strings.LastIndex(order, "_")+1:]
			want, err := db.List[string](t.Context(), d.Owner, fmt.Sprintf(
				`SELECT id::text FROM documents WHERE tenant_id = $1 ORDER BY %s %s, id %[2]s`, column, direction), c.scope.TenantID)
			require.NoError(t, err)
			require.Len(t, want, 137)

			var forward []string
			v := vars{"first": 10, "order": order}
			for {
				p := at(t, c.get(page, v), "documentsConnection")
				info := at(t, p, "pageInfo")
				require.Equal(t, len(forward) > 0, at(t, info, "hasPreviousPage"))
				require.Equal(t, texts(t, at(t, p, "nodes"), "id"), texts(t, at(t, p, "edges"), "node", "id"))
				require.Equal(t, at(t, p, "edges", 0, "cursor"), at(t, info, "startCursor"))
				forward = append(forward, texts(t, at(t, p, "nodes"), "id")...)
				require.Equal(t, len(forward) < 137, at(t, info, "hasNextPage"))
				if at(t, info, "hasNextPage") == false {
					break
				}
				v["after"] = at(t, info, "endCursor")
			}
			require.Equal(t, want, forward)

			var backward []string
			v = vars{"last": 25, "order": order}
			for {
				p := at(t, c.get(page, v), "documentsConnection")
				info := at(t, p, "pageInfo")
				require.Equal(t, len(backward) > 0, at(t, info, "hasNextPage"))
				backward = append(texts(t, at(t, p, "nodes"), "id"), backward...)
				if at(t, info, "hasPreviousPage") == false {
					break
				}
				v["before"] = at(t, info, "startCursor")
			}
			require.Equal(t, want, backward)

			// The plain list by offset is the same order.
			var plain []string
			for offset := 0; offset < 160; offset += 40 {
				data := c.get(`query ($o: Int, $order: DocumentOrder) { documents(first: 40, offset: $o, orderBy: $order) { id } }`, vars{"o": offset, "order": order})
				plain = append(plain, texts(t, at(t, data, "documents"), "id")...)
			}
			require.Equal(t, want, plain)
		})
	}

	t.Run("between two cursors", func(t *testing.T) { //nolint:paralleltest // follows what is above
		edges := at(t, c.get(page, vars{"first": 10}), "documentsConnection", "edges")
		v := vars{"first": 20, "after": at(t, edges, 2, "cursor"), "before": at(t, edges, 6, "cursor")}
		p := at(t, c.get(page, v), "documentsConnection")
		require.Equal(t, texts(t, edges, "node", "id")[3:6], texts(t, at(t, p, "nodes"), "id"))
		delete(v, "first")
		v["last"] = 2
		p = at(t, c.get(page, v), "documentsConnection")
		require.Equal(t, texts(t, edges, "node", "id")[4:6], texts(t, at(t, p, "nodes"), "id"))
	})
	t.Run("an empty page", func(t *testing.T) { //nolint:paralleltest // follows what is above
		p := at(t, c.get(page, vars{"filter": vars{"title": vars{"eq": "none"}}}), "documentsConnection")
		require.Equal(t, map[string]any{
			"nodes": []any{}, "edges": []any{},
			"pageInfo": map[string]any{"hasNextPage": false, "hasPreviousPage": false, "startCursor": nil, "endCursor": nil},
		}, p)
	})
	t.Run("by default twenty of the newest", func(t *testing.T) { //nolint:paralleltest // follows what is above
		require.Len(t, at(t, c.get(`{ documents { id } }`, nil), "documents"), 20)
		require.Len(t, at(t, c.get(`{ documents(first: null, offset: null, orderBy: null, filter: null) { id } }`, nil), "documents"), 20)
		require.Len(t, at(t, c.get(page, nil), "documentsConnection", "nodes"), 20)
		require.Len(t, at(t, c.get(page, vars{"first": 100}), "documentsConnection", "nodes"), 100)
	})
	t.Run("a cursor of another order", func(t *testing.T) { //nolint:paralleltest // follows what is above
		cursor := at(t, c.get(page, vars{"first": 1, "order": "title_asc"}), "documentsConnection", "pageInfo", "endCursor")
		for _, order := range []string{"title_desc", "created_at_asc", "created_at_desc"} {
			a := c.ask(page, vars{"first": 1, "order": order, "after": cursor})
			require.Equal(t, []string{"after"}, a.fields(), a.raw)
			a = c.ask(page, vars{"last": 1, "order": order, "before": cursor})
			require.Equal(t, []string{"before"}, a.fields(), a.raw)
		}
		users := at(t, c.get(`{ usersConnection { pageInfo { endCursor } } }`, nil), "usersConnection", "pageInfo", "endCursor")
		require.Equal(t, []string{"after"}, c.ask(page, vars{"after": users}).fields())
	})
}

// What was there at the start comes exactly once, whatever is written between the pages.
func TestPagingWhileRowsComeAndGo(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	corpus(t, d, c.scope, 137)
	for _, order := range []string{"created_at_desc", "title_asc"} {
		there, err := db.List[string](t.Context(), d.Owner, `SELECT id::text FROM documents ORDER BY id`)
		require.NoError(t, err)
		seen := map[string]int{}
		gone := map[string]bool{}
		v := vars{"first": 9, "order": order}
		for {
			p := at(t, c.get(page, v), "documentsConnection")
			for _, id := range texts(t, at(t, p, "nodes"), "id") {
				seen[id]++
			}
			corpus(t, d, c.scope, 4) // of the same times and titles
			last := texts(t, at(t, p, "nodes"), "id")
			d.Exec(t, `DELETE FROM documents WHERE id = $1`, last[len(last)-1]) // the one the cursor stands on
			gone[last[len(last)-1]] = true
			if at(t, p, "pageInfo", "hasNextPage") == false {
				break
			}
			v["after"] = at(t, p, "pageInfo", "endCursor")
			require.Less(t, len(seen), 2000, "the end runs away")
		}
		for _, id := range there {
			require.Equal(t, 1, seen[id], "%s: %s (deleted after: %v)", order, id, gone[id])
		}
		for id, n := range seen {
			require.Equal(t, 1, n, id)
		}
	}
}

func TestPageSizesAndCursorsThatCannotBe(t *testing.T) {
	t.Parallel()

	c := open(t).tenant()
	c.document(nil)
	for _, list := range []string{"documents", "documentsConnection", "jobs", "jobsConnection", "users", "usersConnection", "searchDocuments"} {
		body := " { id } }"
		if strings.HasSuffix(list, "Connection") || list == "searchDocuments" {
			body = " { nodes { __typename } } }"
		}
		for _, n := range []int{0, 101, -1, 5000} {
			a := c.ask(fmt.Sprintf(`{ %s(first: %d) %s`, list, n, body), nil)
			require.Equal(t, []string{"first"}, a.fields(), "%s %d: %s", list, n, a.raw)
			require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes())
			a = c.ask(fmt.Sprintf(`query ($n: Int!) { %s(first: $n) %s`, list, body), vars{"n": n})
			require.Equal(t, []string{"first"}, a.fields(), "%s %d: %s", list, n, a.raw)
		}
		if list == "documents" || list == "jobs" {
			a := c.ask(fmt.Sprintf(`{ %s(offset: -1) %s`, list, body), nil)
			require.Equal(t, []string{"offset"}, a.fields(), a.raw)
			require.Empty(t, at(t, c.get(fmt.Sprintf(`{ %s(offset: 2147483647) %s`, list, body), nil), list))
			continue
		}
		if list == "users" {
			continue
		}
		for _, cursor := range []string{"", "x", "W10", "bnVsbA", "\u0000", strings.Repeat("A", 9000)} {
			a := c.ask(fmt.Sprintf(`query ($c: String) { %s(after: $c) %s`, list, body), vars{"c": cursor})
			require.Equal(t, []string{"after"}, a.fields(), "%s %q: %s", list, cursor, a.raw)
		}
	}
	for _, list := range []string{"documentsConnection", "jobsConnection"} {
		require.Equal(t, []string{"last"}, c.ask(`{ `+list+`(first: 1, last: 1) { nodes { id } } }`, nil).fields())
		require.Equal(t, []string{"last"}, c.ask(`{ `+list+`(last: 0) { nodes { id } } }`, nil).fields())
		require.Equal(t, []string{"last"}, c.ask(`{ `+list+`(last: 101) { nodes { id } } }`, nil).fields())
	}
	a := c.ask(`{ documentsConnection(first: 0, after: "x", before: "y") { nodes { id } } }`, nil)
	require.Equal(t, []string{"after", "before", "first"}, sorted(a.fields()), "several mistakes come back together")
}

func TestTotalCountOnlyWhenAsked(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	c.document(vars{"title": "x"})
	c.document(vars{"title": "y"})
	for list, count := range map[string]string{
		`documentsConnection(filter: {title: {eq: "x"}})`: "document.Count", `usersConnection`: "user.Count", `jobsConnection`: "job.Count", `searchDocuments(query: "x")`: "search.Count",
	} {
		d.statements.take()
		c.get(`{ `+list+` { pageInfo { hasNextPage } } }`, nil)
		require.NotContains(t, d.statements.take(), count)
		c.get(`query ($no: Boolean!) { `+list+` { pageInfo { hasNextPage } totalCount @include(if: $no) } }`, vars{"no": false})
		require.NotContains(t, d.statements.take(), count)
		data := c.get(`{ list: `+list+` { n: totalCount } }`, nil)
		require.Contains(t, d.statements.take(), count)
		want := map[string]float64{"job.Count": 0}[count]
		if count != "job.Count" {
			want = 1
		}
		require.InDelta(t, want, at(t, data, "list", "n"), 0, list)
	}
}

func TestMetadataKeepsItsText(t *testing.T) {
	t.Parallel()

	c := open(t).tenant()
	want := map[string]any{"a\"b": "c\\d", "=>": ",", "ключ": "🦀", "NULL": "null", " ": "\t\n", "<script>": "&"}
	d := c.document(vars{"metadata": want})
	require.Equal(t, want, d["metadata"])
	text, err := json.Marshal(want)
	require.NoError(t, err)
	for key, value := range want {
		data := c.get(`query ($m: Map!) { documents(filter: {metadata: $m}) { id } }`, vars{"m": map[string]any{key: value}})
		require.Len(t, at(t, data, "documents"), 1, "%s in %s", key, text)
	}
}
