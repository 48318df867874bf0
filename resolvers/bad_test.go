package resolvers_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// Values that the schema takes and the rules do not: the code is of the table, the field is named, nothing is half written.
func TestBadInput(t *testing.T) {
	t.Parallel()

	d := open(t)
	c, foreign := d.tenant(), d.tenant()
	foreignUser := foreign.scope.UserID.String()
	id := c.documentID(vars{"externalId": "there"})
	jobID := c.job(nil)
	version := d.count(`SELECT current_setting('server_version_num')::int`)

	long := strings.Repeat("x", 10<<10)
	keys := func(n int) map[string]string {
		m := map[string]string{}
		for i := range n {
			m[fmt.Sprint("k", i)] = "v"
		}
		return m
	}
	type bad struct {
		name, field string
		in          vars
		code        string // VALIDATION_FAILED when empty
	}
	create := func(more vars) vars {
		v := vars{"authorId": c.scope.UserID.String(), "title": "t", "body": "b"}
		maps.Copy(v, more)
		return v
	}
	hyphen := bad{name: "hyphen in a path", field: "path", in: vars{"path": "patient-smith-2024"}}
	documents := []bad{
		{"title of 501", "title", vars{"title": strings.Repeat("ä", 501)}, ""},
		{"title of 10 KB", "title", vars{"title": long}, ""},
		{"blank title", "title", vars{"title": " \t\n"}, ""},
		{"empty title", "title", vars{"title": ""}, ""},
		{"author of another tenant", "authorId", vars{"authorId": foreignUser}, ""},
		{"author that is nobody", "authorId", vars{"authorId": uuid.NewString()}, ""},
		{"placeholder author", "authorId", vars{"authorId": "usr_001"}, ""},
		{"author in braces", "authorId", vars{"authorId": "{" + foreignUser + "}"}, ""},
		{"author as an urn", "authorId", vars{"authorId": "urn:uuid:" + foreignUser}, ""},
		{"author injection", "authorId", vars{"authorId": "' OR 1=1; DROP TABLE documents; --"}, ""},
		{"path with an empty label", "path", vars{"path": "a..b"}, ""},
		{"path with a space", "path", vars{"path": "a b"}, ""},
		{"empty path", "path", vars{"path": ""}, ""},
		{"path that ends in a dot", "path", vars{"path": "a."}, ""},
		{"path that begins with a dot", "path", vars{"path": ".a"}, ""},
		{"path of an umlaut", "path", vars{"path": "a.ü"}, ""},
		{"path with a line", "path", vars{"path": "a.b\n"}, ""},
		{"path with a long label", "path", vars{"path": strings.Repeat("x", 256)}, ""},
		{"path of 10 KB", "path", vars{"path": long}, ""},
		{"path injection", "path", vars{"path": "a'; DROP TABLE documents; --"}, ""},
		{"201 keys", "metadata", vars{"metadata": keys(201)}, ""},
		{"1,001 tags", "tagIds", vars{"tagIds": make([]int, 1001)}, ""},
		{"longitude 181", "longitude", vars{"longitude": 181, "latitude": 0}, ""},
		{"longitude just beyond", "longitude", vars{"longitude": -180.0000001, "latitude": 0}, ""},
		{"latitude 91", "latitude", vars{"longitude": 0, "latitude": 91}, ""},
		{"huge longitude", "longitude", vars{"longitude": 1e308, "latitude": 0}, ""},
		{"unknown language", "language", vars{"language": "xx"}, ""},
		{"language by name", "language", vars{"language": "english"}, ""},
		{"empty language", "language", vars{"language": ""}, ""},
		{"language of 10 KB", "language", vars{"language": long}, ""},
		{"empty externalId", "externalId", vars{"externalId": ""}, ""},
		{"externalId of 201", "externalId", vars{"externalId": strings.Repeat("x", 201)}, ""},
		{"externalId that is there", "externalId", vars{"externalId": "there"}, "CONFLICT"},
	}
	if version < 160000 {
		documents = append(documents, hyphen)
	}
	before := d.rowsWithout("no tenant")
	second := c.documentID(nil)
	after := d.rowsWithout("no tenant")
	require.NotEqual(t, before, after, "the check sees a new row")
	check := func(name, field, code, query string, v vars) {
		t.Helper()
		if code == "" {
			code = "VALIDATION_FAILED"
		}
		a := c.ask(query, v)
		require.Equal(t, []string{code}, a.codes(), "%s: %s", name, a.raw)
		require.Equal(t, []string{field}, a.fields(), "%s: %s", name, a.raw)
		require.Equal(t, 200, a.status)
		require.NotContains(t, a.raw, long, "%s: the answer repeats it all", name)
	}
	for _, b := range documents {
		check(b.name, b.field, b.code, createDocument, vars{"in": create(b.in)})
		check(b.name+", in a list", "documents[1]."+b.field, b.code, createDocuments, vars{"in": vars{"documents": []vars{create(nil), create(b.in)}}})
		update := vars{"id": second}
		maps.Copy(update, b.in)
		check(b.name+", changed", b.field, b.code, updateDocument, vars{"in": update})
	}
	for _, b := range []bad{
		{"longitude alone", "latitude", vars{"longitude": 1}, ""},
		{"latitude alone", "longitude", vars{"latitude": 1}, ""},
		{"longitude and null", "latitude", vars{"longitude": 1, "latitude": nil}, ""},
	} {
		check(b.name, b.field, b.code, createDocument, vars{"in": create(b.in)})
		update := vars{"id": second}
		maps.Copy(update, b.in)
		check(b.name+", changed", b.field, b.code, updateDocument, vars{"in": update})
	}
	several := c.ask(createDocument, vars{"in": create(vars{"title": " ", "path": "a b", "authorId": "x", "longitude": 1})})
	require.Equal(t, []string{"authorId", "latitude", "path", "title"}, sorted(several.fields()), several.raw)

	for _, b := range []bad{
		{"type in capitals", "type", vars{"type": "Send"}, ""},
		{"empty type", "type", vars{"type": ""}, ""},
		{"type of 65", "type", vars{"type": strings.Repeat("x", 65)}, ""},
		{"type injection", "type", vars{"type": "x'; DROP TABLE jobs; --"}, ""},
		{"payload that is a list", "payload", vars{"payload": []int{1}}, ""},
		{"payload that is a text", "payload", vars{"payload": "x"}, ""},
		{"payload that is a number", "payload", vars{"payload": 5}, ""},
		{"mail to nobody", "payload", vars{"type": "send_email", "payload": vars{"to": "x"}}, "INVALID_JOB_PAYLOAD"},
		{"mail without to", "payload", vars{"type": "send_email"}, "INVALID_JOB_PAYLOAD"},
		{"half an hour", "payload", vars{"type": "cleanup_files", "payload": vars{"older_than_hours": 0.5}}, "INVALID_JOB_PAYLOAD"},
		{"vector of a placeholder", "payload", vars{"type": "generate_embedding", "payload": vars{"document_id": "doc_uuid_here"}}, "INVALID_JOB_PAYLOAD"},
		{"foreign tenant", "payload.tenant_id", vars{"type": "reindex_search", "payload": vars{"tenant_id": foreign.scope.TenantID}}, "FORBIDDEN"},
		{"large payload", "payload", vars{"payload": vars{"x": incompressible(600 << 10)}}, "PAYLOAD_TOO_LARGE"},
		{"number beyond numeric", "payload", vars{"payload": json.RawMessage(`{"n": 1e200000}`)}, ""},
		{"queue in capitals", "queue", vars{"queue": "Q"}, ""},
		{"queue of 65", "queue", vars{"queue": strings.Repeat("x", 65)}, ""},
		{"empty key", "uniqueKey", vars{"uniqueKey": ""}, ""},
		{"key of 201", "uniqueKey", vars{"uniqueKey": strings.Repeat("x", 201)}, ""},
		{"no attempt", "maxAttempts", vars{"maxAttempts": 0}, ""},
		{"101 attempts", "maxAttempts", vars{"maxAttempts": 101}, ""},
		{"fewer than none", "maxAttempts", vars{"maxAttempts": -1}, ""},
	} {
		in := vars{"type": "x"}
		maps.Copy(in, b.in)
		check(b.name, b.field, b.code, enqueueJob, vars{"in": in})
		if !strings.Contains(b.name, "large") && !strings.Contains(b.name, "numeric") {
			check(b.name, "jobs[1]."+b.field, b.code, `mutation ($in: EnqueueJobsInput!) { enqueueJobs(input: $in) { enqueued } }`, vars{"in": vars{"jobs": []vars{{"type": "x"}, in}}})
		}
	}
	require.Equal(t, after, d.rowsWithout("no tenant"), "something was written")

	tooMany := make([]string, 1001)
	for i := range tooMany {
		tooMany[i] = id
	}
	for _, q := range []struct {
		name, field, query string
		vars               vars
	}{
		{"not a uuid", "id", `{ document(id: "x") { id } }`, nil},
		{"uuid without hyphens", "id", `query ($x: ID!) { document(id: $x) { id } }`, vars{"x": strings.ReplaceAll(id, "-", "")}},
		{"injection for an id", "id", `query ($x: ID!) { document(id: $x) { id } }`, vars{"x": "' OR 1=1 --"}},
		{"id of 10 KB", "id", `query ($x: ID!) { document(id: $x) { id } }`, vars{"x": long}},
		{"not a uuid to change", "id", `mutation { updateDocument(input: {id: "x"}) { document { id } } }`, nil},
		{"not a uuid to delete", "id", `mutation { deleteDocument(input: {id: "x"}) { id } }`, nil},
		{"not an id in a filter", "filter.id.eq", `{ documents(filter: {id: {eq: "x"}}) { id } }`, nil},
		{"not an id in a list", "filter.id.in", `{ documents(filter: {id: {in: ["x"]}}) { id } }`, nil},
		{"not an id deep down", "filter.authorId.neq", `{ documents(filter: {not: {or: [{authorId: {neq: "x"}}]}}) { id } }`, nil},
		{"not an id of a job", "filter.id.eq", `{ jobs(filter: {id: {eq: "!"}}) { id } }`, nil},
		{"1,001 ids", "filter.id.in", `query ($x: [ID!]) { documents(filter: {id: {in: $x}}) { id } }`, vars{"x": tooMany}},
		{"1,001 titles", "filter.title.in", `query ($x: [String!]) { documents(filter: {title: {in: $x}}) { id } }`, vars{"x": tooMany}},
		{"1,001 paths", "filter.path.in", `query ($x: [String!]) { documents(filter: {path: {in: $x}}) { id } }`, vars{"x": tooMany}},
		{"1,001 types", "filter.type.in", `query ($x: [String!]) { jobs(filter: {type: {in: $x}}) { id } }`, vars{"x": tooMany}},
		{"51 conditions", "filter", `query ($x: [DocumentFilter!]) { documents(filter: {or: $x}) { id } }`, vars{"x": many(51, vars{"title": vars{"eq": "x"}})}},
		{"51 conditions in a count", "filter", `query ($x: [JobFilter!]) { jobsConnection(filter: {or: $x}) { totalCount } }`, vars{"x": many(51, vars{"type": vars{"eq": "x"}})}},
		{"query of 1,001", "query", `query ($x: String) { searchDocuments(query: $x) { totalCount } }`, vars{"x": strings.Repeat("ä", 1001)}},
		{"query of 10 KB", "query", `query ($x: String) { searchDocuments(query: $x) { nodes { score } } }`, vars{"x": long}},
		{"thousands of terms", "query", `query ($x: String) { searchDocuments(query: $x) { nodes { score } } }`, vars{"x": strings.Repeat("a b ", 2000)}},
		{"a thousand signs", "query", `query ($x: String) { searchDocuments(query: $x) { nodes { score } } }`, vars{"x": strings.Repeat("-", 1000)}},
		{"a thousand signs, counted", "query", `query ($x: String) { searchDocuments(query: $x) { totalCount } }`, vars{"x": strings.Repeat("- ", 500)}},
		{"huge literal", "payload.n[0]", `mutation { enqueueJob(input: {type: "x", payload: {n: [1e400]}}) { job { id } } }`, nil},
		{"huge whole literal", "payload.n", `mutation { enqueueJob(input: {type: "x", payload: {n: 99999999999999999999999}}) { job { id } } }`, nil},
		{"prefix with a space", "pathPrefix", `{ searchDocuments(pathPrefix: "a b") { nodes { score } } }`, nil},
		{"prefix with an empty label", "pathPrefix", `{ searchDocuments(pathPrefix: "a..b") { nodes { score } } }`, nil},
		{"radius 0", "near.radius", `{ searchDocuments(near: {longitude: 1, latitude: 1, radius: 0}) { nodes { score } } }`, nil},
		{"radius -1", "near.radius", `{ searchDocuments(near: {longitude: 1, latitude: 1, radius: -1}) { nodes { score } } }`, nil},
		{"radius 1e9", "near.radius", `{ searchDocuments(near: {longitude: 1, latitude: 1, radius: 1e9}) { nodes { score } } }`, nil},
		{"near 181", "near.longitude", `{ searchDocuments(near: {longitude: 181, latitude: 1}) { nodes { score } } }`, nil},
		{"near 91", "near.latitude", `{ searchDocuments(near: {longitude: 1, latitude: -91}) { nodes { score } } }`, nil},
		{"unknown language", "language", `{ searchDocuments(query: "x", language: "english") { nodes { score } } }`, nil},
		{"no synonym", "synonyms", `mutation { setSearchSynonyms(input: {term: "t", synonyms: []}) { synonyms { id } } }`, nil},
		{"51 synonyms", "synonyms", `mutation ($x: [String!]!) { setSearchSynonyms(input: {term: "t", synonyms: $x}) { synonyms { id } } }`, vars{"x": tooMany[:51]}},
		{"blank synonym", "synonyms[1]", `mutation { setSearchSynonyms(input: {term: "t", synonyms: ["x", " "]}) { synonyms { id } } }`, nil},
		{"six words", "term", `mutation { setSearchSynonyms(input: {term: "a b c d e f", synonyms: ["x"]}) { synonyms { id } } }`, nil},
		{"term of 10 KB", "term", `mutation ($x: String!) { setSearchSynonyms(input: {term: $x, synonyms: ["x"]}) { synonyms { id } } }`, vars{"x": long}},
		{"only signs", "term", `mutation { setSearchSynonyms(input: {term: "&|!", synonyms: ["x"]}) { synonyms { id } } }`, nil},
		{"two words to leave out", "words[0]", `mutation { setSearchStopWords(input: {words: ["a b"]}) { settings { stopWords } } }`, nil},
		{"1,001 stop words", "words", `mutation ($x: [String!]!) { setSearchStopWords(input: {words: $x}) { settings { stopWords } } }`, vars{"x": tooMany}},
		{"no page of synonyms", "first", `{ searchSettings { synonymsConnection(first: 101) { totalCount nodes { id } } } }`, nil},
		{"cursor that is none", "after", `{ searchSettings { synonymsConnection(after: "x") { nodes { id } } } }`, nil},
		{"long text to complete", "prefix", `query ($x: String!) { searchSuggestions(prefix: $x) { text } }`, vars{"x": strings.Repeat("ä", 201)}},
		{"no suggestion", "first", `{ searchSuggestions(prefix: "x", first: 0) { text } }`, nil},
		{"21 suggestions", "first", `{ searchSuggestions(prefix: "x", first: 21) { text } }`, nil},
		{"suggestions of no language", "language", `{ searchSuggestions(prefix: "x", language: "english") { text } }`, nil},
		{"no page", "first", `{ searchDocuments(first: 0) { nodes { score } } }`, nil},
		{"cursor of another list", "after", `{ searchDocuments(after: "WzEsMiwzXQ") { nodes { score } } }`, nil},
	} {
		check(q.name, q.field, "", q.query, q.vars)
	}
	for _, q := range []string{
		fmt.Sprintf(`mutation { updateDocument(input: {id: %q, expectedVersion: 2147483647}) { document { id } } }`, id),
		fmt.Sprintf(`mutation { cancelJob(input: {id: %q}) { job { id } } }`, "9223372036854775807"),
	} {
		require.Contains(t, []string{"CONFLICT", "NOT_FOUND"}, c.ask(q, nil).codes()[0])
	}
	require.Equal(t, after, d.rowsWithout("no tenant"), "something was written")
	require.NotEmpty(t, jobID)
}

