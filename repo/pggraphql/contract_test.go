package pggraphql_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"stackforge/db"
	"stackforge/db/dbtest"
	"stackforge/errs"
	"stackforge/repo/pggraphql"
	"stackforge/tenant"
)

var record = flag.Bool("record", false, "write testdata anew, on a server with pg_graphql")

// request is one operation of the contract, and how the caller reads its answer.
type request struct {
	name      string
	query     string
	variables map[string]any
	operation string
	scopes    []string // all when nil
	mutation  bool
	codes     []errs.Code
	fields    []string
	texts     []string // of the errors, where they matter
}

// contract are requests whose raw answers testdata/contract.json holds, as pg_graphql 1.6.1 gave them.
var contract = []request{
	{name: "the documented one", query: `{ documentsCollection(first: 2) { edges { node { id title createdAt } } } }`},
	{
		name: "a page with all there is", query: `query Page($n: Int!) { documentsCollection(first: $n, orderBy: [{createdAt: DescNullsLast}, {id: AscNullsLast}]) {
		totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
		edges { cursor node { nodeId tenantId path metadata tagIds longitude version author { email documentsCollection(first: 1) { totalCount } } } } } }`,
		variables: vars{"n": 2}, operation: "Page",
	},
	{name: "the five collections", query: `{
		documentsCollection { totalCount edges { node { tenantId title body language externalId latitude updatedAt } } }
		jobsCollection { totalCount edges { node { id tenantId type payload status priority queue attempts runAt } } }
		filesCollection { totalCount edges { node { tenantId filename contentType sizeBytes status uploader { email } } } }
		appUsersCollection { totalCount edges { node { tenantId email filesCollection { totalCount } } } }
		apiKeysCollection { totalCount edges { node { tenantId keyPrefix name scopes expiresAt revokedAt } } } }`},
	{name: "by key", query: `{ documentsByPk(id: "00000000-0000-4000-8000-0000000000d1") { title } jobsByPk(id: "101") { type } }`},
	{name: "by key of another tenant", query: `{ documentsByPk(id: "00000000-0000-4000-8000-0000000000e1") { title } jobsByPk(id: "201") { type } }`},
	{
		name: "a node of another tenant", query: `query ($id: ID!) { node(nodeId: $id) { nodeId ... on Documents { title } } }`,
		variables: vars{"id": "WyJncmFwaHFsX2FwaSIsICJkb2N1bWVudHMiLCAiMDAwMDAwMDAtMDAwMC00MDAwLTgwMDAtMDAwMDAwMDAwMGUxIl0="},
	},
	{name: "a filter on another tenant", query: `{ documentsCollection(filter: {tenantId: {eq: "00000000-0000-4000-8000-000000000002"}}) { totalCount edges { node { id } } }
		or: documentsCollection(filter: {or: [{tenantId: {neq: "00000000-0000-4000-8000-000000000001"}}, {title: {startsWith: "theirs"}}]}) { totalCount } }`},
	{name: "filters", query: `{ a: documentsCollection(filter: {path: {startsWith: "docs."}, title: {ilike: "%two"}}) { edges { node { title } } }
		b: documentsCollection(filter: {tagIds: {contains: [2]}}) { edges { node { title } } } c: jobsCollection(filter: {status: {in: ["pending"]}, priority: {gte: 3}}) { edges { node { id } } } }`},
	{name: "two fields, one wrong", query: `{ documentsCollection { totalCount } nothing }`, codes: []errs.Code{errs.Validation}},

	{name: "no permission to read", query: `{ documentsCollection { edges { node { title } } } }`, scopes: []string{"jobs:read"}, codes: []errs.Code{errs.Forbidden}, texts: []string{"This needs the permission documents:read."}},
	{name: "no permission to read what is related", query: `{ documentsCollection { edges { node { title author { email } } } } }`, scopes: []string{"documents:*"}, codes: []errs.Code{errs.Forbidden}, texts: []string{"This needs the permission users:read."}},
	{name: "one permission is enough", query: `{ mine: documentsCollection { edges { node { title } } } }`, scopes: []string{"documents:read"}},
	{name: "an unknown column", query: `{ apiKeysCollection { edges { node { keyHash } } } }`, codes: []errs.Code{errs.Validation}},
	{name: "an unknown collection", query: `{ tenantsCollection { edges { node { id } } } }`, codes: []errs.Code{errs.Validation}},
	{name: "what is no uuid", query: `{ documentsCollection(filter: {id: {eq: "x"}}) { totalCount } }`, codes: []errs.Code{errs.Validation}},
	{name: "a broken cursor", query: `{ documentsCollection(after: "x") { totalCount } }`, codes: []errs.Code{errs.Validation}},
	{name: "a broken regular expression", query: `{ documentsCollection(filter: {title: {regex: "("}}) { totalCount } }`, codes: []errs.Code{errs.Validation}},
	{name: "a number that is too large", query: `{ jobsCollection(filter: {priority: {eq: 99999999999}}) { totalCount } }`, codes: []errs.Code{errs.Validation}},
	{name: "a number beyond all", query: `{ jobsCollection(filter: {id: {eq: "99999999999999999999"}}) { totalCount } }`, codes: []errs.Code{errs.Validation}},
	{name: "a missing fragment", query: `{ documentsCollection { ...F } }`, codes: []errs.Code{errs.Validation}},
	{name: "a syntax error of its own parser", query: `{ documentsCollection(first: ) { totalCount } }`, codes: []errs.Code{errs.Validation}},
	{name: "no such operation", query: `query A { documentsCollection { totalCount } }`, operation: "B", codes: []errs.Code{errs.Validation}},

	{
		name: "create", mutation: true, query: `mutation ($o: [DocumentsInsertInput!]!) { insertIntoDocumentsCollection(objects: $o) { affectedCount
		records { tenantId title path metadata tagIds externalId language version author { email } } } }`,
		variables: vars{"o": []any{vars{"authorId": "00000000-0000-4000-8000-0000000000a1", "title": "new", "body": "b", "path": "docs.new", "metadata": `{"a": "b"}`, "tagIds": []any{1, 2}, "externalId": "x", "language": "de"}}},
	},
	{
		name: "create with two mistakes", mutation: true, query: `mutation { insertIntoDocumentsCollection(objects: [{authorId: "00000000-0000-4000-8000-0000000000a1", title: " ", body: "b", path: "a b"}]) { affectedCount } }`,
		codes: []errs.Code{errs.Validation, errs.Validation}, fields: []string{"title", "path"},
	},
	{
		name: "create for another tenant", mutation: true, query: `mutation { insertIntoDocumentsCollection(objects: [{tenantId: "00000000-0000-4000-8000-000000000002", authorId: "00000000-0000-4000-8000-0000000000a1", title: "t", body: "b"}]) { affectedCount } }`,
		codes: []errs.Code{errs.Forbidden}, fields: []string{"tenantId"},
	},
	{
		name: "create with an author of another tenant", mutation: true, query: `mutation { insertIntoDocumentsCollection(objects: [{authorId: "00000000-0000-4000-8000-0000000000b1", title: "t", body: "b"}]) { affectedCount } }`,
		codes: []errs.Code{errs.Validation}, fields: []string{"authorId"},
	},
	{
		name: "create what is there", mutation: true, query: `mutation { insertIntoDocumentsCollection(objects: [{authorId: "00000000-0000-4000-8000-0000000000a1", title: "t", body: "b", externalId: "one"}]) { affectedCount } }`,
		codes: []errs.Code{errs.Conflict}, fields: []string{"externalId"},
	},
	{name: "update", mutation: true, query: `mutation { updateDocumentsCollection(set: {title: "changed", path: null}, filter: {id: {eq: "00000000-0000-4000-8000-0000000000d1"}}) { affectedCount records { title path body version } } }`},
	{name: "update of another tenant", mutation: true, query: `mutation { updateDocumentsCollection(set: {title: "taken over"}, filter: {id: {eq: "00000000-0000-4000-8000-0000000000e1"}}) { affectedCount records { title } } }`},
	{name: "update of too many", mutation: true, query: `mutation { updateDocumentsCollection(set: {title: "changed"}) { affectedCount } }`, codes: []errs.Code{errs.Validation}, texts: []string{"update impacts too many records"}},
	{name: "update of what cannot be set", mutation: true, query: `mutation { updateDocumentsCollection(set: {tenantId: "00000000-0000-4000-8000-000000000002"}) { affectedCount } }`, codes: []errs.Code{errs.Validation}},
	{name: "delete", mutation: true, query: `mutation { deleteFromDocumentsCollection(filter: {id: {eq: "00000000-0000-4000-8000-0000000000d1"}}) { affectedCount records { title } } }`},
	{name: "delete of another tenant", mutation: true, query: `mutation { deleteFromDocumentsCollection(filter: {tenantId: {eq: "00000000-0000-4000-8000-000000000002"}}, atMost: 100) { affectedCount records { title } } }`},
	{name: "delete of too many", mutation: true, query: `mutation { deleteFromDocumentsCollection { affectedCount } }`, codes: []errs.Code{errs.Validation}, texts: []string{"delete impacts too many records"}},
	{name: "users", mutation: true, query: `mutation { insertIntoAppUsersCollection(objects: [{email: "new@example.org"}]) { records { email tenantId } }
		updateAppUsersCollection(set: {email: "other@example.org"}, filter: {email: {eq: "new@example.org"}}) { affectedCount records { email } }
		deleteFromAppUsersCollection(filter: {email: {eq: "other@example.org"}}) { affectedCount } }`},
	{name: "a user that is there", mutation: true, query: `mutation { insertIntoAppUsersCollection(objects: [{email: "MINE@example.org"}]) { affectedCount } }`, codes: []errs.Code{errs.Conflict}, fields: []string{"email"}},
	{name: "a user who has documents", mutation: true, query: `mutation { deleteFromAppUsersCollection(filter: {email: {eq: "mine@example.org"}}) { affectedCount } }`, codes: []errs.Code{errs.Conflict}, fields: []string{"reassignTo"}},
	{name: "a job", mutation: true, query: `mutation { insertIntoJobsCollection(objects: [{type: "x", payload: "{\"a\": 1}", priority: 5}]) { affectedCount records { type payload priority status queue } } }`},
	{name: "a job that breaks its type", mutation: true, query: `mutation { insertIntoJobsCollection(objects: [{type: "send_email", payload: "{}"}]) { affectedCount } }`, codes: []errs.Code{errs.InvalidPayload}, fields: []string{"payload"}},
	{
		name: "the first of two is undone", mutation: true, query: `mutation { deleteFromDocumentsCollection(filter: {id: {eq: "00000000-0000-4000-8000-0000000000d1"}}) { affectedCount } updateDocumentsCollection(set: {title: ""}, filter: {id: {eq: "00000000-0000-4000-8000-0000000000d2"}}) { affectedCount } }`,
		codes: []errs.Code{errs.Validation}, fields: []string{"title"},
	},
	{name: "no permission for this noun", mutation: true, query: `mutation { insertIntoJobsCollection(objects: [{type: "x"}]) { affectedCount } }`, scopes: []string{"documents:*", "jobs:read"}, codes: []errs.Code{errs.Forbidden}, texts: []string{"This needs the permission jobs:write."}},
	{name: "keys are read only", mutation: true, query: `mutation { deleteFromApiKeysCollection { affectedCount } }`, codes: []errs.Code{errs.Validation}},

	{name: "what a reader sees", query: introspection, scopes: []string{"documents:read"}},
	{name: "what a writer sees", query: introspection},
}

