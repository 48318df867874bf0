package rest

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// GraphQLRequest is a request to the GraphQL endpoint.
type GraphQLRequest struct {
	Query         string `json:"query" doc:"The operation." example:"{ documents(first: 5) { id title } }"`
	Variables     object `json:"variables,omitzero" required:"false" doc:"Its variables." example:"{\"limit\":5}"`
	OperationName string `json:"operationName,omitempty" doc:"Which of several operations." example:"List"`
}

// Health is how the process does.
type Health struct {
	Status   string `json:"status" doc:"ok while the process lives." example:"ok"`
	Database string `json:"database" enum:"up,down,unknown" doc:"Whether the database answers." example:"up"`
}

// others describes what other packages serve.
func (a *API) others() {
	op := operation("GraphQL", http.MethodPost, "/graphql", "graphql", "Run a GraphQL operation", http.StatusOK, 400, 401, 413, 415)
	op.Description = "Each field has its own permission; see the schema. WebSocket clients use the same path."
	op.Security = []map[string][]string{{"apiKey": {}}, {"bearer": {}}}
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf[GraphQLRequest](a)}}}
	answers(&op, "application/json", &huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: true, Description: "data, and errors with extensions.code.",
		Examples: []any{map[string]any{"data": map[string]any{"documents": []any{}}}},
	})
	a.describe(op)

	a.describeExport()

	op = operation("Operations", http.MethodGet, "/health", "health", "Ask whether the process lives", http.StatusOK)
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
		Examples: []any{`{"header":{"format":"stackforge-tenant/1","tenantId":"11111111-1111-4111-8111-111111111111","name":"Example","schemaVersion":11,"exportedAt":"2026-01-31T09:30:00Z","counts":{"app_users":1}}}
{"table":"app_users","row":{"id":"0193a7b0-7f6b-7d0e-9a52-5f3d1c2b4a70","email":"ada@example.org"}}
{"trailer":{"rows":1,"counts":{"app_users":1},"sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}}
`},
	})
	op.Responses["200"].Headers = headers(
		[3]string{"Content-Disposition", "An attachment.", `attachment; filename="tenant-11111111-1111-4111-8111-111111111111.ndjson"`},
		[3]string{"Cache-Control", "Nobody keeps it.", "no-store"},
	)
	a.describe(op)
}