// incompressible is text that PostgreSQL cannot make small.
func incompressible(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(uuid.NewString())
	}
	return b.String()
}

// Strange but allowed: it is kept or looked for as it is.
func TestStrangeInput(t *testing.T) {
	t.Parallel()

	d := open(t)
	c := d.tenant()
	c.document(nil)
	for _, text := range []string{
		"'; DROP TABLE documents; --", `" OR ""="`, "$1", "%s%n", "\\", "\\'", "'", "''", "`", "{{7*7}}", "<script>alert(1)</script>", "a\tb\nc\rd", "\u0001\u001f\u007f\u0080",
		"🦀👩‍👩‍👧‍👦🏳️‍🌈", "שלום עולם مرحبا", "\u202eabc\u202c", "e\u0301", "ﬁ", "𝕳", "\ufeffx", "\u2028", "null", "NaN", "1e400", "&amp;", "-", "--", "/*", "*/", "x' AND 1=(SELECT 1)--",
		"\uffff\U0010ffff",
	} {
		doc := c.document(vars{"title": text + "x", "body": text, "metadata": vars{text: text}, "externalId": text})
		require.Equal(t, text+"x", doc["title"])
		require.Equal(t, text, doc["body"])
		require.Equal(t, map[string]any{text: text}, doc["metadata"])
		data := c.get(`query ($x: String!, $m: Map!, $y: String!) {
			a: documents(filter: {title: {eq: $y}}) { id } b: documents(filter: {externalId: {contains: $x}}) { id } c: documents(filter: {metadata: $m}) { id }
			d: documents(filter: {title: {startsWith: $y}}) { id } e: documents(filter: {path: {startsWith: $x}}) { id } }`,
			vars{"x": text, "y": text + "x", "m": vars{text: text}})
		for _, alias := range []string{"a", "b", "c", "d"} {
			require.Contains(t, texts(t, at(t, data, alias), "id"), doc["id"], "%s %q", alias, text)
		}
		j := at(t, c.get(enqueueJob, vars{"in": vars{"type": "x", "payload": vars{text: text}, "uniqueKey": text}}), "enqueueJob", "job")
		require.Equal(t, map[string]any{text: text}, at(t, j, "payload"))
	}
	for _, q := range []string{
		"", " ", "the", "the of and", "-", "--", "-the", `"`, `""`, `"unbalanced`, `a "b c`, "or", "or", "a or", "-a", "🦀", "שלום", "مرحبا", "'; DROP TABLE documents;--", "a & b | !c", "!", ":*", "a:*",
		"<->", "(", "a)", "\\", "%", "_", strings.Repeat("a b ", 250), strings.Repeat("a or ", 200), strings.Repeat(`"`, 1000), strings.Repeat("x", 1000),
		strings.Repeat("ä", 1000), "\u0001", "\ufeff",
	} {
		a := c.ask(`query ($q: String) { searchDocuments(query: $q) { nodes { score document { id } } totalCount } }`, vars{"q": q})
		require.Empty(t, a.Errors, "%q: %s", q, a.raw)
		if len([]rune(q)) <= 200 {
			a = c.ask(`query ($q: String!) { searchSuggestions(prefix: $q) { text } }`, vars{"q": q})
			require.Empty(t, a.Errors, "%q: %s", q, a.raw)
		}
	}
	for _, n := range []string{`9007199254740993`, `1e308`, `-0`, `0.1`, `123456789012345678901234567890`} {
		a := c.ask(enqueueJob, vars{"in": vars{"type": "x", "payload": json.RawMessage(`{"n": ` + n + `}`)}})
		require.Empty(t, a.Errors, a.raw)
	}
	require.Contains(t, c.ask(enqueueJob, vars{"in": vars{"type": "x", "payload": json.RawMessage(`{"n": 9007199254740993}`)}}).raw, "9007199254740993", "numbers keep their digits")
}

