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

	op = operation("Tenant", http.MethodGet, "/tenant/export", "export", "Download all rows of the tenant", http.StatusOK, 401, 403)
	op.Description = "Needs the permission tenant:export. Lines of JSON, sent as they are read: a header, rows by table, and a trailer with counts and a checksum. " +
		"An answer without the trailer is not whole. Two downloads run at a time."
	op.Security = []map[string][]string{{"apiKey": {}}, {"bearer": {}}}
	answers(&op, "application/x-ndjson", &huma.Schema{Type: huma.TypeString})
	a.describe(op)

	op = operation("Operations", http.MethodGet, "/health", "health", "Ask whether the process lives", http.StatusOK)
	answers(&op, "application/json", schemaOf[Health](a))
	a.describe(op)

	op = operation("Operations", http.MethodGet, "/metrics", "metrics", "Read counters, gauges and timings", http.StatusOK)
	op.Description = "JSON, or the exposition format of Prometheus for `Accept: text/plain` and with `?format=prometheus`. With OPS_ADDR it is on that listener only, and so is /health."
	answers(&op, "application/json", &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true})
	answers(&op, "text/plain", &huma.Schema{Type: huma.TypeString})
	a.describe(op)
}