const introspection = `{ __schema { queryType { name fields { name args { name } } } mutationType { name fields { name args { name } } } types { name fields { name } inputFields { name } } } }`

// raw is what graphql.resolve() itself answers, in the transaction that Resolve makes. What it did is undone.
func raw(t *testing.T, d *dbtest.DB, q request) json.RawMessage {
	t.Helper()

	undone := errors.New("undone")
	var text string
	role := db.RoleGraphQLWrite
	if q.scopes != nil && !strings.Contains(strings.Join(q.scopes, " "), "documents:*") {
		role = db.RoleGraphQL
	}
	variables, err := json.Marshal(q.variables)
	require.NoError(t, err)
	var operation *string
	if q.operation != "" {
		operation = &q.operation
	}
	err = db.DoIn(tenant.With(t.Context(), scope(mine, q.scopes)), d.API, db.Frame{Role: role, SearchPath: "graphql_api", ReadOnly: !q.mutation, Timeout: time.Minute, WorkMem: "16MB"},
		func(ctx context.Context, tx *db.Tx) error {
			var err error
			if text, err = db.Get[string](ctx, tx, "answer", `SELECT graphql.resolve(@q, coalesce(nullif(@v, 'null'), '{}')::jsonb, @o)::text`,
				pgx.NamedArgs{"q": q.query, "v": string(variables), "o": operation}); err != nil {
				return err
			}
			return undone
		})
	require.ErrorIs(t, err, undone)
	return sorted(t, text)
}