// What is no request at all.
func TestRequestsThatAreNone(t *testing.T) {
	t.Parallel()

	c := open(t).tenant()
	for body, status := range map[string]int{
		``: 400, `x`: 400, `[]`: 400, `null`: 400, `{}`: 400, `{"query":""}`: 400, `{"query":5}`: 400, `{"query":"{"}`: 200, `{"query":"{ nothing }"}`: 200, `{"query":"{ documents { nothing } }"}`: 200,
		`{"query":"{ documents }"}`: 200, `{"query":"query A { viewer { keyId } } query B { viewer { keyId } }"}`: 200, `{"query":"{ viewer { keyId } }","operationName":"C"}`: 200,
		`{"query":"{ viewer { keyId } }","variables":[]}`: 400, `{"query":"{ viewer { keyId } }","variables":"x"}`: 400, `[{"query":"{ viewer { keyId } }"}]`: 400,
		"{\"query\":\"{ viewer { keyId } }\xff\"}": 400, `{"query":"{ viewer { keyId } }\u0000"}`: 400, "{\"query\":\"{ viewer { keyId } }\x00\"}": 400,
		`{"query":"subscription { jobUpdates { at } }"}`: 400, `{"query":"query ($x: Nope) { viewer { keyId } }"}`: 200, `{"query":"{ documents(first: $x) { id } }"}`: 200,
		`{"query":"{ documents(nope: 1) { id } }"}`: 200, `{"query":"mutation { deleteDocument { id } }"}`: 200, `{"query":"{ a: viewer { keyId } a: capabilities { name } }"}`: 200,
		`{"query":"{ ...F } fragment F on Query { ...F }"}`: 200, `{"query":"{ ` + strings.Repeat("a: viewer { keyId } ", 500) + `}"}`: 400,
		`{"query":"{ ` + strings.Repeat("documents(filter: {not: {title: {eq: \\\"x\\\"}}}) { author { id } } ", 1) + strings.Repeat(" ", 5<<20) + `}"}`: 413,
	} {
		a := c.send(body)
		require.Equal(t, status, a.status, "%.200s: %s", body, a.raw)
		for _, code := range a.codes() {
			require.Contains(t, []string{"VALIDATION_FAILED", "PAYLOAD_TOO_LARGE"}, code, "%.200s: %s", body, a.raw)
		}
		require.NotEmpty(t, a.Errors)
		require.Less(t, len(a.raw), 20<<10)
	}
	a := c.send(`{"query":"{ documents(nope: 1) { id } }"}`)
	require.Equal(t, []string{"nope"}, a.fields())
	a = c.send(`{"query":"mutation { deleteDocument { id } }"}`)
	require.Equal(t, []string{"input"}, a.fields())
}

// A document nested as deep as JSON allows is data like other data, and deeper is refused.
func TestDeepPayload(t *testing.T) {
	t.Parallel()

	c := open(t).tenant()
	nested := func(n int) json.RawMessage {
		return json.RawMessage(strings.Repeat(`{"a":`, n) + `1` + strings.Repeat(`}`, n))
	}
	require.Empty(t, c.ask(enqueueJob, vars{"in": vars{"type": "x", "payload": nested(100)}}).Errors)
	a := c.send(fmt.Sprintf(`{"query":%q,"variables":{"in":{"type":"x","payload":%s}}}`, enqueueJob, nested(100_000)))
	require.Equal(t, []string{"VALIDATION_FAILED"}, a.codes(), a.raw)
	require.Equal(t, 400, a.status)
}
