package rest

import (
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// GraphQLRequest is a request to the GraphQL endpoint.
type GraphQLRequest struct {
	Query         string `json:"query" doc:"The operation." example:"query List($first: Int) { documents(first: $first) { id title } }"`
	Variables     object `json:"variables,omitzero" required:"false" nullable:"true" doc:"Its variables." example:"{\"first\":5}"`
	OperationName string `json:"operationName,omitempty" nullable:"true" doc:"Which of several operations." example:"List"`
	Extensions    object `json:"extensions,omitzero" required:"false" nullable:"true" doc:"Is not looked at." example:"{}"`
}

// GraphQLResponse is an answer of the GraphQL endpoint.
type GraphQLResponse struct {
	Data       object         `json:"data,omitzero" required:"false" nullable:"true" doc:"What was asked for; null when a field that must not be null has failed." example:"{\"documents\":[]}"`
	Errors     []GraphQLError `json:"errors,omitempty" nullable:"false" doc:"What has failed."`
	Extensions object         `json:"extensions,omitzero" required:"false" doc:"More about the answer." example:"{}"`
}

// GraphQLError is one failure of a GraphQL operation.
type GraphQLError struct {
	Message    string            `json:"message" doc:"A sentence for people." example:"There is no such document."`
	Locations  []GraphQLLocation `json:"locations,omitempty" nullable:"false" doc:"Where in the query."`
	Path       []anything        `json:"path,omitempty" nullable:"false" doc:"Which field of the answer." example:"[\"updateDocument\"]"`
	Extensions object            `json:"extensions,omitzero" required:"false" doc:"code, for programs; requestId; field, of input that is not as it should be." example:"{\"code\":\"NOT_FOUND\"}"`
}

// GraphQLLocation is a place in a query.
type GraphQLLocation struct {
	Line   int `json:"line" doc:"From 1." example:"1"`
	Column int `json:"column" doc:"From 1." example:"3"`
}

// Health is how the process does.
type Health struct {
	Status   string `json:"status" doc:"ok while the process lives." example:"ok"`
	Database string `json:"database" enum:"up,down,unknown" doc:"Whether the database answers." example:"up"`
}

// others describes what other packages serve.
func (a *API) others() {
	a.describeGraphQL()
	a.describeExport()

	op := operation("Operations", http.MethodGet, "/health", "health", "Ask whether the process lives", http.StatusOK)
	answers(&op, "application/json", schemaOf[Health](a))
	a.describe(op)

	op = operation("Operations", http.MethodGet, "/metrics", "metrics", "Read counters, gauges and timings", http.StatusOK)
	op.Description = "JSON, or the exposition format of Prometheus for `Accept: text/plain` and with `?format=prometheus`. With OPS_ADDR it is on that listener only, and so is /health."
	answers(&op, "application/json", &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true})
	answers(&op, "text/plain", &huma.Schema{Type: huma.TypeString})
	a.describe(op)
}

// describeExport tells of GET /tenant/export; see NewExport.
func (a *API) describeExport() {
	op := operation("Tenant", http.MethodGet, "/tenant/export", "exportTenant", "Download all rows of the tenant", http.StatusOK, 404)
	op.Description = "Lines of JSON (NDJSON), all of one moment and sent as they are read: first `{\"header\": …}`, then `{\"table\": …, \"row\": …}` table by table, parents before " +
		"children, and last `{\"trailer\": {\"rows\", \"counts\", \"sha256\"}}`. An answer without the trailer is not whole: the connection was cut off. Two downloads " +
		"run at a time; more are 429. `stackforge tenant import` restores one. Hashes, secrets and the bytes of files are in none."
	secure(&op, "tenant:export")
	answers(&op, "application/x-ndjson", &huma.Schema{
		Type: huma.TypeString, Description: "A line for the header, for each row and for the trailer.",
		Examples: []any{`{"header":{"format":"stackforge-tenant/1","tenantId":"00000000-0000-0000-0000-000000000001","name":"Example","schemaVersion":11,"exportedAt":"2026-01-31T09:30:00Z","counts":{"app_users":1}}}
{"table":"app_users","row":{"id":"00000000-0000-0000-0000-000000000010","email":"ada@example.org"}}
{"trailer":{"rows":1,"counts":{"app_users":1},"sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}}
`},
	})
	op.Responses["200"].Headers = headers(
		[3]string{"Content-Disposition", "An attachment.", `attachment; filename="tenant-00000000-0000-0000-0000-000000000001.ndjson"`},
		[3]string{"Cache-Control", "Nobody keeps it.", "no-store"},
	)
	a.describe(op)
}

// describeGraphQL tells of /graphql. What GraphQL itself refuses has the form of its errors, other failures that of all others.
func (a *API) describeGraphQL() {
	types := []string{"application/json", "application/graphql-response+json"}
	body := map[string]*huma.MediaType{}
	for _, t := range types {
		body[t] = &huma.MediaType{Schema: schemaOf[GraphQLResponse](a)}
	}
	describe := func(method, path, id, summary string, edit func(op *huma.Operation), refusals ...int) {
		op := operation("GraphQL", method, path, id, summary, http.StatusOK, http.StatusUnauthorized)
		op.Description = "Each field has its own permission; see the schema. WebSocket clients (graphql-transport-ws, graphql-ws) use the same path."
		op.Security = []map[string][]string{{"apiKey": {}}, {"bearer": {}}}
		op.Responses["200"].Content = body
		for _, status := range refusals {
			op.Responses[strconv.Itoa(status)] = &huma.Response{Description: failures()[status], Content: body}
		}
		edit(&op)
		a.describe(op)
	}
	request := &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf[GraphQLRequest](a)}}}
	describe(http.MethodPost, "/graphql", "graphql", "Run a GraphQL operation", func(op *huma.Operation) { op.RequestBody = request }, 400, 403, 406, 409, 413, 415, 501)
	describe(http.MethodPost, "/graphql/pg", "pgGraphql", "Run an operation of pg_graphql", func(op *huma.Operation) {
		op.Description = "The operation goes to the extension pg_graphql as it is, in the tenant's name; /graphql knows such operations by their root fields and does the same. " +
			"501 where the server does not have the extension."
		op.RequestBody = request
	}, 400, 403, 406, 409, 413, 415, 501)
	describe(http.MethodGet, "/graphql", "graphqlQuery", "Run a GraphQL query", func(op *huma.Operation) {
		op.Description = "As POST, for queries only. A request for a WebSocket is answered 101."
		for _, p := range [][3]string{
			{"query", "The query.", "{ documents(first: 5) { id title } }"},
			{"variables", "Its variables, as a JSON object.", "{}"},
			{"operationName", "Which of several operations.", ""},
			{"extensions", "A JSON object, which is not looked at.", "{}"},
		} {
			param := &huma.Param{Name: p[0], In: "query", Description: p[1], Required: p[0] == "query", Schema: &huma.Schema{Type: huma.TypeString}}
			if p[2] != "" {
				param.Example = p[2]
			}
			op.Parameters = append(op.Parameters, param)
		}
	}, 400, 405, 406, 414, 501)
}