// sorted is an answer whose description of the schema has its names in order: the extension has none.
func sorted(t *testing.T, text string) json.RawMessage {
	t.Helper()

	var answer any
	require.NoError(t, json.Unmarshal([]byte(text), &answer))
	var walk func(v any, of string)
	walk = func(v any, of string) {
		switch v := v.(type) {
		case map[string]any:
			for key, child := range v {
				walk(child, key)
			}
		case []any:
			for _, child := range v {
				walk(child, "")
			}
			if of == "types" || of == "fields" || of == "inputFields" {
				slices.SortFunc(v, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
			}
		}
	}
	walk(answer, "")
	out, err := json.Marshal(answer)
	require.NoError(t, err)
	return out
}

// The contract holds for the extension where the server has it, and for its recorded answers everywhere.
func TestContract(t *testing.T) {
	t.Parallel()

	file := filepath.Join("testdata", "contract.json")
	text, err := os.ReadFile(file)
	if !*record {
		require.NoError(t, err)
	}
	recorded := map[string]json.RawMessage{}
	if !*record {
		require.NoError(t, json.Unmarshal(text, &recorded))
	}
	probe := fixture(t)
	isReal := hasExtension(t, probe)
	require.True(t, isReal || !*record, "recording needs pg_graphql")
	if isReal {
		for _, q := range contract {
			got := raw(t, probe, q)
			if *record {
				recorded[q.name] = got
			}
			require.JSONEq(t, string(recorded[q.name]), string(got), q.name)
		}
	}
	if *record {
		text, err := json.MarshalIndent(recorded, "", "\t")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, append(text, '\n'), 0o600))
	}
	require.Len(t, recorded, len(contract))

	for name, build := range map[string]func(*testing.T) *dbtest.DB{
		"recorded": func(t *testing.T) *dbtest.DB {
			t.Helper()

			d := fixture(t)
			standIn(t, d)
			conn := d.Connect(t)
			for _, q := range contract {
				variables, err := json.Marshal(q.variables)
				require.NoError(t, err)
				_, err = conn.Exec(t.Context(), `INSERT INTO graphql.recorded VALUES ($1, coalesce(nullif($2, 'null'), '{}')::jsonb, nullif($3, ''), $4, $5::text::jsonb)`,
					q.query, string(variables), q.operation, q.name == "what a reader sees", string(recorded[q.name]))
				require.NoError(t, err)
			}
			return d
		},
		"real": fixture,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if name == "real" && !isReal {
				t.Skip("the server does not have pg_graphql")
			}
			shared := build(t)
			for _, q := range contract {
				d := shared
				if q.mutation && name == "real" {
					d = build(t) // what it does must not be seen by the next
				}
				answers(t, d, q, recorded[q.name])
			}
		})
	}
}

// answers checks what Resolve makes of an answer.
func answers(t *testing.T, d *dbtest.DB, q request, recorded json.RawMessage) {
	t.Helper()

	got, err := pggraphql.New(d.API, time.Minute).Resolve(tenant.With(t.Context(), scope(mine, q.scopes)),
		pggraphql.Request{Query: q.query, OperationName: q.operation, Variables: q.variables, Mutation: q.mutation})
	require.NoError(t, err, q.name)
	var want struct{ Data json.RawMessage }
	require.NoError(t, json.Unmarshal(recorded, &want))
	switch {
	case q.mutation && q.codes != nil:
		require.Nil(t, got.Data, q.name)
	case want.Data == nil:
		require.Nil(t, got.Data, q.name)
	default:
		require.JSONEq(t, string(want.Data), string(sorted(t, string(got.Data))), q.name)
	}
	var codes []errs.Code
	var fields, texts []string
	for _, e := range got.Errors {
		codes, texts = append(codes, e.Code), append(texts, e.Message)
		require.NotRegexp(t, `stackforge:|violates|SQLSTATE|ZE\d{3}|invalid input syntax|relation|constraint`, e.Message, q.name)
		if e.Field != "" {
			fields = append(fields, e.Field)
		}
	}
	require.Equal(t, q.codes, codes, "%s %v", q.name, texts)
	require.Equal(t, q.fields, fields, "%s %v", q.name, texts)
	if q.texts != nil {
		require.Equal(t, q.texts, texts, q.name)
	}
}

// No answer of a read shows anything of the other tenant, whose every row says so.
func TestContractShowsNothingOfOthers(t *testing.T) {
	t.Parallel()

	text, err := os.ReadFile(filepath.Join("testdata", "contract.json"))
	require.NoError(t, err)
	recorded := map[string]json.RawMessage{}
	require.NoError(t, json.Unmarshal(text, &recorded))
	for name, answer := range recorded {
		require.NotContains(t, string(answer), "theirs", name)
		if !strings.Contains(name, "another tenant") {
			require.NotContains(t, string(answer), others.String(), name)
		}
	}
}

// What the two roles see of the schema is what graphql_api shows, and nothing that a reader of tables would not be shown.
func TestContractShowsNoMoreThanItShould(t *testing.T) {
	t.Parallel()

	text, err := os.ReadFile(filepath.Join("testdata", "contract.json"))
	require.NoError(t, err)
	recorded := map[string]struct {
		Data struct {
			Schema struct {
				QueryType    struct{ Fields []struct{ Name string } }
				MutationType *struct{ Fields []struct{ Name string } }
				Types        []struct {
					Name   string
					Fields []struct{ Name string }
				}
			} `json:"__schema"`
		}
	}{}
	var all map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(text, &all))
	for _, name := range []string{"what a reader sees", "what a writer sees"} {
		x := recorded[name]
		require.NoError(t, json.Unmarshal(all[name], &x))
		var fields []string
		for _, f := range x.Data.Schema.QueryType.Fields {
			fields = append(fields, f.Name)
		}
		require.ElementsMatch(t, []string{
			"apiKeysByPk", "apiKeysCollection", "appUsersByPk", "appUsersCollection", "documentsByPk", "documentsCollection",
			"filesByPk", "filesCollection", "jobsByPk", "jobsCollection", "node",
		}, fields, name)
		for _, typ := range x.Data.Schema.Types {
			for _, f := range typ.Fields {
				require.NotContains(t, []string{"keyHash", "previousHash", "storageKey", "payloadEncrypted", "searchTsv", "embedding", "leaseId"}, f.Name, typ.Name)
			}
		}
		recorded[name] = x
	}
	require.Nil(t, recorded["what a reader sees"].Data.Schema.MutationType)
	var fields []string
	for _, f := range recorded["what a writer sees"].Data.Schema.MutationType.Fields {
		fields = append(fields, f.Name)
	}
	require.ElementsMatch(t, []string{
		"deleteFromAppUsersCollection", "deleteFromDocumentsCollection", "insertIntoAppUsersCollection", "insertIntoDocumentsCollection",
		"insertIntoJobsCollection", "updateAppUsersCollection", "updateDocumentsCollection",
	}, fields)
}
